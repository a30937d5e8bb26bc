"""Sketches and balls against sets of nodes from networkx, and estimates against loops and exact counts."""

from __future__ import annotations

import math

import networkx
import pytest
import torch

from graphkit.sparse import CSR, Balls, BallSketches, copies
from graphkit.sparse.pairs import sketches as module

N, HOPS = 60, 3


def graph(seed: int = 0, masked: bool = False) -> tuple[networkx.Graph, CSR]:
    """A sparse graph with isolated nodes; where masked, an operator with absent entries and the graph without them."""
    drawn = networkx.gnm_random_graph(N - 4, 90, seed=seed)
    drawn.add_nodes_from(range(N))
    edges = torch.tensor(list(drawn.edges())).t()
    adj = CSR.from_edge_index(torch.cat([edges, edges.flip(0)], dim=1), N)
    if masked:
        gone = list(drawn.edges())[::5]
        drawn.remove_edges_from(gone)
        adj = adj.without(adj.positions(torch.tensor(gone).t()), mirror=True)
    return drawn, adj


def balls(drawn: networkx.Graph) -> list[list[set[int]]]:
    """By radius from 1 on, the ball around every node."""
    reach = [networkx.single_source_shortest_path_length(drawn, u) for u in range(N)]
    return [[{v for v, d in found.items() if d <= k} for found in reach] for k in range(1, HOPS + 1)]


def every_pair() -> torch.Tensor:
    return torch.cartesian_prod(torch.arange(N), torch.arange(N)).t()


@pytest.mark.parametrize("masked", [False, True])
def test_exact_balls_are_those_of_networkx(masked: bool) -> None:
    drawn, adj = graph(masked=masked)
    found, sets = Balls(adj, HOPS), balls(drawn)
    assert found.sizes.tolist() == [[len(sets[k][u]) for k in range(HOPS)] for u in range(N)]
    pairs = every_pair()[:, ::7]
    for p, sizes in zip(pairs.t().tolist(), found.intersections(pairs).tolist(), strict=True):
        assert sizes == [[len(a[p[0]] & b[p[1]]) for b in sets] for a in sets]


@pytest.mark.parametrize("masked", [False, True])
def test_sketches_are_unions_over_balls(masked: bool) -> None:
    """Of a graph without edges the balls are single nodes; minima and maxima of those over a ball are its sketches."""
    drawn, adj = graph(masked=masked)
    options = {"num_hashes": 16, "precision": 5}
    single = BallSketches(CSR.from_edge_index(torch.zeros(2, 0, dtype=torch.long), N), 1, **options)
    found = BallSketches(adj, HOPS, **options)
    for k, ball in enumerate(balls(drawn)):
        for u in range(N):
            members = torch.tensor(sorted(ball[u]))
            assert torch.equal(found.least[k, u], single.least[0, members].amin(0))
            assert torch.equal(found.longest[k, u], single.longest[0, members].amax(0))


def ertl(registers: list[int]) -> float:
    """Algorithm 4 of arXiv:1702.01284 term by term, registers that are full counted as they stand."""
    m = len(registers)
    empty = registers.count(0) / m
    sigma = math.inf if empty == 1 else empty + sum(2.0 ** (k - 1) * empty ** (2**k) for k in range(1, 12))
    return m * m / (2 * math.log(2)) / (m * sigma + sum(2.0**-r for r in registers if r))


@pytest.mark.parametrize("precision", [4, 8])
def test_estimates_follow_the_formulas(precision: int) -> None:
    _, adj = graph()
    found = BallSketches(adj, 2, num_hashes=24, precision=precision)
    pairs = torch.tensor([[0, 5, 7, N - 1, 3], [9, 5, 30, N - 2, N - 1]])
    estimates = found.intersections(pairs)
    for p, (i, j) in enumerate(pairs.t().tolist()):
        for a in range(2):
            assert float(found.sizes[i, a]) == pytest.approx(ertl(found.longest[a, i].tolist()), rel=1e-5)
            for b in range(2):
                equal = sum(x == y for x, y in zip(found.least[a, i].tolist(), found.least[b, j].tolist(), strict=True))
                union = [max(x, y) for x, y in zip(found.longest[a, i].tolist(), found.longest[b, j].tolist(), strict=True)]
                assert float(estimates[p, a, b]) == pytest.approx(equal / 24 * ertl(union), rel=1e-5)
    plain = torch.empty(pairs.size(1), 4)
    module._plain_compare(*pairs, found.least, found.longest, plain)
    assert torch.equal(plain.view(-1, 2, 2), estimates)


def test_the_plain_union_is_the_compiled_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, adj = graph(masked=True)
    found = BallSketches(adj, 2)
    monkeypatch.setattr(module, "_CHUNK", 5000)
    least, longest = torch.empty_like(found.least[0]), torch.empty_like(found.longest[0])
    module._plain_unite(adj, found.least[0], found.longest[0], least, longest)
    assert torch.equal(least, found.least[1]) and torch.equal(longest, found.longest[1])


def test_estimates_are_close_to_exact_counts() -> None:
    """Over eight draws of hash functions the mean error is within four deviations, and the deviation as the theory says."""
    drawn = networkx.barabasi_albert_graph(400, 8, seed=1)
    edges = torch.tensor(list(drawn.edges())).t()
    adj = CSR.from_edge_index(torch.cat([edges, edges.flip(0)], dim=1), 400)
    pairs = torch.randint(400, (2, 300), generator=torch.Generator().manual_seed(0))
    exact = Balls(adj, 2)
    sketches = [BallSketches(adj, 2, seed=seed) for seed in range(8)]
    sizes = torch.stack([one.sizes for one in sketches]) / exact.sizes - 1
    assert float(sizes.mean(0).abs().max()) < 4 * 0.07 / 8**0.5 * 1.3 and 0.02 < float(sizes.std()) < 0.08
    right = exact.intersections(pairs)[:, 1, 1]
    shares = torch.stack([one.intersections(pairs)[:, 1, 1] for one in sketches]) / right - 1
    assert right.min() > 30 and float(shares.mean().abs()) < 0.03 and float(shares.std()) < 0.15


def test_copies_side_by_side_have_the_same_sketches() -> None:
    _, adj = graph()
    both = copies(adj, torch.ones(2, adj.nnz, dtype=torch.bool))
    found, one = BallSketches(both, 2, period=N), BallSketches(adj, 2)
    assert torch.equal(found.least, one.least.repeat(1, 2, 1)) and torch.equal(found.longest, one.longest.repeat(1, 2, 1))


def test_sketches_are_kept_until_entries_leave() -> None:
    _, adj = graph()
    kept = BallSketches.of(adj, 2)
    assert BallSketches.of(adj.with_value(torch.rand(adj.nnz)), 2) is kept
    left = adj.without(torch.arange(20), mirror=True)
    assert BallSketches.of(left, 2) is not kept and BallSketches.of(left, 2) is BallSketches.of(left, 2)
    assert not torch.equal(BallSketches.of(left, 2).least, kept.least)
    assert BallSketches.of(adj, 2, seed=1) is not kept


@pytest.mark.parametrize("options", [{"hops": 0}, {"hops": 1, "precision": 9}, {"hops": 1, "num_hashes": 0}])
def test_numbers_out_of_range_are_refused(options: dict) -> None:
    _, adj = graph()
    with pytest.raises(ValueError, match="hops and num_hashes must be at least 1 and precision lie in"):
        BallSketches(adj, **options)
