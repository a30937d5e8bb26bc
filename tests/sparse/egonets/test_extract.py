"""Bags of every policy against sets and loops."""

import pytest
import torch

from graphkit.errors import RequestError
from graphkit.sparse import CSR
from graphkit.sparse.egonets import (
    Bags,
    BagSample,
    ball_budget,
    edge_deleted_bags,
    ego_bags,
    node_deleted_bags,
    path_bags,
    whole_bags,
)
from graphkit.sparse.egonets.lift import _balls, _depths, balls
from tests.sparse.egonets import oracle

DIRECTIONS = [False, True]


@pytest.mark.parametrize("directed", DIRECTIONS)
@pytest.mark.parametrize("hops", [0, 1, 2, 5])
def test_ego_bags_equal_balls(hops, directed):
    edge_index, ptr = oracle.batch(directed)
    bags = ego_bags(edge_index, ptr, hops)
    n = int(ptr[-1])
    near = oracle.neighbors(edge_index, n)
    assert oracle.contents(bags) == [sorted(oracle.ball(near, [u], hops)) for u in range(n)]
    assert bags.roots[:, 0].tolist() == list(range(n)) and bags.bag_ptr is ptr
    assert (bags.num_graphs, bags.num_nodes, bags.num_bags, bags.num_rows) == (5, n, n, bags.node.numel())
    assert bags.graph.tolist() == [g for g, nodes in enumerate(oracle.graphs(ptr)) for _ in nodes]
    assert bags.bag.tolist() == [s for s, nodes in enumerate(oracle.contents(bags)) for _ in nodes]
    for (s, v), steps in zip(oracle.rows(bags), bags.distance[:, 0].tolist(), strict=True):
        assert steps == oracle.distances(near, s)[v]


@pytest.mark.parametrize("directed", DIRECTIONS)
def test_whole_bags_hold_all_nodes_and_know_distances(directed):
    edge_index, ptr = oracle.batch(directed)
    bags = whole_bags(edge_index, ptr)
    near = oracle.neighbors(edge_index, int(ptr[-1]))
    assert oracle.contents(bags) == [list(nodes) for nodes in oracle.graphs(ptr) for _ in nodes]
    for (s, v), steps in zip(oracle.rows(bags), bags.distance[:, 0].tolist(), strict=True):
        assert steps == oracle.distances(near, s).get(v, -1)
    assert bags.is_root.tolist() == [s == v for s, v in oracle.rows(bags)]


def test_node_deleted_bags_lack_their_node():
    edge_index, ptr = oracle.batch()
    bags = node_deleted_bags(edge_index, ptr)
    assert oracle.contents(bags) == [[v for v in nodes if v != u] for nodes in oracle.graphs(ptr) for u in nodes]
    assert not bags.is_root.any()


@pytest.mark.parametrize("directed", DIRECTIONS)
def test_edge_deleted_bags_lack_one_edge_both_ways(directed):
    edge_index, ptr = oracle.batch(directed)
    bags = edge_deleted_bags(edge_index, ptr)
    n = int(ptr[-1])
    entries = {(s, t) for s, t in edge_index.t().tolist()}
    expected = []
    for nodes in oracle.graphs(ptr):
        inside = {tuple(sorted(edge)) for edge in entries if edge[0] != edge[1] and edge[0] in nodes}
        lacking = [entries - {edge, edge[::-1]} for edge in inside] or [entries]
        expected += [(list(nodes), frozenset(e for e in kept if e[0] in nodes)) for kept in lacking]
    found = []
    for s, nodes in enumerate(oracle.contents(bags)):
        mine = bags.within.row >= bags.ptr[s]
        mine &= bags.within.row < bags.ptr[s + 1]
        edges = zip(bags.node[bags.within.col[mine]].tolist(), bags.node[bags.within.row[mine]].tolist(), strict=True)
        found.append((nodes, frozenset(edges)))
    key = lambda bag: (bag[0], sorted(bag[1]))  # noqa: E731
    assert sorted(found, key=key) == sorted(expected, key=key)
    assert bags.bag_ptr.diff().tolist() == [
        len([b for b in expected if b[0] == list(g)]) if len(g) else 1 for g in oracle.graphs(ptr)
    ]
    assert bags.num_nodes == n
    with pytest.raises(ValueError, match="edge-deleted bags have none"):
        _ = bags.distance
    with pytest.raises(ValueError, match="none or several"):
        _ = bags.across


