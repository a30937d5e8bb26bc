"""Normalized operators against dense float64 algebra and PyG."""

import pytest
import torch

from graphkit.sparse import CSR, normalize
from tests.sparse.graphs import N, close, dense, features, undirected, unique_edges, weights


def gcn_oracle(a, self_loops):
    """PyG's convention: a self loop keeps its weight, others get 1; degrees are row sums."""
    a = a.clone()
    for i in range(a.size(0) if self_loops else 0):
        if a[i, i] == 0:
            a[i, i] = 1.0
    scale = [float(s) ** -0.5 if s > 0 else 0.0 for s in a.sum(1)]
    return torch.tensor([[scale[i] * float(a[i, j]) * scale[j] for j in range(a.size(1))] for i in range(a.size(0))])


@pytest.mark.parametrize("self_loops", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
def test_gcn_norm(self_loops, weighted, symmetric):
    e = undirected() if symmetric else unique_edges()
    total = dense(e, weights(e.size(1)))
    total = total + total.t() if symmetric else total
    w = total[e[1], e[0]] if weighted else None
    a = CSR.from_edge_index(e, N, w)
    close(normalize(a, "gcn", self_loops=self_loops).to_dense(), gcn_oracle(dense(e, w), self_loops), 1e-6)
    assert normalize(a, "gcn", self_loops=self_loops) is normalize(a, "gcn", self_loops=self_loops)
    assert normalize(a, "gcn", self_loops=self_loops).symmetric == symmetric
    x = features().requires_grad_()
    (normalize(a, "gcn", self_loops=self_loops) @ x).sum().backward()
    close(x.grad, normalize(a, "gcn", self_loops=self_loops).to_dense().t() @ torch.ones(N, 3, dtype=torch.float64))
    loops = e[:, e[0] == e[1]]
    gone = torch.cat([e[:, :1], e[:, :1].flip(0), loops[:, :1]] if symmetric else [e[:, :3], loops[:, :1]], dim=1)
    less = a.without(a.positions(gone))
    close(normalize(less, "gcn", self_loops=self_loops).to_dense(), gcn_oracle(less.to_dense(torch.float64), self_loops), 1e-6)
    assert normalize(less, "gcn", self_loops=self_loops).symmetric == symmetric
    half = normalize(a, "gcn", self_loops=self_loops, dtype=torch.float32)
    assert half.dtype == torch.float32


def test_gcn_norm_equals_pyg():
    gcn_norm = pytest.importorskip("torch_geometric.nn.conv.gcn_conv").gcn_norm
    e = unique_edges()
    w = weights(e.size(1))
    index, value = gcn_norm(e, w, N, add_self_loops=True)
    close(normalize(CSR.from_edge_index(e, N, w), "gcn").to_dense(), dense(index, value))


def test_norms_of_empty_and_negative_rows_are_zero():
    e = torch.tensor([[0, 1, 2], [1, 0, 1]])
    a = CSR.from_edge_index(e, 4, torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    for norm in (normalize(a, "gcn", self_loops=False), normalize(a, "mean")):
        assert bool(norm.to_dense().isfinite().all())
    assert normalize(a, "gcn", self_loops=False).to_dense().abs().sum() == 0
    assert normalize(a, "mean").to_dense()[0].tolist() == [0, 1, 0, 0]


def test_mean_norm():
    e = unique_edges()
    w = weights(e.size(1))
    for weight in (None, w):
        oracle = dense(e, weight)
        total = oracle.sum(1)
        total[total == 0] = 1
        close(normalize(CSR.from_edge_index(e, N, weight), "mean").to_dense(), oracle / total[:, None])
