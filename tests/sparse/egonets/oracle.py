"""Bags of subgraphs by sets and loops over nodes; shares nothing with the engine."""

from __future__ import annotations

import torch


def batch(directed=False, seed=0):
    """Graphs of 6, 1, 0, 9 and 4 nodes with isolated nodes, a self-loop and repeated edges; the fourth node set has no edge."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [6, 1, 0, 9, 4]
    ptr = [0]
    edges = []
    for g, n in enumerate(sizes):
        if n > 4:  # the last node of each of these is isolated
            pairs = torch.randint(n - 1, (2, 2 * n), generator=generator)
            edges.append(pairs + ptr[-1])
        if g == 3:
            edges.append(torch.full((2, 1), ptr[-1] + 2))
        ptr.append(ptr[-1] + n)
    edge_index = torch.cat(edges, dim=1)
    if not directed:
        edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    return edge_index, torch.tensor(ptr)


def neighbors(edge_index, num_nodes):
    """N(v): the nodes that v receives from."""
    found = [set() for _ in range(num_nodes)]
    for source, target in edge_index.t().tolist():
        found[target].add(source)
    return found


def distances(near, start, allowed=None):
    """Steps from `start` along N, inside the allowed nodes."""
    reached, front, steps = {start: 0}, [start], 0
    while front:
        steps += 1
        fresh = {w for v in front for w in near[v] if w not in reached and (allowed is None or w in allowed)}
        reached.update(dict.fromkeys(fresh, steps))
        front = fresh
    return reached


def graphs(ptr):
    bounds = ptr.tolist()
    return [range(a, b) for a, b in zip(bounds, bounds[1:], strict=False)]


def ball(near, roots, hops):
    return {v for root in roots for v, steps in distances(near, root).items() if steps <= hops}


def contents(bags):
    """The nodes of every bag."""
    bounds = bags.ptr.tolist()
    return [bags.node[a:b].tolist() for a, b in zip(bounds, bounds[1:], strict=False)]


def rows(bags):
    """(bag, node) -> row."""
    return {(s, v): k for k, (s, v) in enumerate((s, v) for s, nodes in enumerate(contents(bags)) for v in nodes)}
