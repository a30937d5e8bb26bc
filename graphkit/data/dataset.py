"""What `graphkit.data.load` returns: the data of a task, named splits and a plain statement of the protocol.

One class per kind of data. They share what every door asks of a data set; what a task needs is an attribute of its own class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import Tensor

from graphkit.data import validate
from graphkit.data.graph import Graph, required
from graphkit.data.leaks.interactions import check_interactions
from graphkit.data.leaks.nodes import check_nodes
from graphkit.data.leaks.pairs import ScoredPairs, check_pairs
from graphkit.data.leaks.report import LeakReport
from graphkit.data.own.features import Codings
from graphkit.data.preparation import Preparation
from graphkit.data.scaling import Scaling

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass(frozen=True)
class Pairs:
    """Supervision of link prediction: positive pairs [2, P] and, for evaluation splits, negative pairs [2, Q].

    Attributes:
        positive: The positives.
        negative: The negatives; None for training, which draws its own.
        own_negatives: Whether each positive is ranked against its own negatives alone: the first Q / P are those of the first
            positive, and so on. Else all positives share all negatives.
    """

    positive: Tensor
    negative: Tensor | None = None
    own_negatives: bool = False

    @property
    def num_candidates(self) -> int:
        """Negatives that a positive is ranked against."""
        count = 0 if self.negative is None else int(self.negative.size(1))
        return count // max(int(self.positive.size(1)), 1) if self.own_negatives else count

    def sizes(self) -> dict[str, int]:
        """Numbers of positive and, where there are any, negative pairs."""
        sizes = {"positive": int(self.positive.size(1))}
        return sizes if self.negative is None else {**sizes, "negative": int(self.negative.size(1))}


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """What every data set says of itself, whatever it holds.

    Attributes:
        name: The name it was asked for by.
        protocol: One or two plain sentences: what is trained on, what is held out, how negatives were drawn.
        metric: The validation and test metric by which this data set is judged, e.g. `hits@20`.
        metrics: All metrics to report, `metric` among them.
        source: Citation or address of the data.
        split: Name of the split, which stands beside every figure; empty where the data set's own name fixes it.
        notes: Plain sentences that a run tells before it begins: what was done to the data, what may be meant otherwise.
    """

    name: str
    protocol: str
    metric: str
    metrics: tuple[str, ...]
    source: str = ""
    split: str = ""
    notes: tuple[str, ...] = field(default=(), repr=False)

    @property
    @abstractmethod
    def fallbacks(self) -> tuple[str, ...]:
        """Metrics that may select the epoch where `metric` cannot decide; the first that can does."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What `--dry-run` tells of the data, in plain values; among them `splits`, the size of each split."""

    @abstractmethod
    def names(self) -> dict[str, tuple[str, ...]]:
        """Names in index order by what they name, e.g. `nodes`; empty where the data has none. A run folder keeps them."""

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Numbers that must be the same when a run goes on, by what is counted, e.g. `nodes`."""

    @abstractmethod
    def check(self) -> None:
        """Refuse what no model could use.

        Raises:
            DataError: If anything is empty, out of range, not finite, or does not fit the rest.
        """

    def leaks(self) -> LeakReport:
        """What leaks from training into evaluation; by default nothing is looked for."""
        return LeakReport()


@dataclass(frozen=True, kw_only=True)
class GraphData(Dataset):
    """A data set of one graph.

    Attributes:
        graph: The graph: `edge_index` [2, E] (the message passing graph, sorted, no duplicates; undirected graphs hold both
            directions and no self-loops, directed ones may hold self-loops), `num_nodes`, and where they exist `x` [N, F]
            float32 and `y` [N] int64.
    """

    graph: Graph

    @cached_property
    def data(self) -> Data:
        """The graph as PyG's `Data`, made on first use."""
        return self.graph.to_pyg()

    def facts(self) -> dict[str, Any]:
        """Numbers of nodes and of directed edges in message passing."""
        return {"nodes": self.graph.num_nodes, "message_passing_edges": int(self.graph.edge_index.size(1))}


@dataclass(frozen=True, kw_only=True)
class NodeData(GraphData):
    """A graph for node classification.

    Attributes:
        splits: Node ids, int64, of `train`, `valid` and `test`.
        node_names: The user's own node ids in index order, for own files; else empty.
        class_names: Names of the classes in index order, where known.
        directed: Whether `graph.edge_index` holds directed edges, (source, target); else it is symmetric.
        scaling: How `graph.x` was scaled; None: not at all.
        preparation: How `graph.x` was made of the features of files; None: it was not.
        columns: How the columns of own features became numbers, where they were something else.
    """

    splits: dict[str, Tensor]
    node_names: tuple[str, ...] = field(default=(), repr=False)
    class_names: tuple[str, ...] = field(default=(), repr=False)
    directed: bool = False
    scaling: Scaling | None = field(default=None, repr=False)
    preparation: Preparation | None = field(default=None, repr=False)
    columns: Codings | None = field(default=None, repr=False)

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """Accuracy always decides."""
        return ("accuracy",)

    def facts(self) -> dict[str, Any]:
        """Nodes, edges and nodes of each split; `graphkit.data.measures.facts.node_facts` tells more."""
        return {**super().facts(), "splits": {name: part.numel() for name, part in self.splits.items()}}

    def names(self) -> dict[str, tuple[str, ...]]:
        """Nodes and classes."""
        return {"nodes": self.node_names, "classes": self.class_names}

    def sizes(self) -> dict[str, int]:
        """Nodes, features and classes."""
        return {**_graph_sizes(self.graph), "classes": max(int(required(self.graph.y).max()) + 1, len(self.class_names))}

    def check(self) -> None:
        """As `Dataset.check`; all training labels of one class are of no use either."""
        validate.check_graph(self.name, self.graph, self.node_names)
        for name, part in self.splits.items():
            validate.check_part(self.name, name, part, self.graph.num_nodes)
        validate.check_labels(self.name, self.graph.y, self.splits["train"])

    def leaks(self) -> LeakReport:
        """Nodes in two splits, duplicates, and labels that features tell."""
        graph = self.graph
        return check_nodes(
            self.splits,
            graph.num_nodes,
            graph.edge_index,
            x=graph.x,
            y=graph.y,
            names=self.node_names,
            class_names=self.class_names,
        )


