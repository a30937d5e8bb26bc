"""Pictures for the report of a graph run: drawn test graphs, what was right and what was wrong."""

from __future__ import annotations

import numpy as np

from graphkit.charts import STYLES
from graphkit.charts.text import escaped
from graphkit.data.graph_set import GraphSet
from graphkit.tasks.report_parts import Array, Arrays, named
from graphkit.training.report import Section

EACH = 6
"""Graphs of each row, right and wrong."""
LARGEST = 150
"""Nodes of the largest graph that is drawn: the lines of larger ones cover each other."""
_SIZE, _EDGE = 150, 12


def sections(dataset: GraphSet, arrays: Arrays) -> list[Section]:
    """Test graphs of a seed: those predicted right and those predicted wrong; of numbers the closest and the farthest.

    Of equal ones the first are shown. Nodes have the color of their largest feature.

    Args:
        dataset: The graphs.
        arrays: The predictions of the seed.
    """
    test = arrays["test_graphs"]
    drawn = test[dataset.graphs.sizes.numpy()[test] <= LARGEST]
    if not len(drawn):
        return []
    error = _errors(dataset, arrays)[drawn]
    order = drawn[np.argsort(error, kind="stable")]
    if dataset.kind == "numbers":
        rows = [("Smallest errors", order[:EACH]), ("Largest errors", order[::-1][:EACH])]
    else:
        rows = [("Right", drawn[error == 0][:EACH]), ("Wrong", order[::-1][: min(EACH, int((error > 0).sum()))])]
    html = "".join(_row(title, graphs, dataset, arrays) for title, graphs in rows if len(graphs))
    return [Section("Test graphs of the first seed", html)]


def _errors(dataset: GraphSet, arrays: Arrays) -> Array:
    """How wrong each graph is: 0 and 1 of classes, wrong labels, mean error of numbers; of what is not known 0."""
    y, predicted = dataset.graphs.y.numpy(), arrays["predicted"]
    errors: Array
    if dataset.kind == "classes":
        errors = (predicted != y).astype(float)
        return errors
    errors = np.where(np.isnan(y), 0.0, np.abs(predicted - y))
    errors = errors.sum(axis=1) if dataset.kind == "labels" else errors.mean(axis=1)
    return errors


def _row(title: str, graphs: Array, dataset: GraphSet, arrays: Arrays) -> str:
    figures = "".join(_figure(int(graph), dataset, arrays) for graph in graphs)
    return f'<h3>{title}</h3><div class="gallery">{figures}</div>'


def _figure(graph: int, dataset: GraphSet, arrays: Arrays) -> str:
    name = named(dataset.graph_names, graph, "graph")
    known, predicted = (_words(dataset, values) for values in (dataset.graphs.y[graph].numpy(), arrays["predicted"][graph]))
    said = escaped(f"{name}: {known}, predicted {predicted}")
    return (
        f'<figure style="width:{_SIZE}px"><svg viewBox="0 0 {_SIZE} {_SIZE}" role="img" aria-label="{said}">'
        f"{_drawing(graph, dataset)}</svg><figcaption>{said}</figcaption></figure>"
    )


def _words(dataset: GraphSet, values: Array) -> str:
    if dataset.kind == "classes":
        return named(dataset.class_names, int(values))
    shown = ["?" if np.isnan(value) else f"{value:.4g}" for value in values.tolist()[:3]]
    return ", ".join(shown) + (", ..." if len(values) > len(shown) else "")


def _drawing(graph: int, dataset: GraphSet) -> str:
    graphs = dataset.graphs
    start, end = graphs.ptr[graph : graph + 2].tolist()
    edge_start, edge_end = graphs.edge_ptr[graph : graph + 2].tolist()
    edges = (graphs.edge_index[:, edge_start:edge_end] - start).T.tolist()
    place = _layout(end - start, edges)
    lines = "".join(f"M{place[u][0]},{place[u][1]}L{place[v][0]},{place[v][1]}" for u, v in edges if u < v or dataset.directed)
    colors = [0] * (end - start) if graphs.x is None else graphs.x[start:end].argmax(dim=1).tolist()
    radius = 4 if end - start <= 50 else 2.5
    dots = "".join(
        f'<circle class="k{color % STYLES}" cx="{x}" cy="{y}" r="{radius}"/>'
        for (x, y), color in zip(place, colors, strict=True)
    )
    return f'<path d="{lines}"/>{dots}'


def _layout(count: int, edges: list[list[int]]) -> list[tuple[float, float]]:
    """Places of the nodes on the picture, always the same for the same graph."""
    import networkx  # takes half a second, and only a report needs it

    graph = networkx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(edges)
    found = networkx.spring_layout(graph, seed=0)
    places = np.array([found[node] for node in range(count)])
    low, high = places.min(axis=0), places.max(axis=0)
    scaled = _EDGE + (_SIZE - 2 * _EDGE) * (places - low) / np.where(high > low, high - low, 1.0)
    return [(round(x, 1), round(y, 1)) for x, y in scaled.tolist()]
