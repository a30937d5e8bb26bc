from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import LGConv

from graphkit.layers import LightGCNPropagation
from tests.layers.oracle import dense_operator, messy_graph

ALPHAS: dict[str, str | Sequence[float]] = {"mean": "mean", "given": (0.3, -0.7, 1.1, 0.05), "learned": "learned"}


def bipartite_graph() -> tuple[Tensor, int]:
    """Both directions of random user-item pairs, with a user and an item that have none."""
    pairs = torch.stack([torch.randint(0, 5, (14,)), torch.randint(6, 12, (14,))]).unique(dim=1)
    return torch.cat([pairs, pairs.flip(0)], dim=1), 13


def dense_sum(a_hat: Tensor, alpha: Tensor, x: Tensor) -> Tensor:
    """alpha_0 x + alpha_1 A x + alpha_2 A A x + ..., one power at a time."""
    power, total = x, alpha[0] * x
    for coefficient in alpha[1:]:
        power = a_hat @ power
        total = total + coefficient * power
    return total


def compare(layer: LightGCNPropagation, graph: tuple[Tensor, int], weighted: bool, rows: Tensor | None) -> None:
    edge_index, num_nodes = graph
    layer = layer.double()
    x = torch.randn(num_nodes, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    if layer.alpha is None:
        alpha = torch.tensor(layer.coefficients(), dtype=torch.float64)
    else:
        torch.nn.init.normal_(layer.alpha)
        alpha = layer.alpha
    inputs = [tensor for tensor in (x, weight, layer.alpha) if tensor is not None]
    actual = layer(x, edge_index, weight, rows)
    expected = dense_sum(dense_operator(edge_index, num_nodes, weight, "gcn", self_loops=False), alpha, x)
    expected = expected if rows is None else expected[rows]
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-11)
    probe = torch.randn_like(expected)
    gradients = torch.autograd.grad((actual * probe).sum(), inputs)
    for ours, oracle in zip(gradients, torch.autograd.grad((expected * probe).sum(), inputs), strict=True):
        torch.testing.assert_close(ours, oracle, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [None, [0, 9, 3, 3, 10, 7]], ids=["all", "rows"])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("graph", [bipartite_graph, messy_graph], ids=["bipartite", "directed"])
def test_lightgcn_propagation_equals_dense_oracle(graph, alpha: str, rows: list[int] | None, weighted: bool) -> None:
    layer = LightGCNPropagation(3, weights=ALPHAS[alpha])
    compare(layer, graph(), weighted, None if rows is None else torch.tensor(rows))


@pytest.mark.parametrize("weights", ["mean", "learned"])
@pytest.mark.parametrize("rows", [None, torch.tensor([4, 0, 4]), torch.tensor([], dtype=torch.long)])
@pytest.mark.parametrize("num_layers", [0, 1, 2])
def test_few_layers_equal_dense_oracle(num_layers: int, rows: Tensor | None, weights: str) -> None:
    compare(LightGCNPropagation(num_layers, weights=weights), bipartite_graph(), False, rows)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_are_those_of_the_whole_bit_for_bit(dtype: torch.dtype) -> None:
    edge_index, num_nodes = bipartite_graph()
    x = torch.randn(num_nodes, 7, dtype=dtype)
    layer = LightGCNPropagation(3)
    whole = layer(x, edge_index)
    rows = torch.tensor([11, 2, 2, 12, 0])
    assert torch.equal(layer(x, edge_index, rows=rows), whole[rows])


def test_agrees_with_pyg_layer_by_layer() -> None:
    edge_index, num_nodes = bipartite_graph()
    x, conv = torch.randn(num_nodes, 4), LGConv()
    weight = torch.rand(edge_index.size(1) // 2).add(0.1).repeat(2)
    one = conv(x, edge_index, weight)
    torch.testing.assert_close(LightGCNPropagation(2)(x, edge_index, weight), (x + one + conv(one, edge_index, weight)) / 3)


def test_half_precision_is_close_to_double() -> None:
    edge_index, num_nodes = bipartite_graph()
    x = torch.randn(num_nodes, 4, dtype=torch.float64)
    layer, rows = LightGCNPropagation(3), torch.tensor([1, 8])
    low = x.bfloat16().requires_grad_()
    expected = layer(x.requires_grad_(), edge_index, rows=rows)
    actual = layer(low, edge_index, rows=rows)
    assert actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual.double(), expected, rtol=0.03, atol=0.03)
    actual.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(low.grad.double(), x.grad, rtol=0.03, atol=0.03)


def test_thread_count_changes_no_bit() -> None:
    edge_index, num_nodes = messy_graph()
    x, rows, results = torch.randn(num_nodes, 6), torch.tensor([2, 5, 1]), []
    threads = torch.get_num_threads()
    for count in (1, 2):
        torch.set_num_threads(count)
        leaf = x.clone().requires_grad_()
        out = LightGCNPropagation(3)(leaf, edge_index, rows=rows)
        out.square().sum().backward()
        results.append((out.detach(), leaf.grad))
    torch.set_num_threads(threads)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": -1}, "num_layers must be at least 0, got -1"),
        ({"num_layers": 2, "weights": "sum"}, "weights must be 'mean', 'learned' or 3 numbers, got 'sum'"),
        ({"num_layers": 2, "weights": (1.0, 2.0)}, "weights must be 3 numbers, one for each of 0 to K rounds, got 2"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LightGCNPropagation(**arguments)


def test_rows_out_of_range_are_refused() -> None:
    edge_index, num_nodes = bipartite_graph()
    for row in (-1, num_nodes):
        with pytest.raises(ValueError, match=r"rows must lie in \[0, 13\)"):
            LightGCNPropagation(1)(torch.randn(num_nodes, 2), edge_index, rows=torch.tensor([row]))
