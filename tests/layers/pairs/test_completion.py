"""NCNC's score against dense algebra over all ordered pairs, its distinct inner pairs, and the neighbors that it draws."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from graphkit.layers import CommonNeighborScore, CompletionScore
from graphkit.layers.pairs import completion, distinct
from graphkit.layers.pairs.distinct import DistinctPairs
from graphkit.layers.pairs.one_sided import one_sided
from graphkit.sparse import CSR, NeighborSets, as_csr
from tests.layers.pairs.graphs import graph_and_pairs
from tests.layers.pairs.test_common_neighbors import dense, oracle_head, oracle_transformed

SOFT = {"scale": 1.3, "offset": 0.1, "prior": 0.6, "alpha": 1.2}


def oracle(layer: CompletionScore, h: Tensor, adjacency: Tensor, pairs: Tensor, depth: int) -> Tensor:
    """The score as written; inner scores of all n^2 ordered pairs, none of them shared."""
    n, (i, j) = h.size(0), pairs
    x = oracle_transformed(layer, h)
    pooled = (adjacency[i] * adjacency[j]) @ x
    if depth > 0:
        every = torch.cartesian_prod(torch.arange(n), torch.arange(n)).t()
        start = x if layer.inner == "transformed" else h
        scores = oracle(layer, start.detach(), adjacency, every, depth - 1).detach().view(n, n)
        p = 1 / (1 + torch.exp(-layer.scale * (scores - layer.offset)))
        w = layer.alpha * layer.prior * p / (layer.prior * p + 1 - p)
        pooled = pooled + (adjacency[i] * (1 - adjacency[j]) * w[j]) @ x + (adjacency[j] * (1 - adjacency[i]) * w[i]) @ x
    return oracle_head(layer, h[i] * h[j], pooled)


def built(seed: int = 0, **options) -> CompletionScore:
    torch.manual_seed(seed)
    layer = CompletionScore(8, **{**SOFT, **options}).double().eval()
    with torch.no_grad():
        layer.beta.fill_(0.7)
        for parameter in layer.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return layer


@pytest.mark.parametrize("cells", [0, 2**25], ids=["keys", "table"])
@pytest.mark.parametrize(
    "options",
    [
        {"depth": 1},
        {"depth": 1, "inner": "embeddings", "tail_activation": False},
        {"depth": 2},
        {"depth": 3, "inner": "embeddings", "two_layer": True},
        {"depth": 2, "transform_pooled": False, "norm": False},
        {"depth": 0},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_completion_score_equals_dense_oracle(options: dict, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "_CELLS", cells)
    monkeypatch.setattr(completion, "_ROWS", 16)
    monkeypatch.setattr(completion, "_ENTRIES", 200)
    monkeypatch.setattr(completion, "_PER_PAIR", 4)
    edge_index, pairs, n = graph_and_pairs(1)
    layer = built(**options)
    assert isinstance(layer, CompletionScore)
    h = torch.randn(n, 8, dtype=torch.float64, requires_grad=True)
    leaves = [h, *layer.parameters()]
    found = layer(h, edge_index, pairs)
    expected = oracle(layer, h, dense(edge_index, n), pairs, layer.depth)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    weight = torch.randn(pairs.size(1), dtype=torch.float64)
    ours = torch.autograd.grad((found * weight).sum(), leaves)
    theirs = torch.autograd.grad((expected * weight).sum(), leaves)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_completion_is_no_small_matter_and_the_two_readings_differ() -> None:
    edge_index, pairs, n = graph_and_pairs(2)
    h = torch.randn(n, 8, dtype=torch.float64)
    scores = {
        (depth, inner): built(depth=depth, inner=inner)(h, edge_index, pairs)
        for depth in (0, 1, 2)
        for inner in ("transformed", "embeddings")
    }
    values = [scores[0, "transformed"], *(scores[d, i] for d in (1, 2) for i in ("transformed", "embeddings"))]
    for k, one in enumerate(values):
        assert all((one - other).abs().max() > 1e-3 for other in values[:k])
    plain = CommonNeighborScore(8).double().eval()
    plain.load_state_dict(built().state_dict())
    torch.testing.assert_close(plain(h, edge_index, pairs), scores[0, "embeddings"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("nodes", [0, 6], ids=["no-edge", "complete"])
def test_graphs_that_lack_nothing_need_no_inner_scores(nodes: int) -> None:
    every = torch.cartesian_prod(torch.arange(nodes), torch.arange(nodes)).t()
    layer, h = built(depth=2), torch.randn(6, 8, dtype=torch.float64, requires_grad=True)
    pairs = torch.tensor([[0, 1, 2], [1, 1, 5]])
    found = layer(h, every, pairs)
    torch.testing.assert_close(found, oracle(layer, h, dense(every, 6), pairs, 0), rtol=0, atol=1e-12)
    found.sum().backward()
    assert layer(h, every, pairs[:, :0]).shape == (0,)


def test_nodes_renamed_keep_their_scores() -> None:
    edge_index, pairs, n = graph_and_pairs(2)
    layer, h = built(depth=2), torch.randn(n, 8, dtype=torch.float64)
    names = torch.randperm(n)
    renamed = torch.empty_like(h).index_copy_(0, names, h)
    found = layer(renamed, names[edge_index], names[pairs])
    torch.testing.assert_close(found, layer(h, edge_index, pairs), rtol=0, atol=1e-11)


def test_inner_edges_are_scored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often pairs lack an edge, and from whichever end, at each depth."""
    edge_index, _, n = graph_and_pairs(3)
    nodes = torch.arange(n)
    pairs = torch.cartesian_prod(nodes, nodes).t()
    layer, h = built(depth=2), torch.randn(n, 8, dtype=torch.float64)
    rows: list[int] = []
    head = CompletionScore.head
    monkeypatch.setattr(CompletionScore, "head", lambda self, *parts: rows.append(parts[0].size(0)) or head(self, *parts))
    layer(h, edge_index, pairs)
    adjacency = dense(edge_index, n) > 0

    def lacked(asked: set[tuple[int, int]]) -> list[tuple[int, int]]:
        found = []
        for i, j in asked:
            for having, lacking in ((i, j), (j, i)):
                found += [
                    (min(lacking, u), max(lacking, u)) for u in range(n) if adjacency[having, u] and not adjacency[lacking, u]
                ]
        return found

    first = lacked(set(map(tuple, pairs.t().tolist())))
    second = lacked(set(first))
    assert sum(rows[:-1]) == len(set(first)) + len(set(second)) < (len(first) + len(second)) / 10
    assert rows[-1] == n * n


