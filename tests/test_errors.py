import pickle

from graphkit.errors import DataError, GraphkitError, shown


def test_a_value_is_shown_on_one_line_without_control_characters():
    assert shown("größe 7, 日本 'x'") == "größe 7, 日本 'x'"
    assert shown("a\x1b[31mb\r\n\0\x85\u2028\u202e\ufeff") == r"a\x1b[31mb\r\n\x00\x85\u2028\u202e\ufeff"
    assert shown("\udcff") == r"\udcff" and shown("\U000e0001") == r"\U000e0001"
    assert shown("") == ""


def test_a_long_value_is_cut_and_its_length_told():
    assert shown("x" * 80) == "x" * 80
    assert shown("x" * 81) == "x" * 80 + "... (81 characters)"
    assert shown("9" * 5000, 3) == "999... (5,000 characters)"
    assert shown("\0" * 10, 2) == r"\x00\x00... (10 characters)"


def test_a_message_holds_nothing_that_a_terminal_obeys():
    error = GraphkitError("no file a\x1b]0;title\x07\tb\nsecond\rline")
    assert str(error) == "no file a\\x1b]0;title\\x07\\tb\nsecond\\rline"
    assert str(pickle.loads(pickle.dumps(DataError("a\x1b")))) == r"a\x1b"
