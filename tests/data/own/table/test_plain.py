"""Plain tables: cut by NumPy they are what the csv module reads; what is not plain is left to it, with the same messages."""

import csv
import io
import re
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.conf.schema import Data
from graphkit.data.own.files import OwnFiles
from graphkit.data.own.integers import Integers
from graphkit.data.own.naming import number
from graphkit.data.own.table import Column, Reading, cells, distinct, plain, read_table
from graphkit.data.own.table.cells import SEPARATORS, Lines
from graphkit.data.own.table.plain import plain_columns
from graphkit.data.own.table.values import number_of, numbers_of
from graphkit.errors import DataError

BLANKS = " \t\u00a0\u2003\u3000"

NUMBER = st.sampled_from(
    ["0", "7", "-7", "42", "007", "-0", "+5", "1.50", "-2.", ".5", "1e3", "-1E-2", "12345678", "123456789", "-87654321", "1_0"]
    + ["9" * 17, "9" * 18, "-" + "9" * 18, "9" * 19, "1" + "0" * 17, "1234567a", "12/4", "12:4", "-", "--1", "٣"]
)
WORD = st.sampled_from(["a", "user_000123", "x" * 8, "x" * 9, "é", "日本", "a b", " a", "a\u00a0", "", "NA", "#c", "a'b"])
ODD = st.sampled_from(
    ['"', 'a"b', '"a"', '""', '"a""b"', '"x,y"', '"x\ny"', "\0", "\x01", "\ufeff", "y" * 65, "a:b", " ", "\t"]
)
NAME = st.sampled_from(["source", "target", "user", "item", "rating", "time", "weight", "h1", "id"])


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, str]:
    """A text of rows, and what separates its columns: mostly plain, now and then with an odd cell, row or line end."""
    separator = draw(st.sampled_from([*SEPARATORS.values()]))
    width = draw(st.integers(1, 4))
    kinds = [draw(st.sampled_from([NUMBER, WORD, st.integers(-300, 300).map(str), NUMBER | WORD])) for _ in range(width)]
    rows = [[draw(kind) for kind in kinds] for _ in range(draw(st.integers(0, 12)))]
    if draw(st.booleans()):
        rows.insert(0, [draw(NAME) for _ in kinds])
    quoted = draw(st.sampled_from([False, False, True]))
    if quoted:
        rows = [[f'"{cell}"' if draw(st.booleans()) else cell for cell in row] for row in rows]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2])) if rows else 0):
        row = rows[draw(st.integers(0, len(rows) - 1))]
        row[draw(st.integers(0, width - 1))] = draw(ODD)
    trailing = draw(st.sampled_from(["", "", "", separator]))
    lines = [separator.join(row) + trailing for row in rows]
    if draw(st.integers(0, 5)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(["", " ", separator, "1", "1" + separator * 4])))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    return end.join(lines) + draw(st.sampled_from(["", end, end + end])), separator


@contextmanager
def blocks_of(size: int):
    """Blocks of a few bytes, so that a small table has many."""
    with mock.patch.object(plain, "_LARGEST_BLOCK", size):
        yield


def by_csv(text: str, separator: str) -> list[list[str]]:
    """Rows as Python's csv module, or cutting at each separator, reads them."""
    if separator == "::":
        rows = [line.split("::") for line in re.split("\r\n|\r|\n", text)]
    elif separator == " ":
        rows = [re.sub("[ \t]+", " ", line).strip(" ").split(" ") for line in re.split("\r\n|\r|\n", text)]
    else:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    return [[cell.strip(BLANKS) for cell in row] for row in rows if len(row) > 1 or (row and row[0].strip(BLANKS))]


