"""Row intersection against adjacency products in float64, for every method."""

import gc

import pytest
import torch

from graphkit.sparse import CSR
from graphkit.sparse.memo import _memory
from graphkit.sparse.pairs import intersection
from graphkit.sparse.pairs.intersection import NeighborSets, cheapest_method

METHODS = ["bitset", "sorted", "dense", "search"]


def random_graph(num_nodes=150, num_edges=900, seed=0):
    """Duplicates, self-loops and isolated nodes (the last five) included; not symmetric."""
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(num_nodes - 5, (2, num_edges), generator=generator)
    edge_index[:, :20] = edge_index[:, 20:40]
    edge_index[1, 40:50] = edge_index[0, 40:50]
    edge_index[1, 50:130] = 3  # a long row beside short ones
    edge_index[0, 50:130] = torch.arange(80) % (num_nodes - 5)
    pairs = torch.randint(num_nodes, (2, 200), generator=generator)
    pairs[:, 0] = 7
    pairs[0, 1:20] = 3
    return edge_index, pairs, num_nodes


def oracle_rows(edge_index, num_nodes):
    rows = torch.zeros(num_nodes, num_nodes, dtype=torch.float64)
    for source, target in edge_index.t().tolist():
        rows[target, source] = 1.0
    return rows


def oracle_sets(rows, pairs, which):
    a, b = rows[pairs[0]], rows[pairs[1]]
    return {"common": a * b, "left": a * (1 - b), "right": b * (1 - a)}[which]


