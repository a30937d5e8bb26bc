"""Contextualized messages against a loop over edges."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.layers import SIRConv
from graphkit.sparse import CSR, as_entries
from tests.layers.conv.compare import assert_same, problem, simple_graph


def by_edges(layer: SIRConv, x: Tensor, edge_index: Tensor, weight: Tensor, edge_attr: Tensor | None) -> Tensor:
    """Messages one by one, into a list per node."""
    n = x.size(0)
    arrives, leaves = torch.zeros(n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
    for (source, target), w in zip(edge_index.t().tolist(), weight, strict=True):
        arrives = arrives + w * torch.eye(n, dtype=torch.float64)[target]
        leaves = leaves + w * torch.eye(n, dtype=torch.float64)[source]
    heard: list[list[Tensor]] = [[] for _ in range(n)]
    for e, (source, target) in enumerate(edge_index.t().tolist()):
        z = layer.query.weight @ x[target] + layer.query.bias + layer.key.weight @ x[source]
        if layer.edge is not None and edge_attr is not None:
            z = z + layer.edge.weight @ edge_attr[e]
        share = {
            "mean": weight[e] / arrives[target],
            "symmetric": weight[e] / (arrives[target] * leaves[source]).sqrt(),
        }.get(layer.aggregation, weight[e])
        heard[target].append(share * (layer.relation.weight @ torch.tanh(z)))
    rows = []
    for messages in heard:
        if not messages:
            rows.append(layer.relation.bias)
            continue
        together = torch.stack(messages)
        rows.append((together.amax(0) if layer.aggregation == "max" else together.sum(0)) + layer.relation.bias)
    return torch.stack(rows)


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("aggregation", ["sum", "mean", "symmetric", "max"])
def test_sir_conv_equals_oracle(aggregation: str, weighted: bool, edges: bool) -> None:
    edge_index, n = simple_graph()
    options = {"aggregation": aggregation, "activation": "tanh", "hidden_channels": 5}
    layer = SIRConv(4, 3, edge_channels=2 if edges else 0, **options).double()
    x = torch.randn(n, 4, dtype=torch.float64, requires_grad=True)
    attr = torch.randn(edge_index.size(1), 2, dtype=torch.float64, requires_grad=True) if edges else None
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    ones = torch.ones(edge_index.size(1), dtype=torch.float64)
    expected = by_edges(layer, x, edge_index, ones if weight is None else weight, attr)
    inputs = [x, *layer.parameters(), *(one for one in (weight, attr) if one is not None)]
    assert_same(layer(x, edge_index, weight, attr), expected, inputs)
    csr = CSR.from_edge_index(edge_index, n, weight)
    of_entries = None if attr is None else as_entries(edge_index, n).gather(attr)
    torch.testing.assert_close(layer(x, csr, None, of_entries), expected)


@pytest.mark.parametrize("aggregation", ["sum", "mean", "symmetric", "max"])
def test_absent_edges_are_not_heard(aggregation: str) -> None:
    x, edge_index, _ = problem(4, False)
    edge_index = edge_index.unique(dim=1)
    layer = SIRConv(4, 3, aggregation=aggregation).double()
    left_out = edge_index[:, (edge_index[1] == 4) | (edge_index[0] == 3)]  # all that arrive at 4, and some others
    keep = ~((edge_index[1] == 4) | (edge_index[0] == 3))
    full = CSR.from_edge_index(edge_index, x.size(0))
    without = full.without(full.positions(left_out))
    assert_same(layer(x, without), layer(x, edge_index[:, keep]), [x, *layer.parameters()])


def test_the_map_comes_before_the_maximum_and_a_bias_once() -> None:
    """max W_R m is not W_R max m; there is one bias inside, where three would be the same twice more."""
    layer = SIRConv(1, 1, aggregation="max", activation="relu")
    assert {name for name, _ in SIRConv(2, 2, edge_channels=1).named_parameters() if "bias" in name} == {
        "query.bias",
        "relation.bias",
    }
    with torch.no_grad():
        for name, value in (("query.weight", 0.0), ("query.bias", 0.0), ("key.weight", 1.0), ("relation.weight", -1.0)):
            layer.get_parameter(name).fill_(value)
        layer.relation.bias.zero_()
    x = torch.tensor([[0.0], [1.0], [3.0]])
    out = layer(x, torch.tensor([[1, 2], [0, 0]]))
    assert out[0].item() == -1.0


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="aggregation must be one of sum, mean, symmetric, max, got 'min'"):
        SIRConv(2, 2, aggregation="min")
    with pytest.raises(ValueError, match="edge_attr and edge_channels come together"):
        SIRConv(2, 2, edge_channels=1)(torch.zeros(2, 2), torch.tensor([[0], [1]]))
