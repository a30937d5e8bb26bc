"""The command that counts separated pairs: records, the page, what is judged; and all of BREC where it lies on this machine."""

import json

import pytest

from benchmarks.expressiveness.__main__ import judge, main
from benchmarks.expressiveness.expected import BREC, CATEGORIES
from graphkit.conf.expressiveness import TESTS
from graphkit.data.readers.brec import read_brec
from graphkit.separation.collection import Collection
from graphkit.separation.refinement import CLASSES
from graphkit.separation.verdicts import ceiling


def test_counts_are_written_and_read(tmp_path, capsys):
    asked = ["generated", "--tests", "1-wl", "swl-vs", "--models", "gin", "--layers", "2", "--out", str(tmp_path), "--write"]
    assert main(asked) == 0
    columns = json.loads((tmp_path / "generated.json").read_text())
    assert list(columns) == ["test 1-wl", "test swl-vs", "model gin"]
    assert columns["test swl-vs"]["separated"]["all"] == 53 and len(columns["test swl-vs"]["not separated"]) == 14
    assert columns["model gin"]["ceiling"]["all"] == 0 and columns["model gin"]["layers"] == 2
    page = (tmp_path / "README.md").read_text()
    assert "| `swl-vs` | 5 | 45 | 3 | 0 | 0 | 53 |" in page and "| network `gin`, 2 layers of 16 | 0 / 0 |" in page
    written = (tmp_path / "generated.json").read_bytes()
    assert main(asked) == 0 and (tmp_path / "generated.json").read_bytes() == written
    assert main(["generated"]) == 2 and "nothing to count" in capsys.readouterr().err


def test_what_differs_is_said():
    known = dict(zip(CATEGORIES, BREC["sswl"], strict=True))
    column = {"separated": {"all": 267, **known}, "ceiling": None}
    assert judge("brec", "test sswl", column) == []
    wrong = {"separated": {**column["separated"], "cfi": 56}, "ceiling": None}
    assert judge("brec", "test sswl", wrong) == ["test sswl, cfi: 56 separated, the known count is 57"]
    network = {"separated": {"all": 3, "cfi": 3}, "ceiling": {"all": 3, "cfi": 4}}
    assert judge("brec", "model sswl", network) == ["model sswl, cfi: 3 separated, its ceiling is 4"]
    assert set(BREC) <= set(TESTS) and sum(BREC["edge-deleted"]) == 321


@pytest.mark.data("BREC")
@pytest.mark.parametrize("name", ["1-wl", "swl-vs", "gswl", "sswl", "fwl", "edge-deleted", "ego1"])
def test_published_pairs_without_the_largest(name, data_root):
    """All categories but CFI's and the four-vertex condition's; `python -m benchmarks.expressiveness brec` counts those too."""
    large = ("cfi", "four_vertex_condition")
    pairs = Collection([pair for pair in read_brec(data_root) if pair.category not in large])
    found = ceiling(CLASSES[name], pairs)
    for category, count in zip(CATEGORIES, BREC[name], strict=True):
        if category not in large:
            assert sum(found[row] for row, pair in enumerate(pairs.pairs) if pair.category == category) == count
