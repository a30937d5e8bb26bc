from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from graphkit import testing
from graphkit.models.node.classic import GCN, MLP, SAGE
from graphkit.sparse import CSR

MODELS = [GCN, SAGE, MLP]
EDGES = torch.tensor([[0, 1, 1, 2, 3, 1, 4, 2, 3, 4], [1, 0, 2, 1, 1, 3, 2, 4, 4, 3]])
NODES = 6


def _dense(kind: type[nn.Module]) -> Tensor:
    a = torch.zeros(NODES, NODES, dtype=torch.float64)
    for source, target in EDGES.t().tolist():
        a[target, source] += 1.0
    if kind is GCN:
        a = a + torch.eye(NODES, dtype=torch.float64)
        scale = a.sum(1) ** -0.5
        return scale[:, None] * a * scale
    return a / a.sum(1, keepdim=True).clamp(min=1.0)


def _layer(kind: type[nn.Module], layer: nn.Module, h: Tensor) -> Tensor:
    if kind is MLP:
        return h @ layer.weight.t() + layer.bias
    if kind is GCN:
        return _dense(kind) @ h @ layer.lin.weight.t() + layer.bias
    return h @ layer.lin_r.weight.t() + _dense(kind) @ h @ layer.lin_l.weight.t() + layer.lin_l.bias


def _normalized(norm: str, h: Tensor) -> Tensor:
    if norm == "none":
        return h
    dim = 1 if norm == "layer" else 0
    centered = h - h.mean(dim, keepdim=True)
    return centered / (centered.square().mean(dim, keepdim=True) + 1e-5).sqrt()


CASES = [(kind, {}) for kind in MODELS] + [
    (kind, {"pre_linear": pre, "linear_head": head}) for kind in (GCN, SAGE) for pre, head in ((True, True), (True, False))
]


