"""Features of nodes as a task gets them: gaps filled, rows normalized where asked, columns scaled, FastRP beside them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from graphkit.data.gaps import find_gaps
from graphkit.data.graph import Graph, required
from graphkit.data.preparation import Preparation
from graphkit.data.scaling import Scaling, fit_scaling, row_normalized
from graphkit.data.sources import DataRequest
from graphkit.errors import RequestError
from graphkit.sparse import CSR
from graphkit.sparse.graph_measures import fast_random_projection, random_projection


def prepare_features(
    request: DataRequest, graph: Graph, train: Tensor | None = None
) -> tuple[Graph, Preparation, tuple[str, ...]]:
    """Fill gaps in the features of a graph, normalize and scale them, and add those that `data.embed` makes of the graph.

    Args:
        request: What was asked for.
        graph: The graph, with or without features.
        train: Ids of the nodes of which means and deviations are taken; None: all nodes, of which none is held out.

    Returns:
        The graph; how its features were made; and sentences on what was done.

    Raises:
        RequestError: If features are to be scaled and there are none.
    """
    graph, made, notes = scale_features(request, graph, train)
    graph, scaling, more = add_embedding(request, graph, made.scaling)
    return graph, replace(made, scaling=scaling), (*notes, *more)


def add_embedding(request: DataRequest, graph: Graph, scaling: Scaling | None) -> tuple[Graph, Scaling | None, tuple[str, ...]]:
    """Add the features that `data.embed` makes of a graph, where any are asked for; as `prepare_features`.

    Args:
        request: What was asked for.
        graph: The graph, of a task that holds edges out only the others.
        scaling: How its features were scaled.
    """
    embedded = embedding(request, graph.edge_index, graph.num_nodes, graph.edge_weight)
    if embedded is None:
        return graph, scaling, ()
    extra, note = embedded
    if scaling is not None:
        scaling = scaling.with_others(extra.size(1))
    x = extra if graph.x is None else torch.cat([graph.x, extra], dim=1)
    return replace(graph, x=x), scaling, (note,)


def embedding(
    request: DataRequest, edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None
) -> tuple[Tensor, str] | None:
    """The features that `data.embed` makes of edges alone, drawn by the seed.

    Args:
        request: What was asked for.
        edge_index: Edges [2, E] (source, target), of a task that holds some out only the others.
        num_nodes: Number of nodes N.
        edge_weight: Their weights [E]; None: all are 1.

    Returns:
        Features [N, D], standardized, and a sentence; None where none are asked for.
    """
    options = request.options
    if options.embed == "none":
        return None
    r = random_projection(num_nodes, options.embed_channels, seed=request.seed)
    x = fast_random_projection(CSR.from_edge_index(edge_index, num_nodes, edge_weight), r)
    return x, f"features: {options.embed_channels:,} columns of FastRP are made of the graph (data.embed={options.embed})"


def scale_features(
    request: DataRequest, graph: Graph, train: Tensor | None = None
) -> tuple[Graph, Preparation, tuple[str, ...]]:
    """As `prepare_features`, without what `data.embed` adds."""
    scale, made = request.options.scale, Preparation(row_normalized=request.entry.row_normalized)
    if request.entry.row_normalized:
        graph = replace(graph, x=row_normalized(required(graph.x)))
    if graph.x is None and scale == "standard":
        raise RequestError(f"data.scale=standard: data set {request.entry.name!r} has no node features, leave it out")
    if graph.x is None:
        return graph, made, ()
    nodes = "all nodes, of which none is held out" if train is None else "the training nodes"
    found = find_gaps(graph.x, train)
    made, x, gaps = replace(made, gaps=found), found.fill(graph.x), found.count
    columns = "a column with gaps is" if gaps == 1 else f"{gaps:,} columns with gaps are"
    told = (f"features: {columns} filled with the mean of {nodes}, and a column of zeros and ones tells where",) if gaps else ()
    graph = replace(graph, x=x)
    if scale == "none" or (scale == "auto" and not request.entry.own):
        return graph, made, told
    scaling = fit_scaling(x, train, every=scale == "standard")
    if not scaling.num_scaled:
        return graph, made, told
    note = (
        f"features: {scaling.num_scaled:,} of {x.size(1):,} columns are standardized by mean and deviation of {nodes} "
        f"(data.scale={scale}); data.scale=none leaves them as they are"
    )
    return replace(graph, x=scaling.apply(x)), replace(made, scaling=scaling), (*told, note)
