"""Node classification: the whole graph, and which nodes are trained and judged on."""

from __future__ import annotations

from graphkit.data.catalog.own import own_nodes
from graphkit.data.dataset import NodeData
from graphkit.data.graph import required
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.splits.nodes import split_nodes
from graphkit.data.tasks.features import prepare_features


def build(request: DataRequest) -> NodeData:
    """Take the published or fixed split of the nodes, or split them class by class in the shares that were asked for.

    Args:
        request: What was asked for.

    Raises:
        RequestError: If features are to be scaled and there are none.
        DataError: If the source cannot be read, or a split would be empty.
    """
    source: GraphSource = request.read()
    directed, masks = request.options.directed, request.entry.own and source.nodes is not None
    splits = source.nodes or split_nodes(required(source.graph.y), request.shares, request.generator)
    graph, made, notes = prepare_features(request, source.graph, train=splits["train"])
    return NodeData(
        name=request.entry.name,
        graph=graph,
        splits=splits,
        metric=request.protocol.metric,
        metrics=request.protocol.metrics,
        protocol=request.statement(*source.remarks, protocol=own_nodes(directed, masks) if directed or masks else None),
        source=request.entry.source,
        notes=(*source.notes, *notes),
        node_names=source.node_names,
        class_names=source.class_names,
        directed=directed or request.entry.directed,
        scaling=made.scaling,
        preparation=made,
        columns=source.columns,
    )
