"""The page of one explanation, or of several with an index: one HTML file that needs no other, with every name escaped."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace

import jinja2

from graphkit.errors import shown
from graphkit.explain.drawing import Sketch, heat_cells, sketch
from graphkit.explain.explanation import Account, Drawing, Explanation, Part, Picture
from graphkit.explain.ledger import Ledger, ledger, printed
from graphkit.explain.words import agreement_line, check_line, percent

_SIDE_BY_SIDE = 3
_COUNTER = 3
_LONGEST_NAME = 200
_LONGEST_SENTENCE = 2_000


@dataclass(frozen=True)
class _Pair:
    """This looks like that: a part of the sample beside a training part."""

    query: Part
    source: Part
    similarity: str


@dataclass(frozen=True)
class _View:
    """What the template shows of an explanation."""

    explanation: Explanation
    account: Ledger
    runner_up: Ledger | None
    also: tuple[Ledger, ...]
    pairs: tuple[_Pair, ...]
    confidence: str
    checks: tuple[str, ...]
    agreements: tuple[str, ...]


def html_page(explanations: Sequence[Explanation]) -> str:
    """Write the page.

    Args:
        explanations: One; or several, which get an index at the top.

    Returns:
        HTML.

    Raises:
        ValueError: There is no explanation, or a picture that is no base64.
    """
    if not explanations:
        raise ValueError("a page needs an explanation.")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("graphkit.explain"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "name": lambda text: shown(text, _LONGEST_NAME),
        "said": lambda text: shown(text, _LONGEST_SENTENCE),
    }
    views = [_view(one) for one in explanations]
    title = explanations[0].subject if len(views) == 1 else f"{len(views)} explanations"
    page = environment.get_template("explain.html.j2")
    return page.render(views=views, title=title, sketched=_sketched, heat=heat_cells).lstrip()


def _view(explanation: Explanation) -> _View:
    runner_up = None if explanation.runner_up is None else ledger(_counter(explanation.runner_up))
    return _View(
        explanation,
        ledger(explanation.predicted),
        runner_up,
        tuple(map(ledger, explanation.also)),
        _pairs(explanation.predicted),
        "" if explanation.probability is None else percent(explanation.probability),
        tuple(map(check_line, explanation.checks)),
        tuple(map(agreement_line, explanation.agreements)),
    )


def _pairs(account: Account) -> tuple[_Pair, ...]:
    """The strongest terms for the prediction whose two sides can be looked at; each training part once."""
    pairs: dict[str, _Pair] = {}
    for term in account.for_it():
        query, source = term.query, term.source
        if query is not None and source is not None and query.shown is not None and source.shown is not None:
            similarity = "" if term.value is None else printed(term.value)[0]
            pairs.setdefault(source.name, _Pair(query, source, similarity))
    return tuple(pairs.values())[:_SIDE_BY_SIDE]


def _counter(account: Account) -> Account:
    """The account with the terms that speak most for it alone."""
    chosen = account.for_it()[:_COUNTER]
    rest = account.unlisted + sum(term.contribution for term in account.terms if term not in chosen)
    return replace(account, terms=chosen, unlisted=rest)


def _sketched(looks: Drawing | Picture) -> Sketch | None:
    """A drawing with places; None for an image, whose bytes are checked here."""
    if isinstance(looks, Drawing):
        return sketch(looks)
    try:
        base64.b64decode(looks.png, validate=True)
    except binascii.Error as error:
        raise ValueError("a picture must be a PNG in base64.") from error
    return None
