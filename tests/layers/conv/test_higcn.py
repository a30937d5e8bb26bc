"""Flower-petal Laplacians and their filters against dense incidence matrices of cliques that are listed by brute force."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from graphkit.layers import FlowerPetalConv
from graphkit.layers.conv.higcn import flower_petal_laplacian
from graphkit.sparse import CSR
from tests.layers.conv.compare import assert_same
from tests.layers.oracle import messy_graph


def dense_laplacian(edge_index: Tensor, n: int, order: int) -> Tensor:
    """(1 / (p + 1)) D^-1/2 H H^T D^-1/2 from all sets of p + 1 nodes."""
    tied = {frozenset(pair) for pair in edge_index.t().tolist() if pair[0] != pair[1]}
    columns = []
    for nodes in itertools.combinations(range(n), order + 1):
        if all(frozenset(pair) in tied for pair in itertools.combinations(nodes, 2)):
            columns.append(torch.zeros(n, dtype=torch.float64).index_fill_(0, torch.tensor(nodes), 1.0))
    assert columns, "the graph has such cliques"
    h = torch.stack(columns, dim=1)
    scale = torch.where(h.sum(1) > 0, h.sum(1), torch.inf).rsqrt()
    return scale[:, None] * (h @ h.t()) * scale / (order + 1)


def test_flower_petal_conv_equals_dense_oracle() -> None:
    edge_index, n = messy_graph()
    layer = FlowerPetalConv(4, 3, max_order=3, degree=3, alpha=0.3).double()
    torch.testing.assert_close(layer.filters[1].detach(), torch.tensor([0.3, 0.21, 0.147, 0.343], dtype=torch.float64))
    torch.nn.init.normal_(layer.filters)
    x = torch.randn(n, 4, dtype=torch.float64, requires_grad=True)
    parts = []
    for order in (1, 2, 3):
        rows = slice(3 * order - 3, 3 * order)
        h = x @ layer.lin.weight[rows].t() + layer.lin.bias[rows]
        laplacian = dense_laplacian(edge_index, n, order)
        parts.append(sum(layer.filters[order - 1, k] * torch.linalg.matrix_power(laplacian, k) @ h for k in range(4)))
    expected = torch.cat(parts, dim=1)
    assert_same(layer(x, edge_index), expected, [x, *layer.parameters()])
    for same in (edge_index.flip(0), CSR.from_edge_index(edge_index, n, torch.rand(edge_index.size(1)))):
        torch.testing.assert_close(layer(x, same), expected)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_laplacian_equals_the_dense_one_with_eigenvalues_from_0_to_1(order: int) -> None:
    edge_index, n = messy_graph()
    found = flower_petal_laplacian(CSR.from_edge_index(edge_index, n), order, torch.float64).to_dense()
    torch.testing.assert_close(found, dense_laplacian(edge_index, n, order))
    values = torch.linalg.eigvalsh(found)
    assert float(values.min()) > -1e-9 and float(values.max()) == pytest.approx(1.0)


def test_no_dense_matrix_is_made() -> None:
    """The authors' n x n matrices of this graph would take 360 GB."""
    n = 300_000
    path = torch.stack([torch.arange(n - 1), torch.arange(1, n)])
    path = torch.cat([path, torch.tensor([[0], [2]])], dim=1)
    laplacian = flower_petal_laplacian(CSR.from_edge_index(path, n), 2, torch.float32)
    assert laplacian.shape == (n, n) and laplacian.row.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]  # the one triangle
    torch.testing.assert_close(laplacian.value, torch.full((9,), 1 / 3))


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="max_order must be at least 1, got 0"):
        FlowerPetalConv(2, 2, max_order=0)
