"""Link prediction: the graph of the training edges, and pairs of nodes that are held out."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from graphkit.data.dataset import LinkData, Pairs
from graphkit.data.graph import Graph
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.splits.edges import split_edges
from graphkit.data.tasks.features import prepare_features


def build(request: DataRequest) -> LinkData:
    """Take the published split of the edges, or hold out edges as the data set's own protocol or the shares say.

    Args:
        request: What was asked for.

    Raises:
        RequestError: If features are to be scaled and there are none.
        DataError: If the source cannot be read, a split would be empty, or the graph has too few non-edges.
    """
    source: GraphSource = request.read()
    graph, splits = _split(request, source)
    graph, scaling, notes = prepare_features(request, graph)
    return LinkData(
        name=request.entry.name,
        graph=graph,
        splits=splits,
        metric=request.protocol.metric,
        metrics=request.protocol.metrics,
        protocol=request.statement(*source.remarks),
        source=request.entry.source,
        notes=(*source.notes, *notes),
        node_names=source.node_names,
        class_names=source.class_names,
        scaling=scaling,
    )


def _split(request: DataRequest, source: GraphSource) -> tuple[Graph, dict[str, Pairs]]:
    """The graph of the training edges, and the pairs of each split."""
    graph = source.graph
    if source.pairs is not None:
        return graph, source.pairs
    if source.split_edges is not None:
        edge_index, splits = source.split_edges(graph.edge_index, graph.num_nodes, request.generator)
    else:
        edge_index, splits = split_edges(graph.edge_index, graph.num_nodes, request.shares, request.generator)
    return replace(graph, edge_index=edge_index, edge_weight=_weights(graph, edge_index), edge_truth=None), splits


def _weights(graph: Graph, edge_index: Tensor) -> Tensor | None:
    """The weights of edges that are among those of a graph, both sorted by source, then target."""
    if graph.edge_weight is None:
        return None
    of, asked = (edges[0] * graph.num_nodes + edges[1] for edges in (graph.edge_index, edge_index))
    return graph.edge_weight[torch.searchsorted(of, asked)]
