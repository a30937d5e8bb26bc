"""The page of AMUD's decisions; the statistic itself is tested in tests/data/measures/test_amud.py."""

from pathlib import Path

import pytest

from benchmarks import amud as command
from benchmarks.amud import Finding, find, main, page
from graphkit.data.catalog import DATASETS
from graphkit.data.loading import load
from graphkit.data.measures.amud import Amud, amud
from graphkit.errors import DataError


def found(score: float, largest: float = 0.1) -> Amud:
    r_squared = {"AA": largest, "AA^T": largest * (1 - score), "A^TA": largest, "A^TA^T": largest}
    return Amud(score, "directed" if score > 0.5 else "undirected", r_squared)


def test_a_reconstruction_that_always_says_the_same_is_called_that():
    text = page(
        [Finding("squirrel-directed", found(0.9), (found(0.8), found(1.0))), Finding("x", found(0.6), (found(0.7),))], [], "c"
    )
    assert (
        "| squirrel-directed | 1.0e-01 | 1.0e-02 | 1.0e-01 | 0.90 | directed | 0.90 (0.80 to 1.00) | directed in 2 of 2 |"
        in text
    )
    assert "**The reconstruction does not discriminate here**: it answers `directed` on every one" in text
    assert "no R² exceeds 0.1." in text and "| directed in 1 of 1 | nothing |" in text and "our reconstruction" in text


def test_decisions_that_differ_are_not_called_the_same():
    text = page([Finding("x", found(0.9), (found(0.2), found(0.9)))], ["y"], "c")
    assert "does not discriminate" not in text and "The decisions differ" in text
    assert "directed in 1 of 2" in text and "y: could not be loaded." in text


def test_something_is_said_of_every_directed_data_set():
    published = {name for name, entry in DATASETS.items() if not entry.reader.startswith("graphkit.data.generated.")}
    directed = {name for name in published if "node" in DATASETS[name].protocols and DATASETS[name].directed}
    assert directed == command._PRINTED.keys()


def test_the_page_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def first_only(name: str, splits: int, root: Path | None) -> Finding:
        if name != "citeseer-directed":
            raise DataError("not there")
        return Finding(name, found(0.9), (found(0.9),) * splits)

    monkeypatch.setattr(command, "find", first_only)
    out = tmp_path / "node/amud.md"
    assert main(["--splits", "3"], out) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == out.read_text().strip() and "| citeseer-directed |" in printed.out
    assert "directed in 3 of 3" in printed.out and "cora-ml-directed: could not be loaded." in printed.out
    monkeypatch.setattr(command, "find", lambda *given: first_only("another", 1, None))
    assert main([], out) == 2 and "no directed data set is available" in capsys.readouterr().err


@pytest.mark.data("directed")
def test_decisions_are_those_of_the_statistic(data_root: Path):
    finding = find("citeseer-directed", 2, data_root)
    for seed, ours in enumerate(finding.of_splits):
        dataset = load("citeseer-directed", task="node", seed=seed, root=data_root)
        assert ours == amud(dataset.data.edge_index, dataset.data.y, nodes=dataset.splits["train"])
    assert finding.whole == amud(dataset.data.edge_index, dataset.data.y)
