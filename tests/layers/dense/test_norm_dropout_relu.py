"""NormDropoutReLU against plain double precision arithmetic, and what its dropout must be as a source of randomness."""

import math

import pytest
import torch

from graphkit.layers import NormDropoutReLU

TOLERANCE = {torch.float32: (1e-4, 1e-5), torch.float64: (1e-10, 1e-12), torch.bfloat16: (0.02, 0.02)}


def oracle(x, layer, factor=1.0):
    """The equation in float64; `factor` [R, C] is 0 for dropped and 1 / (1 - p) for kept values."""
    z = x
    if layer.weight is not None:
        weight, bias = (leaf.detach().double().requires_grad_() for leaf in (layer.weight, layer.bias))
        centered = x - x.sum(1, keepdim=True) / x.size(1)
        variance = (centered * centered).sum(1, keepdim=True) / x.size(1)
        z = centered / (variance + layer.eps).sqrt() * weight + bias
    z = z * factor
    return torch.where(z > 0, z, torch.zeros_like(z)), [] if layer.weight is None else [weight, bias]


def mask_of(seed, rows, channels, p, dtype=torch.float32):
    """Which values a layer keeps after this seed."""
    torch.manual_seed(seed)
    return NormDropoutReLU(channels, norm=False, dropout=p)(torch.ones(rows, channels, dtype=dtype)) > 0