@dataclass(frozen=True, kw_only=True)
class LinkData(GraphData):
    """A graph for link prediction; the training edges alone are in `graph.edge_index`.

    Attributes:
        splits: `Pairs` of `train`, `valid` and `test`; each undirected pair once.
        node_names: The user's own node ids in index order, for own files; else empty.
        class_names: Names of the classes in index order, where known.
        scaling: How `graph.x` was scaled; None: not at all.
        test_graph: The graph at test time, where the protocol adds validation edges to that of training; None: it is `graph`.
    """

    splits: dict[str, Pairs]
    node_names: tuple[str, ...] = field(default=(), repr=False)
    class_names: tuple[str, ...] = field(default=(), repr=False)
    scaling: Scaling | None = field(default=None, repr=False)
    test_graph: Graph | None = field(default=None, repr=False)

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """The mean reciprocal rank decides with any number of negatives."""
        return ("mrr",)

    def facts(self) -> dict[str, Any]:
        """Nodes, edges, and the pairs of each split by sign."""
        found = super().facts()
        if self.test_graph is not None:
            found["message_passing_edges_at_test"] = int(self.test_graph.edge_index.size(1))
        return {**found, "splits": {name: part.sizes() for name, part in self.splits.items()}}

    def names(self) -> dict[str, tuple[str, ...]]:
        """Nodes and classes."""
        return {"nodes": self.node_names, "classes": self.class_names}

    def sizes(self) -> dict[str, int]:
        """Nodes and features."""
        return _graph_sizes(self.graph)

    def check(self) -> None:
        """As `Dataset.check`."""
        validate.check_graph(self.name, self.graph, self.node_names)
        if self.test_graph is not None:
            validate.check_graph(self.name, self.test_graph, self.node_names)
        for name, part in self.splits.items():
            validate.check_part(self.name, name, part.positive, self.graph.num_nodes)
            if part.negative is not None:
                validate.check_part(self.name, name, part.negative, self.graph.num_nodes)

    def leaks(self) -> LeakReport:
        """Pairs that the message graph, other splits, negatives or features give away."""
        graph = self.graph
        splits = {name: ScoredPairs(graph.edge_index, part.positive, part.negative) for name, part in self.splits.items()}
        return check_pairs(splits, graph.num_nodes, names=self.node_names, x=graph.x)


@dataclass(frozen=True, kw_only=True)
class InteractionData(GraphData):
    """Who took what, and the bipartite graph of the training part, whose first nodes are the users.

    Attributes:
        splits: `train`, `valid` and `test`, int64 [2, P] (user, item), items numbered from 0.
        earlier: See `graphkit.data.interactions.Interactions`.
        user_names: The ids of the users in index order, where known.
        item_names: The same of the items.
        times: When each interaction of each split happened [P], where the data says so; nothing but `leaks` reads it.
    """

    splits: dict[str, Tensor]
    earlier: dict[str, Tensor] = field(default_factory=dict, repr=False)
    user_names: tuple[str, ...] = field(default=(), repr=False)
    item_names: tuple[str, ...] = field(default=(), repr=False)
    times: dict[str, Tensor] | None = field(default=None, repr=False)

    @property
    def num_users(self) -> int:
        """Number of users."""
        return self.graph.num_users

    @property
    def num_items(self) -> int:
        """Number of items."""
        return self.graph.num_items

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """Shorter lists, then the order within a list."""
        return ("recall@10", "recall@5", "ndcg@20")

    def facts(self) -> dict[str, Any]:
        """Nodes, edges, the interactions of each split, and its name where it has one."""
        named = {"split": self.split} if self.split else {}
        return {**super().facts(), **named, "splits": {name: int(part.size(1)) for name, part in self.splits.items()}}

    def names(self) -> dict[str, tuple[str, ...]]:
        """Users and items."""
        return {"users": self.user_names, "items": self.item_names}

    def sizes(self) -> dict[str, int]:
        """Users and items."""
        return {"users": self.num_users, "items": self.num_items}

    def check(self) -> None:
        """As `Dataset.check`."""
        validate.check_graph(self.name, self.graph)
        for name, part in self.splits.items():
            validate.check_part(self.name, name, part[0], self.num_users, "user")
            validate.check_part(self.name, name, part[1], self.num_items, "item")

    def leaks(self) -> LeakReport:
        """Interactions in two splits, and training interactions later than held-out ones of the same user."""
        return check_interactions(
            self.splits, self.num_items, times=self.times, user_names=self.user_names, item_names=self.item_names
        )


def _graph_sizes(graph: Graph) -> dict[str, int]:
    sizes = {"nodes": graph.num_nodes}
    return sizes if graph.x is None else {**sizes, "features": int(graph.x.size(1))}
