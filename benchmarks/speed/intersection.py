"""Common neighbors of many pairs, their counts, pooled features and set differences, against search in sorted keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.speed import graphs
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from benchmarks.speed.search_peer import Rows
from graphkit.data.splits.edges import both_directions
from graphkit.sparse import CSR, NeighborSets
from graphkit.sparse.pairs.intersection import _WORDS_PER_STEP, Which, cheapest_method

PEER = "sorted-key search"
_PAIRS, _QUICK_PAIRS = 24_576, 200


def contests(options: Options) -> Iterator[Contest]:
    """A dense graph (ogbl-ddi) and a sparse one (citations) against the search; then our own methods on three densities."""
    dataset = graphs.ddi(options)
    generator = torch.Generator().manual_seed(0)
    adj = CSR.from_edge_index(dataset.graph.edge_index, int(dataset.graph.num_nodes))
    dense = _Problem(dataset.name, adj, 16 if options.quick else 224, options, generator)
    yield from (dense.pool("common"), dense.pool("common", backward=True), dense.pool("left"))
    yield from (dense.count("common"), dense.count("left"))
    nodes, degree = (1_000, 10) if options.quick else (100_000, 10)
    sparse = _Problem("citation-like", _graph(nodes, degree, generator), dense.channels, options, generator)
    yield from (sparse.pool("common"), sparse.count("common"))
    nodes, degree = (500, 20) if options.quick else (10_000, 40)
    middle = _Problem("medium density", _graph(nodes, degree, generator), dense.channels, options, generator)
    yield from (problem.methods() for problem in (dense, middle, sparse))


def _graph(num_nodes: int, mean_degree: int, generator: torch.Generator) -> CSR:
    pairs = graphs.skewed_pairs(num_nodes, num_nodes * mean_degree // 2, generator)
    return CSR.from_edge_index(both_directions(pairs, num_nodes), num_nodes)


class _Problem:
    """A graph, pairs drawn from its edges, and features.

    Args:
        name: What the rows call it.
        adj: The graph, symmetric.
        channels: Width of the features.
        options: Of the command line.
        generator: Draws pairs and features.
    """

    def __init__(self, name: str, adj: CSR, channels: int, options: Options, generator: torch.Generator) -> None:
        self.name, self.adj, self.channels = name, adj, channels
        count = _QUICK_PAIRS if options.quick else _PAIRS
        self.pairs = adj.edge_index()[:, torch.randint(adj.nnz, (count,), generator=generator)]
        self.x = torch.randn(adj.shape[0], channels, generator=generator)
        self.gradient = torch.randn(count, channels, generator=generator)
        self.sets = NeighborSets(adj)
        self.rows = Rows(adj.rowptr, adj.col)

    def pool(self, which: Which, backward: bool = False) -> Contest:
        """Pooled features against the search."""
        count = self.pairs.size(1)
        keys = self.rows.common if which == "common" else self.rows.left
        ours = self._pooling(lambda x: self.sets.pool(self.pairs, x, which), backward)
        peer = self._pooling(lambda x: self.rows.pool(keys(self.pairs), count, x), backward)
        passes, moved = (2 if backward else 1), self.x.nbytes + 4 * count * self.channels
        members = int(self.sets.count(self.pairs, which).sum())
        work = Work(
            f"an addition for each of {self.channels} channels of {members:,} members, at the GEMM's rate of multiply-adds",
            bytes=float(passes * moved),
            flops=2.0 * passes * members * self.channels,
        )
        label = f"{self.name}, {count:,} pairs, {_SETS[which]}, pool {self.channels}, {'fwd + bwd' if backward else 'forward'}"
        return Contest([Case(label, Side(f"graphkit ({self.sets.method})", ours), Side(PEER, peer), work)])

    def count(self, which: Which) -> Contest:
        """Sizes of the sets against the search."""
        count = self.pairs.size(1)
        keys = self.rows.common if which == "common" else self.rows.left

        def ours() -> Results:
            return {"counts": self.sets.count(self.pairs, which)}

        def peer() -> Results:
            return {"counts": torch.bincount(keys(self.pairs) >> 32, minlength=count)}

        label = f"{self.name}, {count:,} pairs, {_SETS[which]}, count"
        return Contest([Case(label, Side(f"graphkit ({self.sets.method})", ours), Side(PEER, peer), self._reading(), 0.0)])

    def methods(self) -> Contest:
        """Our two CPU methods against each other, with one channel, so that walking the sets is what counts."""
        x = self.x[:, 0].contiguous()
        both = {method: NeighborSets(self.adj, method) for method in ("bitset", "sorted")}

        def side(method: str) -> Side:
            return Side(f"graphkit ({method})", lambda: {"forward": both[method].pool(self.pairs, x)})

        sides = {method: side(method) for method in both}
        chosen = cheapest_method(self.adj)
        other = "sorted" if chosen == "bitset" else "bitset"
        label = f"{self.name}, {self.pairs.size(1):,} pairs, pool 1: the method of `auto`, and the other"
        return Contest(
            [Case(label, sides[chosen], sides[other], self._reading())],
            seconds=5.0,
            remark=lambda ms: self._constant(ms[sides["bitset"]], ms[sides["sorted"]]),
        )

    def _constant(self, bitset_ms: float, sorted_ms: float) -> str:
        """How many words of packed rows cost as much as one merge step, where members are too few to count."""
        if int(self.sets.count(self.pairs).sum()) > 8 * self.pairs.size(1):
            return f"{self.name}: time goes into the members of the sets, not into finding them; no cost of a step is read off"
        degree = self.adj.degree()
        steps = float(degree[self.pairs].sum()) / self.pairs.size(1)
        words = (self.adj.shape[0] + 63) // 64
        measured = (sorted_ms / steps) / (bitset_ms / words)
        return (
            f"{self.name}: a merge step costs as much as {measured:.1f} words of packed rows "
            f"({steps:.0f} steps in {sorted_ms:.1f} ms, {words} words in {bitset_ms:.1f} ms; in use: {_WORDS_PER_STEP:g})"
        )

    def _reading(self) -> Work:
        """The cheaper layout of both rows of each pair, read once."""
        words = (self.adj.shape[0] + 63) // 64
        entries = float(self.adj.degree()[self.pairs].sum())
        least = min(8.0 * entries, 16.0 * words * self.pairs.size(1))
        return Work("both rows of each pair read once, packed or as ids, whichever is less, at the copy rate", bytes=least)

    def _pooling(self, pool: Callable[[Tensor], Tensor], backward: bool) -> Callable[[], Results]:
        leaf = self.x.clone().requires_grad_(backward)

        def call() -> Results:
            leaf.grad = None
            out = pool(leaf)
            if not backward:
                return {"forward": out}
            out.backward(self.gradient)
            assert leaf.grad is not None
            return {"forward": out.detach(), "gradient": leaf.grad}

        return call


_SETS = {"common": "N(i) & N(j)", "left": "N(i) - N(j)"}
