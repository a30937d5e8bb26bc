from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from graphkit import testing
from graphkit.models.node.linkx import LINKX
from graphkit.sparse import CSR

NODES = 6
EDGES = torch.tensor([[0, 1, 1, 2, 3, 1, 4, 2], [1, 0, 2, 1, 1, 3, 3, 4]])  # directed; node 5 is alone


def _dense(edges: Tensor) -> Tensor:
    a = torch.zeros(NODES, NODES, dtype=torch.float64)
    for source, target in edges.t().tolist():
        a[source, target] += 1.0
    return a


def _linear(layer: nn.Module, h: Tensor) -> Tensor:
    return h @ layer.weight.t() + layer.bias


def _normalized(norm: str, h: Tensor) -> Tensor:
    if norm == "none":
        return h
    dim = 1 if norm == "layer" else 0
    centered = h - h.mean(dim, keepdim=True)
    return centered / (centered.square().mean(dim, keepdim=True) + 1e-5).sqrt()


def _perceptron(network: nn.Module, norm: str, residual: str, h: Tensor) -> Tensor:
    for number, layer in enumerate(network.hidden):
        out = _linear(layer, h)
        if residual == "linear":
            out = out + h @ network.shortcuts[number].weight.t()
        out = _normalized(norm, out).clamp(min=0.0)
        h = out + h if residual == "identity" and h.size(1) == out.size(1) else out
    return _linear(network.head, h)


@pytest.mark.parametrize("residual", ["none", "identity", "linear"])
@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
@pytest.mark.parametrize("layers", [(1, 1, 1), (3, 3, 2)])
def test_equals_a_dense_forward(layers: tuple[int, int, int], norm: str, residual: str) -> None:
    """Without dropout, in training mode (batch statistics), with gradients."""
    torch.manual_seed(0)
    counts = dict(zip(("num_layers", "num_edge_layers", "num_node_layers"), layers, strict=True))
    model = LINKX(4, 3, NODES, hidden_channels=5, dropout=0.0, norm=norm, residual=residual, **counts).double()
    x = torch.randn(NODES, 4, dtype=torch.float64)
    a = _dense(EDGES) @ model.adjacency.weight + model.adjacency.bias
    if layers[1] > 1:
        assert len(model.edge_network.hidden) == layers[1] - 2
        a = _perceptron(model.edge_network, norm, residual, _normalized(norm, a).clamp(min=0.0))
    z = _perceptron(model.node_network, norm, residual, x)
    mixed = _linear(model.mix, torch.cat([a, z], dim=1)) + a + z
    expected = _perceptron(model.network, norm, residual, mixed.clamp(min=0.0))
    actual = model(x, EDGES)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
    parameters = [p for name, p in model.named_parameters() if "norm" not in name]
    probe = torch.randn(actual.shape, dtype=torch.float64)
    for ours, oracle in zip(
        torch.autograd.grad((actual * probe).sum(), parameters),
        torch.autograd.grad((expected * probe).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, oracle, rtol=1e-9, atol=1e-10)


def test_equals_pyg_on_the_reversed_graph() -> None:
    """PyG sums where edges arrive, the authors where they leave; it writes W as two maps."""
    theirs = pyg.LINKX(NODES, 4, 5, 3, num_layers=1).double().eval()
    ours = LINKX(4, 3, NODES, hidden_channels=5, num_layers=1).double().eval()
    with torch.no_grad():
        ours.adjacency.weight.copy_(theirs.edge_lin.weight)
        ours.adjacency.bias.copy_(theirs.edge_lin.bias)
        ours.node_network.head.load_state_dict(theirs.node_mlp.lins[0].state_dict())
        ours.mix.weight.copy_(torch.cat([theirs.cat_lin1.weight, theirs.cat_lin2.weight], dim=1))
        ours.mix.bias.copy_(theirs.cat_lin1.bias + theirs.cat_lin2.bias)
        ours.head.load_state_dict(theirs.final_mlp.lins[0].state_dict())
    x = torch.randn(NODES, 4, dtype=torch.float64)
    torch.testing.assert_close(ours(x, EDGES), theirs(x, EDGES.flip(0)))


@pytest.mark.parametrize(
    "assertion",
    [testing.assert_layouts_agree, testing.assert_deterministic, testing.assert_gradients],
)
def test_keeps_the_properties_of_its_layers(assertion: Callable[..., None]) -> None:
    """But for renaming nodes and batches of graphs: it knows each node."""
    nodes = 7 if assertion is testing.assert_gradients else 12
    assertion(lambda: LINKX(4, 3, nodes, hidden_channels=5, num_edge_layers=2, norm="layer", residual="linear"))


def test_no_parameter_is_dead_but_vectors_that_no_edge_points_to() -> None:
    make = lambda: LINKX(4, 3, 12, hidden_channels=5, num_edge_layers=3, num_node_layers=2, residual="linear")  # noqa: E731
    testing.assert_no_dead_parameters(make)
    torch.manual_seed(1)
    model = LINKX(4, 3, NODES, dropout=0.0).double()
    model(torch.randn(NODES, 4, dtype=torch.float64), EDGES).square().sum().backward()
    reached = model.adjacency.weight.grad.abs().sum(1) > 0
    assert reached.tolist() == [True, True, True, True, True, False]


def test_an_isolated_node_has_its_features_alone() -> None:
    model = LINKX(4, 3, NODES).double().eval()
    x = torch.randn(NODES, 4, dtype=torch.float64)
    alone = model(x, EDGES)[5]
    assert torch.isfinite(alone).all()
    with torch.no_grad():
        model.adjacency.weight.normal_()
    assert torch.equal(model(x, EDGES)[5], alone)
    assert not torch.equal(model(x.roll(1, dims=0), EDGES)[5], alone)
    assert torch.isfinite(model(x, EDGES[:, :0])).all()


def test_repeated_edges_add_up() -> None:
    model = LINKX(4, 3, NODES).double().eval()
    x = torch.randn(NODES, 4, dtype=torch.float64)
    twice = torch.cat([EDGES, EDGES[:, :1]], dim=1)
    weight = torch.ones(EDGES.size(1), dtype=torch.float64)
    weight[0] = 2.0
    torch.testing.assert_close(model(x, twice), model(x, CSR.from_edge_index(EDGES, NODES, weight)))
    assert not torch.allclose(model(x, twice), model(x, EDGES))


def test_other_nodes_and_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="LINKX was made for 6 nodes, got 5"):
        LINKX(4, 3, NODES)(torch.randn(5, 4), EDGES[:, :2])
    for name in ("num_layers", "num_edge_layers", "num_node_layers"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            LINKX(4, 3, NODES, **{name: 0})
    with pytest.raises(ValueError, match="norm must be one of none, layer, batch, got 'group'"):
        LINKX(4, 3, NODES, norm="group")