@settings(max_examples=800, deadline=None)
@given(texts(), st.sampled_from([16, 40, 1 << 24]))
def test_what_is_plain_is_what_the_csv_module_reads(made, size: int) -> None:
    text, separator = made
    with blocks_of(size):
        found = plain_columns(text.encode(), separator)
    if found is None:
        return
    first, columns = found
    assert [first, *map(list, zip(*(column.texts() for column in columns), strict=True))] == by_csv(text, separator)
    for column in columns:
        assert list(column.values) == list(dict.fromkeys(column.texts()))  # distinct, in the order of their first rows
    other_first, other_columns = Lines("t", text.encode(), 0, separator).any_columns()
    assert other_first == first
    for one, other in zip(columns, other_columns, strict=True):
        assert list(one.values) == list(other.values) and np.array_equal(one.codes, other.codes)


def outcome(read):
    """What a reader gives, or the sentence of its refusal."""
    try:
        return read()
    except DataError as error:
        return str(error)


def on_both_ways(read):
    """The outcome as it is, and by the csv module alone."""
    found = outcome(read)
    with mock.patch.object(cells, "plain_columns", lambda *_: None):
        return found, outcome(read)


@settings(max_examples=400, deadline=None)
@given(texts(), st.sampled_from([Reading(), Reading(header="true"), Reading(header="false"), Reading(separator="comma")]))
def test_tables_and_refusals_are_the_same_on_both_ways(tmp_path_factory, made, reading: Reading) -> None:
    path = tmp_path_factory.getbasetemp() / "plain.csv"
    path.write_bytes(made[0].encode())

    def read():
        table = read_table(path, reading)
        return table.header, table.took, list(table.lines), [(list(column.values), column.texts()) for column in table.columns]

    with blocks_of(40):
        one, other = on_both_ways(read)
    assert one == other


