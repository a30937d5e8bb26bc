"""Contexts of the nodes of a large graph, against networkx's same measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import networkx as nx
import torch
from torch import Tensor

from benchmarks.speed.graphs import skewed_pairs
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work, seconds_of
from graphkit.layers import NodeContext
from graphkit.sparse import CSR
from graphkit.sparse.graph_measures import clustering_coefficient, core_number, pagerank

_SAMPLE = 1_000  # nodes whose clustering networkx computes: all of them take it minutes
_CHANNELS, _CLASSES, _UNLABELED = 64, 10, 20
_SAME = ("degree", "clustering", "core number", "pagerank")


def contests(options: Options) -> Iterator[Contest]:
    """Each measure, then all contexts that need no model. networkx's graph is built beforehand, ours each time."""
    n, m = (300, 1_500) if options.quick else (100_000, 1_000_000)
    generator = torch.Generator().manual_seed(0)
    pairs = skewed_pairs(n, m, generator)
    edges = torch.cat([pairs, pairs.flip(0)], dim=1)
    sample = torch.randperm(n, generator=generator)[:_SAMPLE]
    peer = _Networkx(pairs, sample, n)
    size = f"{n:,} nodes, {m:,} edges"
    work = Work("the graph read once, at the copy rate", bytes=float(edges.nbytes))
    share = f"networkx's clustering EXTRAPOLATED from {sample.numel():,} nodes"
    ours: dict[str, Callable[[CSR], Tensor]] = {
        "clustering": lambda adj: clustering_coefficient(adj)[sample],
        "core number": core_number,
        "pagerank": lambda adj: n * pagerank(adj),
    }
    for name, measure in ours.items():
        side = Side("graphkit", lambda measure=measure, name=name: {name: measure(CSR.from_edge_index(edges, n))})
        label = f"{name}, {size}" + (f", {share}" if name == "clustering" else "")
        yield Contest([Case(label, side, peer.side(name), work, tolerance=1e-6)], seconds=5.0)
    x = torch.randn(n, _CHANNELS, generator=generator)
    y = torch.randint(_CLASSES, (n,), generator=generator).masked_fill(torch.arange(n) % _UNLABELED > 0, -1)

    def fitted() -> Results:
        context = NodeContext(n).double()
        context.fit(x, CSR.from_edge_index(edges, n), y)
        found = dict(zip(context.contexts, context.raw.t(), strict=True))
        return {name: found[name][sample] if name == "clustering" else found[name] for name in _SAME}

    label = f"{', '.join(NodeContext(1).contexts)}, {size}, {_CHANNELS} features, against the first four; {share}"
    yield Contest([Case(label, Side("NodeContext", fitted), peer.side(*_SAME), work, tolerance=1e-6)], seconds=5.0)


class _Networkx:
    """networkx's measures of one graph, in the units of contexts."""

    def __init__(self, pairs: Tensor, sample: Tensor, num_nodes: int) -> None:
        self._sample, self._num_nodes = sample.tolist(), num_nodes
        graph: Any = nx.Graph()
        graph.add_nodes_from(range(num_nodes))
        graph.add_edges_from(pairs.t().tolist())
        self._measures: dict[str, Callable[[], Tensor]] = {
            "degree": lambda: self._in_order(dict(graph.degree)),
            "clustering": lambda: self._in_order(nx.clustering(graph, self._sample), self._sample),
            "core number": lambda: self._in_order(nx.core_number(graph)),
            "pagerank": lambda: num_nodes * self._in_order(nx.pagerank(graph, tol=1e-9 / num_nodes, max_iter=500)),
        }

    def _in_order(self, values: dict[int, float], nodes: list[int] | None = None) -> Tensor:
        return torch.tensor([values[v] for v in nodes or range(self._num_nodes)], dtype=torch.float64)

    def side(self, *names: str) -> Side:
        """Some of the measures; what clustering takes is computed from what the sample takes."""
        share = {"clustering": self._num_nodes / len(self._sample)}

        def seconds() -> float:
            return sum(share.get(name, 1.0) * seconds_of(self._measures[name]) for name in names)

        return Side("networkx", lambda: {name: self._measures[name]() for name in names}, seconds=seconds)