@pytest.mark.parametrize(("length", "hops"), [(1, 1), (2, 0), (2, 1), (3, 1)])
@pytest.mark.parametrize("directed", DIRECTIONS)
def test_path_bags_equal_paths_by_recursion(length, hops, directed):
    edge_index, ptr = oracle.batch(directed)
    near = oracle.neighbors(edge_index, int(ptr[-1]))

    def paths(start):
        if len(start) == length:
            return [tuple(start)]
        return [path for w in sorted(near[start[-1]] - set(start)) for path in paths([*start, w])]

    expected = [path for u in range(int(ptr[-1])) for path in paths([u])]
    bags = path_bags(edge_index, ptr, length, hops)
    assert [tuple(roots) for roots in bags.roots.tolist()] == expected
    assert oracle.contents(bags) == [sorted(oracle.ball(near, path, hops)) for path in expected]
    for (s, v), steps in zip(oracle.rows(bags), bags.distance.tolist(), strict=True):
        inside = set(oracle.contents(bags)[s])
        assert steps == [oracle.distances(near, root, inside).get(v, -1) for root in expected[s]]


@pytest.mark.parametrize("directed", DIRECTIONS)
def test_plain_torch_equals_the_kernels(directed):
    """The plain path is the one of other devices."""
    edge_index, ptr = oracle.batch(directed, seed=3)
    for bags in (whole_bags(edge_index, ptr), ego_bags(edge_index, ptr, 2), path_bags(edge_index, ptr, 2, 1)):
        for hops in (0, 1, 3):
            for fast, plain in zip(balls(bags.adj, bags.roots, hops), _balls(bags.adj, bags.roots, hops), strict=True):
                assert torch.equal(fast, plain)
        nothing = torch.full_like(bags.distance, -1)
        assert torch.equal(_depths(nothing, bags.roots, bags.ptr, bags.node, bags.within), bags.distance)


def test_threads_change_nothing():
    edge_index, ptr = oracle.batch()
    threads = torch.get_num_threads()
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        bags = ego_bags(edge_index, ptr, 2)
        found.append((bags.node, bags.distance, bags.within.col, bags.across.col))
    torch.set_num_threads(threads)
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_empty_batches():
    nothing = torch.zeros(2, 0, dtype=torch.long)
    for ptr in (torch.tensor([0]), torch.tensor([0, 0])):
        for make in (lambda e, p: ego_bags(e, p, 2), whole_bags, node_deleted_bags, lambda e, p: path_bags(e, p, 2, 1)):
            bags = make(nothing, ptr)
            assert (bags.num_bags, bags.num_rows, bags.within.nnz, bags.across.nnz if bags.roots.size(1) == 1 else 0) == (
                0,
                0,
                0,
                0,
            )
    alone = edge_deleted_bags(nothing, torch.tensor([0, 2]))
    assert oracle.contents(alone) == [[0, 1]] and alone.within.nnz == 0


def test_absent_entries_are_no_edges():
    edge_index, ptr = oracle.batch()
    adj = CSR.from_edge_index(edge_index, int(ptr[-1]), duplicates="first")
    entry = adj.positions(edge_index[:, :1])
    near = oracle.neighbors(adj.without(entry).edge_index(), int(ptr[-1]))
    assert oracle.contents(ego_bags(adj.without(entry), ptr, 1)) == [sorted(near[u] | {u}) for u in range(int(ptr[-1]))]


def test_wrong_batches_are_refused():
    edges = torch.tensor([[0, 1], [1, 2]])
    with pytest.raises(ValueError, match="edge 1 -> 2 joins two graphs"):
        ego_bags(edges, torch.tensor([0, 2, 3]), 1)
    with pytest.raises(ValueError, match="boundaries of the graphs' nodes"):
        ego_bags(edges, torch.tensor([0, 3, 2]), 1)
    with pytest.raises(ValueError, match="hops must be at least 0"):
        ego_bags(edges, torch.tensor([0, 3]), -1)
    with pytest.raises(ValueError, match="length must be at least 1"):
        path_bags(edges, torch.tensor([0, 3]), 0, 1)


# ---------------------------------------------------------------------------------------------------------------- budget


