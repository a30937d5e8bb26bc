"""Polynomial sheaf diffusion against the explicit block Laplacian, its polynomial taken at the eigenvalues."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graphkit.layers import PolynomialSheafDiffusion, SheafDiffusion
from tests.layers.oracle import assert_same, messy_graph
from tests.layers.sheaf import oracle as sheaf_oracle
from tests.layers.sheaf.oracle import H, dense_laplacian, problem

make = partial(sheaf_oracle.make, PolynomialSheafDiffusion)


def chebyshev(k: int, matrix: Tensor) -> Tensor:
    """T_k of a matrix from its power series, T_k(x) = k/2 sum_j (-1)^j (k-j-1)! / (j! (k-2j)!) (2x)^(k-2j)."""
    if k == 0:
        return torch.eye(matrix.size(0), dtype=matrix.dtype)
    total = torch.zeros_like(matrix)
    for j in range(k // 2 + 1):
        factor = torch.tensor([k - j, j + 1, k - 2 * j + 1], dtype=torch.float64).lgamma()
        weight = k / 2 * (-1) ** j * (factor[0] - factor[1] - factor[2]).exp()
        total = total + weight * torch.linalg.matrix_power(2 * matrix, k - 2 * j)
    return total


def dense_layer(layer: PolynomialSheafDiffusion, x: Tensor, laplacian: Tensor) -> Tensor:
    """(1 + tanh eps) X - sigma(p(Delta) Y + a (Y - Delta Y / 2)) on the stacked state [N f, h]."""
    n, f = x.size(0), layer.num_stalks
    size = laplacian.size(0)
    unit = torch.eye(size, dtype=torch.float64)
    shares = layer.theta.exp() / layer.theta.exp().sum()
    operator = layer.skip * (unit - laplacian / 2)
    for k in range(layer.theta.numel()):
        operator = operator + shares[k] * chebyshev(k, laplacian - unit)
    state = x.reshape(size, -1)
    left = torch.eye(f, dtype=torch.float64) if layer.left is None else layer.left
    right = torch.eye(H, dtype=torch.float64) if layer.right is None else layer.right
    moved = operator @ torch.kron(torch.eye(n, dtype=torch.float64), left) @ state @ right
    sigma = {"elu": nn.functional.elu, "tanh": torch.tanh, None: lambda value: value}[layer.activation]
    gain = torch.ones(f, dtype=torch.float64) if layer.step is None else 1 + torch.tanh(layer.step)
    return (gain.repeat(n).unsqueeze(1) * state - sigma(moved)).reshape(n, -1)


@pytest.mark.parametrize("degree", [1, 2, 3, 6])
@pytest.mark.parametrize("maps", ["identity", "diagonal", "orthogonal", "general"])
def test_equals_dense_oracle(maps: str, degree: int) -> None:
    options = {"low_pass": True, "edge_weights": degree == 2, "high_pass": degree == 3}
    layer: PolynomialSheafDiffusion = make(maps=maps, degree=degree, **options)
    x, edge_index, weight = problem(layer, weighted=degree != 1)
    expected = dense_layer(layer, x, dense_laplacian(layer, x, edge_index, weight))
    inputs = [x, *layer.parameters(), *([] if weight is None else [weight])]
    assert_same(layer(x, edge_index, weight), expected, inputs)


@pytest.mark.parametrize("options", [{"left_weights": False, "learned_step": False}, {"right_weights": False}])
@pytest.mark.parametrize("activation", ["tanh", None])
def test_options_equal_dense_oracle(options: dict[str, Any], activation: str | None) -> None:
    layer = make(activation=activation, **options)
    x, edge_index, _ = problem(layer)
    expected = dense_layer(layer, x, dense_laplacian(layer, x, edge_index, None))
    assert_same(layer(x, edge_index), expected, [x, *layer.parameters()])


@pytest.mark.parametrize("k", range(5))
def test_response_is_a_chebyshev_polynomial_of_the_eigenvalues(k: int) -> None:
    """With c_k = 1 an eigenvector of Delta is multiplied with cos(k arccos(lambda - 1)), which 1 bounds."""
    layer = make(maps="general", degree=4, left_weights=False, right_weights=False, learned_step=False, activation=None)
    with torch.no_grad():
        layer.skip.zero_()
        layer.theta.copy_(200.0 * (torch.arange(5) == k))
    x, edge_index, _ = problem(layer)
    sheaf = layer.sheaf(x.detach(), edge_index)
    values, vectors = torch.linalg.eigh(sheaf.to_sparse().to_dense().detach())
    signal = vectors[:, -1:].expand(-1, H).reshape(x.size(0), -1)
    response = torch.cos(k * torch.arccos(values[-1] - 1))
    torch.testing.assert_close(layer.diffuse(signal, sheaf), (1 - response) * signal, rtol=0, atol=1e-10)


def test_degree_one_with_equal_coefficients_is_diffusion_of_half_the_laplacian() -> None:
    """c = (1/2, 1/2): Y / 2 + (Delta - I) Y / 2 = Delta Y / 2; so it is when the layer is new."""
    torch.manual_seed(0)
    options = {"maps": "orthogonal", "activation": None, "right_weights": False}
    new = PolynomialSheafDiffusion(2 * H, degree=1, **options).double()
    plain = SheafDiffusion(2 * H, **options).double()
    plain.load_state_dict(new.state_dict(), strict=False)
    x, edge_index, _ = problem(new)
    torch.testing.assert_close(new(x, edge_index), x - (x - plain(x, edge_index)) / 2, rtol=0, atol=1e-12)


def test_hears_nodes_as_far_as_its_degree() -> None:
    path = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
    layer = make(degree=3)
    x = torch.randn(7, layer.in_channels, dtype=torch.float64)
    sheaf = layer.sheaf(x, path)
    before = layer.diffuse(x, sheaf)
    x[0] += 1.0
    assert (layer.diffuse(x, sheaf) != before).any(1).tolist() == [True, True, True, True, False, False, False]


def test_isolated_nodes_hear_themselves_alone() -> None:
    """Delta = 0 there: T_k(-1) = (-1)^k and the skip is the identity."""
    layer = make(degree=2, activation=None)
    x = torch.randn(3, layer.in_channels, dtype=torch.float64)
    no_edges = torch.empty(2, 0, dtype=torch.long)
    c = layer.theta.softmax(0)
    stalks = torch.einsum("gf,nfh->ngh", layer.left, x.view(3, -1, H)) @ layer.right
    expected = (1 + layer.step.tanh()).view(-1, 1) * x.view(3, -1, H) - (c[0] - c[1] + c[2] + layer.skip) * stalks
    torch.testing.assert_close(layer(x, no_edges), expected.reshape(3, -1))


def test_self_loops_and_directions_do_not_matter_and_repeated_edges_add_up() -> None:
    edge_index, n = torch.tensor([[0, 1, 2], [1, 2, 3]]), 5
    layer = make(maps="general")
    x = torch.randn(n, layer.in_channels, dtype=torch.float64)
    expected = layer(x, edge_index)
    loops = torch.tensor([[1, 4], [1, 4]])
    for same in (torch.cat([edge_index, edge_index.flip(0)], dim=1), edge_index.flip(0), torch.cat([edge_index, loops], dim=1)):
        torch.testing.assert_close(layer(x, same), expected)
    twice = layer(x, torch.cat([edge_index, edge_index[:, :1]], dim=1))
    torch.testing.assert_close(twice, layer(x, edge_index, torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64)))
    assert not torch.allclose(twice, expected)


def test_many_steps_stay_bounded() -> None:
    layer = make(maps="general", degree=30, left_weights=False, right_weights=False, activation=None)
    with torch.no_grad():
        layer.skip.zero_()
    edge_index, n = messy_graph()
    x = torch.randn(n, layer.in_channels, dtype=torch.float64)
    filtered = layer._propagate(x, layer.sheaf(x, edge_index))
    assert filtered.norm() <= x.norm() + 1e-9


def test_reset_parameters_restores_the_first_values() -> None:
    layer = make(degree=2)
    layer.reset_parameters()
    assert not layer.theta.any() and not layer.skip.any() and not layer.step.any()


def test_wrong_degree_is_refused() -> None:
    with pytest.raises(ValueError, match="degree must be at least 1, got 0"):
        PolynomialSheafDiffusion(6, degree=0)
