"""Dropout against what its definition says: rates, independence, gradients, and agreement with torch in the corners."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graphkit.sparse.rows.dropout import dropout

FLOATS = [torch.float32, torch.float64]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.95])
def test_entries_are_dropped_at_the_rate_and_the_others_scaled(p: float, dtype: torch.dtype) -> None:
    x = torch.randn(700, 900, dtype=dtype)
    out = dropout(x, p)
    kept = out != 0
    torch.testing.assert_close(out[kept], x[kept] / (1 - p))
    deviation = math.sqrt(p * (1 - p) / x.numel())
    assert abs(float((~kept).double().mean()) - p) < 5 * deviation


def test_every_place_is_dropped_as_often_and_none_follows_another() -> None:
    """Over 2,000 masks of 10,000 entries, three pieces of them: frequencies of places, and of pairs at some distances."""
    calls, p = 2000, 0.3
    dropped = torch.stack([dropout(torch.ones(10_000), p) == 0 for _ in range(calls)]).double()
    deviation = math.sqrt(p * (1 - p) / calls)
    assert float((dropped.mean(0) - p).abs().max()) < 5.5 * deviation
    centered = dropped - p
    for other in (*(centered.roll(k, 1) for k in (1, 2, 7, 16, 4096, 8192)), centered.roll(1, 0)):
        correlation = float((centered * other).mean()) / (p * (1 - p))
        assert abs(correlation) < 5 / math.sqrt(dropped.numel())


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradient_has_the_mask_of_the_output(dtype: torch.dtype) -> None:
    x = torch.ones(300, 70, dtype=dtype, requires_grad=True)
    out = dropout(x, 0.4)
    weight = torch.rand(70, 300, dtype=dtype).t()
    (gradient,) = torch.autograd.grad(out, x, weight)
    torch.testing.assert_close(gradient, out.detach() * weight)


def test_second_derivatives() -> None:
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)

    def seeded(leaf: Tensor) -> Tensor:
        torch.manual_seed(1)
        return dropout(leaf, 0.5).pow(3)

    assert torch.autograd.gradcheck(seeded, x) and torch.autograd.gradgradcheck(seeded, x)


def test_masks_follow_the_seed_and_not_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    x, masks = torch.ones(400_000), []
    before = torch.get_num_threads()
    for threads in (1, 2, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(7)
        masks.append(dropout(x))
    torch.set_num_threads(before)
    assert torch.equal(masks[0], masks[1]) and torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[0], dropout(x))


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_nothing_happens_in_evaluation_or_at_rate_zero(p: float) -> None:
    x = torch.randn(5)
    state = torch.get_rng_state()
    assert dropout(x, p, training=p == 0.0) is x
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (2, 3, 4), (4096,), (4097,)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    x = torch.ones(shape, requires_grad=True)
    out = dropout(x)
    out.sum().backward()
    assert out.shape == x.shape and set(out.flatten().tolist()) <= {0.0, 2.0}
    assert torch.equal(x.grad, out.detach())


def test_views() -> None:
    base = torch.arange(1.0, 13.0).view(3, 4)
    for view in (base.t(), base[:, ::2], base[:1].expand(5, -1)):
        out = dropout(view)
        assert out.shape == view.shape
        assert bool(((out == 0) | (out == 2 * view)).all())


def test_values_that_are_not_finite_stay_so() -> None:
    for wrong in (torch.nan, torch.inf):
        x = torch.full((500,), wrong)
        for found in (dropout(x), F.dropout(x)):
            assert not found.isfinite().any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_other_types_go_through_torch(dtype: torch.dtype) -> None:
    x = torch.ones(50, dtype=dtype)
    torch.manual_seed(3)
    expected = F.dropout(x, 0.25)
    torch.manual_seed(3)
    assert torch.equal(dropout(x, 0.25), expected)


def test_compiled_code_is_not_broken_up() -> None:
    """In one graph, with what the compiler knows of torch's own."""
    compiled = torch.compile(lambda x: dropout(x, 0.5) + 1, backend="eager", fullgraph=True)
    assert set(compiled(torch.ones(100)).tolist()) == {1.0, 3.0}


@pytest.mark.parametrize("p", [-0.1, 1.0, math.nan])
def test_wrong_probability(p: float) -> None:
    with pytest.raises(ValueError, match=r"p must lie in \[0, 1\)"):
        dropout(torch.ones(2), p)