def shaken(layer):
    """Scale and shift that are neither one nor zero."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("shape", [(150, 33), (1, 1), (64, 8)])
@pytest.mark.parametrize(
    ("dtype", "weights"),
    [(torch.float64, torch.float64), (torch.float32, torch.float32), (torch.bfloat16,) * 2, (torch.bfloat16, torch.float32)],
)
def test_equals_float64_oracle(dtype, weights, shape, norm, dropout):
    """Forward, and the gradients of x, scale and shift; with dropout they follow the mask."""
    torch.manual_seed(0)
    layer = shaken(NormDropoutReLU(shape[1], norm=norm, dropout=dropout)).to(weights)
    x = (2.0 * torch.randn(shape, dtype=torch.float64) + 0.5).to(dtype).requires_grad_()
    grad = torch.randn(shape, dtype=torch.float64).to(dtype)
    kept = mask_of(1, *shape, dropout)
    torch.manual_seed(1)
    found = layer(x)
    wide = x.detach().double().requires_grad_()
    expected, leaves = oracle(wide, layer, kept.double() / (1 - dropout))
    rtol, atol = TOLERANCE[dtype]
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, rtol=rtol, atol=atol)
    ours = torch.autograd.grad((found * grad).sum(), [x, *layer.parameters()])
    theirs = torch.autograd.grad((expected * grad.double()).sum(), [wide, *leaves])
    for a, b, leaf in zip(ours, theirs, [x, *layer.parameters()], strict=True):
        assert a.dtype == leaf.dtype
        # A bfloat16 sum over 150 rows is rounded once, and so are its terms.
        torch.testing.assert_close(a.double(), b, rtol=rtol, atol=atol * (1 + b.abs().max().item()))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_keeps_its_share_everywhere(p):
    """In all, in every row and in every column, within what chance allows a fair coin."""
    rows, channels = 1500, 257
    kept = mask_of(3, rows, channels, p).double()
    variance = p * (1 - p)
    assert abs(kept.sum() - (1 - p) * kept.numel()) < 4.5 * math.sqrt(variance * kept.numel())
    for sums, size in ((kept.sum(0), rows), (kept.sum(1), channels)):
        chi_square = ((sums - (1 - p) * size) ** 2 / (variance * size)).sum().item()
        assert abs(chi_square - sums.numel()) < 5 * math.sqrt(2 * sums.numel())


@pytest.mark.parametrize("step", [(0, 1), (0, 2), (0, 8), (1, 0), (1, 1), (1, -1), (2, 0), (64, 0)])
def test_neighboring_values_are_dropped_independently(step):
    rows, channels, p = 1500, 257, 0.3
    kept = (mask_of(4, rows, channels, p).double() - (1 - p)) / math.sqrt(p * (1 - p))
    down, right = step
    first, second = kept[: rows - down, max(0, -right) : channels - max(0, right)], kept[down:, max(0, right) :]
    product = first * second[:, : first.size(1)]
    assert abs(product.sum().item()) < 4.5 * math.sqrt(product.numel())


def test_calls_and_seeds_draw_independent_masks():
    p = 0.5
    torch.manual_seed(0)
    layer = NormDropoutReLU(64, norm=False, dropout=p)
    masks = [layer(torch.ones(500, 64)) > 0 for _ in range(3)] + [mask_of(1, 500, 64, p)]
    for i, first in enumerate(masks):
        for second in masks[:i]:
            agree = (first == second).double()
            assert abs(agree.sum() - agree.numel() / 2) < 4.5 * math.sqrt(agree.numel() / 4)


def test_same_seed_same_mask_whatever_the_dtype_and_the_number_of_rows():
    mask = mask_of(5, 300, 17, 0.4)
    assert torch.equal(mask, mask_of(5, 300, 17, 0.4))
    assert torch.equal(mask, mask_of(5, 300, 17, 0.4, torch.float64))
    assert torch.equal(mask, mask_of(5, 300, 17, 0.4, torch.bfloat16))
    assert torch.equal(mask[:70], mask_of(5, 70, 17, 0.4))
    assert not torch.equal(mask, mask_of(6, 300, 17, 0.4))


def test_thread_count_changes_no_bit():
    torch.manual_seed(0)
    layer = shaken(NormDropoutReLU(33, dropout=0.4))
    x = torch.randn(500, 33)
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            torch.manual_seed(1)
            leaf = x.clone().requires_grad_()
            out = layer(leaf)
            results.append((out, *torch.autograd.grad(out.sin().sum(), [leaf, *layer.parameters()])))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


@pytest.mark.parametrize("p", [0.25, 0.6])
def test_kept_values_are_scaled(p):
    torch.manual_seed(0)
    x = torch.rand(100, 20, dtype=torch.float64) + 0.1
    out = NormDropoutReLU(20, norm=False, dropout=p)(x)
    kept = out > 0
    assert 0 < kept.sum() < kept.numel()
    torch.testing.assert_close(out[kept], x[kept] / (1 - p), rtol=1e-12, atol=0)
    assert out[~kept].eq(0).all()


def test_evaluation_drops_nothing_and_draws_nothing():
    torch.manual_seed(0)
    layer, plain = NormDropoutReLU(6, dropout=0.7).eval(), NormDropoutReLU(6)
    x = torch.randn(40, 6)
    state = torch.get_rng_state()
    assert torch.equal(layer(x), layer(x))
    assert torch.equal(layer(x), plain(x))
    assert torch.equal(torch.get_rng_state(), state)
    layer.train()(x)
    assert not torch.equal(torch.get_rng_state(), state)


def test_a_call_draws_one_number_whatever_the_size():
    states = []
    for rows in (1, 1000):
        mask_of(7, rows, 5, 0.5)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


@pytest.mark.usefixtures("unchecked_shapes")
def test_wrong_arguments_are_refused():
    for dropout in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\)"):
            NormDropoutReLU(4, dropout=dropout)
    with pytest.raises(ValueError, match=r"weight must have shape \[5\], got \[4\]"):
        NormDropoutReLU(4)(torch.ones(2, 5))


def test_reset_parameters_restores_scale_and_shift():
    layer = shaken(NormDropoutReLU(4))
    layer.reset_parameters()
    assert layer.weight.tolist() == [1.0] * 4 and layer.bias.tolist() == [0.0] * 4
    assert repr(layer) == "NormDropoutReLU(4, norm=True, dropout=0.0)"
