from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graphkit import testing
from graphkit.layers import DirectionalConv
from graphkit.models.node.dir_gnn import DirGNN

EDGES = torch.tensor([[0, 1, 2, 3, 1, 4, 2, 0], [1, 2, 3, 1, 4, 2, 0, 4]])
NODES = 6


def _draw_biases(model: DirGNN) -> DirGNN:
    """Zeros would put isolated nodes on the kink of relu, where there is no gradient to compare."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
    return model


def _dense_forward(model: DirGNN, x: Tensor) -> Tensor:
    """The network for conv=gcn, from dense matrices and without dropout."""
    a = torch.zeros(NODES, NODES, dtype=torch.float64)
    for source, target in EDGES.t().tolist():
        a[source, target] = 1.0
    leaving, arriving = (torch.where(d > 0, d, torch.inf) ** -0.5 for d in (a.sum(1), a.sum(0)))
    s = leaving[:, None] * a * arriving

    def conv(layer: DirectionalConv, h: Tensor) -> Tensor:
        out = layer.alpha * s @ h @ layer.out_branch.weight.t()
        return out + (1 - layer.alpha) * s.t() @ h @ layer.in_branch.weight.t() + layer.bias

    outputs = []
    h = x
    for layer in model.layers:
        h = conv(layer, h).clamp(min=0.0)
        if model.normalize:
            h = torch.stack([row / row.square().sum().sqrt() if row.any() else row for row in h])
        outputs.append(h)
    if model.jumping_knowledge == "none":
        return conv(model.head, h)
    if model.jumping_knowledge == "max":
        jumped = outputs[0]
        for other in outputs[1:]:
            jumped = torch.maximum(jumped, other)
    else:
        jumped = torch.cat(outputs, dim=1)
    return jumped @ model.head.weight.t() + model.head.bias


@pytest.mark.parametrize("learn_alpha", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("jump", ["none", "max", "cat"])
def test_equals_a_dense_forward(jump: str, normalize: bool, learn_alpha: bool) -> None:
    torch.manual_seed(0)
    model = DirGNN(
        4, 3, hidden_channels=5, num_layers=3, alpha=0.3, learn_alpha=learn_alpha, jumping_knowledge=jump, normalize=normalize
    ).double()
    _draw_biases(model)
    x = torch.randn(NODES, 4, dtype=torch.float64)
    actual, expected = model(x, EDGES), _dense_forward(model, x)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
    probe = torch.randn(actual.shape, dtype=torch.float64)
    parameters = list(model.parameters())
    for ours, oracle in zip(
        torch.autograd.grad((actual * probe).sum(), parameters),
        torch.autograd.grad((expected * probe).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, oracle, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("conv", ["gcn", "sage", "gat"])
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
def test_keeps_the_properties_of_its_layers(conv: str, assertion: Callable[..., None]) -> None:
    arguments = {"hidden_channels": 3, "learn_alpha": True, "normalize": True, "dropout": 0.5}
    assertion(lambda: _draw_biases(DirGNN(4, 2, conv=conv, **arguments)), in_channels=4)


@pytest.mark.parametrize(
    ("jump", "layers", "head"), [("none", 2, DirectionalConv), ("max", 3, nn.Linear), ("cat", 3, nn.Linear)]
)
def test_number_of_convolutions(jump: str, layers: int, head: type[nn.Module]) -> None:
    model = DirGNN(4, 3, hidden_channels=5, num_layers=3, jumping_knowledge=jump)
    assert len(model.layers) == layers and type(model.head) is head
    if head is nn.Linear:
        assert model.head.in_features == (15 if jump == "cat" else 5)


def test_sees_direction_and_alpha_chooses_it() -> None:
    x = torch.randn(NODES, 4)
    chain = torch.tensor([[0, 1], [1, 2]])
    model = DirGNN(4, 3, num_layers=1, alpha=1.0).eval()
    before = model(x, chain)
    x[2] += 1.0  # heard by 1 alone, which points to it
    changed = (model(x, chain) != before).any(1)
    assert changed.tolist() == [False, True, False, False, False, False]


def test_dropout_acts_only_in_training() -> None:
    x = torch.randn(NODES, 4)
    model = DirGNN(4, 3, dropout=0.5)
    assert not torch.equal(model(x, EDGES), model(x, EDGES))
    assert torch.equal(model.eval()(x, EDGES), model(x, EDGES))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"jumping_knowledge": "lstm"}, "jumping_knowledge must be one of none, max, cat, got 'lstm'"),
        ({"conv": "gin"}, "conv must be one of"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DirGNN(4, 3, **arguments)
