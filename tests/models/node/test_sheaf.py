from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit import testing
from graphkit.layers import PolynomialSheafDiffusion, SheafDiffusion
from graphkit.models.node.sheaf import PolyNSD, SheafNetwork
from graphkit.sparse import CSR
from tests.layers.oracle import assert_same, messy_graph
from tests.layers.sheaf import oracle as sheaf_oracle
from tests.layers.sheaf import test_polynomial as test_sheaf_polynomial
from tests.layers.sheaf.oracle import H, dense_laplacian

MAPS = ("identity", "diagonal", "orthogonal", "general")
Model = type[SheafNetwork] | type[PolyNSD]
every_model = pytest.mark.parametrize("model", [SheafNetwork, PolyNSD])
every_maps = pytest.mark.parametrize("maps", MAPS)


def make(model: Model = SheafNetwork, **arguments: Any) -> SheafNetwork | PolyNSD:
    """A network in float64, in evaluation mode, whose parameters are all away from their first values."""
    network = model(4, 3, **{"hidden_channels": H, "stalk_dim": 2, **arguments}).double().eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return network


def dense_forward(network: SheafNetwork | PolyNSD, x: Tensor, edge_index: Tensor) -> Tensor:
    """The network from explicit block Laplacians, without dropout."""
    step = test_sheaf_polynomial.dense_layer if isinstance(network, PolyNSD) else sheaf_oracle.dense_layer
    sigma = {"elu": F.elu, "tanh": torch.tanh, "none": lambda value: value}[network.activation]
    h = sigma(x @ network.encoder.weight.t() + network.encoder.bias)
    if network.second is not None:
        h = h @ network.second.weight.t() + network.second.bias
    first = dense_laplacian(network.layers[0], h, edge_index, None)
    for layer in network.layers:
        laplacian = first if network.linear else dense_laplacian(layer, h, edge_index, None)
        h = step(layer, h, laplacian)
    return h @ network.head.weight.t() + network.head.bias


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"linear": True, "num_layers": 3, "edge_weights": True},
        {"low_pass": True, "high_pass": True, "second_linear": True, "edge_weights": True},
        {"left_weights": False, "right_weights": False, "learned_step": False, "activation": "tanh"},
        {"left_weights": False, "high_pass": True, "activation": "none", "num_layers": 1},
    ],
    ids=lambda options: "-".join(options) or "default",
)
@every_maps
@every_model
def test_equals_a_dense_forward(model: Model, maps: str, options: dict[str, Any]) -> None:
    network = make(model, maps=maps, **options)
    edge_index, n = messy_graph()
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64).requires_grad_()
    assert_same(network(x, edge_index), dense_forward(network, x, edge_index), [x, *network.parameters()])


@pytest.mark.parametrize("orthogonal", ["cayley", "exp", "rotation"])
def test_orthogonal_is_passed_on(orthogonal: str) -> None:
    network = make(maps="orthogonal", orthogonal=orthogonal)
    edge_index, n = messy_graph()
    x = torch.randn(n, 4, dtype=torch.float64)
    assert [layer.orthogonal for layer in network.layers] == [orthogonal] * 2
    torch.testing.assert_close(network(x, edge_index), dense_forward(network, x, edge_index))


@pytest.mark.parametrize("linear", [False, True])
@every_maps
@every_model
def test_no_dead_parameters(model: Model, maps: str, linear: bool) -> None:
    def build() -> nn.Module:
        options = {"low_pass": True, "high_pass": True, "edge_weights": True, "second_linear": True}
        return model(4, 3, maps=maps, hidden_channels=2, num_layers=3, linear=linear, **options)

    testing.assert_no_dead_parameters(build, in_channels=4)


@pytest.mark.parametrize(("model", "maps"), [(SheafNetwork, "diagonal"), (SheafNetwork, "general"), (PolyNSD, "diagonal")])
@pytest.mark.parametrize(
    "assertion",
    [
        testing.assert_permutation_equivariant,
        testing.assert_layouts_agree,
        testing.assert_isolated_nodes,
        testing.assert_batch_invariant,
        testing.assert_deterministic,
    ],
)
def test_keeps_the_properties_of_its_layers(model: Model, maps: str, assertion: Callable[..., None]) -> None:
    assertion(lambda: model(4, 3, maps=maps, hidden_channels=2, stalk_dim=2, low_pass=True), in_channels=4)


@every_model
def test_one_sheaf_for_all_layers_is_learned_by_the_first(model: Model) -> None:
    learns = [
        [layer.map_learner is not None for layer in model(4, 3, num_layers=3, linear=linear).layers] for linear in (True, False)
    ]
    assert learns == [[True, False, False], [True, True, True]]


