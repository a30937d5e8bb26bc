"""Poisoned graphs with a known amount of poison: pairs of nodes whose edge is flipped, at random or against the classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from graphkit.data.graph import Graph, required
from graphkit.errors import RequestError

KINDS = ("random", "targeted")
_ROUNDS = 200


def poison(graph: Graph, share: float, kind: str, generator: torch.Generator, targets: Tensor | None = None) -> Graph:
    """An undirected graph with flipped pairs: of linked nodes the edge goes, to others one comes.

    `random`: pairs of any two nodes, of which nearly all of a sparse graph's were not linked. `targeted`: half of the flips
    remove an edge within a class, as long as there are any, the others add one between two classes.

    Args:
        graph: The graph, both directions of every edge, no self-loop; weights are left out of the result.
        share: Flips by the number of undirected edges, at least 0.
        kind: One of `KINDS`; `targeted` reads all labels, as an attacker may who knows the truth.
        generator: Draws the pairs.
        targets: Flip only pairs with one of these nodes; None: any.

    Returns:
        A new graph, edges sorted by source and target; which are true is not known.

    Raises:
        RequestError: `kind` is unknown, `share` negative, or there are too few such pairs.
    """
    if kind not in KINDS or share < 0:
        raise RequestError(f"poison: expected a kind of {', '.join(KINDS)} and a share from 0 on, got {kind} and {share}")
    n = graph.num_nodes
    low, high = graph.edge_index
    linked = (low * n + high)[low < high]
    count = round(share * linked.numel())
    near = torch.ones(n, dtype=torch.bool) if targets is None else torch.zeros(n, dtype=torch.bool).index_fill(0, targets, True)
    if kind == "random":
        drawn = _draw(n, count, generator, lambda u, v: near[u] | near[v])
        gone, come = drawn[torch.isin(drawn, linked)], drawn[~torch.isin(drawn, linked)]
    else:
        y = required(graph.y)
        within = linked[(y[linked // n] == y[linked % n]) & (y[linked // n] >= 0) & (near[linked // n] | near[linked % n])]
        gone = within[torch.randperm(within.numel(), generator=generator)[: count // 2]]

        def foreign(u: Tensor, v: Tensor) -> Tensor:
            apart = (y[u] != y[v]) & (y[u] >= 0) & (y[v] >= 0) & (near[u] | near[v])
            return apart & ~torch.isin(u * n + v, linked)

        come = _draw(n, count - gone.numel(), generator, foreign)
    pairs = torch.cat([linked[~torch.isin(linked, gone)], come])
    keys = torch.cat([pairs, (pairs % n) * n + pairs // n]).sort().values
    return replace(graph, edge_index=torch.stack([keys // n, keys % n]), edge_weight=None, edge_truth=None)


def _draw(n: int, count: int, generator: torch.Generator, allowed: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Keys u n + v, u < v, of distinct allowed pairs [count], drawn evenly by rejection."""
    found = torch.empty(0, dtype=torch.int64)
    for _ in range(_ROUNDS):
        if found.numel() >= count:
            return found[:count]
        pairs = torch.randint(n, (2, 2 * count + 64), generator=generator)
        u, v = pairs.amin(0), pairs.amax(0)
        good = (u < v) & allowed(u, v)
        keys = (u * n + v)[good]
        # Distinct ones in the order of the draw, so that cutting them off prefers no node.
        keys = torch.cat([found, keys])
        order = keys.sort(stable=True)
        first = torch.ones_like(order.values, dtype=torch.bool)
        first[1:] = order.values.diff() > 0
        found = keys[order.indices[first].sort().values]
    raise RequestError(f"poison: there are too few pairs of nodes for {count:,} flips; ask for a smaller share")
