"""What `graphkit.data.load` returns: a graph, named splits and a plain statement of the protocol."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING

from torch import Tensor

from graphkit.data.scaling import Scaling

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass
class Graph:
    """The tensors of a graph; `Dataset.data` gives them as PyG's `Data`, which takes seconds to import.

    Attributes:
        edge_index: The message passing graph [2, E] (source, target).
        num_nodes: Number of nodes N.
        x: Features [N, F], None where there are none.
        y: Labels [N], None where there are none.
        num_users: Of a bipartite graph: the first nodes are users; else 0.
        num_items: Of a bipartite graph: the nodes after the users; else 0.
    """

    edge_index: Tensor
    num_nodes: int
    x: Tensor | None = None
    y: Tensor | None = None
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


@dataclass(frozen=True)
class Pairs:
    """Supervision of link prediction: positive pairs [2, P] and, for evaluation splits, negative pairs [2, Q]."""

    positive: Tensor
    negative: Tensor | None = None


@dataclass(frozen=True)
class Dataset:
    """A graph with its splits.

    Attributes:
        name: The name it was asked for by.
        task: `link`, `node` or `recommend`.
        graph: The graph: `edge_index` [2, E] (the message passing graph, sorted, no duplicates; undirected graphs hold both
            directions and no self-loops, directed ones may hold self-loops), `num_nodes`, and where they exist `x` [N, F]
            float32 and `y` [N] int64. Recommendation: users are the first `num_users` nodes, the `num_items` items follow.
        splits: `train`, `valid`, `test`. Link: `Pairs`; each undirected pair once. Node: int64 node ids. Recommendation:
            int64 [2, P] (user, item), items numbered from 0.
        metric: The validation and test metric by which this data set is judged, e.g. `hits@20`.
        metrics: All metrics to report, `metric` among them.
        protocol: One or two plain sentences: which edges are in the message passing graph, which are supervision, how
            negatives were drawn.
        source: Citation or address of the data.
        node_names: The user's own node ids in index order, for own files; else empty. Recommendation: the users' ids.
        item_names: Recommendation: the items' ids in index order, where known.
        class_names: Names of the classes in index order, where known.
        directed: Whether `edge_index` holds directed edges, (source, target); else it is symmetric.
        notes: Plain sentences that a run tells before it begins: what was done to the data, what may be meant otherwise.
        scaling: How `x` was scaled; None: not at all.
    """

    name: str
    task: str
    graph: Graph | Data
    splits: dict[str, Pairs] | dict[str, Tensor]
    metric: str
    metrics: tuple[str, ...]
    protocol: str
    source: str = ""
    node_names: tuple[str, ...] = field(default=(), repr=False)
    class_names: tuple[str, ...] = field(default=(), repr=False)
    item_names: tuple[str, ...] = field(default=(), repr=False)
    directed: bool = False
    notes: tuple[str, ...] = field(default=(), repr=False)
    scaling: Scaling | None = field(default=None, repr=False)

    @cached_property
    def data(self) -> Data:
        """The graph as PyG's `Data`, made on first use."""
        return self.graph.to_pyg() if isinstance(self.graph, Graph) else self.graph