def test_layers_are_of_their_kind() -> None:
    assert {type(layer) for layer in SheafNetwork(4, 3).layers} == {SheafDiffusion}
    layers = list(PolyNSD(4, 3, degree=5, num_layers=3).layers)
    assert [(type(layer), layer.degree) for layer in layers] == [(PolynomialSheafDiffusion, 5)] * 3


@every_model
def test_edges_are_undirected_loops_do_nothing_and_repeated_edges_add_up(model: Model) -> None:
    network = make(model, maps="general")
    edge_index, n = torch.tensor([[0, 1, 2], [1, 2, 3]]), 5
    x = torch.randn(n, 4, dtype=torch.float64)
    expected = network(x, edge_index)
    loops = torch.tensor([[1, 4], [1, 4]])
    for same in (torch.cat([edge_index, edge_index.flip(0)], dim=1), edge_index.flip(0), torch.cat([edge_index, loops], dim=1)):
        torch.testing.assert_close(network(x, same), expected)
    twice = network(x, torch.cat([edge_index, edge_index[:, :1]], dim=1))
    weighted = CSR.from_edge_index(edge_index, n, torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(twice, network(x, weighted))
    assert not torch.allclose(twice, expected)


def test_dropout_of_features_state_and_what_maps_are_learned_from() -> None:
    network = SheafNetwork(4, 3, num_layers=3, input_dropout=0.2, dropout=0.5)
    assert [layer.map_dropout for layer in network.layers] == [0.0, 0.5, 0.5]
    assert [layer.dropout for layer in network.layers] == [0.5] * 3
    edge_index, n = messy_graph()
    x = torch.randn(n, 4)
    for rates in ({"input_dropout": 0.2, "dropout": 0.0}, {"input_dropout": 0.0, "dropout": 0.5}):
        network = SheafNetwork(4, 3, **rates)
        assert not torch.equal(network(x, edge_index), network(x, edge_index))
        network.eval()
        assert torch.equal(network(x, edge_index), network(x, edge_index))
    without = SheafNetwork(4, 3, dropout=0.0)
    assert torch.equal(without(x, edge_index), without(x, edge_index))


def test_dropout_zeroes_the_encoded_state_before_the_second_map() -> None:
    """With a second map and no layer that moves anything, what is dropped is what enters it."""
    torch.manual_seed(0)
    network = SheafNetwork(4, 3, second_linear=True, dropout=0.5)
    seen: list[Tensor] = []
    network.second.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = torch.randn(40, 4)
    network(x, torch.empty(2, 0, dtype=torch.long))
    encoded = F.elu(network.encoder(x))
    kept = seen[0] != 0
    torch.testing.assert_close(seen[0], torch.where(kept, 2 * encoded, 0.0))
    assert 0.4 < kept.float().mean() < 0.6


@pytest.fixture(scope="module")
def strangers() -> tuple[Tensor, Tensor, Tensor]:
    """Two classes whose nodes know almost only the other class; of the features alone one learns little."""
    generator = torch.Generator().manual_seed(0)
    n = 80
    y = torch.arange(n) % 2
    differ = y[:, None] != y[None]
    edges = torch.triu(torch.rand(n, n, generator=generator) < torch.where(differ, 0.2, 0.01), diagonal=1).nonzero().t()
    x = F.one_hot(y, 2) + 1.2 * torch.randn(n, 2, generator=generator)
    return x, torch.cat([edges, edges.flip(0)], dim=1), y


@every_maps
@every_model
def test_learns_classes_of_strangers(model: Model, maps: str, strangers: tuple[Tensor, Tensor, Tensor]) -> None:
    x, edge_index, y = strangers
    torch.manual_seed(0)
    network = model(2, 2, maps=maps, hidden_channels=8, dropout=0.0)
    adj = CSR.from_edge_index(edge_index, y.numel())
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02, weight_decay=5e-3)
    train = torch.arange(y.numel()) < 40
    for _ in range(40):
        optimizer.zero_grad()
        F.cross_entropy(network(x, adj)[train], y[train]).backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        correct = network(x, adj).argmax(1)[~train] == y[~train]
    assert correct.float().mean() > 0.8


@every_model
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"activation": "relu"}, "activation must be one of elu, tanh, none, got 'relu'"),
        ({"maps": "affine"}, "maps must be one of"),
        ({"maps": "orthogonal", "orthogonal": "rotation", "stalk_dim": 3}, "needs stalk_dim=2, got 3"),
    ],
)
def test_wrong_arguments_are_refused(model: Model, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(4, 3, **arguments)
