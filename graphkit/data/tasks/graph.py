"""Graphs: a collection, and which of its graphs are trained and judged on."""

from __future__ import annotations

from dataclasses import replace

import torch

from graphkit.data.graph_set import METRICS, GraphSet
from graphkit.data.sources import DataRequest, GraphsSource
from graphkit.data.splits.folds import FOLDS, nested_split, split_graphs, stratified_folds
from graphkit.data.tasks.features import embedding


def build(request: DataRequest) -> GraphSet:
    """Take the published split, or that of the published folds, or draw folds class by class.

    Args:
        request: What was asked for.

    Raises:
        RequestError: If own files do not go together.
        DataError: If the source cannot be read, or there are too few graphs.
    """
    source: GraphsSource = request.read()
    graphs, entry, notes = source.graphs, request.entry, source.notes
    if (embedded := embedding(request, graphs.edge_index, graphs.num_nodes)) is not None:
        x, note = embedded
        graphs = replace(graphs, x=x if graphs.x is None else torch.cat([graphs.x, x], dim=1))
        notes = (*notes, note)
    num_folds = source.num_splits if source.splits else len(source.folds) or FOLDS
    splits = source.splits or nested_split(
        source.folds or stratified_folds(graphs.y, num_folds), request.seed % num_folds, graphs.num_graphs
    )
    # Of own files no row of the catalog knows what is predicted.
    metrics = METRICS[source.kind] if entry.own else request.protocol.metrics
    return GraphSet(
        name=entry.name,
        graphs=graphs,
        kind=source.kind,
        splits=splits,
        fold=request.seed % num_folds,
        num_folds=num_folds,
        by_shares=split_graphs(graphs.y, request.shares, request.generator) if entry.takes_split else None,
        shares=request.shares,
        metric=metrics[0],
        metrics=metrics,
        protocol=" ".join([request.protocol.statement, *source.remarks]),
        source=entry.source,
        notes=notes,
        graph_names=source.graph_names,
        class_names=source.class_names,
        target_names=source.target_names,
        directed=request.options.directed or entry.directed,
        attributes=source.attributes,
        scale=request.options.scale if entry.own or request.options.scale != "auto" else "none",
    )
