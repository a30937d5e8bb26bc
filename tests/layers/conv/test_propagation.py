from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import LGConv

from graphkit.layers import Propagation
from graphkit.sparse import CSR, normalize
from tests.layers.oracle import dense_operator, messy_graph


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("norm", ["gcn", "mean", "sum", "directed"])
def test_propagation_equals_dense_oracle(norm: str, weighted: bool) -> None:
    edge_index, num_nodes = messy_graph()
    x = torch.randn(num_nodes, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    probe = torch.randn(num_nodes, 5, dtype=torch.float64)
    inputs = [x] if weight is None else [x, weight]

    actual = Propagation(norm)(x, edge_index, weight)
    expected = dense_operator(edge_index, num_nodes, weight, norm) @ x

    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-11)
    for ours, oracle in zip(
        torch.autograd.grad((actual * probe).sum(), inputs), torch.autograd.grad((expected * probe).sum(), inputs), strict=True
    ):
        torch.testing.assert_close(ours, oracle, rtol=1e-10, atol=1e-11)


def test_pure_propagation_equals_pyg_lightgcn_step_on_an_undirected_graph() -> None:
    edge_index = torch.tensor([[0, 1, 1, 2, 3, 1, 4, 2], [1, 0, 2, 1, 1, 3, 2, 4]])
    x = torch.randn(6, 3, dtype=torch.float64)
    normalized = normalize(CSR.from_edge_index(edge_index, 6), "gcn", self_loops=False)
    torch.testing.assert_close(Propagation("sum")(x, normalized), LGConv()(x, edge_index))


def test_messages_run_from_source_to_target() -> None:
    x = torch.tensor([[1.0], [10.0], [100.0]])
    out = Propagation("sum")(x, torch.tensor([[0, 2], [1, 1]]))
    assert out.flatten().tolist() == [0.0, 101.0, 0.0]


def test_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="norm must be one of gcn, mean, sum, directed, got 'max'"):
        Propagation("max")
