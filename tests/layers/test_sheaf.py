"""Sheaf diffusion against the explicit block Laplacian, made edge by edge."""

from __future__ import annotations

import gc
import math
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.utils import to_undirected

from graphkit import testing
from graphkit.layers import GCNConv
from graphkit.layers.sheaf import SheafDiffusion
from graphkit.layers.sheaf_laplacian import sheaf_laplacian
from graphkit.sparse import CSR, as_csr, sheaf_ops, small_matrices
from graphkit.sparse.edge_pairs import edge_pairs, undirected
from tests.layers.oracle import dense_operator, messy_graph

H = 3  # channels of each stalk dimension
VARIANTS = {
    "identity": {"maps": "identity"},
    "identity-2": {"maps": "identity", "stalk_dim": 1, "high_pass": True},
    "diagonal": {"maps": "diagonal"},
    "diagonal-1": {"maps": "diagonal", "stalk_dim": 1},
    "householder-2": {"maps": "orthogonal", "stalk_dim": 2},
    "householder": {"maps": "orthogonal"},
    "householder-5": {"maps": "orthogonal", "stalk_dim": 5},
    "cayley-2": {"maps": "orthogonal", "orthogonal": "cayley", "stalk_dim": 2},
    "cayley": {"maps": "orthogonal", "orthogonal": "cayley"},
    "cayley-4": {"maps": "orthogonal", "orthogonal": "cayley", "stalk_dim": 4},
    "exp-2": {"maps": "orthogonal", "orthogonal": "exp", "stalk_dim": 2},
    "exp": {"maps": "orthogonal", "orthogonal": "exp"},
    "exp-4": {"maps": "orthogonal", "orthogonal": "exp", "stalk_dim": 4},
    "rotation": {"maps": "orthogonal", "orthogonal": "rotation", "stalk_dim": 2},
    "general-1": {"maps": "general", "stalk_dim": 1},
    "general": {"maps": "general"},
    "general-5": {"maps": "general", "stalk_dim": 5},
}
every_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())


def make(**arguments: Any) -> SheafDiffusion:
    """A layer in float64 whose parameters are all away from their first values."""
    arguments = {"stalk_dim": 3, "low_pass": False, "high_pass": False, **arguments}
    stalks = arguments["stalk_dim"] + arguments["low_pass"] + arguments["high_pass"]
    layer = SheafDiffusion(stalks * H, **arguments).double().eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.7)
    return layer


def one_map(layer: SheafDiffusion, theta: Tensor) -> Tensor:
    """The restriction map of one end, from the learner's raw output."""
    d = layer.stalk_dim
    phi = {"tanh": torch.tanh, "elu": nn.functional.elu, None: lambda value: value}[layer.map_activation]
    theta = phi(theta)
    unit = torch.eye(d, dtype=torch.float64)
    if layer.maps == "identity":
        return unit
    if layer.maps == "diagonal":
        return torch.diag(theta)
    if layer.maps == "general":
        return theta.reshape(d, d)
    if layer.orthogonal == "rotation":
        cos, sin = torch.cos(2 * math.pi * theta[0]), torch.sin(2 * math.pi * theta[0])
        return torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])
    if layer.orthogonal == "householder":
        q, rest = unit, theta
        for i in range(d):
            v = torch.cat([torch.zeros(i, dtype=torch.float64), torch.ones(1, dtype=torch.float64), rest[: d - 1 - i]])
            rest = rest[d - 1 - i :]
            q = q @ (unit - 2 * torch.outer(v, v) / (v @ v))
        return q
    skew, k = torch.zeros(d, d, dtype=torch.float64), 0
    for i in range(d):
        for j in range(i):
            skew = skew + theta[k] * (torch.outer(unit[i], unit[j]) - torch.outer(unit[j], unit[i]))
            k += 1
    if layer.orthogonal == "exp":
        return torch.linalg.matrix_exp(skew)
    return torch.linalg.inv(unit - skew / 2) @ (unit + skew / 2)


def slow_inverse_root(matrix: Tensor) -> Tensor:
    """M^-1/2 by the Denman-Beavers iteration, whose gradient no repeated eigenvalue disturbs."""
    y, z = matrix, torch.eye(matrix.size(0), dtype=torch.float64)
    for _ in range(14):
        y, z = (y + torch.linalg.inv(z)) / 2, (z + torch.linalg.inv(y)) / 2
    return z