@settings(max_examples=150, deadline=None)
@given(texts(), st.booleans())
def test_graphs_and_interactions_are_the_same_on_both_ways(tmp_path_factory, made, timed: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "own.csv"
    path.write_bytes(made[0].encode())

    def graph():
        own = OwnFiles().graph(Data(edges=str(path), time_column="time" if timed else None))
        weight = None if own.data.edge_weight is None else own.data.edge_weight.tolist()
        return own.names, own.notes, own.read, own.data.edge_index.tolist(), weight

    def interactions():
        taken, _ = OwnFiles().interactions(Data(interactions=str(path), time_column="time" if timed else None))
        return taken.users.texts(), taken.items.texts(), taken.time.tolist(), taken.read, str(taken.unused), str(taken.clock)

    for read in (graph, interactions):
        one, other = on_both_ways(read)
        assert one == other


PLAIN = {
    "numbers": ("source,target\n1,2\n3,-4\n", ","),
    "no line end": ("a,b\nc,d", ","),
    "carriage returns": ("a\tb\r\nc\td\r\n", "\t"),
    "quotes": ('"a","b, c"\n"d",e\n', ","),
    "quoted empty": ('a,b\n"",d\n', ","),
    "colons": ("1::2\n3::4\n", "::"),
    "blanks": ("1  2\n 3\t4 \n", " "),
    "trailing separators": ("a;b;\nc;d;\n", ";"),
    "letters": ("é,日本\nß,ø\n", ","),
    "one column": ("a\nb\n", ","),
    "blank lines below": ("a,b\nc,d\n\n\n", ","),
    "64 bytes": ("a,b\nc," + 64 * "d" + "\n", ","),
}
OTHER = {
    "rows of different widths": "a,b\nc\n",
    "a blank line between": "a,b\n\nc,d\n",
    "a blank line in one column": "a\n \nb\n",
    "a quote inside": 'a,b\nc"c,d\n',
    "a doubled quote": 'a,b\n"c""c",d\n',
    "a line end inside quotes": 'a,b\n"c\nc",d\n',
    "a blank before a quote": 'a,b\nc, "d"\n',
    "a quote that does not end": 'a,b\n"c,d\n',
    "carriage returns alone": "a,b\rc,d\r",
    "NUL": "a,b\n\0,d\n",
    "65 bytes": "a,b\nc," + 65 * "d" + "\n",
    "one row": "a,b\n",
    "nothing": "",
}


@pytest.mark.parametrize("name", PLAIN)
def test_usual_tables_are_plain(name: str) -> None:
    text, separator = PLAIN[name]
    found = plain_columns(text.encode(), separator)
    assert found is not None
    rows = [found[0], *map(list, zip(*(column.texts() for column in found[1]), strict=True))]
    assert rows == [row + [""] * (len(found[0]) - len(row)) for row in by_csv(text, separator)]


@pytest.mark.parametrize("name", OTHER)
def test_other_tables_are_not(name: str) -> None:
    assert plain_columns(OTHER[name].encode(), ",") is None


def test_integers_stay_numbers_and_other_texts_do_not() -> None:
    rows = [["1", "007", "5", "-3"], ["22", "7", "x", "-3"], ["-3", "7", "5", "999999999999999999"]]
    text = "a,b,c,d\n" + "".join(",".join(row) + "\n" for row in rows)
    with blocks_of(20):  # the third column turns out to be texts in a later block
        found = plain_columns(text.encode(), ",")
    assert found is not None
    assert [isinstance(column.values, Integers) for column in found[1]] == [True, False, False, True]
    assert [column.texts() for column in found[1]] == [list(column) for column in zip(*rows, strict=True)]


@settings(deadline=None)
@given(
    st.lists(st.integers(-40, 40) | st.integers(1 - 10**18, 10**18 - 1), min_size=1, max_size=60), st.sampled_from([1, 2, 9])
)
def test_cells_are_numbered_as_a_dictionary_numbers_them(values: list[int], width: int) -> None:
    words = np.array([[value >> (7 * place) for value in values] for place in range(width)], dtype=np.int64)
    with mock.patch.object(distinct, "_CHUNK", 7):
        ways = [distinct.distinct(words), distinct.distinct(words.astype(np.uint64))]
        with mock.patch.object(distinct, "_hash", lambda *_: (lambda chunk: np.zeros(chunk.shape[1], dtype=np.int64), 1)):
            ways.append(distinct.distinct(words))  # all cells collide
    seen: dict[tuple[int, ...], int] = {}
    codes = [seen.setdefault(tuple(cell), len(seen)) for cell in words.T.tolist()]
    for first, found in ways:
        assert found.tolist() == codes and [codes.index(code) for code in range(len(seen))] == first.tolist()


@settings(deadline=None)
@given(st.lists(st.integers(-30, 30) | st.integers(1 - 10**18, 10**18 - 1), min_size=1, max_size=20), NUMBER | WORD)
def test_integers_are_a_list_of_texts(numbers: list[int], text: str) -> None:
    distinct_numbers = list(dict.fromkeys(numbers))
    one, other = Integers(np.array(distinct_numbers)), list(map(str, distinct_numbers))
    assert list(one) == other and one[-1] == other[-1] and list(one[1:3]) == other[1:3] and len(one) == len(other)
    assert numbers_of(one).tolist() == [number_of(value) for value in other]
    codes = np.array([distinct_numbers.index(value) for value in numbers])
    columns = Column(one, codes), Column(other, codes)
    assert columns[0].among([text, other[0]]) == sorted(columns[1].among([text, other[0]]))
    below = [column.below(text) for column in columns]
    assert below[0].texts() == below[1].texts() == [text, *map(str, numbers)]
    assert list(below[0].values) == list(below[1].values) == list(dict.fromkeys(below[0].texts()))
    assert number(one, one[:2]) == number(other)
    for column in columns:
        assert column.places(number(one[1:])).tolist() == column.places(dict(number(other[1:]))).tolist()


def test_a_line_longer_than_a_block(tmp_path: Path) -> None:
    cell = "x" * 60
    text = f"a,b\n{cell},{cell}\nc,d\n"
    with blocks_of(16):
        found = plain_columns(text.encode(), ",")
    assert found is not None and [column.texts() for column in found[1]] == [[cell, "c"], [cell, "d"]]
