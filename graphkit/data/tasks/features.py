"""Features of a single graph as a task gets them: gaps filled, rows normalized where the protocol says so, columns scaled."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from graphkit.data.gaps import fill_gaps
from graphkit.data.graph import Graph, required
from graphkit.data.scaling import Scaling, fit_scaling, row_normalized
from graphkit.data.sources import DataRequest
from graphkit.errors import RequestError


def prepare_features(
    request: DataRequest, graph: Graph, train: Tensor | None = None
) -> tuple[Graph, Scaling | None, tuple[str, ...]]:
    """Fill gaps in the features of a graph, normalize and scale them.

    Args:
        request: What was asked for.
        graph: The graph, with or without features.
        train: Ids of the nodes of which means and deviations are taken; None: all nodes, of which none is held out.

    Returns:
        The graph; how its features were scaled, None where they are not; and sentences on what was done.

    Raises:
        RequestError: If features are to be scaled and there are none.
    """
    scale = request.options.scale
    if request.entry.row_normalized:
        graph = replace(graph, x=row_normalized(required(graph.x)))
    if graph.x is None and scale == "standard":
        raise RequestError(f"data.scale=standard: data set {request.entry.name!r} has no node features, leave it out")
    if graph.x is None:
        return graph, None, ()
    nodes = "all nodes, of which none is held out" if train is None else "the training nodes"
    x, gaps = fill_gaps(graph.x, train)
    columns = "a column with gaps is" if gaps == 1 else f"{gaps:,} columns with gaps are"
    told = (f"features: {columns} filled with the mean of {nodes}, and a column of zeros and ones tells where",) if gaps else ()
    graph = replace(graph, x=x)
    if scale == "none" or (scale == "auto" and not request.entry.own):
        return graph, None, told
    scaling = fit_scaling(x, train, every=scale == "standard")
    if not scaling.num_scaled:
        return graph, None, told
    note = (
        f"features: {scaling.num_scaled:,} of {x.size(1):,} columns are standardized by mean and deviation of {nodes} "
        f"(data.scale={scale}); data.scale=none leaves them as they are"
    )
    return replace(graph, x=scaling.apply(x)), scaling, (*told, note)
