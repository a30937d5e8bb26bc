"""The functional form of LayerNorm-Dropout-ReLU: corners, and agreement with torch where values are not finite."""

import pytest
import torch
import torch.nn.functional as F

from graphkit.sparse.rows.norm_dropout_relu import norm_dropout_relu


def scale_and_shift(channels, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(channels, generator=generator, dtype=torch.float64).to(dtype).requires_grad_() for _ in range(2))


def by_torch(x, weight=None, bias=None, eps=1e-5):
    return F.relu(x if weight is None else F.layer_norm(x, x.shape[-1:], weight, bias, eps))


@pytest.mark.parametrize("p", [0.0, 0.5])
@pytest.mark.parametrize("normed", [True, False])
def test_gradcheck(normed, p):
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    inputs = (x, *scale_and_shift(4)) if normed else (x,)

    def seeded(*leaves):
        torch.manual_seed(0)  # the same mask in every evaluation of the finite differences
        return norm_dropout_relu(*leaves, p=p)

    assert torch.autograd.gradcheck(seeded, inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("normed", [True, False])
def test_no_rows(normed, dtype):
    x = torch.empty(0, 6, dtype=dtype, requires_grad=True)
    weights = list(scale_and_shift(6, dtype)) if normed else []
    out = norm_dropout_relu(x, *weights, p=0.5)
    assert out.shape == (0, 6) and out.dtype == dtype
    out.sum().backward()
    assert x.grad.shape == (0, 6)
    assert all(leaf.grad.tolist() == [0.0] * 6 for leaf in weights)


@pytest.mark.parametrize("normed", [True, False])
def test_no_columns(normed):
    x = torch.empty(5, 0, requires_grad=True)
    out = norm_dropout_relu(x, *(scale_and_shift(0, torch.float32) if normed else ()), p=0.5)
    out.sum().backward()
    assert out.shape == x.grad.shape == (5, 0)


@pytest.mark.parametrize(
    "view",
    [lambda x: x.t(), lambda x: x[:, ::2], lambda x: x[1::3], lambda x: x[:1].expand(7, -1)],
    ids=["transposed", "columns", "rows", "expanded"],
)
@pytest.mark.parametrize("normed", [True, False])
def test_strided_views_and_expanded_gradients(view, normed):
    base = torch.randn(10, 12, dtype=torch.float64, requires_grad=True)
    weights = list(scale_and_shift(view(base).size(1))) if normed else []
    found = norm_dropout_relu(view(base), *weights)
    expected = by_torch(view(base), *weights)
    torch.testing.assert_close(found, expected)
    ours = torch.autograd.grad(found.sum(), [base, *weights])  # the gradient of a sum is an expanded scalar
    theirs = torch.autograd.grad(expected.sum(), [base, *weights])
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("normed", [True, False])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_stay_as_torch_leaves_them(wrong, normed, dtype):
    x = torch.randn(4, 6).to(dtype)
    x[1, 2] = wrong
    x.requires_grad_()
    weights = list(scale_and_shift(6, dtype)) if normed else []
    found, expected = norm_dropout_relu(x, *weights), by_torch(x, *weights)
    assert torch.equal(found.isfinite(), expected.isfinite())
    assert torch.equal(found.isnan(), expected.isnan())
    assert torch.equal(found.isinf(), expected.isinf())
    ours, theirs = (torch.autograd.grad(out.sum(), [x, *weights]) for out in (found, expected))
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a.isfinite(), b.isfinite())
    finite = ours[0].isfinite()
    torch.testing.assert_close(ours[0][finite], theirs[0][finite], rtol=0.02, atol=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_dropped_nan_is_still_one(dtype):
    x = torch.full((20, 20), float("nan"), dtype=dtype)
    torch.manual_seed(0)
    assert norm_dropout_relu(x, p=0.5).isnan().all()
    assert F.relu(F.dropout(x, 0.5)).isnan().all()


def test_a_constant_row_without_eps_is_not_a_number_as_in_torch():
    x, weights = torch.ones(3, 4), list(scale_and_shift(4, torch.float32))
    assert by_torch(x, *weights, eps=0.0).isnan().all()
    assert norm_dropout_relu(x, *weights, eps=0.0).isnan().all()


@pytest.mark.parametrize("shape", [(6,), (2, 3, 6)])
def test_other_than_two_dimensions(shape):
    x, weights = torch.randn(shape, dtype=torch.float64), list(scale_and_shift(6))
    torch.testing.assert_close(norm_dropout_relu(x, *weights), by_torch(x, *weights))


def test_half_precision_goes_through_torch():
    x = torch.randn(5, 6).half()
    assert torch.equal(norm_dropout_relu(x), F.relu(x))


@pytest.mark.parametrize("p", [-0.01, 1.0, 2.0, float("nan")])
def test_wrong_probability(p):
    with pytest.raises(ValueError, match=r"p must lie in \[0, 1\)"):
        norm_dropout_relu(torch.ones(2, 2), p=p)


def test_wrong_weights():
    x, ones = torch.ones(2, 3), torch.ones(3)
    with pytest.raises(ValueError, match="weight and bias come together or not at all"):
        norm_dropout_relu(x, weight=ones)
    with pytest.raises(ValueError, match="weight and bias come together or not at all"):
        norm_dropout_relu(x, bias=ones)
    with pytest.raises(ValueError, match=r"weight must have shape \[3\], got \[2\]"):
        norm_dropout_relu(x, torch.ones(2), ones)
    with pytest.raises(ValueError, match=r"bias must have shape \[3\], got \[4\]"):
        norm_dropout_relu(x, ones, torch.ones(4))
