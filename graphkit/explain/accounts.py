"""Accounts from tensors: contributions of many things, of which the largest get a line."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from graphkit.explain.explanation import Account, Part, Term

_ROUNDING = 1e-6
"""Of sums in single precision; what is smaller is nothing that a rule leaves over."""


def account_of(
    name: str,
    score: float,
    contributions: Tensor,
    named: Callable[[int], str],
    *,
    top: int,
    bias: float = 0.0,
    rule: str = "",
    part: Callable[[int], Part] | None = None,
) -> Account:
    """An account whose terms are the largest contributions.

    Args:
        name: Whose score it is.
        score: The score.
        contributions: What each thing adds [n].
        named: What a thing is called, by its number.
        top: Most terms; things that add nothing get none.
        bias: What there is without any of them.
        rule: How contributions are attributed; empty: the score is their sum.
        part: The thing to look at, by its number.
    """
    exact = contributions.double()
    order = exact.abs().argsort(descending=True, stable=True)[:top]
    chosen = order[exact[order] != 0]
    terms = tuple(
        Term(named(number), None, None, value, None if part is None else part(number))
        for number, value in zip(chosen.tolist(), exact[chosen].tolist(), strict=True)
    )
    unlisted = float(exact.sum() - exact[chosen].sum())
    rest = score - bias - float(exact.sum())
    if abs(rest) < _ROUNDING * max(1.0, float(exact.abs().sum())):
        rest = 0.0
    return Account(name, score, bias, terms, unlisted, rest, value_name="", rule=rule)
