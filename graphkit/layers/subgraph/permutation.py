"""SPEN: permutation-equivariant maps inside every bag, weights by the size of the bag, merged into tensors on the graph."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.subgraph.equivariant import BASIS, equivariant
from graphkit.sparse import CSR
from graphkit.sparse.egonets import BagPairs


class Tensors(NamedTuple):
    """Features of orders 0, 1 and 2; None where an order has no channels.

    Attributes:
        bags: Order 0: a row per bag [S, C].
        nodes: Order 1: a row per node [N, C].
        pairs: Order 2: a row per pair of `BagPairs.pairs` [U, C].
    """

    bags: Tensor | None
    nodes: Tensor | None
    pairs: Tensor | None


class SubgraphPermutationConv(nn.Module):
    """Restrict tensors to every bag, map them there by all equivariant linear maps, and take means over the bags.

        y^l on a bag of m nodes = sum over the given orders k of L^{k -> l}_{grade(m)}(x^k on the bag) + b^l_{grade(m)}
        y^1_v = mean over the bags that hold v,   y^2_ij = mean over the bags that hold i and j,   y^0: a row per bag

    Tying rule: bags of m nodes use the weights of the largest grade that is at most m; bags smaller than every grade use the
    first one. Equal sizes thus always share weights, and the result follows any renaming of the graph's nodes.

    Args:
        in_channels: Widths of orders (1, 2); 0 where an order is not given.
        out_channels: Widths of orders (0, 1, 2); 0 where an order is not wanted.
        grades: Sizes that have weights of their own, ascending; (1,) for one set of weights.

    Raises:
        ValueError: Negative widths, no input or output at all, or grades that do not ascend from 1 or more.

    Source: Mitton and Murray-Smith, "Subgraph Permutation Equivariant Networks", TMLR 2023. The released code mixes channels
    and nodes when it writes nodes back, and leaves the center out of the 1-hop balls of a graph without loops. Here results are
    equivariant, and the center belongs to its bag. The code sets the maps from orders 1 and 2 side by side in channels. Here
    they are added: the full space of linear maps from both.

    Example:
        >>> index = BagPairs(ego_bags(edge_index, ptr, hops=1))
        >>> SubgraphPermutationConv((8, 8), (0, 16, 16), grades=(2, 3, 4))(nodes, pairs, index)
    """

    def __init__(self, in_channels: tuple[int, int], out_channels: tuple[int, int, int], grades: Sequence[int] = (1,)) -> None:
        super().__init__()
        widths = (*in_channels, *out_channels)
        if min(widths) < 0 or max(in_channels) == 0 or max(out_channels) == 0:
            raise ValueError(f"widths must be at least 0 and not all 0, got {in_channels} in and {out_channels} out.")
        if not grades or min(grades) < 1 or sorted(set(grades)) != list(grades):
            raise ValueError(f"grades must be sizes from 1 on, in ascending order, got {tuple(grades)}.")
        self.in_channels, self.out_channels, self.grades = tuple(in_channels), tuple(out_channels), tuple(grades)
        given = {k: width for k, width in enumerate(in_channels, 1) if width}
        wanted = {order: width for order, width in enumerate(out_channels) if width}
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for order, width in wanted.items():
            self.biases[str(order)] = nn.Parameter(torch.empty(len(grades), 2 if order == 2 else 1, width))
            for k, in_width in given.items():
                self.weights[f"{k}{order}"] = nn.Parameter(torch.empty(len(grades), BASIS[k, order], in_width, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw normal weights, as `EquivariantLinear` does, and set the biases to zero."""
        for weight in self.weights.values():
            nn.init.normal_(weight, std=(2 / (weight.size(2) + weight.size(3))) ** 0.5)
        for bias in self.biases.values():
            nn.init.zeros_(bias)

    def grade(self, size: int) -> int:
        """Which set of weights bags of this size use, from 0."""
        return max(bisect_right(self.grades, size) - 1, 0)

    def forward(self, nodes: Float[Tensor, "N C1"] | None, pairs: Float[Tensor, "U C2"] | None, index: BagPairs) -> Tensors:
        """Map tensors on a batch of graphs.

        Args:
            nodes: Order 1, [N, in_channels[0]]; None where that is 0.
            pairs: Order 2, [U, in_channels[1]]; None where that is 0.
            index: The bags and their pairs.

        Returns:
            The orders with channels. A node that no bag holds gets zeros, and so does an empty bag.

        Raises:
            ValueError: A tensor is missing or has another shape.
        """
        spread: dict[int, Tensor] = {}
        for k, (x, operator) in enumerate(((nodes, index.spread_nodes), (pairs, index.spread_pairs)), 1):
            width = self.in_channels[k - 1]
            if (x is None) != (width == 0) or (x is not None and x.shape != (operator.shape[1], width)):
                found = "None" if x is None else list(x.shape)
                raise ValueError(f"order {k} must have shape [{operator.shape[1]}, {width}] (None for width 0), got {found}.")
            if x is not None:
                spread[k] = operator @ x
        # Taken apart once: indexing per size would make a gradient as large as all weights for each.
        weights = {name: weight.unbind(0) for name, weight in self.weights.items()}
        biases = {name: bias.unbind(0) for name, bias in self.biases.items()}
        parts: dict[str, list[Tensor]] = {order: [] for order in biases}
        for run in index.runs:
            grade = self.grade(run.size)
            shape = (run.count, run.size)
            blocks = {
                k: x[run.rows].view(*shape, -1) if k == 1 else x[run.pairs].view(*shape, run.size, -1)
                for k, x in spread.items()
            }
            for order, part in parts.items():
                if run.size == 0:
                    if order == "0":
                        part.append(next(iter(spread.values())).new_zeros(run.count, self.out_channels[0]))
                    continue
                bias: Tensor | None = biases[order][grade]
                total: Tensor | None = None
                for k, x in blocks.items():
                    out = equivariant(x, weights[f"{k}{order}"][grade], bias, int(order))
                    total, bias = out if total is None else total + out, None
                assert total is not None
                part.append(total.reshape(-1, total.size(-1)))
        like = next(iter(spread.values()))
        whole = {
            int(order): torch.cat(part) if part else like[:0, :1].expand(0, self.out_channels[int(order)])
            for order, part in parts.items()
        }
        return Tensors(
            whole[0].index_select(0, torch.argsort(index.order)) if 0 in whole else None,
            _mean(index.spread_nodes, whole[1]) if 1 in whole else None,
            _mean(index.spread_pairs, whole[2]) if 2 in whole else None,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, grades={self.grades})"


def _mean(spread: CSR, x: Tensor) -> Tensor:
    """Means of the rows that came from the same one."""
    back = spread.t()
    return (back @ x) / back.degree().clamp(min=1).to(x.dtype).unsqueeze(1)
