"""The equivariant maps against their basis written out, one entry at a time, and against the theory: ranks and renaming."""

import itertools

import pytest
import torch

from graphkit.layers import EquivariantLinear
from graphkit.layers.subgraph.equivariant import BASIS

MAPS = sorted(BASIS)


def basis(x, k, order, m):
    """Map number `k`, from 1, of one channel: x [m, m] or [m] to order `order`, by loops."""
    nodes = range(m)
    if x.dim() == 2:
        d = [x[i, i] for i in nodes]
        r = [sum(x[i, j] for j in nodes) / m for i in nodes]
        c = [sum(x[j, i] for j in nodes) / m for i in nodes]
        t, s = sum(d) / m, sum(r) / m
        if order == 0:
            return [t, s][k - 1]
        if order == 1:
            return torch.stack([[d[i], t, r[i], c[i], s][k - 1] for i in nodes])
        zero = 0 * t

        def entry(i, j):
            on = [d[i], t, r[i], c[i], s][k - 1] if k <= 5 else zero
            off = [c[i], r[i], c[j], r[j], x[i, j], x[j, i], d[i], d[j], t, s][k - 6]
            return (on if i == j else zero) if k <= 5 else off

    else:
        total = sum(x[i] for i in nodes) / m
        if order == 0:
            return total
        if order == 1:
            return torch.stack([[x[i], total][k - 1] for i in nodes])

        def entry(i, j):
            on = [x[i], total][k - 1] if k <= 2 else 0 * total
            off = [x[j], x[i], total][k - 3]
            return (on if i == j else 0 * total) if k <= 2 else off

    return torch.stack([torch.stack([entry(i, j) for j in nodes]) for i in nodes])


def tensors(order, m, channels=3, count=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *[m] * order, channels, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("m", [1, 2, 3, 5])
@pytest.mark.parametrize(("source", "target"), MAPS)
def test_maps_equal_the_oracle(source, target, m):
    torch.manual_seed(0)
    layer = EquivariantLinear(3, 2, orders=(source, target)).double()
    torch.nn.init.normal_(layer.bias)
    x = tensors(source, m).requires_grad_()
    rows = []
    for one in x:
        mapped = [[basis(one[..., i], k, target, m) for i in range(3)] for k in range(1, BASIS[source, target] + 1)]
        out = sum(mapped[k][i].unsqueeze(-1) * layer.weight[k, i] for k in range(len(mapped)) for i in range(3))
        if target == 2:
            out = out + layer.bias[1] + torch.eye(m, dtype=torch.float64).unsqueeze(-1) * layer.bias[0]
        else:
            out = out + layer.bias[0]
        rows.append(out)
    expected, ours = torch.stack(rows), layer(x)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    leaves = [x, layer.weight, layer.bias]
    for one, two in zip(*(torch.autograd.grad(out.sin().sum(), leaves) for out in (ours, expected)), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-11)


@pytest.mark.parametrize("m", [1, 2, 4, 7, 30])
@pytest.mark.parametrize(("source", "target"), MAPS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_renaming_the_nodes_renames_the_result(source, target, m, dtype, tolerance):
    torch.manual_seed(0)
    layer = EquivariantLinear(3, 4, orders=(source, target)).to(dtype)
    torch.nn.init.normal_(layer.bias)
    x = tensors(source, m).to(dtype)
    for _ in range(5):
        order = torch.randperm(m)

        def renamed(y, order=order):
            for dim in range(1, y.dim() - 1):
                y = y.index_select(dim, order)
            return y

        torch.testing.assert_close(layer(renamed(x)), renamed(layer(x)), rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("source", "target", "ranks"),
    [
        (2, 2, [1, 8, 14, 15, 15]),
        (2, 1, [1, 4, 5, 5, 5]),
        (1, 2, [1, 4, 5, 5, 5]),
        (1, 1, [1, 2, 2, 2, 2]),
        (2, 0, [1, 2, 2, 2, 2]),
        (1, 0, [1, 1, 1, 1, 1]),
    ],
)
def test_as_many_maps_are_independent_as_theory_says(source, target, ranks):
    for m, rank in zip([1, 2, 3, 4, 6], ranks, strict=True):
        layer = EquivariantLinear(1, 1, orders=(source, target), bias=False).double()
        matrices = []
        unit = torch.eye(m**source, dtype=torch.float64).view(-1, *[m] * source, 1)
        for k in range(layer.weight.size(0)):
            with torch.no_grad():
                layer.weight.zero_()
                layer.weight[k] = 1
                matrices.append(layer(unit).flatten())
        assert int(torch.linalg.matrix_rank(torch.stack(matrices))) == rank
        if m**source * m**target <= 300:  # and no other map commutes with renaming: count the fixed space
            swaps = []
            for order in itertools.islice(itertools.permutations(range(m)), 1, None) if m <= 4 else []:
                p = torch.eye(m, dtype=torch.float64)[list(order)]
                big_in = torch.kron(p, p) if source == 2 else p
                big_out = {2: torch.kron(p, p), 1: p, 0: torch.ones(1, 1, dtype=torch.float64)}[target]
                swaps.append(torch.kron(big_out, big_in) - torch.eye(big_in.size(0) * big_out.size(0), dtype=torch.float64))
            if swaps:
                whole = torch.cat(swaps)
                assert whole.size(1) - int(torch.linalg.matrix_rank(whole)) == rank


def test_the_basis_is_never_stacked():
    """No operation makes a tensor larger than the input."""
    layer = EquivariantLinear(4, 4)
    x = torch.randn(3, 32, 32, 4)
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest = max(largest, out.numel())
            return out

    with torch.no_grad(), Watch():
        layer(x)
    assert largest == x.numel()


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="order 1 or 2"):
        EquivariantLinear(3, 3, orders=(0, 1))
    for wrong in (torch.zeros(2, 3, 4, 3), torch.zeros(2, 3, 3), torch.zeros(2, 3, 3, 4), torch.zeros(2, 0, 0, 3)):
        with pytest.raises(ValueError, match="x must have shape"):
            EquivariantLinear(3, 3)(wrong)