def test_dropout_acts_within_inner_scores_and_their_neighbor_sets_in_training_alone() -> None:
    edge_index, pairs, n = graph_and_pairs(1)
    h = torch.randn(n, 8, dtype=torch.float64)
    for option in ("dropout", "common_neighbor_dropout"):
        layer = built(**{option: 0.5})
        adj = as_csr(edge_index, n)
        nodes, once = layer.node_features(h), layer(h, edge_index, pairs)
        assert torch.equal(layer(h, edge_index, pairs), once)
        layer.train()
        inner = [layer._inner_scores(nodes, NeighborSets.of(adj), pairs, 1) for _ in range(2)]
        assert not torch.equal(*inner)
        assert not inner[0].requires_grad


def test_a_capped_set_is_drawn_from_with_replacement_and_keeps_its_expectation() -> None:
    """A star's center has 40 neighbors that the other node lacks: 8 draws weigh 5 each, and all 40 are drawn alike."""
    edges = torch.stack([torch.zeros(40, dtype=torch.int64), torch.arange(1, 41)])
    adj = CSR.from_edge_index(torch.cat([edges, edges.flip(0)], dim=1), 42)
    sets, pairs, seen = NeighborSets.of(adj), torch.tensor([[0, 41], [41, 0]]), Counter()
    for seed in range(400):
        drawn = one_sided(sets, pairs, 8, seed)
        assert drawn.rowptr[2] == drawn.rowptr[1]  # the other node has no neighbor
        assert float(drawn.times.sum()) == 80.0 and float(drawn.times.min()) == 5.0
        assert drawn.lacking.eq(41).all() and (drawn.member.diff()[drawn.member.diff() < 0].numel()) <= 1
        first = slice(0, int(drawn.rowptr[1]))
        seen.update(dict(zip(drawn.member[first].tolist(), drawn.times[first].tolist(), strict=True)))
        again = one_sided(sets, pairs.flip(1), 8, seed)  # each ordered pair draws its own, whatever stands beside it
        assert torch.equal(again.member, drawn.member) and torch.equal(again.times, drawn.times)
    shares = torch.tensor([seen[u] for u in range(1, 41)]) / 400
    assert abs(float(shares.mean()) - 1.0) < 1e-6 and float(shares.std()) < 0.2  # 80 draws each: 1 / sqrt(80) = 0.11
    whole = one_sided(sets, pairs, 40, 0)
    assert whole.member.numel() == 80 and whole.times.eq(1).all()
    assert one_sided(sets, pairs, 0, 0).times is None


