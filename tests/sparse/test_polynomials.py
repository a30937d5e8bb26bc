from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.polynomials import polynomial, polynomial_rows

N = 9
ROWS = torch.tensor([7, 0, 4])


def some_operator(symmetric: bool) -> CSR:
    torch.manual_seed(5)
    edges = torch.randint(0, N - 1, (2, 22))
    weight = torch.randint(1, 5, (22,)).double() / 4  # sums of these are exact in any order
    if symmetric:
        edges, weight = torch.cat([edges, edges.flip(0)], dim=1), weight.repeat(2)
    return CSR.from_edge_index(edges, N, weight)


def by_powers(operator: CSR, coefficients: Tensor, x: Tensor) -> Tensor:
    dense = operator.to_dense().detach()
    return sum(c * torch.linalg.matrix_power(dense, k) @ x for k, c in enumerate(coefficients))


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("degree", [0, 1, 4])
def test_rows_and_own_rows_equal_dense_powers(degree: int, symmetric: bool, learned: bool) -> None:
    operator = some_operator(symmetric)
    assert operator.symmetric == symmetric
    coefficients = torch.randn(degree + 1, dtype=torch.float64, requires_grad=learned)
    x = torch.randn(N, 3, dtype=torch.float64, requires_grad=True)
    given = coefficients if learned else coefficients.tolist()
    expected = by_powers(operator, coefficients, x)
    torch.testing.assert_close(polynomial(operator, given, x), expected)
    out, own = polynomial_rows(operator, given, x, ROWS)
    torch.testing.assert_close(out, expected[ROWS])
    assert torch.equal(own, x[ROWS])
    inputs = [x, coefficients] if learned else [x]
    probe, other = torch.randn_like(out), torch.randn_like(own)
    actual = torch.autograd.grad((out * probe).sum() + (own * other).sum(), inputs)
    oracle = torch.autograd.grad((expected[ROWS] * probe).sum() + (x[ROWS] * other).sum(), inputs)
    for one, two in zip(actual, oracle, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("learned", [False, True])
def test_gradients_are_those_of_finite_differences(learned: bool) -> None:
    operator = some_operator(False)
    x = torch.randn(N, 2, dtype=torch.float64, requires_grad=True)
    coefficients = torch.randn(3, dtype=torch.float64, requires_grad=learned)
    assert torch.autograd.gradcheck(lambda c, y: polynomial(operator, c, y), (coefficients, x))
    assert torch.autograd.gradcheck(lambda c, y: polynomial_rows(operator, c, y, ROWS), (coefficients, x))


def test_only_the_own_rows_are_used() -> None:
    x = torch.randn(N, 2, requires_grad=True)
    polynomial_rows(some_operator(True), (1.0, 2.0), x, ROWS)[1].sum().backward()
    assert x.grad.sum(1).tolist() == [2.0 if row in ROWS.tolist() else 0.0 for row in range(N)]


@pytest.mark.parametrize("rows", [ROWS, None])
def test_absent_entries_count_as_zero(rows: Tensor | None) -> None:
    operator = some_operator(True).without(torch.tensor([0, 3, 5]))
    x = torch.randn(N, 2, dtype=torch.float64, requires_grad=True)
    expected = by_powers(operator, torch.tensor([0.5, -1.0, 2.0]), x)
    if rows is None:
        actual = polynomial(operator, (0.5, -1.0, 2.0), x)
    else:
        actual, expected = polynomial_rows(operator, (0.5, -1.0, 2.0), x, rows)[0], expected[rows]
    torch.testing.assert_close(actual, expected)
    one, two = (torch.autograd.grad(out.square().sum(), x)[0] for out in (actual, expected))
    torch.testing.assert_close(one, two)


def test_values_get_gradients() -> None:
    base = some_operator(False)
    value = base.value.clone().requires_grad_()
    x = torch.randn(N, 2, dtype=torch.float64)

    def rows_of(value: Tensor) -> tuple[Tensor, Tensor]:
        return polynomial_rows(base.with_value(value), (0.2, 0.3, 0.5), x, ROWS)

    torch.testing.assert_close(rows_of(value)[0], by_powers(base, torch.tensor([0.2, 0.3, 0.5]), x)[ROWS])
    assert torch.autograd.gradcheck(lambda v: rows_of(v)[0], (value,))


def test_many_rows_without_entries() -> None:
    """Shares of the work are cut by entries: rows without any must not be lost."""
    operator = CSR.from_edge_index(torch.tensor([[0], [500]]), 1000)
    x = torch.randn(1000, 3)
    rows = torch.randperm(1000)
    expected = 2.0 * x
    expected[500] += 3.0 * x[0]
    torch.testing.assert_close(polynomial(operator, (2.0, 3.0), x), expected)
    torch.testing.assert_close(polynomial_rows(operator, (2.0, 3.0), x, rows)[0], expected[rows])


def test_wrong_arguments_are_refused() -> None:
    operator, x = some_operator(True), torch.randn(N, 2)
    with pytest.raises(ValueError, match="square operator, got 2 x 3"):
        polynomial(CSR.from_edge_index(torch.zeros(2, 1, dtype=torch.long), (2, 3)), (1.0,), x)
    with pytest.raises(ValueError, match=r"x must be floating point \[9, C\]"):
        polynomial(operator, (1.0,), x[1:])
    with pytest.raises(ValueError, match="at least one coefficient"):
        polynomial(operator, (), x)
    with pytest.raises(ValueError, match=r"rows must lie in \[0, 9\)"):
        polynomial_rows(operator, (1.0,), x, torch.tensor([N]))
