"""Sheaf diffusion against the explicit block Laplacian, made edge by edge."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.utils import to_undirected

from graphkit.layers import GCNConv, SheafDiffusion
from graphkit.layers.sheaf.laplacian import sheaf_laplacian
from graphkit.sparse import as_csr
from graphkit.sparse.sheaf import edge_ends, small_matrices
from graphkit.sparse.sheaf import operations as sheaf_ops
from tests.layers.oracle import dense_operator, messy_graph
from tests.layers.sheaf.oracle import (
    VARIANTS,
    assert_equals_oracle,
    dense_laplacian,
    every_variant,
    make,
    problem,
    slow_inverse_root,
)


@pytest.mark.parametrize("weighted", [False, True])
@every_variant
def test_equals_dense_oracle(variant: dict[str, Any], weighted: bool) -> None:
    layer: SheafDiffusion = make(**variant)
    assert_equals_oracle(layer, weighted)


@pytest.mark.parametrize("maps", ["identity", "diagonal", "orthogonal", "general"])
@pytest.mark.parametrize(
    "options",
    [
        {"low_pass": True},
        {"high_pass": True},
        {"low_pass": True, "high_pass": True, "edge_weights": True},
        {"edge_weights": True, "activation": None, "map_activation": "elu"},
        {"left_weights": False, "activation": "tanh", "map_activation": None},
        {"right_weights": False},
        {"left_weights": False, "right_weights": False, "learned_step": False},
    ],
    ids=lambda options: "-".join(options),
)
def test_options_equal_dense_oracle(maps: str, options: dict[str, Any]) -> None:
    assert_equals_oracle(make(maps=maps, **options), weighted="low_pass" in options)


@pytest.mark.parametrize("edge_weights", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@every_variant
def test_laplacian_is_the_operator_of_the_oracle(variant: dict[str, Any], weighted: bool, edge_weights: bool) -> None:
    layer = make(**{"low_pass": True, "high_pass": True, "edge_weights": edge_weights, **variant})
    x, edge_index, weight = problem(layer, weighted)
    matrix = layer.laplacian(x, edge_index, weight).to_dense().detach()
    torch.testing.assert_close(matrix, dense_laplacian(layer, x, edge_index, weight).detach(), rtol=0, atol=1e-10)
    torch.testing.assert_close(matrix, matrix.t(), rtol=0, atol=1e-14)
    spectrum = torch.linalg.eigvalsh(matrix)
    assert spectrum.min() > -1e-12
    assert spectrum.max() < 2


def test_spectrum_stays_below_two_for_large_maps() -> None:
    layer = make(maps="general", map_activation=None)
    x, edge_index, _ = problem(layer)
    spectrum = torch.linalg.eigvalsh(layer.laplacian(1e3 * x.detach(), edge_index).to_dense().detach())
    assert spectrum.min() > -1e-9
    assert spectrum.max() < 2


def test_identity_maps_give_the_augmented_gcn_laplacian() -> None:
    edge_index = to_undirected(messy_graph()[0].unique(dim=1))
    edge_index = edge_index[:, edge_index[0] != edge_index[1]]
    layer = make(maps="identity", left_weights=False, right_weights=False, learned_step=False, activation=None)
    x = torch.randn(11, layer.in_channels, dtype=torch.float64)
    expected = torch.eye(11, dtype=torch.float64) - dense_operator(edge_index, 11, None, "gcn")
    matrix = layer.laplacian(x, edge_index).to_dense()
    torch.testing.assert_close(matrix, torch.kron(expected, torch.eye(3, dtype=torch.float64)), rtol=0, atol=1e-12)
    # X - Delta X is then one propagation of GCN.
    gcn = GCNConv(layer.in_channels, layer.in_channels, bias=False).double()
    nn.init.eye_(gcn.lin.weight)
    torch.testing.assert_close(layer(x, edge_index), gcn(x, edge_index))


def test_orthogonal_maps_that_are_all_equal_are_the_identity_sheaf() -> None:
    layer = make(maps="orthogonal", stalk_dim=4)
    nn.init.zeros_(layer.map_learner.weight)
    x, edge_index, _ = problem(layer)
    identity = make(maps="identity", stalk_dim=4)
    torch.testing.assert_close(layer.laplacian(x, edge_index).to_dense(), identity.laplacian(x, edge_index).to_dense())


@pytest.mark.parametrize("kind", ["householder", "cayley", "exp"])
@pytest.mark.parametrize("d", [2, 3, 5])
def test_orthogonal_maps_are_orthogonal(kind: str, d: int) -> None:
    layer = make(maps="orthogonal", orthogonal=kind, stalk_dim=d)
    theta = torch.randn(40, d * (d - 1) // 2, dtype=torch.float64) * torch.logspace(-9, 2, 40, dtype=torch.float64)[:, None]
    layer.map_activation = None
    q = layer._maps(theta)
    torch.testing.assert_close(q @ q.transpose(1, 2), torch.eye(d, dtype=torch.float64).expand(40, d, d))
    sign = (-1.0) ** d if kind == "householder" else 1.0
    torch.testing.assert_close(torch.linalg.det(q), torch.full((40,), sign, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["householder", "cayley", "exp", "rotation"])
@pytest.mark.parametrize("d", [2, 3, 4])
def test_gradients_of_orthogonal_maps_at_zero(kind: str, d: int) -> None:
    if kind == "rotation" and d != 2:
        pytest.skip("rotation is for d = 2")
    layer = make(maps="orthogonal", orthogonal=kind, stalk_dim=d)
    for scale in (0.0, 1e-3, 1.0):
        theta = (scale * torch.randn(3, d * (d - 1) // 2, dtype=torch.float64)).requires_grad_()
        torch.autograd.gradcheck(layer._maps, (theta,))


@pytest.mark.parametrize("maps", ["diagonal", "orthogonal", "general"])
def test_change_of_basis(maps: str) -> None:
    """x -> O x with F -> R F O^T, orthogonal O at the nodes and R at the edges, turns Delta into O Delta O^T."""
    edge_index, n = messy_graph()
    ends = edge_ends(as_csr(edge_index, n).structure)
    row, col = ends.structure.row, ends.structure.col
    d, m = 3, len(row) // 2
    edge = torch.unique(torch.minimum(row, col) * n + torch.maximum(row, col), return_inverse=True)[1]
    generator = torch.Generator().manual_seed(4)

    def turns(count: int) -> Tensor:
        if maps == "diagonal":  # the changes of basis that keep maps diagonal
            return torch.diag_embed(torch.randn(count, d, generator=generator, dtype=torch.float64).sign())
        return torch.linalg.qr(torch.randn(count, d, d, generator=generator, dtype=torch.float64))[0]

    given = torch.randn(2 * m, d, d, generator=generator, dtype=torch.float64)
    given = {"diagonal": given * torch.eye(d), "orthogonal": turns(2 * m), "general": given}[maps]
    at_nodes, at_edges = turns(n), turns(m)[edge]
    turned = at_edges @ given @ at_nodes[row].transpose(1, 2)

    def operator(blocks: Tensor) -> Any:
        given = blocks.diagonal(dim1=1, dim2=2) if maps == "diagonal" else blocks
        parts = sheaf_ops.transports(given, None, ends, degree=maps != "orthogonal")
        return sheaf_laplacian(*parts, ends, d, low_pass=True, dtype=torch.float64)

    basis = torch.block_diag(*[torch.block_diag(block, torch.ones(1, 1)) for block in at_nodes])
    before, after = (operator(blocks).to_sparse().to_dense() for blocks in (given, turned))
    torch.testing.assert_close(after, basis @ before @ basis.t(), rtol=0, atol=1e-12)
    x = torch.randn(n, (d + 1) * 2, generator=generator, dtype=torch.float64)
    there = (basis @ x.view(-1, 2)).view(n, -1)
    torch.testing.assert_close((operator(turned) @ there).view(-1, 2), basis @ (operator(given) @ x).view(-1, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("compiled", [True, False])
def test_repeated_singular_values_have_finite_exact_gradients(dtype: torch.dtype, compiled: bool, monkeypatch: Any) -> None:
    if not compiled:
        monkeypatch.setattr(small_matrices, "compiled", lambda _: False)
    matrices = torch.stack([torch.eye(3), 5 * torch.eye(3), torch.diag(torch.tensor([2.0, 2.0, 7.0]))]).to(dtype)
    matrices.requires_grad_()
    root = small_matrices.inverse_root(matrices)
    probe = torch.arange(27.0, dtype=dtype).cos().view(3, 3, 3)
    (gradient,) = torch.autograd.grad((root * probe).sum(), matrices)
    expected_in = matrices.detach().double().requires_grad_()
    slow = torch.stack([slow_inverse_root(matrix) for matrix in expected_in])
    (expected,) = torch.autograd.grad((slow * (probe + probe.transpose(1, 2)).double() / 2).sum(), expected_in)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(root.detach().double(), slow.detach(), rtol=0, atol=tolerance)
    torch.testing.assert_close(gradient.double(), expected, rtol=0, atol=tolerance)


def test_general_maps_that_are_all_equal_train() -> None:
    """Equal maps make every degree block a multiple of one matrix; zero maps make it zero."""
    for weight in (0.0, 1.0):
        layer = make(maps="general").float()
        nn.init.constant_(layer.map_learner.weight, weight)
        x, edge_index, _ = problem(layer)
        layer.train()(x.float(), edge_index).square().sum().backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in layer.parameters())


def test_eigen_kernel_on_hard_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    for d in (1, 2, 4, 6):
        basis = torch.linalg.qr(torch.randn(20, d, d, generator=generator, dtype=torch.float64))[0]
        values = 1 + 10 ** (8 * torch.rand(20, d, generator=generator, dtype=torch.float64))
        values[:5] = 1 + 1e-9 * torch.arange(d)
        matrices = (basis * values.unsqueeze(1)) @ basis.transpose(1, 2)
        root = small_matrices.inverse_root(matrices)
        unit = torch.eye(d, dtype=torch.float64).expand(20, d, d)
        torch.testing.assert_close(root @ matrices @ root, unit, rtol=0, atol=1e-6)


@pytest.mark.parametrize("edge_weights", [False, True])
@pytest.mark.parametrize("variant", ["identity", "diagonal", "householder-5", "general", "general-1"])
def test_compiled_and_plain_paths_agree(variant: str, edge_weights: bool, monkeypatch: Any) -> None:
    layer = make(**VARIANTS[variant], edge_weights=edge_weights, low_pass=True)
    x, edge_index, weight = problem(layer, weighted=True)
    inputs = [x, weight, *layer.parameters()]
    compiled = layer(x, edge_index, weight)
    before = torch.autograd.grad(compiled.sin().sum(), inputs)
    for module in (sheaf_ops, small_matrices):
        monkeypatch.setattr(module, "compiled", lambda _: False)
    plain = layer(x, edge_index, weight)
    torch.testing.assert_close(plain, compiled, rtol=0, atol=1e-12)
    for one, other in zip(torch.autograd.grad(plain.sin().sum(), inputs), before, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)
