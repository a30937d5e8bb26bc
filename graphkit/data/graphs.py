"""`Graphs`: many graphs as concatenated tensors, and how a reader's list of edges becomes their edges."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphkit.errors import DataError


@dataclass
class Graphs:
    """Many graphs, their nodes numbered through: graph g holds nodes `ptr[g]` to `ptr[g + 1] - 1`.

    Attributes:
        ptr: Where the nodes of each graph begin [G + 1], int64, from 0 to N.
        edge_index: Edges [2, E] (source, target) with node ids from 0 to N - 1, sorted, without duplicates.
        y: Classes [G], int64; or float32 [G, T], numbers (regression) or 0 and 1 (labels), NaN where not known.
        x: Node features [N, F], float32; None where there are none.
        edge_attr: Edge features [E, D], float32, in the order of `edge_index`; None where there are none.
        edge_truth: Whether each edge [E] is part of what the class rests on, e.g. a functional group; None: not known.
    """

    ptr: Tensor
    edge_index: Tensor
    y: Tensor
    x: Tensor | None = None
    edge_attr: Tensor | None = None
    edge_truth: Tensor | None = None

    @property
    def num_graphs(self) -> int:
        """Number of graphs G."""
        return self.ptr.numel() - 1

    @property
    def num_nodes(self) -> int:
        """Number of nodes N of all graphs together."""
        return int(self.ptr[-1])

    @property
    def sizes(self) -> Tensor:
        """Nodes of each graph [G]."""
        return self.ptr.diff()

    @property
    def edge_ptr(self) -> Tensor:
        """Where the edges of each graph begin [G + 1]: edges are sorted by source, so those of a graph are neighbors."""
        return torch.searchsorted(self.edge_index[0].contiguous(), self.ptr)


def pointers(sizes: Tensor) -> Tensor:
    """Where the nodes of each graph begin [G + 1], of their numbers [G]."""
    return torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])


def merge_edges(
    edge_index: Tensor, num_nodes: int, edge_attr: Tensor | None = None, *, directed: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Edges without duplicates, each with its features.

    Args:
        edge_index: Edges [2, E] in any order, with or without duplicates and self-loops.
        num_nodes: Number of nodes N.
        edge_attr: Features of the edges [E, D].
        directed: Whether edges keep their direction and self-loops stay; else both directions are there with the same
            features, and self-loops are dropped.

    Returns:
        `edge_index` [2, E'], sorted by source, then target, and the features [E', D] in that order.

    Raises:
        DataError: If an edge is listed again with other features.
    """
    if not directed:
        kept = edge_index[0] != edge_index[1]
        edge_index = edge_index[:, kept]
        edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
        edge_attr = None if edge_attr is None else edge_attr[kept].repeat(2, *[1] * (edge_attr.dim() - 1))
    key, order = (edge_index[0] * num_nodes + edge_index[1]).sort(stable=True)
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = key[1:] != key[:-1]
    merged = edge_index[:, order[first]]
    if edge_attr is None:
        return merged, None
    edge_attr = edge_attr[order]
    other = ~first[1:] & (edge_attr[1:] != edge_attr[:-1]).any(dim=1)
    if bool(other.any()):
        source, target = edge_index[:, order[int(other.nonzero()[0]) + 1]].tolist()
        raise DataError(
            f"the edge from node {source} to node {target} is listed twice with different features: keep one of them"
        )
    return merged, edge_attr[first]


def one_hot(labels: Tensor) -> Tensor:
    """One column per distinct label [N] or per distinct value of each column [N, L], in ascending order, float32."""
    columns = labels.view(labels.size(0), -1)
    coded = []
    for column in columns.unbind(1):
        values = torch.unique(column)
        coded.append(torch.nn.functional.one_hot(torch.searchsorted(values, column.contiguous()), values.numel()))
    return torch.cat(coded, dim=1).float()
