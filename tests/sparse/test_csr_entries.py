"""The operator with entries left out, against dense float64 algebra: what test_csr.py has no room for."""

import itertools

import pytest
import torch

from graphkit.sparse import CSR
from tests.sparse.graphs import N, close, dense, edges, features, undirected, unique_edges, weights


@pytest.mark.parametrize("weighted", [False, True])
def test_without_equals_a_graph_built_without(weighted):
    e = unique_edges()
    w = weights(e.size(1)) if weighted else None
    a = CSR.from_edge_index(e, N, w)
    gone = torch.tensor([0, 3, 4, 3, 17])
    less = a.without(a.positions(e[:, gone]))
    left = torch.ones(e.size(1), dtype=torch.bool)
    left[gone] = False
    oracle = dense(e[:, left], None if w is None else w[left])
    assert less.structure is a.structure
    close(less.to_dense(torch.float64), oracle)
    x = features().requires_grad_()
    (less @ x).sum().backward()
    close(x.grad, oracle.t() @ torch.ones(N, 3, dtype=torch.float64))
    assert torch.equal(less.degree(), (oracle != 0).sum(1))
    close(less.row_sum(), oracle.sum(1), 1e-6)
    close(less.matmul(features(), "mean"), oracle @ features() / (oracle != 0).sum(1).clamp(min=1)[:, None])
    assert set(map(tuple, less.edge_index().t().tolist())) == set(map(tuple, e[:, left].t().tolist()))
    assert int(less.mask.sum()) == int(left.sum())
    close(a.to_dense(torch.float64), dense(e, w))  # the operator itself is as it was
    again = less.without(a.positions(e[:, [5]]))
    left[5] = False
    close(again.to_dense(torch.float64), dense(e[:, left], None if w is None else w[left]))


@pytest.mark.parametrize("weighted", [False, True])
def test_without_knows_when_it_stays_symmetric(weighted):
    e = undirected()
    total = dense(e, weights(e.size(1)))
    w = (total + total.t())[e[1], e[0]] if weighted else None
    a = CSR.from_edge_index(e, N, w)
    i = int((e[0] != e[1]).nonzero()[0])
    one, both = e[:, [i]], torch.cat([e[:, [i]], e[:, [i]].flip(0)], dim=1)
    oracle = dense(e, w)
    oracle[both[1], both[0]] = 0
    for less in (a.without(a.positions(both)), a.without(a.positions(one), mirror=True)):
        assert less.symmetric
        assert less.t() is less
        close(less.to_dense(torch.float64), oracle)
    half = a.without(a.positions(one))
    assert not half.symmetric
    oracle = dense(e, w)
    oracle[one[1], one[0]] = 0
    close(half.to_dense(torch.float64), oracle)
    close(half.t().to_dense(torch.float64), oracle.t())
    rest = half.without(a.positions(one.flip(0)))  # the other half goes later: symmetric again
    assert rest.symmetric


def test_contains():
    e = edges(20, rows=9, cols=5)
    structure = CSR.from_edge_index(e, (9, 5)).structure
    oracle = dense(e, rows=9, cols=5) > 0
    rows = torch.arange(9).unsqueeze(1)
    assert torch.equal(structure.contains(rows, torch.arange(5)), oracle)
    assert not structure.contains(rows, torch.tensor([-1, -5])).any()
    assert not CSR.from_edge_index(e[:, :0], (9, 5)).structure.contains(rows, torch.arange(5)).any()


def test_positions():
    e = unique_edges()
    a = CSR.from_edge_index(e, N, torch.arange(1.0, e.size(1) + 1))
    at = a.positions(e)
    assert torch.equal(a.value[at], torch.arange(1.0, e.size(1) + 1))
    assert torch.equal(torch.stack([a.col[at], a.row[at]]), e)
    assert a.positions(e[:, :0]).shape == (0,)
    missing = next(p for p in itertools.product(range(N), repeat=2) if list(p) not in e.t().tolist())
    with pytest.raises(ValueError, match=f"edge {missing[0]} -> {missing[1]} is not an entry"):
        a.positions(torch.tensor([[e[0, 0], missing[0]], [e[1, 0], missing[1]]]))
    with pytest.raises(ValueError, match="source id 13 is out of range"):
        a.positions(torch.tensor([[N], [0]]))
    with pytest.raises(ValueError, match="not an entry"):
        CSR.from_edge_index(e[:, :0], N).positions(e[:, :1])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rescale", [False, True])
def test_dropout(weighted, rescale):
    e = undirected()
    w = weights(e.size(1)) if weighted else None
    a = CSR.from_edge_index(e, N, w)
    a = a.without(a.positions(e[:, :2]))
    dropped = a.dropout(0.4, torch.Generator().manual_seed(3), rescale)
    same = a.dropout(0.4, torch.Generator().manual_seed(3), rescale)
    assert torch.equal(dropped.mask, same.mask)
    assert not bool((dropped.mask & ~a.mask).any())
    assert 0 < int(dropped.mask.sum()) < int(a.mask.sum())
    oracle = a.to_dense(torch.float64) * (CSR(a.structure, None, dropped.mask).to_dense(torch.float64) > 0)
    oracle = oracle / 0.6 if rescale else oracle
    close(dropped.to_dense(torch.float64), oracle, 1e-6)
    x = features().requires_grad_()
    (dropped @ x).sum().backward()
    close(x.grad, oracle.t() @ torch.ones(N, 3, dtype=torch.float64), 1e-6)
    close(dropped.t().to_dense(torch.float64), oracle.t(), 1e-6)
    assert dropped.structure is a.structure
    assert not dropped.symmetric
    assert a.dropout(0.0) is a
    for p in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"p must lie in \[0, 1\)"):
            a.dropout(p)


def test_dropout_keeps_the_share_it_should():
    a = CSR.from_edge_index(torch.cartesian_prod(torch.arange(100), torch.arange(100)).t(), 100)
    kept = int(a.dropout(0.3, torch.Generator().manual_seed(0)).mask.sum())
    assert abs(kept - 7000) < 5 * (10_000 * 0.3 * 0.7) ** 0.5
