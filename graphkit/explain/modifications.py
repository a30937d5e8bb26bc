"""What may be changed about a graph to see why a node looks like a prototype: the counterpart of an image's characteristics.

Each change gives another graph over the same nodes, so that parts stay where they are. Scores: `graphkit.prototypes.because`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from graphkit.errors import RequestError
from graphkit.models.node.base import NodeView
from graphkit.models.node.prototype import PrototypeNodes
from graphkit.prototypes import Because, because
from graphkit.sparse import CSR

Change = Callable[[NodeView], NodeView]


def drop_edges(view: NodeView, share: float, generator: torch.Generator) -> NodeView:
    """A share of the edges left out, both directions of an edge together.

    Args:
        view: The graph.
        share: In [0, 1].
        generator: On the CPU.
    """
    _require_share(share)
    source, target, value = _edges(view.adj)
    low, high = torch.minimum(source, target), torch.maximum(source, target)
    keys, edge = (low * view.adj.shape[0] + high).unique(return_inverse=True)
    kept = (torch.rand(keys.numel(), generator=generator) >= share).to(edge.device)[edge]
    return replace(view, adj=_operator(source[kept], target[kept], None if value is None else value[kept], view.adj))


def shuffle_features(view: NodeView, generator: torch.Generator) -> NodeView:
    """The features of all nodes dealt out to the nodes at random.

    Args:
        view: The graph.
        generator: On the CPU.
    """
    x = _dense(view)
    return replace(view, x=x[torch.randperm(x.size(0), generator=generator).to(x.device)])


def zero_features(view: NodeView, columns: Tensor) -> NodeView:
    """A group of features set to zero in all nodes.

    Args:
        view: The graph.
        columns: Numbers of the features.
    """
    return replace(view, x=_dense(view).index_fill(1, columns.to(view.y.device), 0.0))


def rewire(view: NodeView, share: float, generator: torch.Generator) -> NodeView:
    """A share of the edges led on by a step: (u, v) becomes (u, w) with w a neighbor of v, drawn at random.

    Nodes then hear of others two steps away. Both directions are kept; where the step leads back to u, the edge goes.

    Args:
        view: The graph; every edge in both directions.
        share: In [0, 1].
        generator: On the CPU.
    """
    _require_share(share)
    source, target, _ = _edges(view.adj)
    upper = source < target
    u, v = source[upper], target[upper]
    moved = (torch.rand(u.numel(), generator=generator) < share).to(u.device)
    ptr, neighbors = view.adj.rowptr.long(), view.adj.col.long()
    degree = ptr.diff()
    step = (torch.rand(u.numel(), generator=generator, dtype=torch.float64).to(u.device) * degree[v]).long()
    w = torch.where(moved, neighbors[(ptr[v] + step).clamp(max=neighbors.numel() - 1)], v)
    u, w = u[u != w], w[u != w]
    return replace(view, adj=_operator(torch.cat([u, w]), torch.cat([w, u]), None, view.adj))


def graph_changes(generator: torch.Generator, groups: dict[str, Tensor] | None = None, share: float = 0.5) -> dict[str, Change]:
    """The changes by name: edges dropped, two hops rewired, features shuffled, and each group of features set to zero.

    Args:
        generator: On the CPU; each change draws from it when it is made.
        groups: Numbers of the features of each group, by its name.
        share: Of the edges that are dropped or rewired.
    """
    changes: dict[str, Change] = {
        "edges dropped": partial(drop_edges, share=share, generator=generator),
        "two hops rewired": partial(rewire, share=share, generator=generator),
        "features shuffled": partial(shuffle_features, generator=generator),
    }
    return {**changes, **{name: partial(zero_features, columns=columns) for name, columns in (groups or {}).items()}}


@torch.no_grad()
def because_of_graph(model: PrototypeNodes, view: NodeView, nodes: Tensor, changes: dict[str, Change]) -> Because:
    """How much of the similarity of nodes to prototypes is lost by each change; see `graphkit.prototypes.because`.

    Args:
        model: A prototype model whose parts are the nodes themselves (`model.parts=node`), in evaluation mode.
        view: The graph.
        nodes: Ids [B].
        changes: By name, e.g. of `graph_changes`.

    Raises:
        RequestError: If the parts are neighborhoods, which another graph would change.
    """
    if model.head_takes_graph:
        raise RequestError("changes of a graph need model.parts=node: they would change which parts a neighborhood has")
    parts = [model.parts_of(change(view), nodes) for change in changes.values()]
    return because(model.head.bank, model.parts_of(view, nodes), parts)


def _require_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise RequestError(f"a share lies in [0, 1], got {share}")


def _edges(adj: CSR) -> tuple[Tensor, Tensor, Tensor | None]:
    source, target = adj.edge_index()
    return source, target, adj.value


def _operator(source: Tensor, target: Tensor, value: Tensor | None, like: CSR) -> CSR:
    return CSR.from_edge_index(torch.stack([source, target]), like.shape[0], value, duplicates="first")


def _dense(view: NodeView) -> Tensor:
    return view.x.to_dense(torch.float32) if isinstance(view.x, CSR) else view.x
