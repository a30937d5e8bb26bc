import pytest

from graphkit.data.readers.rows import name
from graphkit.errors import DataError


def test_names_hold_no_control_characters(tmp_path):
    path = tmp_path / "t.csv"
    for good in ("7", "größe", "a\u200db", "\U0001f600", "a b", "=1+1"):
        assert name(path, 1, 1, good) == good
    for code in (0, 9, 10, 27, 31, 127, 0x85, 0x9F, 0x2028, 0x2029, 0xFEFF):
        with pytest.raises(DataError) as caught:
            name(path, 3, 2, f"a{chr(code)}b")
        shown = f"a{chr(code)}b".encode("unicode_escape").decode()
        text = f"expected text without control characters, found U+{code:04X} in '{shown}': remove it"
        assert str(caught.value) == f"{path}, line 3, column 2: {text}"
