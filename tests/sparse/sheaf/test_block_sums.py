"""Vectors of channels and of small matrices: every width and every order against a plain loop, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.sparse import as_csr
from graphkit.sparse.sheaf.ends import EdgeEnds, edge_ends
from graphkit.sparse.sheaf.operations import Fixed, at_ends, diffuse, tanh_transports, transports

NODES = 40
WIDTHS = 1, 3, 16, 17, 32, 40, 70


def _ends() -> EdgeEnds:
    generator = torch.Generator().manual_seed(0)
    dense = torch.rand(NODES - 5, NODES - 5, generator=generator) < 0.3  # the last nodes are isolated
    return edge_ends(as_csr(dense.nonzero().t().contiguous(), NODES).structure)


def _random(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=dtype).requires_grad_()


def _pairs(ends: EdgeEnds) -> tuple[Tensor, Tensor, Tensor]:
    """Each edge once: its nodes v < u, and the place of (v, u)."""
    row, col = ends.structure.row, ends.structure.col
    upper = (row < col).nonzero().flatten()
    return row[upper], col[upper], upper


def _symmetric(of_pairs: Tensor, ends: EdgeEnds) -> Tensor:
    """Matrices or numbers of the pairs at both ends, matrices transposed at the second."""
    _, _, upper = _pairs(ends)
    turned = of_pairs.transpose(1, 2) if of_pairs.dim() == 3 and of_pairs.size(1) == of_pairs.size(2) else of_pairs
    empty = of_pairs.new_empty(ends.structure.nnz, *of_pairs.shape[1:])
    return empty.index_put((upper,), of_pairs).index_put((ends.twin[upper].long(),), turned)


def _assert_same(ours: Tensor, slow: Tensor, inputs: list[Tensor]) -> None:
    """Equal values, and equal gradients of a random linear function of them."""
    tolerance = 1e-11 if ours.dtype == torch.float64 else 1e-3
    weight = torch.randn(slow.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    pairs = [(ours, slow)]
    pairs += zip(
        torch.autograd.grad((ours * weight).sum(), inputs, retain_graph=True),
        torch.autograd.grad((slow * weight).sum(), inputs, retain_graph=True),
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one.double(), other.double(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("diagonal", "diagonal_root"), [(False, False), (False, True), (True, True)])
@pytest.mark.parametrize(("d", "h"), [(3, width) for width in WIDTHS] + [(1, 20), (2, 5), (4, 33), (5, 16)])
def test_diffusion(d: int, h: int, diagonal: bool, diagonal_root: bool, dtype: torch.dtype) -> None:
    ends = _ends()
    low, high, _ = _pairs(ends)
    blocks, x = _random(len(low), 1 if diagonal else d, d, dtype=dtype), _random(NODES, d, h, dtype=dtype)
    given = _random(NODES, 1 if diagonal_root else d, d, dtype=dtype)
    root = 0.2 * (given if diagonal_root else given + given.transpose(1, 2))
    roots = [(one[0].diag() if diagonal_root else one).double() for one in root]
    scaled = [one @ stalks.double() for one, stalks in zip(roots, x, strict=True)]
    rows = list(scaled)
    for k, (v, u) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        block = (blocks[k, 0].diag() if diagonal else blocks[k]).double()
        rows[v] = rows[v] + block @ scaled[u]
        rows[u] = rows[u] + block.t() @ scaled[v]
    slow = torch.stack([stalks.double() - one @ row for stalks, one, row in zip(x, roots, rows, strict=True)])
    _assert_same(diffuse(_symmetric(blocks, ends), root, x, ends), slow, [blocks, given, x])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize(("signs", "h"), [([-1.0], 5), ([1.0], 33), ([-1.0, 1.0], 70)])
def test_dimensions_that_are_not_learned(signs: list[float], h: int, diagonal: bool, dtype: torch.dtype) -> None:
    ends, d = _ends(), 2
    low, high, _ = _pairs(ends)
    blocks = _random(len(low), 1 if diagonal else d, d, dtype=dtype)
    weight, scale = _random(len(low), dtype=dtype), _random(NODES, dtype=dtype)
    x = _random(NODES, d + len(signs), h, dtype=dtype)
    root = torch.ones(NODES, 1 if diagonal else d, d, dtype=dtype)
    transport = _symmetric(blocks, ends)
    learned = diffuse(transport, root, x[:, :d], ends)  # which the test above looks at
    dense = torch.zeros(NODES, NODES, dtype=torch.float64).index_put((low, high), weight.double())
    dense, s = dense + dense.t(), scale.double().diag()
    unit = torch.eye(NODES, dtype=torch.float64)
    rest = [(unit - s @ (unit + sign * dense) @ s) @ x[:, d + k].double() for k, sign in enumerate(signs)]
    slow = torch.cat([learned.double(), torch.stack(rest, dim=1)], dim=1)
    fixed = Fixed(scale, _symmetric(weight, ends), torch.tensor(signs, dtype=dtype))
    _assert_same(diffuse(transport, root, x, ends, fixed), slow, [blocks, weight, scale, x])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", WIDTHS)
def test_values_at_ends(channels: int, dtype: torch.dtype) -> None:
    ends = _ends()
    nodes = _random(NODES, 2 * channels, dtype=dtype)
    first, second = nodes[:, :channels].double(), nodes[:, channels:].double()
    slow = [first[v] + second[u] for v, u in zip(ends.structure.row.tolist(), ends.structure.col.tolist(), strict=True)]
    _assert_same(at_ends(nodes, ends), torch.stack(slow), [nodes])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
def test_transports_and_degrees(d: int, diagonal: bool, weighted: bool, dtype: torch.dtype) -> None:
    ends = _ends()
    low, high, upper = _pairs(ends)
    maps = _random(ends.structure.nnz, *(d,) * (2 - diagonal), dtype=dtype)
    weight = _random(len(low), dtype=dtype)
    blocks = [torch.zeros(d, d, dtype=torch.float64) for _ in range(ends.structure.nnz)]
    rows = [torch.zeros(d, d, dtype=torch.float64) for _ in range(NODES)]
    place = {pair: e for e, pair in enumerate(zip(ends.structure.row.tolist(), ends.structure.col.tolist(), strict=True))}
    for k, (v, u) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        at_v, at_u = ((maps[place[pair]].diag() if diagonal else maps[place[pair]]).double() for pair in ((v, u), (u, v)))
        w = weight[k].double() if weighted else 1.0
        blocks[place[v, u]], blocks[place[u, v]] = w * at_v.t() @ at_u, w * at_u.t() @ at_v
        rows[v], rows[u] = rows[v] + w * at_v.t() @ at_v, rows[u] + w * at_u.t() @ at_u
    inputs = [maps, weight] if weighted else [maps]
    transport, degree = transports(maps, _symmetric(weight, ends) if weighted else None, ends, degree=True)
    alone, _ = transports(maps, _symmetric(weight, ends) if weighted else None, ends, degree=False)
    slow = torch.stack(blocks)
    _assert_same(degree, torch.stack(rows)[:, *((torch.arange(d),) * 2 if diagonal else torch.triu_indices(d, d))], inputs)
    for found in (transport, alone):
        _assert_same(found, slow.diagonal(dim1=1, dim2=2).unsqueeze(1) if diagonal else slow, inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_transports_from_numbers_at_nodes(d: int, diagonal: bool, weighted: bool, dtype: torch.dtype) -> None:
    """Against the operations that it is made of, which the tests above look at."""
    ends = _ends()
    nodes = _random(NODES, 2 * d ** (2 - diagonal), dtype=dtype)
    weight = _random(ends.structure.nnz // 2, dtype=dtype)
    inputs = [nodes, weight] if weighted else [nodes]
    w = _symmetric(weight, ends) if weighted else None
    maps = at_ends(nodes, ends).tanh()
    slow = transports(maps if diagonal else maps.unflatten(1, (d, d)), w, ends, degree=True)
    for one, other in zip(tanh_transports(nodes, d, w, ends), slow, strict=True):
        _assert_same(one, other.double(), inputs)


@pytest.mark.parametrize(("dtype", "ulps"), [(torch.float32, 8), (torch.float64, 2)])
@pytest.mark.parametrize("d", [1, 3, 4])
def test_hyperbolic_tangent_of_maps_of_any_size(d: int, dtype: torch.dtype, ulps: int) -> None:
    """Pairs of nodes with F = tanh(x) at one end and 1 at the other, so that T = tanh(x) and D is its square."""
    size = torch.logspace(-30, 1.6, 3000, dtype=torch.float64)
    x = torch.cat([-size, size, torch.tensor([0.0, -0.0, 9.0, 9.02, 9.03, 1e30, torch.inf, -torch.inf])]).to(dtype)
    nodes = torch.zeros(len(x), 2, 2, d, dtype=dtype)
    nodes[:, 0, 0] = x[:, None]  # a of the first node; the other end is tanh(a of the second)
    nodes[:, 1, 0] = 100.0
    pairs = torch.arange(2 * len(x)).view(-1, 2).t()
    transport, degree = tanh_transports(nodes.view(-1, 2 * d), d, None, edge_ends(as_csr(pairs, 2 * len(x)).structure))
    expected = x.double().tanh()[:, None]
    bound = ulps * torch.finfo(dtype).eps
    torch.testing.assert_close(transport[::2, 0].double(), expected.expand(-1, d), rtol=bound, atol=0)
    torch.testing.assert_close(degree[::2].double(), expected.square().expand(-1, d), rtol=2 * bound, atol=1e-38)


def test_hyperbolic_tangent_of_no_number_is_none() -> None:
    nodes = torch.tensor([[float("nan"), 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    transport, degree = tanh_transports(nodes, 1, None, edge_ends(as_csr(torch.tensor([[0, 2], [1, 3]]), 4).structure))
    assert transport.isnan().flatten().tolist() == [True, True, False, False]
    assert degree.isnan().flatten().tolist() == [True, False, False, False]
