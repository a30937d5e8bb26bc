"""Where everything lies on a drawn subgraph or image, always the same for the same one; the page's template writes the SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphkit.errors import shown
from graphkit.explain.explanation import Drawing, Picture

SIZE = 320
"""Width and height of a drawing, in its own unit."""
MOST_NODES = 60
"""Nodes of a drawing; more cover each other."""
COLORS = 8
"""Colors of nodes that the page's style has, `c0` to `c7`."""

_MARGIN = 26
_SMALL, _LARGE = 4.0, 9.0
_THIN, _THICK = 0.8, 3.2
_MOST_LABELS = 8
_LONGEST_LABEL = 14
_LONGEST_NAME = 200
_HOTTEST = 0.6  # opacity: the image stays visible below


@dataclass(frozen=True)
class Dot:
    """A node: its place, its radius, its color by number, and its name; `label` is the name as it is written beside it."""

    x: float
    y: float
    radius: float
    color: int
    name: str
    label: str = ""

    @property
    def is_right(self) -> bool:
        """Whether a label on the right of it would leave the drawing."""
        return self.x > SIZE * 0.65


@dataclass(frozen=True)
class Stroke:
    """An edge: its path, with an arrow's head where it has a direction, and its width."""

    path: str
    width: float


@dataclass(frozen=True)
class Sketch:
    """A drawing with places.

    Attributes:
        dots: The nodes.
        strokes: The edges.
        target: The node that gets a ring; None: none.
        legend: The colors that are there, by number, and what they stand for.
        left_out: How many nodes are not drawn.
    """

    dots: tuple[Dot, ...]
    strokes: tuple[Stroke, ...]
    target: Dot | None
    legend: tuple[tuple[int, str], ...]
    left_out: int


@dataclass(frozen=True)
class Cell:
    """A place of the heat over an image: left, top, width and height in pixels of the image, and its opacity."""

    x: float
    y: float
    width: float
    height: float
    opacity: float


def sketch(drawing: Drawing) -> Sketch:
    """Place the nodes of a drawing; of more than `MOST_NODES` the heaviest, the others are counted.

    Args:
        drawing: What is drawn.
    """
    drawing = limited(drawing)
    count = len(drawing.nodes)
    weights = drawing.node_weights or (0.5,) * count
    colors = [color % COLORS for color in drawing.colors or (0,) * count]
    radii = [round(_SMALL + (_LARGE - _SMALL) * weight, 1) for weight in weights]
    labels = _labels(drawing, weights)
    dots = tuple(
        Dot(x, y, radii[node], colors[node], shown(drawing.nodes[node], _LONGEST_NAME), labels.get(node, ""))
        for node, (x, y) in enumerate(_layout(drawing))
    )
    thickness = drawing.edge_weights or (0.2,) * len(drawing.edges)
    strokes = tuple(
        Stroke(_path(dots[u], dots[v], drawing.directed), round(_THIN + (_THICK - _THIN) * weight, 1))
        for (u, v), weight in zip(drawing.edges, thickness, strict=True)
    )
    target = None if drawing.target is None else dots[drawing.target]
    return Sketch(dots, strokes, target, _legend(drawing), drawing.left_out)


def limited(drawing: Drawing, most: int = MOST_NODES) -> Drawing:
    """The drawing with its heaviest nodes alone, the target first; the others are counted.

    Args:
        drawing: A drawing.
        most: How many nodes stay.
    """
    count = len(drawing.nodes)
    if count <= most:
        return drawing
    kept = sorted(_by_weight(drawing, drawing.node_weights or (0.0,) * count)[:most])
    place = {node: position for position, node in enumerate(kept)}
    inside = [number for number, (u, v) in enumerate(drawing.edges) if u in place and v in place]
    return Drawing(
        nodes=tuple(drawing.nodes[node] for node in kept),
        edges=tuple((place[drawing.edges[number][0]], place[drawing.edges[number][1]]) for number in inside),
        target=None if drawing.target is None else place[drawing.target],
        node_weights=tuple(drawing.node_weights[node] for node in kept) if drawing.node_weights else (),
        edge_weights=tuple(drawing.edge_weights[number] for number in inside) if drawing.edge_weights else (),
        colors=tuple(drawing.colors[node] for node in kept) if drawing.colors else (),
        legend=drawing.legend,
        directed=drawing.directed,
        left_out=drawing.left_out + count - len(kept),
    )


def heat_cells(picture: Picture) -> tuple[Cell, ...]:
    """The heat of an image as rectangles over it.

    Args:
        picture: The image.
    """
    rows = len(picture.heat)
    cells = []
    for y, row in enumerate(picture.heat):
        width, height = picture.width / len(row), picture.height / rows
        for x, heat in enumerate(row):
            cells.append(Cell(*(round(number, 3) for number in (x * width, y * height, width, height, _HOTTEST * heat))))
    return tuple(cells)


def _by_weight(drawing: Drawing, weights: Sequence[float]) -> list[int]:
    """The nodes, the target first, then the heaviest."""
    return sorted(range(len(drawing.nodes)), key=lambda node: (node != drawing.target, -weights[node], node))


def _labels(drawing: Drawing, weights: Sequence[float]) -> dict[int, str]:
    """Names that are written beside their nodes: all of few; else that of the target, and of the heaviest."""
    order = _by_weight(drawing, weights)
    if len(order) > _MOST_LABELS:
        order = order[: _MOST_LABELS if drawing.node_weights else 1]
    names = {node: drawing.nodes[node] for node in order}
    return {
        node: shown(name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…") for node, name in names.items()
    }


def _legend(drawing: Drawing) -> tuple[tuple[int, str], ...]:
    kinds = sorted(set(drawing.colors))
    names = drawing.legend or tuple(map(str, range(max(kinds, default=-1) + 1)))
    return tuple((kind % COLORS, shown(names[kind], _LONGEST_NAME)) for kind in kinds)


def _path(start: Dot, end: Dot, has_head: bool) -> str:
    line = f"M{start.x},{start.y}L{end.x},{end.y}"
    length = ((end.x - start.x) ** 2 + (end.y - start.y) ** 2) ** 0.5
    if not has_head or length <= end.radius:  # a loop, or nodes that lie on each other
        return line
    ux, uy = (end.x - start.x) / length, (end.y - start.y) / length
    x, y = end.x - ux * end.radius, end.y - uy * end.radius  # the tip touches the circle
    head = (x - 6 * ux + 3 * uy, y - 6 * uy - 3 * ux, x, y, x - 6 * ux - 3 * uy, y - 6 * uy + 3 * ux)
    return line + "M{:.1f},{:.1f}L{:.1f},{:.1f}L{:.1f},{:.1f}".format(*head)


def _layout(drawing: Drawing) -> list[tuple[float, float]]:
    import networkx  # takes half a second, and only a page needs it

    count = len(drawing.nodes)
    graph = networkx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(drawing.edges)
    found = networkx.spring_layout(graph, seed=0)
    xs, ys = (_scaled([float(found[node][axis]) for node in range(count)]) for axis in (0, 1))
    return list(zip(xs, ys, strict=True))


def _scaled(values: list[float]) -> list[float]:
    """From the margin to the opposite one; the middle where all are equal."""
    low, span = min(values, default=0.0), max(values, default=0.0) - min(values, default=0.0)
    if not span:
        return [SIZE / 2] * len(values)
    return [round(_MARGIN + (SIZE - 2 * _MARGIN) * (value - low) / span, 1) for value in values]
