"""Accounts from tensors: contributions of many things, of which the largest get a line."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from graphkit.explain.explanation import Account, Part, Term


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
    """An account whose terms are the largest contributions; the others, and what the rule leaves over, are the remainder.

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
    rest = score - bias - float(exact[chosen].sum())
    unlisted = torch.ones_like(exact, dtype=torch.bool).index_fill(0, chosen, False)
    exactly = not bool(exact[unlisted].any()) and abs(rest) < 1e-6 * max(1.0, float(exact.abs().sum()))
    return Account(name, score, bias, terms, 0.0 if exactly else rest, value_name="", rule=rule)
