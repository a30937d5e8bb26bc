"""Neural Common Neighbor with Completion: common neighbors that are missing count with the chance of their edges."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Unpack, cast

from torch import Tensor

from graphkit.layers import CompletionScore
from graphkit.layers.checks import check_at_least
from graphkit.models.link.base import LinkModel
from graphkit.models.link.ncn import CommonNeighborModel, NCNOptions
from graphkit.training.stages import Backward, Stage, Step, head_apart


class NCNC(CommonNeighborModel):
    """NCNC: NCN whose pooled sum is completed by neighbors of one node alone, weighted by the score of the edge they lack.

    With `warm_up` it is trained as NCN first, for so many epochs, none of which is selected; then `train.epochs` epochs of its
    head alone follow, with completion and fixed embeddings. So the authors train on ogbl-ddi, where they begin with the weights
    of the best NCN epoch and this with those of the last one.

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        depth: See `CompletionScore`, as for the next seven.
        scale: Slope of the chance in the score.
        offset: Score at which the chance is 1/2.
        prior: Factor on the odds.
        alpha: Largest weight.
        train_cap: Most neighbors of one node alone in training, 0: all.
        cap: The same in evaluation.
        inner: `transformed` (the authors' code) or `embeddings` (the paper's reading).
        warm_up: Epochs as NCN, at least 0.
        completion_lr: Learning rate of the head after the warm-up; None: that of the head.
        **options: Settings of `CommonNeighborModel`.

    Source: Wang, Yang and Zhang, ICLR 2024.
    """

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        *,
        depth: int = 1,
        scale: float = 5.0,
        offset: float = 3.0,
        prior: float = 0.5,
        alpha: float = 1.0,
        train_cap: int = 0,
        cap: int = 0,
        inner: str = "transformed",
        warm_up: int = 0,
        completion_lr: float | None = None,
        **options: Unpack[NCNOptions],
    ) -> None:
        make_score = partial(
            CompletionScore,
            depth=depth,
            scale=scale,
            offset=offset,
            prior=prior,
            alpha=alpha,
            train_cap=train_cap,
            cap=cap,
            inner=inner,
        )
        super().__init__(in_channels, num_nodes, make_score=make_score, **options)
        check_at_least(0, warm_up=warm_up)
        self.depth, self.warm_up, self.completion_lr = depth, warm_up, completion_lr

    def stages(self, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """One stage; with a warm-up NCN's first, and then one of the head, see `LinkModel.stages`."""
        if self.warm_up == 0:
            return super().stages(step, lr=lr, head_lr=head_lr)
        (first,) = head_apart(self, self.head_parameters(), lr, head_lr)
        rate = next((given for given in (self.completion_lr, head_lr) if given is not None), lr)
        head = [{"params": list(self.head_parameters()), "lr": rate}]
        return [
            Stage("ncn", first.groups, epochs=self.warm_up, step=self._at_depth(0, step), selects=False),
            Stage("completion", head, step=self._at_depth(self.depth, step)),
        ]

    def _at_depth(self, depth: int, step: Step) -> Step:
        """The task's step at a depth of completion, which holds until the next step: for the evaluation of the epoch, too."""

        def at_depth(model: LinkModel, batch: object, backward: Backward) -> Tensor:
            cast(CompletionScore, self.score).depth = depth
            return step(model, batch, backward)

        return at_depth
