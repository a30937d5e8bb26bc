"""Gathers against a loop over positions, and that their gradients are the same bits run after run with several threads."""

import pytest
import torch

from graphkit.sparse import CSR, at_cols, at_rows, gather, incidence_of
from graphkit.sparse.gathering import sum_rows

IDS = {
    "repeated": [4, 0, 0, 2, 4, 4, 1],
    "distinct": [3, 1, 0],
    "one": [2],
    "none": [],
}
TAILS = [(), (1,), (3,), (2, 3), (70,), (0,)]


pytestmark = pytest.mark.usefixtures("threads_as_before")


def looped(x, ids, g):
    """Rows, and the gradient of their inner product with g, position by position."""
    gradient = torch.zeros_like(x)
    for place, number in enumerate(ids):
        gradient[number] += g[place]
    return torch.stack([x[number] for number in ids]) if ids else x[:0], gradient


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("ids", IDS.values(), ids=IDS.keys())
def test_against_a_loop(ids, tail, dtype):
    source = torch.Generator().manual_seed(len(ids))
    x = torch.randn(5, *tail, generator=source, dtype=dtype, requires_grad=True)
    g = torch.randn(len(ids), *tail, generator=source, dtype=dtype)
    for index in (torch.tensor(ids, dtype=torch.int64), torch.tensor(ids, dtype=torch.int32)):
        for incidence in (None, incidence_of(index, 5)):
            out = gather(x, index, incidence)
            (gradient,) = torch.autograd.grad(out, x, g)
            expected, expected_gradient = looped(x.detach(), ids, g)
            assert torch.equal(out.detach(), expected)
            assert gradient.dtype == dtype
            torch.testing.assert_close(gradient, expected_gradient)


def test_any_shape_of_index():
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([[0, 4, 4], [1, 0, 0]])
    out = gather(x, index)
    assert torch.equal(out, x[index])
    g = torch.randn_like(out)
    torch.testing.assert_close(torch.autograd.grad(out, x, g), torch.autograd.grad(x[index], x, g))


def test_strided_rows_and_gradients():
    x = torch.randn(3, 5, dtype=torch.float64).t().requires_grad_()
    index = torch.tensor([4, 0, 0])
    g = torch.randn(3, 3, dtype=torch.float64).t()
    torch.testing.assert_close(torch.autograd.grad(gather(x, index), x, g), torch.autograd.grad(x[index], x, g))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_adds_in_single(dtype):
    x = torch.zeros(2, 4, dtype=dtype, requires_grad=True)
    gather(x, torch.zeros(3000, dtype=torch.int64)).sum().backward()  # 16 bits alone would stop at 256 or 2048
    assert x.grad.dtype == dtype
    assert x.grad[0, 0].item() == torch.tensor(3000.0, dtype=dtype).item() and x.grad[1].abs().sum() == 0


@pytest.mark.parametrize("symmetric", [False, True])
def test_at_the_entries_of_a_structure(symmetric):
    edges = torch.tensor([[0, 3, 1, 4, 4, 2], [2, 1, 1, 0, 2, 2]])
    edges = torch.cat([edges, edges.flip(0)], dim=1) if symmetric else edges
    structure = CSR.from_edge_index(edges, 5).structure
    assert structure.symmetric == symmetric
    for pattern in (structure, structure.t()):
        x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
        g = torch.randn(pattern.nnz, 2, dtype=torch.float64)
        for take, index in ((at_rows, pattern.row), (at_cols, pattern.col)):
            expected, expected_gradient = looped(x.detach(), index.tolist(), g)
            assert torch.equal(take(x, pattern), expected)
            torch.testing.assert_close(torch.autograd.grad(take(x, pattern), x, g)[0], expected_gradient)


def test_second_derivatives():
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([4, 0, 0, 2])
    assert torch.autograd.gradgradcheck(lambda x: gather(x, index).pow(3), (x,))
    values = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda values: sum_rows(values, index, incidence_of(index, 5)).pow(3), (values,))


def test_incidence_is_a_stable_sort():
    index = torch.randint(70, (1000,), generator=torch.Generator().manual_seed(0))
    incidence = incidence_of(index, 80)
    assert incidence.shape == (80, 1000)
    assert torch.equal(incidence.col, torch.argsort(index, stable=True))
    assert torch.equal(incidence.rowptr.diff(), torch.bincount(index, minlength=80))


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("tail", [(), (64,)])
def test_gradients_repeat_to_the_last_bit(threads, tail):
    """Those of `x[index]` differ from run to run."""
    source = torch.Generator().manual_seed(0)
    x = torch.randn(4000, *tail, generator=source, requires_grad=True)
    index, g = torch.randint(4000, (60_000,), generator=source), torch.randn(60_000, *tail, generator=source)
    torch.set_num_threads(1)
    (alone,) = torch.autograd.grad(x[index], x, g)
    torch.set_num_threads(threads)
    for _ in range(5):
        assert torch.equal(torch.autograd.grad(gather(x, index), x, g)[0], alone)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # the compiler looks at it
def test_compiles():
    x, index = torch.randn(5, 2), torch.tensor([1, 1, 4])

    def loss(x):
        return gather(x * 2, index).square().sum()

    gradients = []
    for call in (loss, torch.compile(loss, backend="aot_eager")):
        leaf = x.clone().requires_grad_()
        call(leaf).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("tail", [(), (3,), (2, 3)])
def test_cuda_equals_cpu(tail):
    x = torch.randn(5, *tail, dtype=torch.float64)
    index, gradients = torch.tensor([4, 0, 0, 2, 4]), []
    for device in ("cpu", "cuda"):
        leaf = x.to(device).requires_grad_()
        gather(leaf, index.to(device)).pow(3).sum().backward()
        gradients.append(leaf.grad.cpu())
    torch.testing.assert_close(*gradients)


def test_bad_input_is_named():
    x = torch.ones(3, 2)
    for bad in (3, -1):
        with pytest.raises(ValueError, match=r"ids must lie in \[0, 3\)"):
            gather(x, torch.tensor([0, bad]))
        with pytest.raises(ValueError, match=r"ids must lie in \[0, 3\)"):
            incidence_of(torch.tensor([0, bad]), 3)
    with pytest.raises(ValueError, match=r"incidence must be \[3, 2\]"):
        gather(x, torch.tensor([0, 1]), incidence_of(torch.tensor([0]), 3))
    with pytest.raises(TypeError, match="take mask.nonzero"):
        gather(x, torch.tensor([True, False, True]))
    with pytest.raises(ValueError, match="got a single number"):
        gather(torch.tensor(1.0), torch.tensor([0]))
