"""The gated sum over hops against dense powers of the operator, node by node."""

from __future__ import annotations

import pytest
import torch

from graphkit.layers import GatedPropagation
from tests.layers.conv.compare import assert_same, problem
from tests.layers.oracle import dense_operator


@pytest.mark.parametrize("weighted", [False, True])
def test_gated_propagation_equals_dense_oracle(weighted: bool) -> None:
    layer = GatedPropagation(3, num_hops=4).double()
    torch.nn.init.normal_(layer.gate.bias)
    x, edge_index, weight = problem(3, weighted)
    a = dense_operator(edge_index, x.size(0), weight, "gcn")
    rows = []
    for i in range(x.size(0)):
        total = torch.zeros(3, dtype=torch.float64)
        for k in range(5):
            h = torch.linalg.matrix_power(a, k)[i] @ x
            total = total + h / (1.0 + torch.exp(-(layer.gate.weight[0] @ h + layer.gate.bias[0])))
        rows.append(total)
    inputs = [x, *layer.parameters(), *([] if weight is None else [weight])]
    assert_same(layer(x, edge_index, weight), torch.stack(rows), inputs)


def test_gates_do_not_sum_to_one() -> None:
    """Sigmoids, no softmax: with gates wide open every hop counts whole, so that a lone node gets K + 1 times itself."""
    layer = GatedPropagation(2, num_hops=3)
    torch.nn.init.constant_(layer.gate.bias, 50.0)
    x = torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(layer(x, torch.empty(2, 0, dtype=torch.long)), 4.0 * x)  # one node, one row: nothing is squeezed


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="num_hops must be at least 0, got -1"):
        GatedPropagation(3, num_hops=-1)
