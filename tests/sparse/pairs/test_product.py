"""Products of the two ends of pairs against a plain loop."""

import pytest
import torch

from graphkit.sparse.pairs.product import pair_product


def some_pairs(num_nodes=20, num_pairs=90):
    """Repeated pairs, both directions and pairs of one node included; nobody names the last three nodes."""
    pairs = torch.randint(num_nodes - 3, (2, num_pairs), generator=torch.Generator().manual_seed(0))
    pairs[:, 1], pairs[:, 2], pairs[:, 3] = pairs[:, 0], pairs[:, 0].flip(0), 4
    return pairs


def oracle(x, pairs, grad):
    """Product and gradient, pair by pair in float64."""
    x, grad = x.detach().double(), grad.double()
    out, gradient = torch.zeros(pairs.size(1), x.size(1), dtype=torch.float64), torch.zeros_like(x)
    for p, (i, j) in enumerate(pairs.t().tolist()):
        out[p] = x[i] * x[j]
        gradient[i] += grad[p] * x[j]
        gradient[j] += grad[p] * x[i]
    return out, gradient


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.1), (torch.float16, 0.02)]
)
def test_equals_loop_oracle(dtype, tolerance):
    pairs = some_pairs()
    x = torch.randn(20, 7).to(dtype).requires_grad_()
    grad = torch.randn(pairs.size(1), 7).to(dtype)
    out, gradient = oracle(x, pairs, grad)
    found = pair_product(x, pairs)
    found.backward(grad)
    assert found.dtype == x.grad.dtype == dtype
    torch.testing.assert_close(found.double(), out, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(x.grad.double(), gradient, rtol=tolerance, atol=tolerance)
    assert x.grad[-3:].eq(0).all()


def test_gradcheck():
    x = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: pair_product(x, some_pairs(8, 12)), x)


def test_no_pairs():
    x = torch.randn(4, 3, requires_grad=True)
    out = pair_product(x, torch.zeros(2, 0, dtype=torch.long))
    out.sum().backward()
    assert out.shape == (0, 3)
    assert x.grad.eq(0).all()


def test_strided_views_and_expanded_gradients():
    base = torch.randn(14, 20, dtype=torch.float64, requires_grad=True)
    x, pairs = base.t()[:, ::2], some_pairs().t().contiguous().t()
    assert not x.is_contiguous() and not pairs.is_contiguous()
    found = pair_product(x, pairs)
    expected, gradient = oracle(x, pairs, torch.ones(pairs.size(1), 7))
    torch.testing.assert_close(found, expected)
    found.sum().backward()  # the gradient of a sum is an expanded scalar
    torch.testing.assert_close(base.grad.t()[:, ::2], gradient)


def test_thread_count_changes_no_bit():
    pairs, threads, results = some_pairs(50, 3000), torch.get_num_threads(), []
    x, grad = torch.randn(50, 9), torch.randn(3000, 9)
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            leaf = x.clone().requires_grad_()
            out = pair_product(leaf, pairs)
            out.backward(grad)
            results.append((out, leaf.grad))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def test_a_nan_stays_where_it_is():
    x = torch.ones(4, 2)
    x[1, 0] = float("nan")
    assert pair_product(x, torch.tensor([[0, 2], [1, 3]])).isnan().tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_wrong_arguments_say_what_is_wrong(dtype):
    x = torch.ones(3, 2, dtype=dtype)
    for pairs, message in (
        (torch.tensor([[0], [3]]), r"node id 3 is out of range: ids must lie in \[0, 3\)"),
        (torch.tensor([[-1], [0]]), "node id -1 is out of range"),
        (torch.tensor([0, 1]), r"shape \[2, P\]"),
        (torch.tensor([[0, 1, 2]]), r"shape \[2, P\]"),
        (torch.tensor([[0.0], [1.0]]), "int64"),
    ):
        with pytest.raises(ValueError, match=message):
            pair_product(x, pairs)
    with pytest.raises(ValueError, match=r"x must have shape \[N, C\], got \[3\]"):
        pair_product(x[:, 0], torch.tensor([[0], [1]]))
