"""Features of a single graph as a task gets them: row-normalized where the protocol says so, columns scaled as asked."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from graphkit.data.graph import Graph, required
from graphkit.data.scaling import Scaling, fit_scaling, row_normalized
from graphkit.data.sources import DataRequest
from graphkit.errors import RequestError


def prepare_features(
    request: DataRequest, graph: Graph, train: Tensor | None = None
) -> tuple[Graph, Scaling | None, tuple[str, ...]]:
    """Normalize and scale the features of a graph.

    Args:
        request: What was asked for.
        graph: The graph, with or without features.
        train: Ids of the nodes of which mean and deviation are taken; None: all nodes, of which none is held out.

    Returns:
        The graph, how its features were scaled, and a sentence on that; None and no sentence where they stay as they are.

    Raises:
        RequestError: If features are to be scaled and there are none.
    """
    scale = request.options.scale
    if request.entry.row_normalized:
        graph = replace(graph, x=row_normalized(required(graph.x)))
    if graph.x is None and scale == "standard":
        raise RequestError(f"data.scale=standard: data set {request.entry.name!r} has no node features, leave it out")
    if graph.x is None or scale == "none" or (scale == "auto" and not request.entry.own):
        return graph, None, ()
    scaling = fit_scaling(graph.x, train, every=scale == "standard")
    if not scaling.num_scaled:
        return graph, None, ()
    nodes = "all nodes, of which none is held out" if train is None else "the training nodes"
    note = (
        f"features: {scaling.num_scaled:,} of {graph.x.size(1):,} columns are standardized by mean and deviation of {nodes} "
        f"(data.scale={scale}); data.scale=none leaves them as they are"
    )
    return replace(graph, x=scaling.apply(graph.x)), scaling, (note,)