@pytest.mark.parametrize("residual", ["none", "identity", "linear"])
@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
@pytest.mark.parametrize(("kind", "ends"), CASES)
def test_equals_a_dense_forward(kind: type[nn.Module], ends: dict[str, bool], norm: str, residual: str) -> None:
    """Without dropout, in training mode (batch statistics), with gradients."""
    torch.manual_seed(0)
    model = kind(4, 3, hidden_channels=5, num_layers=3, dropout=0.0, norm=norm, residual=residual, **ends).double()
    x = torch.randn(NODES, 4, dtype=torch.float64)
    h = x
    if ends.get("pre_linear"):
        h = x @ model.network.pre_linear.weight.t() + model.network.pre_linear.bias
    assert len(model.network.hidden) == (3 if ends.get("linear_head") else 2)
    for number, layer in enumerate(model.network.hidden):
        out = _layer(kind, layer, h)
        if residual == "linear":
            out = out + h @ model.network.shortcuts[number].weight.t()
        out = _normalized(norm, out).clamp(min=0.0)
        h = out + h if residual == "identity" and h.size(1) == out.size(1) else out
    expected = _layer(MLP if ends.get("linear_head") else kind, model.head, h)
    actual = model(x, EDGES)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
    parameters = [p for p in model.parameters() if not any(p is q for q in model.network.norms.parameters())]
    probe = torch.randn(actual.shape, dtype=torch.float64)
    for ours, oracle in zip(
        torch.autograd.grad((actual * probe).sum(), parameters),
        torch.autograd.grad((expected * probe).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, oracle, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("kind", "peer"), [(GCN, pyg.GCN), (SAGE, pyg.GraphSAGE)])
def test_equals_pyg(kind: type[nn.Module], peer: type[nn.Module]) -> None:
    theirs = peer(4, 7, num_layers=2, out_channels=3).double().eval()
    ours = kind(4, 3, hidden_channels=7, num_layers=2).double().eval()
    for layer, other in zip([*ours.network.hidden, ours.head], theirs.convs, strict=True):
        layer.load_state_dict(other.state_dict())
    x = torch.randn(NODES, 4, dtype=torch.float64)
    torch.testing.assert_close(ours(x, EDGES), theirs(x, EDGES))


@pytest.mark.parametrize("kind", MODELS)
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
def test_keeps_the_properties_of_its_layers(kind: type[nn.Module], assertion: Callable[..., None]) -> None:
    assertion(lambda: kind(4, 3, hidden_channels=5, num_layers=3, norm="layer", residual="identity"), in_channels=4)


@pytest.mark.parametrize("kind", MODELS)
def test_no_parameter_is_dead(kind: type[nn.Module]) -> None:
    ends = {} if kind is MLP else {"pre_linear": True, "linear_head": True}
    testing.assert_no_dead_parameters(lambda: kind(4, 3, hidden_channels=5, residual="linear", norm="layer", **ends))


@pytest.mark.parametrize("kind", [GCN, SAGE])
def test_one_layer_is_linear_and_sees_the_graph(kind: type[nn.Module]) -> None:
    model = kind(4, 3, num_layers=1).eval()
    x = torch.randn(NODES, 4)
    assert len(model.network.hidden) == 0
    assert not torch.allclose(model(x, EDGES), model(x, EDGES[:, :2]))
    a, b, zero = model(x, EDGES), model(2 * x, EDGES), model(0 * x, EDGES)
    torch.testing.assert_close(b - zero, 2 * (a - zero))


def test_mlp_never_sees_an_edge() -> None:
    model = MLP(4, 3).eval()
    x = torch.randn(NODES, 4)
    assert torch.equal(model(x), model(x, EDGES))
    torch.testing.assert_close(model(x[:2]), model(x)[:2])


@pytest.mark.parametrize("kind", MODELS)
def test_dropout_acts_before_every_layer_and_only_in_training(kind: type[nn.Module]) -> None:
    x = torch.randn(NODES, 4)
    for num_layers in (1, 2):
        model = kind(4, 3, num_layers=num_layers, dropout=0.5)
        assert not torch.equal(model(x, EDGES), model(x, EDGES))
        assert torch.equal(model.eval()(x, EDGES), model(x, EDGES))
    # Before the last layer alone: one hidden layer fed with zeros, its bias is all that dropout can act on.
    model = kind(4, 3, num_layers=2, dropout=0.5)
    for name, parameter in model.network.hidden.named_parameters():
        nn.init.constant_(parameter, 1.0 if name.endswith("bias") else 0.0)
    assert not torch.equal(model(x, EDGES), model(x, EDGES))


@pytest.mark.parametrize("kind", MODELS)
def test_features_have_a_dropout_of_their_own(kind: type[nn.Module]) -> None:
    """With all weights one and no bias a dropped feature shows in the scores, and so does a dropped hidden entry."""
    x = torch.ones(NODES, 4)
    for rates, varies in (((0.0, 0.0), False), ((0.0, 0.5), True), ((0.5, 0.0), True), ((0.5, None), True)):
        model = kind(4, 3, num_layers=2, dropout=rates[0], input_dropout=rates[1])
        assert torch.equal(model(x, EDGES), model(x, EDGES)) is not varies
    model = kind(4, 3, num_layers=2, dropout=0.999, input_dropout=0.0)
    seen: list[Tensor] = []
    model.network.hidden[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(x, EDGES)
    assert torch.equal(seen[0], x)


def test_a_linear_residual_sees_the_same_dropped_entries_as_the_layer() -> None:
    """layer(d) + V d with one d: where V takes away what the layer gives, nothing is left whatever is dropped."""
    model = MLP(4, 3, hidden_channels=5, num_layers=2, dropout=0.5, residual="linear")
    with torch.no_grad():
        model.network.hidden[0].bias.zero_()
        model.network.shortcuts[0].weight.copy_(-model.network.hidden[0].weight)
    seen: list[Tensor] = []
    model.network.norms[0].register_forward_hook(lambda _, __, output: seen.append(output))
    model(torch.randn(NODES, 4))
    torch.testing.assert_close(seen[0], torch.zeros(NODES, 5), rtol=0, atol=1e-6)


def test_one_normalized_operator_serves_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    original = CSR.matmul
    monkeypatch.setattr(CSR, "matmul", lambda self, x: used.append(self) or original(self, x))
    model = GCN(4, 3, num_layers=3)
    csr = CSR.from_edge_index(EDGES, NODES)
    for _ in range(2):
        model(torch.randn(NODES, 4), csr)
    assert len(used) == 6 and all(operator is used[0] for operator in used)


@pytest.mark.parametrize("kind", MODELS)
def test_wrong_arguments_are_refused(kind: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match="num_layers must be at least 1, got 0"):
        kind(4, 3, num_layers=0)
    with pytest.raises(ValueError, match=r"input_dropout must lie in \[0, 1\), got 1.0"):
        GCN(4, 3, input_dropout=1.0)
    with pytest.raises(ValueError, match="norm must be one of none, layer, batch, got 'group'"):
        kind(4, 3, num_layers=1, norm="group")
    with pytest.raises(ValueError, match="residual must be one of none, identity, linear, got True"):
        kind(4, 3, residual=True)
