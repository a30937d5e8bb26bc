"""The sheaf Laplacian from its definition, made edge by edge; shares no code with the layer."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graphkit.layers import SheafDiffusion
from tests.layers.oracle import assert_same, messy_graph

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


def make(kind: Any = SheafDiffusion, **arguments: Any) -> Any:
    """A layer in float64 whose parameters are all away from their first values."""
    arguments = {"stalk_dim": 3, "low_pass": False, "high_pass": False, **arguments}
    stalks = arguments["stalk_dim"] + arguments["low_pass"] + arguments["high_pass"]
    layer = kind(stalks * H, **arguments).double().eval()
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
    n, f = x.size(0), layer.num_stalks
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


def assert_equals_oracle(layer: SheafDiffusion, weighted: bool) -> None:
    x, edge_index, weight = problem(layer, weighted)
    expected = dense_layer(layer, x, dense_laplacian(layer, x, edge_index, weight))
    inputs = [x, *layer.parameters(), *([] if weight is None else [weight])]
    assert_same(layer(x, edge_index, weight), expected, inputs)
