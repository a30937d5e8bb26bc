"""Vectors of channels and of small matrices: every width and every order against a plain loop, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.sparse import as_csr
from graphkit.sparse.edge_pairs import EdgePairs, edge_pairs
from graphkit.sparse.sheaf_ops import Fixed, at_ends, diffuse, transports

NODES = 40
WIDTHS = 1, 3, 16, 17, 32, 40, 70


def _pairs() -> EdgePairs:
    generator = torch.Generator().manual_seed(0)
    dense = torch.rand(NODES - 5, NODES - 5, generator=generator) < 0.3  # the last nodes are isolated
    return edge_pairs(as_csr(dense.nonzero().t().contiguous(), NODES).structure)


def _random(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=dtype).requires_grad_()


def _assert_same(ours: Tensor, slow: Tensor, inputs: list[Tensor]) -> None:
    """Equal values, and equal gradients of a random linear function of them."""
    tolerance = 1e-11 if ours.dtype == torch.float64 else 1e-3
    weight = torch.randn(slow.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    pairs = [(ours, slow)]
    pairs += zip(
        torch.autograd.grad((ours * weight).sum(), inputs, retain_graph=True),
        torch.autograd.grad((slow * weight).sum(), inputs),
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one.double(), other.double(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("diagonal", "diagonal_root"), [(False, False), (False, True), (True, True)])
@pytest.mark.parametrize(("d", "h"), [(3, width) for width in WIDTHS] + [(1, 20), (2, 5), (4, 33), (5, 16)])
def test_diffusion(d: int, h: int, diagonal: bool, diagonal_root: bool, dtype: torch.dtype) -> None:
    pairs = _pairs()
    blocks, x = _random(pairs.size, 1 if diagonal else d, d, dtype=dtype), _random(NODES, d, h, dtype=dtype)
    given = _random(NODES, 1 if diagonal_root else d, d, dtype=dtype)
    turned = blocks if diagonal else blocks.transpose(1, 2)
    empty = blocks.new_empty(2 * pairs.size, *blocks.shape[1:])
    transport = empty.index_put((pairs.upper,), blocks).index_put((pairs.lower,), turned)
    root = 0.2 * (given if diagonal_root else given + given.transpose(1, 2))
    roots = [(one[0].diag() if diagonal_root else one).double() for one in root]
    scaled = [one @ stalks.double() for one, stalks in zip(roots, x, strict=True)]
    rows = list(scaled)
    for k, (v, u) in enumerate(zip(pairs.low.tolist(), pairs.high.tolist(), strict=True)):
        block = (blocks[k, 0].diag() if diagonal else blocks[k]).double()
        rows[v] = rows[v] + block @ scaled[u]
        rows[u] = rows[u] + block.t() @ scaled[v]
    slow = torch.stack([stalks.double() - one @ row for stalks, one, row in zip(x, roots, rows, strict=True)])
    _assert_same(diffuse(transport, root, x, pairs), slow, [blocks, given, x])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize(("signs", "h"), [([-1.0], 5), ([1.0], 33), ([-1.0, 1.0], 70)])
def test_dimensions_that_are_not_learned(signs: list[float], h: int, diagonal: bool, dtype: torch.dtype) -> None:
    pairs, d = _pairs(), 2
    blocks = _random(pairs.size, 1 if diagonal else d, d, dtype=dtype)
    weight, scale = _random(pairs.size, dtype=dtype), _random(NODES, dtype=dtype)
    x = _random(NODES, d + len(signs), h, dtype=dtype)
    root = torch.ones(NODES, 1 if diagonal else d, d, dtype=dtype)
    turned = blocks if diagonal else blocks.transpose(1, 2)
    empty = blocks.new_empty(2 * pairs.size, *blocks.shape[1:])
    transport = empty.index_put((pairs.upper,), blocks).index_put((pairs.lower,), turned)
    learned = diffuse(transport, root, x[:, :d], pairs)  # which the test above looks at
    dense = torch.zeros(NODES, NODES, dtype=torch.float64).index_put((pairs.low, pairs.high), weight.double())
    dense, s = dense + dense.t(), scale.double().diag()
    unit = torch.eye(NODES, dtype=torch.float64)
    rest = [(unit - s @ (unit + sign * dense) @ s) @ x[:, d + k].double() for k, sign in enumerate(signs)]
    slow = torch.cat([learned.double(), torch.stack(rest, dim=1)], dim=1)
    fixed = Fixed(scale, weight[pairs.pair], torch.tensor(signs, dtype=dtype))
    _assert_same(diffuse(transport, root, x, pairs, fixed), slow, [blocks, weight, scale, x])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", WIDTHS)
def test_values_at_ends(channels: int, dtype: torch.dtype) -> None:
    pairs = _pairs()
    nodes = _random(NODES, 2 * channels, dtype=dtype)
    first, second = nodes[:, :channels].double(), nodes[:, channels:].double()
    ends = list(zip(pairs.own.tolist(), pairs.other.tolist(), strict=True))
    _assert_same(at_ends(nodes, pairs), torch.stack([first[v] + second[u] for v, u in ends], dim=1), [nodes])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
def test_degrees(d: int, diagonal: bool, weighted: bool, dtype: torch.dtype) -> None:
    pairs = _pairs()
    maps, weight = _random(*(d,) * (2 - diagonal), 2 * pairs.size, dtype=dtype), _random(pairs.size, dtype=dtype)
    rows = [torch.zeros(d, d, dtype=torch.float64) for _ in range(NODES)]
    for e, v in enumerate(pairs.own.tolist()):
        one = (maps[:, e].diag() if diagonal else maps[..., e]).double()
        rows[v] = rows[v] + (weight[e % pairs.size].double() if weighted else 1.0) * one.t() @ one
    a, b = (torch.arange(d),) * 2 if diagonal else torch.triu_indices(d, d)
    _, degree = transports(maps, weight if weighted else None, pairs, degree=True)
    _assert_same(degree, torch.stack(rows)[:, a, b], [maps, weight] if weighted else [maps])
