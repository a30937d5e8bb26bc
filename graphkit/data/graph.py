"""The tensors of one graph."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass
class Graph:
    """The tensors of a graph; `GraphData.data` gives them as PyG's `Data`, which takes seconds to import.

    Attributes:
        edge_index: The message passing graph [2, E] (source, target).
        num_nodes: Number of nodes N.
        x: Features [N, F], None where there are none.
        y: Labels [N], None where there are none.
        edge_truth: Whether each edge [E] is part of what the labels were made by, e.g. a planted motif; None: not known.
        edge_weight: Weights [E] of the edges, above 0, in the order of `edge_index`; None: all are 1.
        num_users: Of a bipartite graph: the first nodes are users; else 0.
        num_items: Of a bipartite graph: the nodes after the users; else 0.
    """

    edge_index: Tensor
    num_nodes: int
    x: Tensor | None = None
    y: Tensor | None = None
    edge_truth: Tensor | None = None
    edge_weight: Tensor | None = None
    num_users: int = 0
    num_items: int = 0

    def to_pyg(self) -> Data:
        """The same tensors, not copied, as PyG's `Data`."""
        from torch_geometric.data import Data

        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return Data(**{name: value for name, value in values.items() if isinstance(value, Tensor) or value})


def required(part: Tensor | None) -> Tensor:
    """Features or labels that are known to be there; ValueError where they are not."""
    if part is None:
        raise ValueError("the graph has no such part.")
    return part
