"""Link prediction: the graph of the training edges, and pairs of nodes that are held out."""

from __future__ import annotations

from dataclasses import replace

from graphkit.data.dataset import LinkData
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.tasks.features import add_embedding, scale_features
from graphkit.data.tasks.link_protocols import split_as


def build(request: DataRequest) -> LinkData:
    """Take the published split of the edges, or hold out edges as a protocol, by default the data set's own, says.

    Args:
        request: What was asked for.

    Raises:
        RequestError: If features are to be scaled and there are none, or the protocol does not go with the data.
        DataError: If the source cannot be read, a split would be empty, or the graph has too few non-edges.
    """
    source: GraphSource = request.read()
    graph, made, notes = scale_features(request, source.graph)
    split = split_as(request, replace(source, graph=graph))
    graph, scaling, more = add_embedding(request, split.graph, made.scaling)  # of training edges alone
    test_graph = split.test_graph if split.test_graph is None else replace(split.test_graph, x=graph.x)
    protocol, remarks = split.protocol or request.protocol, source.remarks
    statement = request.statement(*remarks) if split.protocol is None else " ".join([protocol.statement, *remarks])
    return LinkData(
        name=request.entry.name,
        graph=graph,
        splits=split.pairs,
        metric=protocol.metric,
        metrics=protocol.metrics,
        protocol=statement,
        source=request.entry.source,
        notes=(*source.notes, *notes, *more),
        node_names=split.node_names,
        class_names=source.class_names,
        scaling=scaling,
        test_graph=test_graph,
    )
