"""Segment reductions against a loop over segments, with empty segments first, in the middle, last and everywhere."""

import pytest
import torch

from graphkit.sparse import segment_max, segment_mean, segment_softmax, segment_sum

COUNTS = {
    "plain": [2, 3, 1],
    "empty first": [0, 3, 2],
    "empty middle": [1, 0, 0, 4],
    "empty last": [4, 2, 0],
    "only empty": [0, 0],
    "no segment": [],
}
ORACLE = {
    segment_sum: lambda part: part.sum(0),
    segment_mean: lambda part: part.mean(0),
    segment_max: lambda part: part.amax(0),
}


def pointers(counts):
    return torch.tensor([0, *counts], dtype=torch.int64).cumsum(0)


def values(counts, tail=(), dtype=torch.float64):
    g = torch.Generator().manual_seed(sum(counts))
    # All negative: a maximum that starts from 0 would show.
    return (-1 - torch.rand(sum(counts), *tail, generator=g, dtype=torch.float64)).to(dtype)


@pytest.mark.parametrize("reduce", ORACLE, ids=lambda f: f.__name__)
@pytest.mark.parametrize("tail", [(), (3,), (2, 3), (0,)])
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS.keys())
def test_reductions(reduce, tail, counts):
    v, rowptr = values(counts, tail), pointers(counts)
    parts = v.split(counts) if counts else []
    empty = torch.zeros(tail, dtype=torch.float64)
    rows = [ORACLE[reduce](part) if len(part) and part.numel() else empty for part in parts]
    expected = torch.stack(rows) if rows else torch.zeros(0, *tail, dtype=torch.float64)
    torch.testing.assert_close(reduce(v, rowptr), expected)
    v.requires_grad_()
    assert torch.autograd.gradcheck(lambda v: reduce(v, rowptr), (v,)) or v.numel() == 0


@pytest.mark.parametrize("tail", [(), (3,), (2, 3)])
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS.keys())
def test_softmax(tail, counts):
    v, rowptr = values(counts, tail).requires_grad_(), pointers(counts)
    parts = v.detach().split(counts) if counts else []
    expected = torch.cat([part.softmax(0) for part in parts]) if parts else v.detach()
    torch.testing.assert_close(segment_softmax(v, rowptr), expected, check_device=False)
    if v.numel():
        assert torch.autograd.gradcheck(lambda v: segment_softmax(v, rowptr), (v,))


def test_given_rows_change_nothing():
    v, rowptr, row = values([2, 0, 3]), pointers([2, 0, 3]), torch.tensor([0, 0, 2, 2, 2])
    for reduce in (segment_sum, segment_mean, segment_softmax):
        torch.testing.assert_close(reduce(v, rowptr, row), reduce(v, rowptr))


def test_softmax_stays_finite():
    inf = float("inf")
    v = torch.tensor([1000.0, 999.0, -inf, 3.0, -inf, -inf], requires_grad=True)
    out = segment_softmax(v, pointers([2, 0, 2, 2]))
    out.square().sum().backward()
    torch.testing.assert_close(out, torch.tensor([0.731059, 0.268941, 0.0, 1.0, 0.0, 0.0]))
    assert bool(v.grad.isfinite().all())


def test_equal_maxima_share_the_gradient():
    v = torch.tensor([2.0, 2.0, 1.0, 5.0], requires_grad=True)
    segment_max(v, pointers([3, 0, 1])).sum().backward()
    assert v.grad.tolist() == [0.5, 0.5, 0, 1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("tail", [(), (2,)])
def test_sixteen_bits_accumulate_in_float32(dtype, tail):
    ones, rowptr = torch.ones(3000, *tail, dtype=dtype, requires_grad=True), pointers([3000, 0])
    out = segment_sum(ones, rowptr)
    assert out.dtype == dtype
    assert out[0].flatten()[0].item() == torch.tensor(3000.0, dtype=dtype).item()
    share = segment_softmax(ones, rowptr)
    assert share.dtype == dtype
    torch.testing.assert_close(share.float(), torch.full_like(share, 1 / 3000).float(), rtol=1e-2, atol=0)
    (share.sum() + out.sum()).backward()
    assert ones.grad.dtype == dtype


def test_strided_values():
    v = values([5, 4], (3,)).t().contiguous().t()
    torch.testing.assert_close(segment_max(v, pointers([5, 4])), torch.stack([v[:5].amax(0), v[5:].amax(0)]))
    torch.testing.assert_close(segment_sum(v[:, 1], pointers([5, 4])), torch.stack([v[:5, 1].sum(), v[5:, 1].sum()]))


def test_second_derivative_of_a_sum():
    v = values([2, 0, 3]).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda v: segment_sum(v.square(), pointers([2, 0, 3])), (v,))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("reduce", [segment_sum, segment_mean, segment_max, segment_softmax])
@pytest.mark.parametrize("tail", [(), (3,)])
def test_cuda_equals_cpu(reduce, tail):
    counts = COUNTS["empty middle"]
    a, b = values(counts, tail).requires_grad_(), values(counts, tail).cuda().requires_grad_()
    x, y = reduce(a, pointers(counts)), reduce(b, pointers(counts).cuda())
    x.square().sum().backward()
    y.square().sum().backward()
    torch.testing.assert_close(y.cpu(), x)
    torch.testing.assert_close(b.grad.cpu(), a.grad)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="end at 3, the number of values"):
        segment_sum(torch.ones(3), torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="values must be floating point"):
        segment_max(torch.ones(3, dtype=torch.int64), torch.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"row must have shape \[3\]"):
        segment_softmax(torch.ones(3), torch.tensor([0, 3]), torch.zeros(2, dtype=torch.int64))
