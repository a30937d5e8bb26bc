import os
import threading

import pytest

from graphkit.data.own.table import Reading, content, read_table
from graphkit.errors import DataError


def read(path, header=False):
    """Rows with their lines."""
    found = read_table(path, Reading(header=str(header).lower()))
    cells = zip(*(column.texts() for column in found.columns), strict=True)
    return list(zip(found.lines, map(list, cells), strict=True))


def refusal(path, header=False) -> str:
    with pytest.raises(DataError) as caught:
        read(path, header)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message.removeprefix(str(path))


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_rows_come_with_their_lines_and_without_blanks_around(table):
    path = table('\ufeffa , b\r\r\n"x\ny",\u3000"z"\u00a0\n\n\tc,\n')
    assert read(path) == [(1, ["a", "b"]), (4, ["x\ny", '"z"']), (6, ["c", ""])]


def test_only_blanks_are_taken_off(table):
    assert read(table("a\x1f,\x0cb\n")) == [(1, ["a\x1f", "\x0cb"])]


def test_a_header_is_left_out_and_may_not_come_again(table):
    assert read(table("h,i\n1,2\n"), header=True) == [(2, ["1", "2"])]
    assert read(table("h,i\n1,2\nh,3\n4,i\n"), header=True) == [(2, ["1", "2"]), (3, ["h", "3"]), (4, ["4", "i"])]
    again = ", line 4: the header comes again, as in files put one below another: remove this line"
    assert refusal(table("h,i\n1,2\n\n h , i\n3,4\n"), header=True) == again
    assert read(table("h,i\n1,2\nh,i\n")) == [(1, ["h", "i"]), (2, ["1", "2"]), (3, ["h", "i"])]  # no header, so rows


@pytest.mark.parametrize(("text", "line"), [("\ufeff\ufeffa,b\n", 1), ("a,b\n\ufeffc,d\n", 2), ('a,b\n\ufeff"c",d\n', 2)])
def test_a_byte_order_mark_belongs_at_the_start(table, text, line):
    assert refusal(table(text)) == f", line {line}, column 1: a byte order mark (U+FEFF) inside the file: remove it"


def test_a_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("1,2\n3,4\n",))
    writer.start()
    assert read(pipe) == [(1, ["1", "2"]), (2, ["3", "4"])]
    writer.join()


def test_what_cannot_be_read(tmp_path):
    assert refusal(tmp_path / "none") == " cannot be read (No such file or directory): name an existing file"
    assert "File name too long" in refusal(tmp_path / ("x" * 300))
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be read" in refusal(tmp_path / "loop")


def test_a_field_that_is_too_long(table):
    asked = "a field of more than 131,072 characters: close its quote, or shorten it"
    assert refusal(table("a,b\nc," + 131_073 * "d")) == f", line 2 or below: {asked}"
    assert len(read(table("a," + 131_072 * "d"))[0][1][1]) == 131_072


def test_a_line_that_is_too_long(table, monkeypatch):
    monkeypatch.setattr(content, "LONGEST_LINE", 10)
    assert read(table("123,567,9\n1,2,3\n")) == [(1, ["123", "567", "9"]), (2, ["1", "2", "3"])]
    assert refusal(table("1,2,3\n123,567,90\n")) == ", line 2: longer than 10 characters: write one row per line"


def test_quotes_that_do_not_match(table):
    advice = "close every quote, and write a quote inside a quoted field twice"
    assert refusal(table('a,b\n"c,d\n')) == f", line 2 or below: not valid CSV (unexpected end of data): {advice}"
    assert refusal(table('a,"b"c\n')) == f", line 1 or below: not valid CSV (',' expected after '\"'): {advice}"
