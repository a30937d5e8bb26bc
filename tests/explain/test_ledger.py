from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphkit.explain.explanation import Account, Term
from graphkit.explain.ledger import ledger, printed

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(NUMBERS, max_size=8), NUMBERS, NUMBERS)
def test_printed_lines_add_up_to_the_printed_score(contributions: list[float], bias: float, unlisted: float):
    terms = tuple(Term(f"t{number}", None, None, value) for number, value in enumerate(contributions))
    entries = ledger(Account("c", sum(contributions) + bias + unlisted, bias, terms, unlisted))
    assert sum((Decimal(line.adds) for line in entries.lines), Decimal(0)) == Decimal(entries.printed_score)
    assert all("E" not in line.adds for line in entries.lines)


def test_rounding_has_a_line_of_its_own():
    terms = tuple(Term(name, 0.25, 4 / 3, 1 / 3) for name in "abc")
    entries = ledger(Account("c", 1.0, 0.0, terms))
    assert [(line.name, line.adds) for line in entries.lines] == [
        ("a", "0.333"), ("b", "0.333"), ("c", "0.333"), ("rounding of the digits shown", "0.001"),
    ]  # fmt: skip
    assert (entries.lines[0].value, entries.lines[0].weight, entries.printed_score) == ("0.2500", "1.3333", "1.000")


def test_bias_the_others_and_the_rest_have_lines_where_they_are_something():
    plain = ledger(Account("c", 2.0, 0.0, (Term("a", None, None, 2.0),)))
    assert [line.name for line in plain.lines] == ["a"] and not plain.has_factors
    full = ledger(Account("c", 10.0, 1.0, (Term("a", None, None, 2.0),), unlisted=3.0, remainder=4.0))
    names = ["bias, without any of these", "a", "all others together", "what the rule leaves over"]
    assert [line.name for line in full.lines] == names


@pytest.mark.parametrize(
    ("numbers", "digits"),
    [((1234.5678, 0.1), ("1235", "0")), ((0.00123456, -0.0), ("0.001235", "0.000000")), ((0.0,), ("0.000",))],
)
def test_the_largest_number_has_four_digits(numbers: tuple[float, ...], digits: tuple[str, ...]):
    assert printed(*numbers) == digits


def test_an_account_that_does_not_add_up_is_refused():
    with pytest.raises(ValueError, match=r"adds up to 1, not to the score 2"):
        Account("c", 2.0, 0.0, (Term("a", None, None, 1.0),))
    with pytest.raises(ValueError, match="nan"):
        Account("c", float("nan"), 0.0, ())
