"""A graph model that is run again on a graph without some of its nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from graphkit.models.graph.base import GraphModel
from graphkit.sparse import GraphBatch, pointers
from graphkit.tasks.graph import GraphPrediction

_TOGETHER = 16
"""Copies of the graph that are scored at a time: a network on bags of subgraphs holds a bag per node of each."""


@dataclass(frozen=True)
class GraphRerun:
    """The scores of one graph.

    Attributes:
        task: The task.
        model: The model.
        graph: The graph's number [1].
    """

    task: GraphPrediction
    model: GraphModel
    graph: Tensor

    @cached_property
    def samples(self) -> list[GraphBatch]:
        """The graph as a batch of its own, once per sample of which the outputs are averaged."""
        return [whole.take(self.graph) for whole in self.task.prepared(self.model)]

    @property
    def batch(self) -> GraphBatch:
        """The graph."""
        return self.samples[0]

    def scores(self) -> Tensor:
        """The scores [1, C], in the unit of the targets."""
        outputs = [self.model(batch) for batch in self.samples]
        return self.task.in_unit(torch.stack(outputs).mean(dim=0))

    def without(self, removed: Tensor) -> Tensor:
        """The scores [S, C] of S copies of the graph, each without some nodes.

        Args:
            removed: Which nodes each copy lacks [S, n]; every copy keeps a node.
        """
        return torch.cat([self._scores_of(copies_without(self.batch, some)) for some in removed.split(_TOGETHER)])

    def without_features(self, removed: Tensor) -> Tensor:
        """The scores [S, C] of S copies of the graph, each with some features zero in all nodes.

        Args:
            removed: Which features each copy lacks [S, F].
        """
        return torch.cat([self._scores_of(self._blanked(some)) for some in removed.split(_TOGETHER)])

    def _blanked(self, removed: Tensor) -> GraphBatch:
        nobody = torch.zeros(removed.size(0), self.batch.num_nodes, dtype=torch.bool, device=removed.device)
        copies = copies_without(self.batch, nobody)
        assert copies.x is not None
        return replace(copies, x=copies.x.masked_fill(removed.repeat_interleave(self.batch.num_nodes, dim=0), 0.0))

    def _scores_of(self, copies: GraphBatch) -> Tensor:
        votes = range(self.model.votes if self.model.sampled else 1)
        outputs = [self.model(copies.with_index(self.model.prepare(copies, vote=vote))) for vote in votes]
        return self.task.in_unit(torch.stack(outputs).mean(dim=0))


def copies_without(batch: GraphBatch, removed: Tensor) -> GraphBatch:
    """A batch of copies of one graph, each without some of its nodes and their edges.

    Args:
        batch: One graph; its index is left behind.
        removed: Which nodes each copy lacks [S, n].
    """
    kept = ~removed
    number = kept.flatten().cumsum(0).view_as(kept) - 1  # of the nodes that stay, across all copies
    source, target = batch.adj.edge_index()
    copy, edge = (kept[:, source] & kept[:, target]).nonzero(as_tuple=True)
    edges = torch.stack([number[copy, source[edge]], number[copy, target[edge]]])
    node = kept.nonzero()[:, 1]
    return GraphBatch.of(
        edges,
        pointers(kept.sum(dim=1)),
        None if batch.x is None else batch.x[node],
        None if batch.edge_attr is None else batch.edge_attr[edge],
    )