@pytest.mark.parametrize("which", ["common", "left", "right"])
@pytest.mark.parametrize("method", METHODS)
def test_equals_adjacency_products(method, which):
    edge_index, pairs, n = random_graph()
    sets = NeighborSets(CSR.from_edge_index(edge_index, n), method)
    expected = oracle_sets(oracle_rows(edge_index, n), pairs, which)

    assert torch.equal(sets.count(pairs, which), expected.sum(1).long())
    pointer, member = sets.members(pairs, which)
    for p, row in enumerate(expected):
        assert member[pointer[p] : pointer[p + 1]].tolist() == row.nonzero().flatten().tolist()

    x = torch.randn(n, 7, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(pairs.size(1), 7, dtype=torch.float64)
    pooled = sets.pool(pairs, x, which)
    (gradient,) = torch.autograd.grad((pooled * weight).sum(), x)
    torch.testing.assert_close(pooled, expected @ x, rtol=0, atol=1e-9)
    torch.testing.assert_close(gradient, expected.t() @ weight, rtol=0, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_one_column_and_vectors(method):
    edge_index, pairs, n = random_graph(seed=1)
    sets = NeighborSets(CSR.from_edge_index(edge_index, n), method)
    x = torch.rand(n, dtype=torch.float64)
    expected = oracle_sets(oracle_rows(edge_index, n), pairs, "common") @ x
    torch.testing.assert_close(sets.pool(pairs, x), expected)
    torch.testing.assert_close(sets.pool(pairs, x.unsqueeze(1)).squeeze(1), expected)
    half = sets.pool(pairs, x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), expected, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_gradcheck(method):
    edge_index, pairs, n = random_graph(num_nodes=20, num_edges=140)
    sets = NeighborSets(CSR.from_edge_index(edge_index, n), method)
    x = torch.randn(n, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: sets.pool(pairs[:, :9] % n, x), x)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_left_out_entries_are_absent(method, masked):
    edge_index, pairs, n = random_graph(seed=2)
    edge_index = edge_index[:, edge_index[0] != edge_index[1]]
    edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    adj = CSR.from_edge_index(edge_index, n, duplicates="first")
    removed = edge_index[:, 100:160]
    if masked:
        adj = adj.without(adj.positions(edge_index[:, 5:25]), mirror=True)
    entries = adj.positions(removed)
    rows = oracle_rows(edge_index, n)
    for source, target in torch.cat([removed, *([edge_index[:, 5:25]] if masked else [])], dim=1).t().tolist():
        rows[source, target] = rows[target, source] = 0.0
    x = torch.randn(n, 4, dtype=torch.float64)
    full = NeighborSets(adj, method)
    before = full.pool(pairs, x)
    both_ways = [full.without(entries, mirror=True), NeighborSets(adj.without(entries, mirror=True), method)]
    for sets in both_ways:
        for which in ("common", "left", "right"):
            expected = oracle_sets(rows, pairs, which)
            assert torch.equal(sets.count(pairs, which), expected.sum(1).long())
            torch.testing.assert_close(sets.pool(pairs, x, which), expected @ x, rtol=0, atol=1e-9)
            assert torch.equal(sets.members(pairs, which)[1], expected.nonzero()[:, 1])
    assert torch.equal(full.pool(pairs, x), before)


@pytest.mark.parametrize("method", METHODS)
def test_a_row_depends_on_its_own_pair_alone(method):
    edge_index, pairs, n = random_graph(num_nodes=400, num_edges=9000, seed=3)
    sets = NeighborSets(CSR.from_edge_index(edge_index, n), method)
    x = torch.randn(n, 33)
    together = sets.pool(pairs, x)
    order = torch.randperm(pairs.size(1))
    alone = torch.cat([sets.pool(pairs[:, p : p + 1], x) for p in range(0, pairs.size(1), 10)])
    if method == "dense":  # a matrix product may sum a row in another order when the batch has another size
        torch.testing.assert_close(alone, together[::10])
        torch.testing.assert_close(sets.pool(pairs[:, order], x), together[order])
    else:
        assert torch.equal(alone, together[::10])
        assert torch.equal(sets.pool(pairs[:, order], x), together[order])


@pytest.mark.parametrize("method", ["bitset", "sorted"])
def test_thread_count_does_not_change_a_bit(method):
    edge_index, pairs, n = random_graph(num_nodes=400, num_edges=9000, seed=4)
    sets = NeighborSets(CSR.from_edge_index(edge_index, n), method)
    results = []
    threads = torch.get_num_threads()
    for count in (1, 2):
        torch.set_num_threads(count)
        x = torch.randn(n, 33, generator=torch.Generator().manual_seed(0)).requires_grad_()
        pooled = sets.pool(pairs, x)
        pooled.square().sum().backward()
        results.append((pooled.detach(), x.grad))
    torch.set_num_threads(threads)
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("method", METHODS)
def test_chunks_are_invisible(method, monkeypatch):
    edge_index, pairs, n = random_graph(seed=5)
    sets = NeighborSets(CSR.from_edge_index(edge_index, n), method)
    x = torch.randn(n, 3, dtype=torch.float64, requires_grad=True)

    def everything():
        pooled = sets.pool(pairs, x)
        return pooled, torch.autograd.grad(pooled.sin().sum(), x)[0], sets.count(pairs), *sets.members(pairs)

    whole = everything()
    monkeypatch.setattr("graphkit.sparse.pairs.intersection._CHUNK", 2000)
    monkeypatch.setattr("graphkit.sparse.pairs.intersection._CACHE", 200)
    for a, b in zip(whole, everything(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_intersect(method):
    empty = NeighborSets(CSR.from_edge_index(torch.zeros(2, 0, dtype=torch.long), 4), method)
    pairs = torch.tensor([[0, 1], [2, 1]])
    assert empty.count(pairs).tolist() == [0, 0]
    assert empty.pool(pairs, torch.ones(4, 2)).tolist() == [[0, 0], [0, 0]]
    no_pairs = torch.zeros(2, 0, dtype=torch.long)
    assert empty.pool(no_pairs, torch.ones(4, 2)).shape == (0, 2)
    assert empty.members(no_pairs)[0].tolist() == [0]
    assert empty.count(no_pairs).shape == (0,)


def test_auto_takes_packed_rows_for_dense_graphs_and_sorted_rows_for_sparse_ones():
    dense = CSR.from_edge_index(torch.randint(500, (2, 30000)), 500)
    ring = torch.arange(100_000)
    sparse = CSR.from_edge_index(torch.stack([ring, (ring + 1) % 100_000]), 100_000)
    assert cheapest_method(dense) == "bitset" == NeighborSets(dense).method
    assert cheapest_method(sparse) == "sorted" == NeighborSets(sparse).method
    assert NeighborSets(dense, "sorted").method == "sorted"


@pytest.mark.parametrize("method", METHODS)
def test_sets_of_an_operator_are_laid_out_once_and_without_its_absent_entries(method, monkeypatch):
    monkeypatch.setattr(intersection, "cheapest_method", lambda adj: method)
    laid_out, lay_out = [], NeighborSets._lay_out
    monkeypatch.setattr(NeighborSets, "_lay_out", lambda sets: laid_out.append(sets.method) or lay_out(sets))
    edge_index, pairs, n = random_graph(seed=7)
    adj = CSR.from_edge_index(edge_index, n)
    less = adj.dropout(0.4, torch.Generator().manual_seed(0))
    still_less = less.without(adj.positions(edge_index[:, 200:240]))
    x = torch.randn(n, 3, dtype=torch.float64)
    for graph in (adj, less, still_less, adj, adj.with_value(torch.rand(adj.nnz))):
        sets, rows = NeighborSets.of(graph), oracle_rows(graph.edge_index(), n)
        assert sets.adj is graph and sets.method == method and NeighborSets.of(sets) is sets
        assert NeighborSets.of(graph)._rows is sets._rows
        for which in ("common", "left", "right"):
            expected = oracle_sets(rows, pairs, which)
            assert torch.equal(sets.count(pairs, which), expected.sum(1).long())
            torch.testing.assert_close(sets.pool(pairs, x, which), expected @ x, rtol=0, atol=1e-9)
    assert laid_out == [method]


def test_the_layout_of_an_operator_goes_with_it():
    edge_index, _, n = random_graph(seed=8)
    gc.collect()  # what earlier tests left
    before = len(_memory)
    adj = CSR.from_edge_index(edge_index, n)
    less = adj.without(torch.tensor([3]))
    NeighborSets.of(less)
    assert len(_memory) == before + 2
    del less
    assert len(_memory) == before + 1
    del adj
    gc.collect()
    assert len(_memory) == before


@pytest.mark.parametrize("method", METHODS)
def test_wrong_arguments_say_what_is_wrong(method):
    sets = NeighborSets(CSR.from_edge_index(torch.tensor([[0], [1]]), 3), method)
    with pytest.raises(ValueError, match="node id 3 is out of range"):
        sets.pool(torch.tensor([[0], [3]]), torch.ones(3, 1))
    with pytest.raises(ValueError, match="node id -1 is out of range"):
        sets.count(torch.tensor([[0], [-1]]))
    with pytest.raises(ValueError, match=r"shape \[2, P\]"):
        sets.count(torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="x must have shape"):
        sets.pool(torch.tensor([[0], [1]]), torch.ones(2, 1))
    with pytest.raises(ValueError, match="which must be"):
        sets.count(torch.tensor([[0], [1]]), "both")


def test_unknown_method_and_rectangular_operators_are_refused():
    with pytest.raises(ValueError, match="method must be"):
        NeighborSets(CSR.from_edge_index(torch.tensor([[0], [1]]), 3), "hash")
    with pytest.raises(ValueError, match="square"):
        NeighborSets(CSR.from_edge_index(torch.tensor([[0], [1]]), (3, 4)))
    with pytest.raises(ValueError, match="square"):
        NeighborSets.of(CSR.from_edge_index(torch.tensor([[0], [1]]), (3, 4)))


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["dense", "search", "auto"])
def test_gpu_equals_cpu(method):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    edge_index, pairs, n = random_graph(seed=6)
    adj = CSR.from_edge_index(edge_index, n)
    x = torch.randn(n, 5, dtype=torch.float64)
    expected = NeighborSets(adj, "sorted").pool(pairs, x)
    found = NeighborSets(adj.to("cuda"), method).pool(pairs.cuda(), x.cuda())
    torch.testing.assert_close(found.cpu(), expected)
