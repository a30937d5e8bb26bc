"""Sheaf diffusion: precision, options, unusual graphs, caches and wrong input."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch_geometric.utils import to_undirected

from graphkit import testing
from graphkit.layers import SheafDiffusion
from graphkit.sparse import CSR, as_csr, dropout
from graphkit.sparse.sheaf import edge_ends, undirected
from tests.layers.oracle import messy_graph
from tests.layers.sheaf.oracle import H, dense_layer, make, problem


@pytest.mark.parametrize("maps", ["identity", "diagonal", "orthogonal", "general"])
def test_single_precision_is_near_double(maps: str) -> None:
    layer = make(maps=maps, low_pass=True)
    x, edge_index, _ = problem(layer)
    exact = layer(x, edge_index)
    for dtype, tolerance in ((torch.float32, 2e-5), (torch.bfloat16, 0.2)):
        out = layer.to(dtype)(x.detach().to(dtype), edge_index)
        assert out.dtype == dtype
        torch.testing.assert_close(out.double(), exact, rtol=tolerance, atol=tolerance)
        layer.double()


def test_the_two_ends_of_an_edge_have_different_maps() -> None:
    """Not so in a learner that pools stalks after mixing both ends: with even dimensions its maps at both ends are equal."""
    torch.manual_seed(0)  # maps that happen to be almost equal would look the same
    layer = make(maps="orthogonal", stalk_dim=2)
    x = torch.randn(2, layer.in_channels, dtype=torch.float64)
    block = layer.laplacian(x, torch.tensor([[0, 1], [1, 0]])).to_dense()[:2, 2:]
    assert not torch.allclose(block, -torch.eye(2, dtype=torch.float64) / 2, atol=1e-2)


def test_map_parameters_are_as_many_as_there_are_degrees_of_freedom() -> None:
    for kind in ("householder", "cayley", "exp"):
        assert make(maps="orthogonal", orthogonal=kind, stalk_dim=4).map_learner.out_features == 6
    assert make(maps="diagonal").map_learner.out_features == 3
    assert make(maps="general").map_learner.out_features == 9
    assert make(maps="identity").map_learner is None


@pytest.mark.parametrize("low_pass", [True, False])
def test_fixed_dimensions(low_pass: bool) -> None:
    """On a path of two nodes: D = 1, so (D + A) / 2 or (D - A) / 2."""
    layer = make(stalk_dim=1, maps="diagonal", low_pass=low_pass, high_pass=not low_pass)
    matrix = layer.laplacian(torch.randn(2, 2 * H, dtype=torch.float64), torch.tensor([[0, 1], [1, 0]])).to_dense()
    sign = 0.5 if low_pass else -0.5
    torch.testing.assert_close(matrix[1::2, 1::2], torch.tensor([[0.5, sign], [sign, 0.5]], dtype=torch.float64))


def test_first_parameters() -> None:
    layer = SheafDiffusion(16, stalk_dim=3, low_pass=True)
    assert torch.equal(layer.left, torch.eye(4))
    assert torch.equal(layer.right, torch.eye(4))
    assert torch.equal(layer.step, torch.zeros(4))
    turned = SheafDiffusion(16, stalk_dim=3, low_pass=True, right_init="orthogonal").right
    torch.testing.assert_close(turned @ turned.t(), torch.eye(4))
    assert not torch.allclose(turned, torch.eye(4), atol=0.1)
    with pytest.raises(ValueError, match="right_init must be one of identity, orthogonal, got 'zero'"):
        SheafDiffusion(16, stalk_dim=4, right_init="zero")


@pytest.mark.parametrize("maps", ["identity", "orthogonal"])
def test_a_first_step_smooths_unless_channels_are_mixed_at_random(maps: str) -> None:
    """An eigenvector of eigenvalue t shrinks to 1 - t with W_2 = I, and grows to sqrt(1 + t^2) with a random W_2."""
    torch.manual_seed(0)
    edge_index, n = messy_graph()
    channels = 400
    lengths = {}
    for init in ("identity", "orthogonal"):
        options = {"maps": maps, "activation": None, "right_init": init}
        layer = SheafDiffusion(2 * channels, stalk_dim=2, **options).double()
        x = torch.zeros(n, 2 * channels, dtype=torch.float64)
        values, vectors = torch.linalg.eigh(layer.laplacian(x, edge_index).to_dense().detach())
        x = (vectors[:, -1:] * torch.randn(1, channels, dtype=torch.float64)).view(n, -1)
        sheaf = layer.sheaf(torch.zeros_like(x), edge_index)  # the maps that the eigenvector was computed from
        lengths[init] = float(layer.diffuse(x, sheaf).detach().norm() / x.norm())
    t = float(values[-1])
    assert t > 1.0
    assert lengths["identity"] == pytest.approx(abs(1 - t)) and lengths["orthogonal"] == pytest.approx(
        (1 + t**2) ** 0.5, rel=0.1
    )


def test_direction_self_loops_and_repeats() -> None:
    layer = make(maps="general")
    edge_index, n = messy_graph()
    edge_index = edge_index.unique(dim=1)
    x = torch.randn(n, layer.in_channels, dtype=torch.float64)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64)
    both, averaged = to_undirected(edge_index, weight, n, reduce="mean")
    expected = layer(x, both, averaged)
    torch.testing.assert_close(layer(x, edge_index, weight), expected)
    kept = both[:, both[0] != both[1]]
    torch.testing.assert_close(layer(x, kept, averaged[both[0] != both[1]]), expected)
    twice = torch.cat([both, both], dim=1)
    torch.testing.assert_close(layer(x, twice, torch.cat([averaged, averaged]) / 2), expected)
    torch.testing.assert_close(layer(x, edge_index), layer(x, to_undirected(edge_index)))


def test_absent_entries_are_no_edges() -> None:
    layer = make(maps="general", low_pass=True)
    x, edge_index, _ = problem(layer)
    edge_index = to_undirected(edge_index)
    csr = CSR.from_edge_index(edge_index, x.size(0), duplicates="first")
    gone = torch.tensor([3, 8])
    rest = csr.without(gone)
    torch.testing.assert_close(layer(x, rest), layer(x, rest.edge_index()))


def test_isolated_nodes_keep_their_state() -> None:
    layer = make(maps="general", low_pass=True, learned_step=False)
    x, edge_index, _ = problem(layer)
    torch.testing.assert_close(layer(x, edge_index)[0], x[0])


def test_the_laplacian_of_one_layer_serves_another() -> None:
    first, second = make(maps="general"), make(maps="identity")
    x, edge_index, _ = problem(first)
    sheaf = first.sheaf(x, edge_index)
    expected = dense_layer(second, x, first.laplacian(x, edge_index).to_dense())
    torch.testing.assert_close(second.diffuse(x, sheaf), expected)


def test_dropout_takes_part_in_training_alone() -> None:
    x, edge_index, _ = problem(make())
    for options in ({"dropout": 0.5}, {"map_dropout": 0.5}):
        layer = make(**options)
        torch.testing.assert_close(layer(x, edge_index), make()(x, edge_index))
        layer.train()
        torch.manual_seed(0)
        assert not torch.allclose(layer(x, edge_index), layer(x, edge_index))
    torch.manual_seed(0)
    maps_alone = make(map_dropout=0.5, left_weights=False, right_weights=False, activation=None).train()
    mask = dropout(torch.ones_like(x), 0.5)
    torch.manual_seed(0)
    sheaf = make(left_weights=False, right_weights=False, activation=None).sheaf(x * mask, edge_index)
    torch.testing.assert_close(maps_alone(x, edge_index), maps_alone.diffuse(x, sheaf))


def test_static_work_is_done_once_and_freed_with_the_graph() -> None:
    layer = make(maps="general", low_pass=True)
    x, edge_index, _ = problem(layer)
    edge_index = edge_index.clone()
    csr = as_csr(edge_index, x.size(0))
    layer(x, edge_index)
    ends, adjacency = undirected(csr)
    assert layer.sheaf(x, edge_index).ends is ends
    assert undirected(csr)[1] is adjacency
    watch = weakref.ref(ends)
    del csr, ends, adjacency, edge_index
    gc.collect()
    assert watch() is None


def test_learned_weights_of_a_graph_are_not_kept() -> None:
    layer = make(maps="diagonal")
    x, edge_index, weight = problem(layer, weighted=True)
    for _ in range(2):
        layer(x, edge_index, weight).sum().backward()
    with torch.no_grad():
        weight.mul_(2)
    torch.testing.assert_close(layer(x, edge_index, weight), layer(x, edge_index, weight.detach().clone()))


def test_inference_mode_then_training() -> None:
    layer = make(maps="general", low_pass=True)
    x, edge_index, weight = problem(layer, weighted=True)
    fixed = weight.detach().clone()
    with torch.inference_mode():
        layer(x, edge_index, fixed)
    layer(x, edge_index, fixed).sum().backward()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"maps": "bundle"}, "maps must be one of identity, diagonal, orthogonal, general, got 'bundle'"),
        ({"maps": "orthogonal", "orthogonal": "euler"}, "orthogonal must be one of householder"),
        ({"stalk_dim": 0}, "stalk_dim must be at least 1"),
        ({"maps": "orthogonal", "stalk_dim": 1}, "orthogonal maps need stalk_dim of at least 2"),
        ({"maps": "orthogonal", "orthogonal": "rotation", "stalk_dim": 3}, "needs stalk_dim=2, got 3"),
        ({"in_channels": 13}, "in_channels must be a positive multiple of 3"),
        ({"in_channels": 12, "low_pass": True, "high_pass": True}, "multiple of 5"),
        ({"activation": "relu"}, "activation must be 'elu', 'tanh' or None, got 'relu'"),
        ({"map_activation": "relu"}, "map_activation must be"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"map_dropout": -0.1}, "map_dropout must lie"),
    ],
)
def test_refuses_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SheafDiffusion(**{"in_channels": 12, "stalk_dim": 3, **arguments})


def test_refuses_wrong_input() -> None:
    layer = make()
    x, edge_index, _ = problem(layer)
    with pytest.raises(ValueError, match=r"x must have shape \[N, 9\], got \[11, 8\]"):
        layer(x[:, :8], edge_index)
    with pytest.raises(ValueError, match="edge weights of a sheaf must be non-negative"):
        layer(x, edge_index, -torch.ones(edge_index.size(1), dtype=torch.float64))
    with pytest.raises(ValueError, match=r"x must have shape \[11, 3 h\]"):
        layer.sheaf(x, edge_index).matmul(x[:, :8])
    with pytest.raises(ValueError, match="undirected edges need a square operator, got 3 x 2"):
        edge_ends(CSR.from_edge_index(torch.tensor([[0], [2]]), (3, 2)).structure)


def test_batch_of_graphs_in_training_mode_shares_the_layer() -> None:
    testing.assert_batch_invariant(lambda: SheafDiffusion(8, stalk_dim=3, maps="general", low_pass=True), 8, weighted=True)