@pytest.mark.parametrize(
    "build",
    [
        lambda *given, **also: ego_bags(*given, 2, **also),
        whole_bags,
        node_deleted_bags,
        edge_deleted_bags,
        lambda *given, **also: path_bags(*given, 3, 2, **also),
    ],
)
def test_bags_that_do_not_fit_are_refused_before_they_are_built(build, monkeypatch):
    edge_index, ptr = oracle.batch()

    def never(*given, **also):
        raise AssertionError("bags were built")

    with monkeypatch.context() as patch:
        patch.setattr(Bags, "__init__", never)
        patch.setattr("graphkit.sparse.egonets.extract.balls", never)
        with pytest.raises(
            RequestError, match=r"would take .* GB \(.* bags, .* rows, .* edges\), more than max_bytes=100.*BagSample"
        ):
            build(edge_index, ptr, max_bytes=100)
    assert build(edge_index, ptr, max_bytes=10**6).num_rows > 0


def test_the_size_of_many_balls_is_estimated_well_from_some():
    generator = torch.Generator().manual_seed(0)
    n = 6_000
    edges = torch.randint(n, (2, 3 * n), generator=generator)
    adj = CSR.from_edge_index(torch.cat([edges, edges.flip(0)], dim=1), n)
    estimate = ball_budget(adj, torch.arange(n)[:, None], 2)
    bags = ego_bags(adj, torch.tensor([0, n]), 2)
    assert not estimate.exact and estimate.bags == n
    assert estimate.rows == pytest.approx(bags.num_rows, rel=0.1)
    exact = ball_budget(adj, torch.arange(500)[:, None], 2)
    assert exact.exact and exact.rows == int(bags.ptr[500])


# -------------------------------------------------------------------------------------------------------------- sampling


@pytest.mark.parametrize("size", [1, 3, 0.4])
def test_each_vote_is_a_sample_of_every_graph(size):
    edge_index, ptr = oracle.batch()
    totals = [6, 1, 0, 9, 4]
    sample = BagSample(size, seed=5)
    wanted = [min(size, n) if size >= 1 else -int(-n * size // 1) for n in totals]
    bags = ego_bags(edge_index, ptr, 1, sample=sample)
    whole = ego_bags(edge_index, ptr, 1)
    assert bags.bag_ptr.diff().tolist() == wanted and bags.total.tolist() == totals
    assert oracle.contents(bags) == [oracle.contents(whole)[u] for u in bags.roots[:, 0].tolist()]
    assert bags.root.tolist() == sorted(set(bags.root.tolist()))
    assert bags.describe().endswith(f"drawn from 20 bags ({sum(wanted) / 20:.1%}).")
    assert whole.describe().endswith("every bag is kept.")
    torch.testing.assert_close(
        bags.scale, torch.tensor([n / max(k, 1) if n else 1.0 for n, k in zip(totals, wanted, strict=True)]).double()
    )
    for name in ("across", "vv", "vu"):
        with pytest.raises(ValueError, match="which a sample lacks"):
            getattr(bags, name)


def test_votes_are_disjoint_unbiased_and_go_through_all_bags():
    ptr = torch.tensor([0, 6, 18])
    drawn = [BagSample(3, vote, seed=1).draw(ptr) for vote in range(4)]
    for graph, bounds in enumerate([(0, 6), (6, 18)]):
        counts = torch.cat(drawn).bincount(minlength=18)[slice(*bounds)]
        assert counts.tolist() == [2 - graph] * (bounds[1] - bounds[0])
    value = torch.randn(18, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    means = torch.stack([torch.stack([value[k[k < 6]].mean(), value[k[k >= 6]].mean()]) for k in drawn])
    torch.testing.assert_close(means.mean(0), torch.stack([value[:6].mean(), value[6:].mean()]))
    seeds = torch.zeros(18)
    for seed in range(400):
        seeds[BagSample(3, 1, seed).draw(ptr)] += 1
    assert (seeds[:6] / 400 - 0.5).abs().max() < 0.1 and (seeds[6:] / 400 - 0.25).abs().max() < 0.1
    assert torch.equal(BagSample(3, 1, 7).draw(ptr), BagSample(3, 1, 7).draw(ptr))


@pytest.mark.parametrize(
    ("size", "vote", "says"), [(0, 0, "size"), (1.0, 0, "size"), (-0.5, 0, "size"), (2.5, 0, "size"), (1, -1, "vote")]
)
def test_wrong_samples_are_refused(size, vote, says):
    with pytest.raises(ValueError, match=f"{says} must be"):
        BagSample(size, vote)
