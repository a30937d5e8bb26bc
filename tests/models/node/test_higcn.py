from __future__ import annotations

import torch

from graphkit import testing
from graphkit.models.node.higcn import HiGCN
from tests.layers.conv.test_higcn import dense_laplacian
from tests.layers.oracle import assert_same, messy_graph


def test_equals_a_dense_forward() -> None:
    edge_index, n = messy_graph()
    model = HiGCN(4, 3, hidden_channels=5, degree=2).double().eval()
    x = torch.randn(n, 4, dtype=torch.float64)
    parts = []
    for order in (1, 2):
        rows = slice(5 * order - 5, 5 * order)
        h = x @ model.conv.lin.weight[rows].t() + model.conv.lin.bias[rows]
        laplacian = dense_laplacian(edge_index, n, order)
        c = model.conv.filters[order - 1]
        parts.append(c[0] * h + c[1] * laplacian @ h + c[2] * laplacian @ laplacian @ h)
    expected = torch.cat(parts, dim=1) @ model.head.weight.t() + model.head.bias
    assert_same(model(x, edge_index), expected, list(model.parameters()))


def test_keeps_the_properties_of_its_layer() -> None:
    testing.assert_permutation_equivariant(lambda: HiGCN(4, 3, hidden_channels=5, degree=3))
    testing.assert_isolated_nodes(lambda: HiGCN(4, 3, hidden_channels=5, degree=3))


def test_triangles_are_seen_by_the_second_order_alone() -> None:
    """Two triangles and a cycle of six nodes, of degree 2 all: order 1 cannot tell them apart, order 2 can."""
    triangles = torch.tensor([[0, 1, 2, 3, 4, 5], [1, 2, 0, 4, 5, 3]])
    cycle = torch.tensor([[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]])
    x = torch.ones(6, 2, dtype=torch.float64)
    for order, same in ((1, True), (2, False)):
        model = HiGCN(2, 3, max_order=order).double().eval()
        assert torch.allclose(model(x, triangles), model(x, cycle)) == same
