from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from graphkit import testing
from graphkit.layers import DirectedPatternAggregation
from graphkit.models.node.adpa import ADPA
from graphkit.sparse import CSR

EDGES = torch.tensor([[0, 1, 2, 3, 1, 4, 2, 0], [1, 2, 3, 1, 4, 2, 0, 4]])


def test_is_the_layer_and_a_linear_map() -> None:
    model = ADPA(4, 3, hidden_channels=5, num_hops=3, num_layers=2, exponent=0.3, decay=False, pattern_attention="node").eval()
    layer = DirectedPatternAggregation(4, 5, num_hops=3, num_layers=2, exponent=0.3, decay=False, pattern_attention="node")
    layer.load_state_dict(model.aggregation.state_dict())
    x = torch.randn(6, 4)
    expected = layer.eval()(x, EDGES) @ model.head.weight.t() + model.head.bias
    torch.testing.assert_close(model(x, EDGES), expected)
    assert model.aggregation.dropout == 0.5 and sum(p.numel() for p in model.head.parameters()) == 3 * (7 * 5 + 1)


@pytest.mark.parametrize(
    "assertion",
    [
        testing.assert_permutation_equivariant,
        testing.assert_layouts_agree,
        testing.assert_isolated_nodes,
        testing.assert_batch_invariant,
        testing.assert_deterministic,
        testing.assert_gradients,
    ],
)
def test_keeps_the_properties_of_its_layer(assertion: Callable[..., None]) -> None:
    assertion(lambda: ADPA(2, 2, hidden_channels=2), in_channels=2)


def test_one_propagation_serves_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    products = []
    original = CSR.matmul
    monkeypatch.setattr(CSR, "matmul", lambda self, x: products.append(x.size(1)) or original(self, x))
    model, x, graph = ADPA(4, 3), torch.randn(6, 4), CSR.from_edge_index(EDGES, 6)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        model(x, graph).sum().backward()
        optimizer.step()
    with torch.inference_mode():
        model(x, graph)
    assert products.count(4) == 2 * 10


def test_dropout_acts_only_in_training() -> None:
    x = torch.randn(6, 4)
    model = ADPA(4, 3)
    assert not torch.equal(model(x, EDGES), model(x, EDGES))
    assert torch.equal(model.eval()(x, EDGES), model(x, EDGES))
