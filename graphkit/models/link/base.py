"""What the link prediction task asks of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers.pairs.base import PairScore
from graphkit.sparse import CSR
from graphkit.training.stages import Stage, Step, head_apart


class LinkModel(nn.Module, ABC):
    """A model that scores pairs of nodes, in three steps.

    s = head(*pair_features(encode(x, adj), adj, pairs)). `encode` runs once per graph. `pair_features` runs once per batch of
    pairs and does all that is left to do on the graph. `head` works row by row, so that a caller may run it in blocks. A score
    depends on its own pair alone.

    What a model does otherwise than by cross-entropy in one go, it says by `training_loss` and `stages`.
    """

    trained: ClassVar[bool] = True
    """Whether there is something to learn; False for heuristics."""

    coupled: ClassVar[bool] = False
    """Whether `training_loss` compares a positive with its negatives, which a block of pairs must then hold beside it."""

    @abstractmethod
    def encode(self, x: Tensor | CSR | None, adj: CSR) -> tuple[Tensor, ...]:
        """What pairs read of the nodes.

        Args:
            x: Features [N, F], sparse ones as an operator of that shape; None for graphs without features.
            adj: The message passing graph, N x N.

        Returns:
            Tensors whose first dimension is N.
        """

    @abstractmethod
    def pair_features(self, nodes: tuple[Tensor, ...], adj: CSR, pairs: Tensor) -> tuple[Tensor, ...]:
        """What the head reads of each pair.

        Args:
            nodes: What `encode` gave for this graph.
            adj: The message passing graph; models that intersect neighborhoods take `NeighborSets.of(adj)`.
            pairs: Node ids [2, P], int64.

        Returns:
            Tensors [P, C].
        """

    @abstractmethod
    def head(self, *features: Tensor) -> Tensor:
        """Scores [P], higher for pairs that are more likely linked, row by row from what `pair_features` gave."""

    def head_parameters(self) -> Iterable[nn.Parameter]:
        """The parameters that `train.head_lr` is for; by default none."""
        return ()

    def training_loss(self, scores: Tensor, num_positive: int, num_negatives: int) -> Tensor:
        """The loss of a block of a batch's pairs: a sum over positives, of which the task makes the mean of the batch.

        By default softplus(-s) of each positive, and of each negative softplus(s) / num_negatives.

        Args:
            scores: Scores [P], first of the positives and then of the negatives. With `coupled` the negatives of the first
                positive come first, then those of the second one, and so on; else a block may hold one kind alone.
            num_positive: How many of them are of positives.
            num_negatives: Negatives per positive.

        Returns:
            A scalar.
        """
        sign = torch.ones_like(scores)
        sign[num_positive:] = -1.0
        losses = F.softplus(-sign * scores)
        if num_negatives > 1:
            losses = torch.cat([losses[:num_positive], losses[num_positive:] / num_negatives])
        return losses.sum()

    def stages(self, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """How the model is trained: at once, or in stages; empty for a model that is not.

        Args:
            step: The task's step, of `training_loss` over a batch; a stage that has none uses it.
            lr: `train.lr`.
            head_lr: `train.head_lr`, the rate of the head; None: `lr`.

        Returns:
            The stages, in order.
        """
        return head_apart(self, self.head_parameters(), lr, head_lr)

    def forward(self, x: Tensor | CSR | None, adj: CSR, pairs: Tensor) -> Tensor:
        """Score pairs.

        Args:
            x: Features as for `encode`.
            adj: The message passing graph.
            pairs: Node ids [2, P], int64.

        Returns:
            Scores [P].
        """
        return self.head(*self.pair_features(self.encode(x, adj), adj, pairs))


class EncodedPairs(LinkModel):
    """A link model of two parts: an encoder of the nodes, and a score of pairs of embeddings.

    Args:
        encoder: Called with (x, adj), gives embeddings [N, C].
        score: Scores pairs of such embeddings.
    """

    def __init__(self, encoder: nn.Module, score: PairScore) -> None:
        super().__init__()
        self.encoder = encoder
        self.score = score

    def encode(self, x: Tensor | CSR | None, adj: CSR) -> tuple[Tensor, ...]:
        """What the score reads of the embeddings, see `LinkModel.encode`."""
        return self.score.node_features(self.encoder(x, adj))

    def pair_features(self, nodes: tuple[Tensor, ...], adj: CSR, pairs: Tensor) -> tuple[Tensor, ...]:
        """Those of the score, see `LinkModel.pair_features`."""
        return self.score.pair_features(nodes, adj, pairs)

    def head(self, *features: Tensor) -> Tensor:
        """That of the score, see `LinkModel.head`."""
        return self.score.head(*features)

    def head_parameters(self) -> Iterable[nn.Parameter]:
        """All parameters of the score."""
        return self.score.parameters()
