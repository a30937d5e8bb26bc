"""What a table holds, by a reader that shares no code with the library's: characters one by one, rows in plain loops."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite

import numpy as np

BLANKS = frozenset(" \t\u00a0\u1680\u202f\u205f\u3000") | {chr(code) for code in range(0x2000, 0x200B)}
HEADER_WORDS = frozenset(
    [
        "node",
        "id",
        "node_id",
        "name",
        "source",
        "target",
        "src",
        "dst",
        "from",
        "to",
        "u",
        "v",
        "head",
        "tail",
        "node1",
        "node2",
    ]
)
LONGEST_FIELD = 131_072
_INTEGER = re.compile(r"-?[0-9]+")

Table = list[list[str]]


class Malformed(Exception):
    """The table has no meaning."""


@dataclass
class Graph:
    """What own files of a graph hold, in the user's words."""

    nodes: list[str]
    edges: list[tuple[str, str]]
    features: dict[str, list[float]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)


def rows_of(content: bytes) -> Table:
    """All rows that are not blank, fields without the blanks around them."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("encoding") from None
    text = text.removeprefix("\ufeff")
    rows: Table = []
    row: list[str] = []
    cell = ""
    state = "start"  # of a field; plain: inside an unquoted one; quoted; closed: after the closing quote
    for character in [*text, None]:
        if state == "quoted":
            if character is None:
                raise Malformed("open quote")
            if character == '"':
                state = "closed"
            else:
                cell += character
        elif state == "closed" and character == '"':
            cell, state = cell + '"', "quoted"
        elif character in ("\r", "\n", None):
            if row or state != "start":
                rows.append([*row, cell])
            row, cell, state = [], "", "start"
        elif character == ",":
            row.append(cell)
            cell, state = "", "start"
        elif state == "closed":
            raise Malformed("text after a closing quote")
        elif state == "start" and character == '"':
            state = "quoted"
        else:
            cell, state = cell + character, "plain"
    for fields in rows:
        if any(len(one) > LONGEST_FIELD for one in fields):
            raise Malformed("long field")
        if fields[0][:1] == "\ufeff":
            raise Malformed("inner mark")
    return [[_trimmed(one) for one in fields] for fields in rows]


def graph_of(edges: bytes, features: bytes | None, labels: bytes | None) -> Graph:
    """The graph of three files; edges keep their direction, repeats and loops."""
    pairs = [(_name(one), _name(other)) for one, other in _of_width(_without_header(rows_of(edges), "edges"), 2)]
    numbers: dict[str, list[float]] = {}
    classes: dict[str, str] = {}
    if features is not None:
        rows = _without_header(rows_of(features), "features")
        for node, *values in _of_width(rows, max(2, len(rows[0])) if rows else 2):
            if _name(node) in numbers:
                raise Malformed("repeated node")
            numbers[node] = [_number(value) for value in values]
        if not numbers:
            raise Malformed("no features")
    if labels is not None:
        for node, label in _of_width(_without_header(rows_of(labels), "labels"), 2):
            if _name(node) in classes:
                raise Malformed("repeated node")
            classes[node] = _name(label)
        if not classes:
            raise Malformed("no label")
    if not pairs:
        raise Malformed("no edge")
    named = {end for pair in pairs for end in pair} | set(classes)
    if features is not None and not named <= set(numbers):
        raise Malformed("a node without features")
    nodes = ordered(set(numbers) if features is not None else named)
    return Graph(nodes, pairs, numbers, classes, ordered(set(classes.values())))


def interactions_of(content: bytes, least: float | None, timed: bool) -> tuple[list[tuple[str, str]], int]:
    """User and item of every row that counts, repeats included, and how many rows are rated too low."""
    rows = rows_of(content)
    if not rows:
        raise Malformed("empty")
    header, kept, low = rows[0], [], 0
    wanted = ["user", "item", *(["rating"] if least is not None else []), *(["time"] if timed else [])]
    if any(header.count(column) != 1 for column in wanted):
        raise Malformed("columns")
    for row in rows[1:]:
        if row == header or len(row) != len(header):
            raise Malformed("second header or ragged row")
        cells = dict(zip(header, row, strict=True))
        pair = _name(cells["user"]), _name(cells["item"])
        if least is not None:
            if not isfinite(_float(cells["rating"])):
                raise Malformed("rating")
            if _float(cells["rating"]) < least:
                low += 1
                continue
        if timed:
            _time(cells["time"])
        kept.append(pair)
    if not kept:
        raise Malformed("no interaction")
    return kept, low


def ordered(names: set[str]) -> list[str]:
    """By value where all are integers, else alphabetically."""
    if not all(_INTEGER.fullmatch(name) for name in names):
        return sorted(names)

    def value(name: str) -> tuple[int, int, tuple[int, ...], str]:
        digits = name.lstrip("-").lstrip("0")
        sign = -1 if name.startswith("-") else 1
        return (0 if sign < 0 and digits else 1, sign * len(digits), tuple(sign * int(digit) for digit in digits), name)

    return sorted(names, key=value)


def _trimmed(text: str) -> str:
    first, last = 0, len(text)
    while first < last and text[first] in BLANKS:
        first += 1
    while last > first and text[last - 1] in BLANKS:
        last -= 1
    return text[first:last]


def _name(text: str) -> str:
    odd = any(ord(one) < 32 or 127 <= ord(one) < 160 or one in "\u2028\u2029\ufeff" for one in text)
    if not text or odd:
        raise Malformed("name")
    return text


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Malformed("number") from None


def _number(text: str) -> float:
    value = _float(text)
    with np.errstate(over="ignore"):
        if not isfinite(np.float32(value)):
            raise Malformed("range")
    return value


def _time(text: str) -> None:
    try:
        if isfinite(float(text)):
            return
    except ValueError:
        pass
    try:
        datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed("time") from None


def _of_width(rows: Table, width: int) -> Table:
    if any(len(row) != width for row in rows):
        raise Malformed("ragged")
    return rows


def _without_header(rows: Table, kind: str) -> Table:
    """The rows below a header, which may not come again; see the docstring of `read_own` for what one is."""
    if not rows:
        return rows
    first, second = rows[0], rows[1] if len(rows) > 1 else []
    if kind == "features":
        words = [one for one in first[1:] if one and not _reads_as_number(one)]
        header = len(first) > 1 and len(words) == len(first) - 1 and not _INTEGER.fullmatch(first[0])
    else:
        ids, below = (first[:2], second[:2]) if kind == "edges" else (first[:1], second[:1])
        known = all(one.lower() in HEADER_WORDS for one in ids)
        above = bool(below) and all(map(_INTEGER.fullmatch, below)) and all(one and not _INTEGER.fullmatch(one) for one in ids)
        header = known or above
    if not header:
        return rows
    if first in rows[1:]:
        raise Malformed("second header")
    return rows[1:]


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
