"""Inner products at edges against the dense product, of dense and of sparse features, in one block and in several."""

from __future__ import annotations

import pytest
import torch

from graphkit.sparse import as_csr, edge_products
from graphkit.sparse.convert import sparse_features
from tests.layers.oracle import messy_graph


@pytest.mark.parametrize("block", [2**24, 7])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_equals_the_dense_product(block, kind, monkeypatch):
    edge_index, n = messy_graph()
    adj = as_csr(edge_index, n)
    x = torch.rand(n, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = torch.where(x < 0.95, 0.0, x) if kind == "sparse" else x
    given = sparse_features(x)
    assert isinstance(given, torch.Tensor) == (kind == "dense")
    monkeypatch.setattr("graphkit.sparse.sampled_product._BLOCK", block)
    torch.testing.assert_close(edge_products(adj, given), (x @ x.t())[adj.row, adj.col], rtol=0, atol=1e-12)


def test_other_nodes_are_refused():
    edge_index, n = messy_graph()
    with pytest.raises(ValueError, match="one row of features per node"):
        edge_products(as_csr(edge_index, n), torch.ones(n + 1, 2))