def undirected_weights(edge_index: Tensor, edge_weight: Tensor | None) -> dict[tuple[int, int], Any]:
    """Weight of each undirected edge: repeated edges add up, two directions are averaged, self-loops are dropped."""
    directed: dict[tuple[int, int], Any] = {}
    for e, (source, target) in enumerate(edge_index.t().tolist()):
        if source != target:
            weight = 1.0 if edge_weight is None else edge_weight[e]
            directed[source, target] = directed.get((source, target), 0.0) + weight
    result = {}
    for u, v in {(min(edge), max(edge)) for edge in directed}:
        given = [directed[edge] for edge in ((u, v), (v, u)) if edge in directed]
        result[u, v] = sum(given) / len(given)
    return result


def dense_laplacian(layer: SheafDiffusion, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
    """(D + I)^-1/2 L (D + I)^-1/2 with L and D from their definitions, one edge after another."""
    n, d, f = x.size(0), layer.stalk_dim, layer.num_stalks
    fixed = [1.0] * layer.low_pass + [-1.0] * layer.high_pass
    degree = [torch.zeros(f, f, dtype=torch.float64) for _ in range(n)]
    blocks: dict[tuple[int, int], Tensor] = {}
    for (v, u), weight in undirected_weights(edge_index, edge_weight).items():
        maps, gate = {}, 1.0
        for here, there in ((v, u), (u, v)):
            both = torch.cat([x[here], x[there]])
            theta = both[:0] if layer.map_learner is None else layer.map_learner.weight @ both
            maps[here] = one_map(layer, theta)
            if layer.weight_learner is not None:
                gate = gate * torch.sigmoid(layer.weight_learner.weight @ both) ** 2
        extra = weight * torch.eye(len(fixed), dtype=torch.float64)
        for here, there in ((v, u), (u, v)):
            degree[here] = degree[here] + torch.block_diag(weight * gate * maps[here].t() @ maps[here], extra)
            signs = extra @ torch.diag(torch.tensor(fixed, dtype=torch.float64))
            blocks[here, there] = torch.block_diag(-weight * gate * maps[here].t() @ maps[there], signs)
    root = [slow_inverse_root(block + torch.eye(f, dtype=torch.float64)) for block in degree]
    zero = torch.zeros(f, f, dtype=torch.float64)
    rows = []
    for v in range(n):
        row = [root[v] @ (degree[v] if u == v else blocks.get((v, u), zero)) @ root[u] for u in range(n)]
        rows.append(torch.cat(row, dim=1))
    return torch.cat(rows)


def dense_layer(layer: SheafDiffusion, x: Tensor, laplacian: Tensor) -> Tensor:
    """(1 + tanh eps) X - sigma(Delta (I kron W_1) X W_2) on the stacked state [N f, h]."""
    n, f = x.size(0), layer.num_stalks
    state = x.reshape(n * f, -1)
    left = torch.eye(f, dtype=torch.float64) if layer.left is None else layer.left
    right = torch.eye(H, dtype=torch.float64) if layer.right is None else layer.right
    moved = laplacian @ torch.kron(torch.eye(n, dtype=torch.float64), left) @ state @ right
    sigma = {"elu": nn.functional.elu, "tanh": torch.tanh, None: lambda value: value}[layer.activation]
    gain = torch.ones(f, dtype=torch.float64) if layer.step is None else 1 + torch.tanh(layer.step)
    return (gain.repeat(n).unsqueeze(1) * state - sigma(moved)).reshape(n, -1)


def problem(layer: SheafDiffusion, weighted: bool = False) -> tuple[Tensor, Tensor, Tensor | None]:
    edge_index, num_nodes = messy_graph()
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(num_nodes, layer.in_channels, generator=generator, dtype=torch.float64).requires_grad_()
    if not weighted:
        return x, edge_index, None
    weight = torch.rand(edge_index.size(1), generator=generator, dtype=torch.float64)
    return x, edge_index, weight.requires_grad_()


def assert_same(actual: Tensor, expected: Tensor, inputs: list[Tensor]) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)
    probe = torch.linspace(-1.0, 1.0, expected.numel(), dtype=torch.float64).sin().view_as(expected)
    ours = torch.autograd.grad((actual * probe).sum(), inputs)
    theirs = torch.autograd.grad((expected * probe).sum(), inputs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def assert_equals_oracle(layer: SheafDiffusion, weighted: bool) -> None:
    x, edge_index, weight = problem(layer, weighted)
    expected = dense_layer(layer, x, dense_laplacian(layer, x, edge_index, weight))
    inputs = [x, *layer.parameters(), *([] if weight is None else [weight])]
    assert_same(layer(x, edge_index, weight), expected, inputs)


@pytest.mark.parametrize("weighted", [False, True])
@every_variant
def test_equals_dense_oracle(variant: dict[str, Any], weighted: bool) -> None:
    assert_equals_oracle(make(**variant), weighted)


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
    theta = torch.randn(d * (d - 1) // 2, 40, dtype=torch.float64) * torch.logspace(-9, 2, 40, dtype=torch.float64)
    layer.map_activation = None
    q = layer._maps(theta).permute(2, 0, 1)
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
        theta = (scale * torch.randn(d * (d - 1) // 2, 3, dtype=torch.float64)).requires_grad_()
        torch.autograd.gradcheck(layer._maps, (theta,))


@pytest.mark.parametrize("maps", ["diagonal", "orthogonal", "general"])
def test_change_of_basis(maps: str) -> None:
    """x -> O x with F -> R F O^T, orthogonal O at the nodes and R at the edges, turns Delta into O Delta O^T."""
    edge_index, n = messy_graph()
    pairs = edge_pairs(as_csr(edge_index, n).structure)
    d, m = 3, pairs.size
    generator = torch.Generator().manual_seed(4)

    def turns(count: int) -> Tensor:
        if maps == "diagonal":  # the changes of basis that keep maps diagonal
            return torch.diag_embed(torch.randn(count, d, generator=generator, dtype=torch.float64).sign())
        return torch.linalg.qr(torch.randn(count, d, d, generator=generator, dtype=torch.float64))[0]

    given = torch.randn(2 * m, d, d, generator=generator, dtype=torch.float64)
    given = {"diagonal": given * torch.eye(d), "orthogonal": turns(2 * m), "general": given}[maps]
    at_nodes, at_edges = turns(n), turns(m).repeat(2, 1, 1)
    turned = at_edges @ given @ at_nodes[pairs.own].transpose(1, 2)
    options = {"orthogonal": maps == "orthogonal", "low_pass": True, "dtype": torch.float64}

    def operator(blocks: Tensor) -> Any:
        ends = blocks.diagonal(dim1=1, dim2=2).t() if maps == "diagonal" else blocks.permute(1, 2, 0)
        return sheaf_laplacian(ends.contiguous(), pairs, d, **options)

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
    torch.testing.assert_close(layer.right @ layer.right.t(), torch.eye(4))
    assert torch.equal(layer.step, torch.zeros(4))


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
    mask = nn.functional.dropout(torch.ones_like(x), 0.5)
    torch.manual_seed(0)
    sheaf = make(left_weights=False, right_weights=False, activation=None).sheaf(x * mask, edge_index)
    torch.testing.assert_close(maps_alone(x, edge_index), maps_alone.diffuse(x, sheaf))


def test_static_work_is_done_once_and_freed_with_the_graph() -> None:
    layer = make(maps="general", low_pass=True)
    x, edge_index, _ = problem(layer)
    edge_index = edge_index.clone()
    csr = as_csr(edge_index, x.size(0))
    layer(x, edge_index)
    pairs, weight, adjacency = undirected(csr)
    assert layer.sheaf(x, edge_index).pairs is pairs
    again = undirected(csr)
    assert again[1] is weight
    assert again[2] is adjacency
    watch = weakref.ref(pairs)
    del csr, pairs, weight, adjacency, again, edge_index
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
        edge_pairs(CSR.from_edge_index(torch.tensor([[0], [2]]), (3, 2)).structure)


def test_batch_of_graphs_in_training_mode_shares_the_layer() -> None:
    testing.assert_batch_invariant(lambda: SheafDiffusion(8, stalk_dim=3, maps="general", low_pass=True), 8, weighted=True)
