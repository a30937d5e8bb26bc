"""Whether the first row is a header: by what is asked, by known words, by numbers below words, by what occurs again."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np

from graphkit.data.own.integers import Integers
from graphkit.data.own.table.table import Column
from graphkit.data.own.table.values import is_number_or_date, numbers_of
from graphkit.errors import DataError, shown

_NAMING = frozenset(
    (
        *("id", "ids", "idx", "index", "key", "node", "nodes", "name", "names", "source", "src"),
        *("target", "tgt", "dst", "from", "to", "head", "tail", "start", "end", "user", "users"),
        *("item", "items", "paper", "papers", "cited", "citing", "author", "authors", "label", "labels", "class"),
        *("classes", "category", "categories", "type", "types", "topic", "topics", "group", "weight", "rating", "time"),
        *("timestamp", "date", "product", "movie", "film", "book", "song", "artist", "customer", "person", "entity"),
        *("vertex", "gene", "protein", "drug", "city", "country", "page", "account", "sender", "receiver", "follower"),
        *("followee", "parent", "child", "graph", "molecule", "subject", "object", "relation"),
    )
)
_MANY = 1_000


def has_header(
    name: str,
    first: Sequence[str],
    columns: Sequence[Column],
    asked: str,
    wanted: Collection[str],
    words: bool,
    known: Collection[str],
) -> tuple[bool, str]:
    """Decide.

    Args:
        name: The file, for messages.
        first: Its first row.
        columns: Its columns below that row.
        asked: `true`, `false` or `auto`.
        wanted: Names of columns that the user gave, but for numbers of columns: with one there is a header.
        words: Whether the first row names all columns that are needed, by words that are known for them.
        known: Ids that other files have.

    Returns:
        Whether it is, and by which evidence, in a few words; empty where there is nothing to tell.

    Raises:
        DataError: If it cannot be told.
    """
    if asked != "auto":
        return asked == "true", ""
    if wanted:
        return True, ""
    if first[0] in known:
        if words:
            raise _unclear(name, first, "which are usual names of columns, and the first is a node")
        return False, ""
    if words:
        if _occur([text for text in first if text], columns, ~_repeats(first, columns)):
            raise _unclear(name, first, "which are usual names of columns and occur below as well")
        return True, ""
    if not columns[0].codes.size:
        return False, ""
    voting = list(map(_vote, first, columns))
    votes = set(voting) - {None}
    texts = [column for column, vote in zip(columns, voting, strict=True) if vote is None]  # words occur in no other
    occurs = _occur([text for text in first if text], texts, np.ones(columns[0].codes.size, dtype=bool))
    if votes == {True} and not occurs:
        return True, "the cells below are numbers"
    if votes == {False}:
        return False, ""
    if votes:
        raise _unclear(
            name, first, "which stand above numbers, and some occur below" if occurs else "of which some are numbers"
        )
    if occurs:
        return False, ""
    if all(map(names_something, first)) and not any(names_something(value) for value in _below(columns)):
        return True, "none of its cells occurs below"
    raise _unclear(name, first, "which do not occur below")


def repeated(header: Sequence[str], columns: Sequence[Column]) -> int | None:
    """The first row, from 0, that says the same as the header above; None where there is none. Rows count below the header."""
    rows = np.flatnonzero(_repeats(header, columns))
    return int(rows[0]) if rows.size else None


def _repeats(first: Sequence[str], columns: Sequence[Column]) -> np.ndarray:
    same = np.ones(columns[0].codes.size, dtype=bool)
    for text, column in zip(first, columns, strict=True):
        places = column.among([text])
        same &= column.codes == places[0] if places else False
    return same


def _occur(texts: Sequence[str], columns: Sequence[Column], rows: np.ndarray) -> bool:
    """Whether any of the texts stands in one of the rows."""
    if not rows.any():
        return False
    for column in columns:
        places = column.among(texts)
        if places and bool(np.isin(column.codes[rows], places).any()):
            return True
    return False


def _vote(first: str, column: Column) -> bool | None:
    """True: a word above numbers or dates; False: a number above numbers; None: the column says nothing."""
    if not first:
        return None
    if isinstance(column.values, Integers):
        return not is_number_or_date(first)
    below = [value for value in column.values if value]
    if not below or not all(map(is_number_or_date, below[:_MANY])):
        return None
    if np.isnan(numbers_of(below)).any() and not all(map(is_number_or_date, below)):
        return None
    return not is_number_or_date(first)


def _below(columns: Sequence[Column]) -> list[str]:
    """Texts of the first rows below the first one."""
    rows = slice(1 + _MANY // len(columns))
    return [value for column in columns for value in column.taken(rows).values]


def names_something(text: str) -> bool:
    """Whether a text looks like the name of a column, such as `user_a` or `citing`."""
    return any(word in _NAMING for word in re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", text).lower()))


def _unclear(name: str, first: Sequence[str], why: str) -> DataError:
    row = shown(", ".join(first))
    return DataError(
        f"{name}: cannot tell whether the first row is a header: {row}, {why}: give data.header=true or data.header=false"
    )
