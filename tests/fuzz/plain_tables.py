"""What a table holds, by a reader that shares no code with the library's: characters one by one, rows in plain loops.

How a broken table is laid out nobody can know: the reader is told what the library took it for, and finds what it then holds.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite

import numpy as np

BLANKS = frozenset(" \t\u00a0\u1680\u202f\u205f\u3000") | {chr(code) for code in range(0x2000, 0x200B)}
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


@dataclass(frozen=True)
class Form:
    """How a table is laid out; of a broken one, as the library says it took it."""

    separator: str = ","
    encoding: str = "utf-8"
    packed: str = ""
    above: int = 0
    header: bool = False


def rows_of(content: bytes, form: Form) -> Table:
    """All rows below the comments that are not blank, fields without the blanks around them, header and all."""
    try:
        content = {"": bytes, "gzip": gzip.decompress, "bz2": bz2.decompress}[form.packed](content)
        text = content.decode(form.encoding)
    except (UnicodeError, OSError, EOFError, zlib.error):
        raise Malformed("encoding") from None
    text = text.removeprefix("\ufeff")
    for _ in range(form.above):
        text = re.sub(r"\A[^\r\n]*(\r\n|\r|\n|\Z)", "", text)
    rows = (
        _quoted(text, form.separator) if len(form.separator) == 1 and form.separator != " " else _unquoted(text, form.separator)
    )
    rows = [fields for fields in ([_trimmed(one) for one in fields] for fields in rows) if len(fields) > 1 or fields[0]]
    if not rows:
        return rows
    widths = [len(fields) for fields in rows]
    width = max(widths, key=widths.count)
    rows = [fields[:-1] if len(fields) == width + 1 and not fields[-1] else fields for fields in rows]
    if any(len(fields) != width for fields in rows):
        raise Malformed("ragged")
    while len(rows[0]) > 1 and not any(fields[-1] for fields in rows):
        rows = [fields[:-1] for fields in rows]
    return rows


def counted(content: bytes, form: Form) -> tuple[int, list[int]]:
    """Rows below the comments and the distinct cells of each column, as Python's csv module counts them."""
    content = {"": bytes, "gzip": gzip.decompress, "bz2": bz2.decompress}[form.packed](content)
    stream = io.StringIO(content.decode(form.encoding).removeprefix("\ufeff"), newline="")
    for _ in range(form.above):
        stream.readline()
    if len(form.separator) == 1 and form.separator != " ":
        rows = list(csv.reader(stream, delimiter=form.separator, strict=True))
    else:
        rows = [(" ".join(re.split("[ \t]+", line.strip(" \t\r\n"))) if form.separator == " " else line.strip("\r\n"))
                .split(form.separator) for line in stream]  # fmt: skip
    cells = [[_trimmed(cell) for cell in row] for row in rows]
    cells = [row for row in cells if len(row) > 1 or any(row)]
    width = min(map(len, cells), default=0)  # some rows may end with a separator
    columns = [{row[place] for row in cells} for place in range(width)]
    while len(columns) > 1 and columns[-1] == {""}:
        columns.pop()
    return len(cells), list(map(len, columns))


def _unquoted(text: str, separator: str) -> Table:
    lines = re.split("\r\n|\r|\n", text)
    if separator == " ":
        return [re.split(" +", line.replace("\t", " ").strip(" ")) for line in lines]
    return [line.split(separator) for line in lines]


def _quoted(text: str, separator: str) -> Table:
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
        elif character == separator:
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
    return rows


def below_header(rows: Table, form: Form) -> Table:
    """The rows below a header, which may not come again."""
    if form.header and rows[0] in rows[1:]:
        raise Malformed("second header")
    return rows[1:] if form.header else rows


def graph_of(edges: tuple[Table, Form], features: tuple[Table, Form] | None, labels: tuple[Table, Form] | None) -> Graph:
    """The graph of three tables; edges keep their direction, repeats and loops."""
    head = [one.lower() for one in edges[0][0]] if edges[1].header and edges[0] else []
    source, target = (head.index(word) if word in head else place for place, word in enumerate(("source", "target")))
    pairs = [(_name(row[source]), _name(row[target])) for row in below_header(*edges)]
    numbers: dict[str, list[float]] = {}
    classes: dict[str, str] = {}
    unlabeled = set()
    if features is not None:
        for node, *values in below_header(*features):
            if _name(node) in numbers:
                raise Malformed("repeated node")
            numbers[node] = [_number(value) for value in values]
        if not numbers:
            raise Malformed("no features")
    if labels is not None:
        for node, label in below_header(*labels):
            if _name(node) in classes or node in unlabeled:
                raise Malformed("repeated node")
            if label:
                classes[node] = _name(label)
            else:
                unlabeled.add(node)
        if not classes:
            raise Malformed("no label")
    if not pairs:
        raise Malformed("no edge")
    named = {end for pair in pairs for end in pair} | set(classes) | unlabeled
    if features is not None and not named <= set(numbers):
        raise Malformed("a node without features")
    nodes = ordered(set(numbers) if features is not None else named)
    return Graph(nodes, pairs, numbers, classes, ordered(set(classes.values())))


def interactions_of(rows: Table, form: Form, least: float | None, timed: bool) -> tuple[list[tuple[str, str]], int]:
    """User and item of every row that counts, repeats included, and how many rows are rated too low."""
    if not rows:
        raise Malformed("empty")
    header, kept, low = rows[0] if form.header else ["user", "item", "rating", "time"][: len(rows[0])], [], 0
    wanted = ["user", "item", *(["rating"] if least is not None else []), *(["time"] if timed else [])]
    if any(header.count(column) != 1 for column in wanted):
        raise Malformed("columns")
    for row in below_header(rows, form):
        cells = dict(zip(header, row, strict=True))
        pair = _name(cells["user"]), _name(cells["item"])
        if timed:
            _time(cells["time"])
        if least is not None:
            if not isfinite(_float(cells["rating"])):
                raise Malformed("rating")
            if _float(cells["rating"]) < least:
                low += 1
                continue
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
