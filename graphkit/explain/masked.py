"""A prediction as a function of the edges that are there: what fidelity and the attribution to edges ask of any model.

Edges keep the ids that the caller's graph gives them; no neighborhood is cut out, so that no index has two meanings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from graphkit.metrics.fidelity import edge_groups
from graphkit.models.graph.base import GraphModel
from graphkit.models.node.base import NodeModel
from graphkit.sparse import CSR, GraphBatch, copies, stacked

_NODES = 1 << 15
"""Nodes of all copies of a graph that are scored at a time."""

Returns = Literal["raw", "probs", "log_probs"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Masked(ABC):
    """One prediction of a model; called with masks of edges it gives class probabilities, as `metrics.fidelity.Predict`.

    Attributes:
        together: How many copies of the graph are scored at a time; None: as many as fit 32,768 nodes. Models whose parameters
            or contexts belong to nodes, such as LINKX and X-Node, take 1.
    """

    together: int | None = None

    @property
    @abstractmethod
    def edge_index(self) -> Tensor:
        """(source, target) edges [2, E] that can be removed."""

    @property
    @abstractmethod
    def num_nodes(self) -> int:
        """Number of nodes."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """The precision of the model."""

    @abstractmethod
    def weighted(self, weight: Tensor) -> Tensor:
        """Scores of the classes [C] where every edge has a weight [E], 1 as it is; differentiable in the weights."""

    @abstractmethod
    def scores_of(self, kept: Tensor) -> Tensor:
        """Scores [S, C] of S copies of the graph with the edges kept [S, E], bool, all at a time."""

    @cached_property
    def groups(self) -> Tensor:
        """Which edges are one undirected edge [E], see `metrics.fidelity.edge_groups`."""
        return edge_groups(self.edge_index, self.num_nodes)

    @torch.no_grad()
    def scores(self, kept: Tensor) -> Tensor:
        """Scores of the classes [S, C] of copies of the graph, some at a time.

        Args:
            kept: Which edges each copy keeps [S, E], bool.
        """
        size = self.together or max(1, _NODES // max(self.num_nodes, 1))
        return torch.cat([self.scores_of(part) for part in kept.split(size)])

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """Logarithms of the probabilities of the classes from scores [S, C]."""
        return scores.log_softmax(dim=1)

    def __call__(self, kept: Tensor) -> Tensor:
        """Class probabilities [S, C] of copies of the graph with the edges kept [S, E], bool."""
        return self.log_probabilities(self.scores(kept).double()).exp()


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskedNode(Masked):
    """The class of a node; edges are the entries of the operator, in their order.

    Attributes:
        model: A node model in evaluation mode.
        x: Features [N, F], dense or sparse.
        adj: The graph, without absent entries.
        node: The node.
    """

    model: NodeModel
    x: Tensor | CSR
    adj: CSR
    node: int

    @property
    def edge_index(self) -> Tensor:
        """The entries, see `Masked.edge_index`."""
        return self.adj.edge_index()

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.adj.shape[0]

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the parameters."""
        return next(self.model.parameters()).dtype

    def weighted(self, weight: Tensor) -> Tensor:
        """See `Masked.weighted`: weights are those of the operator, before it is normalized."""
        scores: Tensor = self.model(self.x, self.adj.with_value(weight * self.adj.weights(weight.dtype)))
        return scores[self.node]

    def scores_of(self, kept: Tensor) -> Tensor:
        """See `Masked.scores_of`."""
        count = kept.size(0)
        scores: Tensor = self.model(stacked(self.x, count), copies(self.adj, kept))
        return scores[self.node :: self.num_nodes]


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskedGraph(Masked):
    """The class of a graph; edges are the entries of its operator, in their order.

    Attributes:
        model: A graph model in evaluation mode; what it prepares is prepared for every copy.
        graph: A batch of this one graph, without absent entries.
    """

    model: GraphModel
    graph: GraphBatch

    @property
    def edge_index(self) -> Tensor:
        """The entries, see `Masked.edge_index`."""
        return self.graph.adj.edge_index()

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.graph.num_nodes

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the parameters."""
        return self.model.dtype

    def weighted(self, weight: Tensor) -> Tensor:
        """See `Masked.weighted`: weights are those of the operator, before it is normalized."""
        adj = self.graph.adj.with_value(weight * self.graph.adj.weights(weight.dtype))
        return self._scores(GraphBatch(adj, self.graph.ptr, self.graph.x, self.graph.edge_attr))[0]

    def scores_of(self, kept: Tensor) -> Tensor:
        """See `Masked.scores_of`."""
        count = kept.size(0)
        x, attr = self.graph.x, self.graph.edge_attr
        ptr = torch.arange(count + 1, device=kept.device) * self.num_nodes
        x = None if x is None else x.repeat(count, 1)
        return self._scores(
            GraphBatch(copies(self.graph.adj, kept), ptr, x, None if attr is None else attr[kept.nonzero()[:, 1]])
        )

    def _scores(self, batch: GraphBatch) -> Tensor:
        votes = [self.model(batch.with_index(self.model.prepare(batch, vote=vote))) for vote in range(self.model.votes)]
        return torch.stack(votes).mean(dim=0)


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskedModule(Masked):
    """A row of the output of any module with PyG's conventions, `module(x, edge_index, **arguments)`.

    Attributes:
        module: In evaluation mode.
        x: Features [N, F].
        edges: (source, target) [2, E].
        index: The row that is explained: a node, or with `per_graph` the graph, 0.
        per_graph: Whether the output has a row per graph; the module is then called with `batch=` [N] as well.
        returns: Whether rows are `raw` logits, `probs` or `log_probs`.
        arguments: Further arguments by name; a tensor with a row per edge, or per node, is copied with these.
    """

    module: nn.Module
    x: Tensor
    edges: Tensor
    index: int = 0
    per_graph: bool = False
    returns: Returns = "raw"
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def edge_index(self) -> Tensor:
        """As given."""
        return self.edges

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.x.size(0)

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """See `Masked.log_probabilities`; as `returns` says."""
        if self.returns == "log_probs":
            return scores
        return scores.log() if self.returns == "probs" else scores.log_softmax(dim=1)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the features."""
        return self.x.dtype

    def weighted(self, weight: Tensor) -> Tensor:
        """See `Masked.weighted`: messages of PyG's convolutions are multiplied with the weights, after normalization.

        Raises:
            ValueError: No convolution of PyG's is inside, so that nothing could be weighed.
        """
        from torch_geometric.explain.algorithm.utils import clear_masks, set_masks  # PyG takes seconds
        from torch_geometric.nn import MessagePassing

        if not any(isinstance(one, MessagePassing) for one in self.module.modules()):
            raise ValueError(
                f"{type(self.module).__name__} has no MessagePassing layer of PyG's whose messages could be weighed: "
                "take rule='occlusion', which removes edges instead."
            )
        set_masks(self.module, weight, self.edges, apply_sigmoid=False)
        try:
            return self._rows(self.x, self.edges, 1, self.arguments)[0]
        finally:
            clear_masks(self.module)

    def scores_of(self, kept: Tensor) -> Tensor:
        """See `Masked.scores_of`."""
        count = kept.size(0)
        copy, edge = kept.nonzero().unbind(1)
        edges = self.edges[:, edge] + copy * self.num_nodes
        arguments = {name: self._copied(value, edge, count) for name, value in self.arguments.items()}
        return self._rows(self.x.repeat(count, *(1,) * (self.x.dim() - 1)), edges, count, arguments)

    def _rows(self, x: Tensor, edges: Tensor, count: int, arguments: Mapping[str, Any]) -> Tensor:
        if self.per_graph:
            batch = torch.arange(count, device=x.device).repeat_interleave(self.num_nodes)
            rows: Tensor = self.module(x, edges, batch=batch, **arguments)
            return rows
        rows = self.module(x, edges, **arguments)
        return rows[self.index :: self.num_nodes]

    def _copied(self, value: Any, edge: Tensor, count: int) -> Any:
        if not isinstance(value, Tensor) or value.dim() == 0:
            return value
        if value.size(0) == self.edges.size(1):
            return value[edge]
        return value.repeat(count, *(1,) * (value.dim() - 1)) if value.size(0) == self.num_nodes else value
