"""FastRP against dense powers in float64; the random matrices; what it must not depend on."""

from __future__ import annotations

import pytest
import torch

from graphkit.sparse import CSR, as_csr
from graphkit.sparse.graph_measures import fast_random_projection, random_projection
from tests.layers.oracle import messy_graph


def weighted_graph():
    """Directed edges with weights, loops and an isolated node."""
    edge_index, n = messy_graph()
    adj = as_csr(edge_index, n)
    return adj.with_value(torch.rand(adj.nnz, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) + 0.1), n


def oracle(adj, r, weights, exponent, transition, normalize_rows):
    """The definition with dense matrices, all powers."""
    a = adj.to_dense(torch.float64)
    d = a.sum(1)
    u = torch.stack([row * float(s) ** exponent if s > 0 else row * 0 for row, s in zip(r, d, strict=True)])
    m = torch.stack([row / s if s else row for row, s in zip(a, d, strict=True)]) if transition else a
    total = torch.zeros_like(r)
    for w in weights:
        u = m @ u
        rows = torch.stack([row / row.norm() if row.norm() else row for row in u]) if normalize_rows else u
        total = total + w * rows
    std = total.std(0, correction=0)
    return (total - total.mean(0)) / torch.where(std > 0, std, 1.0)


@pytest.mark.parametrize(
    ("weights", "exponent", "transition", "normalize_rows"),
    [((0.0, 0.0, 1.0, 4.0), -0.5, True, False), ((1.0, -0.5), 0.3, False, True), ((1.0, 2.0, 0.0), 0.0, True, True)],
)
def test_equals_dense_powers(weights, exponent, transition, normalize_rows):
    adj, n = weighted_graph()
    r = random_projection(n, 5, "gaussian", seed=1).double()
    options = {"weights": weights, "exponent": exponent, "transition": transition, "normalize_rows": normalize_rows}
    expected = oracle(adj, r, **options)
    torch.testing.assert_close(fast_random_projection(adj, r, **options), expected, rtol=0, atol=1e-10)


def test_permutation_equivariance():
    adj, n = weighted_graph()
    r, order = random_projection(n, 4, seed=2).double(), torch.randperm(n, generator=torch.Generator().manual_seed(0))
    back = order.argsort()
    moved = CSR.from_edge_index(back[adj.edge_index()], n, adj.weights(torch.float64))
    torch.testing.assert_close(
        fast_random_projection(moved, r[order]), fast_random_projection(adj, r)[order], rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("kind", ["gaussian", "sparse"])
def test_random_matrices_have_the_variance_that_is_said(kind):
    r = random_projection(400, 64, kind, seed=0)
    assert torch.equal(r, random_projection(400, 64, kind, seed=0)) and not torch.equal(
        r, random_projection(400, 64, kind, seed=1)
    )
    assert abs(float(r.mean())) < 0.005 and float(r.var() * 64) == pytest.approx(1.0, rel=0.1)
    if kind == "sparse":  # 1 / sqrt(400) of the entries, of two values
        assert float((r != 0).double().mean()) == pytest.approx(0.05, rel=0.15)
        assert r.abs().unique().numel() == 2


def test_wrong_arguments():
    adj, n = weighted_graph()
    with pytest.raises(ValueError, match="a row of R per node"):
        fast_random_projection(adj, torch.ones(n + 1, 2))
    with pytest.raises(ValueError, match="other than 0"):
        fast_random_projection(adj, torch.ones(n, 2), weights=(0.0, 0.0))
    with pytest.raises(ValueError, match="one of sparse, gaussian"):
        random_projection(5, 2, "uniform")
