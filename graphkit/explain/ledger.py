"""An account in the digits that are shown: the printed lines add up to the printed score, to the last digit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from graphkit.explain.explanation import Account, Term

_SIGNIFICANT = 4
_MOST_DECIMALS = 12


@dataclass(frozen=True)
class Line:
    """A printed line: a term with its numbers, or a number alone.

    Attributes:
        name: What it is.
        contribution: As printed.
        share: Size beside the largest contribution of the account, from 0 to 1.
        value: As printed, with one decimal more than contributions; empty: there is none.
        weight: Likewise.
        term: The term; None: a sum that is no single reason.
    """

    name: str
    contribution: Decimal
    share: float = 0.0
    value: str = ""
    weight: str = ""
    term: Term | None = None

    @property
    def adds(self) -> str:
        """The contribution's digits."""
        return f"{self.contribution:f}"


@dataclass(frozen=True)
class Ledger:
    """An account as it is printed.

    Attributes:
        account: What it is the print of.
        lines: In order; their contributions add up to `score` exactly.
        score: As printed.
    """

    account: Account
    lines: tuple[Line, ...]
    score: Decimal

    @property
    def printed_score(self) -> str:
        """The score's digits."""
        return f"{self.score:f}"

    @property
    def has_factors(self) -> bool:
        """Whether lines have a value and a weight."""
        return any(line.value for line in self.lines)


def ledger(account: Account) -> Ledger:
    """The lines of an account: bias, terms, what has no line, and what rounding leaves over.

    The largest number has four significant digits, and all have its decimals. Where the printed lines then miss the printed
    score by some units of the last digit, a line of its own says so.

    Args:
        account: The account.
    """
    largest = max(abs(number) for number in (account.score, account.bias, *(term.contribution for term in account.terms)))
    decimals = decimals_of(largest)
    top = max((abs(term.contribution) for term in account.terms), default=0.0)
    lines = [Line("bias, without any of these", _rounded(account.bias, decimals))] if account.bias else []
    for term in account.terms:
        share = abs(term.contribution) / top if top else 0.0
        value, weight = (_factor(number, decimals) for number in (term.value, term.weight))
        lines.append(Line(term.name, _rounded(term.contribution, decimals), share, value, weight, term))
    for name, number in (("all others together", account.unlisted), ("what the rule leaves over", account.remainder)):
        if rest := _rounded(number, decimals):
            lines.append(Line(name, rest))
    score = _rounded(account.score, decimals)
    if missing := score - sum((line.contribution for line in lines), Decimal(0)):
        lines.append(Line("rounding of the digits shown", missing))
    return Ledger(account, tuple(lines), score)


def printed(*numbers: float) -> tuple[str, ...]:
    """Numbers outside of an account, with as many decimals as give the largest of them four significant digits."""
    decimals = decimals_of(max(map(abs, numbers)))
    return tuple(f"{_rounded(number, decimals):f}" for number in numbers)


def decimals_of(largest: float) -> int:
    """Decimals that give this number four significant digits."""
    exponent = math.floor(math.log10(largest)) if largest else 0
    return min(max(_SIGNIFICANT - 1 - exponent, 0), _MOST_DECIMALS)


def _factor(number: float | None, decimals: int) -> str:
    return "" if number is None else f"{_rounded(number, min(decimals + 1, _MOST_DECIMALS)):f}"


def _rounded(number: float, decimals: int) -> Decimal:
    rounded = Decimal(f"{number:.{decimals}f}")
    return rounded if rounded else abs(rounded)  # no minus zero
