"""Every layout gives the same operator; what is remembered is safe against changes and leaks."""

import gc
import weakref

import numpy as np
import pytest
import torch
from torch_geometric import EdgeIndex

from graphkit.sparse import CSR, as_csr, as_entries, memo, normalize

N = 9


def edges():
    g = torch.Generator().manual_seed(0)
    e = torch.unique(torch.randint(N - 1, (2, 30), generator=g), dim=1)
    return e[:, torch.randperm(e.size(1), generator=g)]


def dense(e, w=None):
    out = torch.zeros(N, N, dtype=torch.float64)
    for k, (s, t) in enumerate(e.t().tolist()):
        out[t, s] += 1.0 if w is None else float(w[k])
    return out


def layouts():
    e = edges()
    a = dense(e)
    yield "edge_index", e
    yield "int32", e.int()
    yield "EdgeIndex", EdgeIndex(e, sparse_size=(N, N))
    yield "EdgeIndex sorted", EdgeIndex(e, sparse_size=(N, N)).sort_by("row").values
    yield "torch CSR", a.to_sparse_csr()
    yield (
        "torch CSR int32",
        torch.sparse_csr_tensor(*(t.int() for t in csr_indices(a)), a[a != 0], a.shape, check_invariants=True),
    )
    yield "torch COO", a.to_sparse_coo()
    twice, halves = e.flip(0).repeat(1, 2), torch.full((2 * e.size(1),), 0.5)
    yield "torch COO uncoalesced", torch.sparse_coo_tensor(twice, halves, (N, N), check_invariants=True)
    yield "CSR", CSR.from_edge_index(e, N)


def csr_indices(a):
    return a.to_sparse_csr().crow_indices(), a.to_sparse_csr().col_indices()


@pytest.mark.parametrize(("name", "adj"), list(layouts()), ids=[name for name, _ in layouts()])
def test_layouts_agree(name, adj):
    operator = as_csr(adj, N)
    torch.testing.assert_close(operator.to_dense(torch.float64), dense(edges()))
    again = as_csr(adj, N)
    assert again is operator  # nothing is sorted twice
    assert as_csr(operator, N) is operator


def test_weights_and_bipartite():
    e, w = edges(), torch.rand(edges().size(1), dtype=torch.float64)
    torch.testing.assert_close(as_csr(e, N, w).to_dense(), dense(e, w))
    assert as_csr(e, N, w) is as_csr(e, N, w)
    assert as_csr(e, N, w).structure is as_csr(e, N).structure
    assert as_csr(e, (N, N + 2)).shape == (N, N + 2)
    assert as_csr(e, N).shape == (N, N)
    integers = torch.arange(1, e.size(1) + 1)
    torch.testing.assert_close(as_csr(e, N, integers).to_dense().double(), dense(e, integers))


def test_learned_weights_share_the_structure_and_get_gradients():
    e = edges()
    w = torch.rand(e.size(1), dtype=torch.float64, requires_grad=True)
    x = torch.rand(N, 2, dtype=torch.float64)
    assert as_csr(e, N, w).structure is as_csr(e, N).structure
    assert torch.autograd.gradcheck(lambda w: normalize(as_csr(e, N, w), "gcn") @ x, (w,))
    for _ in range(2):
        w.grad = None
        (as_csr(e, N, w) @ x).sum().backward()
        torch.testing.assert_close(w.grad, x.sum(1)[e[0]])
        with torch.no_grad():
            w.mul_(2)
    torch.testing.assert_close(as_csr(e, N, w).to_dense(), dense(e, w.detach()))


def test_changes_in_place_are_seen():
    e, w = edges(), torch.rand(edges().size(1), dtype=torch.float64)
    as_csr(e, N, w)
    w[0] = 7.0
    torch.testing.assert_close(as_csr(e, N, w).to_dense(), dense(e, w))
    e[:, 0] = N - 1
    torch.testing.assert_close(as_csr(e, N, w).to_dense(), dense(e, w))
    torch.testing.assert_close(as_csr(e, N).to_dense(torch.float64), dense(e))
    matrix = dense(e, w).to_sparse_csr()
    as_csr(matrix, N)
    matrix.values().mul_(3)
    torch.testing.assert_close(as_csr(matrix, N).to_dense(), 3 * dense(e, w))


def test_nothing_outlives_the_tensors():
    gc.collect()
    before = len(memo._memory)
    e, w = edges(), torch.rand(edges().size(1))
    graph, weighted = weakref.ref(as_csr(e, N)), weakref.ref(as_csr(e, N, w))
    alive = weakref.ref(w)
    assert len(memo._memory) > before
    assert graph() is not None
    assert weighted() is not None
    del w
    assert alive() is None
    del e
    assert len(memo._memory) == before
    assert graph() is None
    assert weighted() is None


def test_inference_tensors_are_converted_every_time():
    with torch.inference_mode():
        e, w = edges(), torch.rand(edges().size(1), dtype=torch.float64)
        first = as_csr(e, N, w)
        e[:, 0] = 0
        assert as_csr(e, N, w) is not first
        torch.testing.assert_close(as_csr(e, N, w).to_dense(), dense(e, w))


@pytest.mark.parametrize(
    ("adj", "weight", "error", "message"),
    [
        ([[0], [1]], None, TypeError, "got list"),
        (torch.eye(N).to_sparse_csr(), torch.ones(N), ValueError, "carries its own values"),
        (CSR.from_edge_index(edges(), N), torch.ones(N), ValueError, "carries its own values"),
        (torch.eye(4).to_sparse_csr(), None, ValueError, "4 x 4 where 9 x 9 is needed"),
        (CSR.from_edge_index(edges(), N + 1), None, ValueError, "10 x 10 where 9 x 9 is needed"),
        (torch.eye(N).to_sparse_csc(), None, TypeError, "torch.sparse_csc is not supported"),
        (torch.tensor([[0], [N]]), None, ValueError, "target id 9 is out of range"),
        (torch.eye(N), None, ValueError, r"shape \[2, E\], got \[9, 9\]"),
        (edges(), torch.ones(3), ValueError, "edge_weight must have shape"),
    ],
)
def test_bad_input_is_named(adj, weight, error, message):
    with pytest.raises(error, match=message):
        as_csr(adj, N, weight)


@pytest.mark.parametrize("three", [3, np.int64(3), np.int32(3), torch.tensor(3), torch.tensor(3, dtype=torch.int32)])
def test_any_integer_counts_nodes(three):
    edges = torch.tensor([[0, 1], [1, 2]])
    expected = CSR.from_edge_index(edges, 3).to_dense()
    for matrix in (as_csr(edges, three), as_csr(edges, (three, 3)), CSR.from_edge_index(edges, three)):
        assert torch.equal(matrix.to_dense(), expected) and all(type(size) is int for size in matrix.shape)
    assert as_csr(edges, three) is as_csr(edges, 3) and as_entries(edges, three).structure.shape == (3, 3)


@pytest.mark.parametrize("wrong", [3.0, np.float32(3), torch.tensor(3.0), torch.tensor([3, 3, 3]), "3", (3, 3.0), (3, 3, 3)])
def test_what_is_no_number_of_nodes_is_refused(wrong):
    edges = torch.tensor([[0, 1], [1, 2]])
    for call in (as_csr, CSR.from_edge_index, as_entries):
        with pytest.raises(TypeError, match=r"a number of nodes must be an integer, or \(targets, sources\) two of them, got "):
            call(edges, wrong)