@pytest.mark.parametrize("cap", [1, 3])
def test_capped_scores_are_those_of_the_listed_members(cap: int) -> None:
    edge_index, pairs, n = graph_and_pairs(1)
    layer, h = built(cap=cap), torch.randn(n, 8, dtype=torch.float64)
    adjacency, x, (i, j) = dense(edge_index, n), oracle_transformed(layer, h), pairs
    every = torch.cartesian_prod(torch.arange(n), torch.arange(n)).t()
    w = layer.weigh(oracle(layer, x, adjacency, every, 0)).view(n, n)
    drawn = one_sided(NeighborSets.of(as_csr(edge_index, n)), pairs, cap, 0)
    row = torch.arange(2 * pairs.size(1)).repeat_interleave(drawn.rowptr.diff()) % pairs.size(1)
    more = torch.zeros(pairs.size(1), 8, dtype=torch.float64)
    for p, u, lacking, times in zip(row.tolist(), drawn.member, drawn.lacking, drawn.times, strict=True):
        more[p] += times * w[lacking, u] * x[u]
    expected = oracle_head(layer, h[i] * h[j], (adjacency[i] * adjacency[j]) @ x + more)
    torch.testing.assert_close(layer(h, edge_index, pairs), expected, rtol=0, atol=1e-9)
    assert not torch.allclose(expected, built()(h, edge_index, pairs))
    layer.train_cap = cap
    layer.train()
    assert not torch.equal(layer(h, edge_index, pairs), layer(h, edge_index, pairs))


@pytest.mark.parametrize("cells", [0, 2**25], ids=["keys", "table"])
def test_distinct_pairs(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "_CELLS", cells)
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randint(20, (2, 300), generator=generator)
    found = DistinctPairs(20, a.device)
    found.add(a[:100], b[:100])
    found.add(b[100:], a[100:])
    expected = sorted({(min(u, v), max(u, v)) for u, v in zip(a.tolist(), b.tolist(), strict=True)})
    assert list(map(tuple, found.pairs().t().tolist())) == expected
    values = torch.rand(len(expected))
    wanted = [values[expected.index((min(u, v), max(u, v)))] for u, v in zip(a.tolist(), b.tolist(), strict=True)]
    assert torch.equal(found.values(values, b, a), torch.stack(wanted))
    empty = DistinctPairs(20, a.device)
    assert empty.pairs().shape == (2, 0) and empty.values(values[:0], a[:0], b[:0]).numel() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": -1}, "depth must be at least 0"),
        ({"prior": 0.0}, "prior must be positive"),
        ({"alpha": -0.1}, "alpha must be at least 0"),
        ({"cap": -1}, "cap must be at least 0"),
        ({"inner": "other"}, "inner must be one of transformed, embeddings"),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompletionScore(4, **options)
