"""What nodes share with all others against dense products, bit for bit what the pairs give one by one."""

from __future__ import annotations

import pytest
import torch

from graphkit.sparse import CSR, NeighborSets, SharedNeighbors
from tests.layers.pairs.graphs import graph_and_pairs


@pytest.mark.parametrize("absent", [False, True])
def test_pools_as_dense_products_do(absent: bool) -> None:
    edge_index, _, n = graph_and_pairs(4)
    adj = CSR.from_edge_index(edge_index, n, duplicates="first")
    if absent:
        adj = adj.without(torch.arange(0, adj.nnz, 3))  # no longer symmetric
    sources = torch.tensor([5, 0, 5, n - 1])
    pairs = torch.cartesian_prod(sources, torch.arange(n)).t()
    a = adj.to_dense(torch.float64)
    x = torch.randn(n, 5, dtype=torch.float64)
    shared = SharedNeighbors(adj, sources)
    found = shared.rows(shared.pool(x), pairs)
    assert 0 < int((found == 0).all(dim=1).sum()) < pairs.size(1)
    torch.testing.assert_close(found, (a[pairs[0]] * a[pairs[1]]) @ x, rtol=0, atol=1e-12)
    single = x.float()
    for method in ("bitset", "sorted"):
        expected = NeighborSets(adj, method).pool(pairs, single)
        assert torch.equal(shared.rows(shared.pool(single), pairs), expected)


def test_nodes_that_share_nothing() -> None:
    adj = CSR.from_edge_index(torch.tensor([[0, 1], [1, 0]]), 4)
    shared = SharedNeighbors(adj, torch.tensor([3]))
    pairs = torch.tensor([[3, 3], [0, 3]])
    assert torch.equal(shared.rows(shared.pool(torch.ones(4, 2)), pairs), torch.zeros(2, 2))
