"""The first pair tensor: features of the node, and what the bag knows of its place: a mark at the root, or distances."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.sparse import gather
from graphkit.sparse.egonets import Bags

Labels = Literal["none", "mark", "distance"]


class BagFeatures(nn.Module):
    """h(u, v) = x_v + sum over the roots u_i of the bag of E_i[label(u_i, v)].

    The label is nothing (`none`), whether v is the root (`mark`), or the steps from v to the root inside the bag, at most
    `max_distance`, with a label of its own where no walk leads (`distance`).

    Args:
        channels: Width C.
        labels: `none`, `mark` or `distance`.
        max_distance: Largest distance that is told apart, at least 1; only for `distance`.
        num_roots: Roots of a bag; more than one for bags around paths.

    Raises:
        ValueError: A width below 1, unknown labels, or `max_distance` or `num_roots` below 1.

    Source: node marking and ego+ of Bevilacqua et al., ICLR 2022; distances of Zhang et al., ICML 2023 (`max_distance` 5 on
    ZINC), where a pair without a walk gets the label of `max_distance`.

    Example:
        >>> BagFeatures(64, "distance")(x, bags)  # [N, 64] -> [T, 64]
    """

    def __init__(self, channels: int, labels: Labels = "mark", *, max_distance: int = 5, num_roots: int = 1) -> None:
        super().__init__()
        check_at_least(1, channels=channels)
        if labels not in ("none", "mark", "distance"):
            raise ValueError(f"labels must be none, mark or distance, got {labels!r}.")
        if max_distance < 1 or num_roots < 1:
            raise ValueError(f"max_distance and num_roots must be at least 1, got {max_distance} and {num_roots}.")
        self.channels, self.labels, self.max_distance, self.num_roots = channels, labels, max_distance, num_roots
        self._width = {"none": 0, "mark": 2, "distance": max_distance + 2}[labels]
        self.table = nn.Parameter(torch.empty(num_roots * self._width, channels)) if self._width else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the labels' vectors from the standard normal distribution."""
        if self.table is not None:
            nn.init.normal_(self.table)

    def forward(self, x: Float[Tensor, "N C"], bags: Bags) -> Float[Tensor, "T C"]:
        """Lift node features to rows.

        Args:
            x: Features of the nodes, as wide as the layer.
            bags: Bags with `num_roots` roots each, unless `labels` is `none`.

        Returns:
            Rows (u, v).

        Raises:
            ValueError: x has another shape, or the bags have other numbers of roots.
        """
        if x.shape != (bags.num_nodes, self.channels):
            raise ValueError(f"x must have shape [{bags.num_nodes}, {self.channels}], got {list(x.shape)}.")
        h = bags.spread_nodes @ x
        if self.table is None:
            return h
        if bags.roots is None or bags.roots.size(1) != self.num_roots:
            found = 0 if bags.roots is None else bags.roots.size(1)
            raise ValueError(f"labels={self.labels!r} needs bags with {self.num_roots} root(s), these have {found}.")
        if self.labels == "mark":
            label = (bags.node[:, None] != bags.roots[bags.bag]).long()
        else:
            label = torch.where(bags.distance < 0, self.max_distance + 1, bags.distance.clamp(max=self.max_distance))
        label = label + self._width * torch.arange(self.num_roots, device=label.device)
        return h + gather(self.table, label).sum(1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels}, labels={self.labels!r})"
