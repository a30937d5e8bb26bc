"""report.html: the table, the curves at more epochs than a chart has points, the spread, commands, and what fails."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from graphkit.training.report import Additions, Baseline, Section, Step, additions, plus_minus, write_report
from graphkit.training.result import RunResult, summarize
from graphkit.training.runner import train_run
from tests.training.fakes import Scripted, config

BASELINE = Baseline("majority class", {"valid": {"accuracy": 40.0}, "test": {"accuracy": 31.9}}, "Of the first seed.")


def result(folder: Path, test: Sequence[float] = (70.0,), best: int = 2, **changes: object) -> RunResult:
    metrics = summarize([{"valid": {"accuracy": value + 1}, "test": {"accuracy": value}} for value in test])
    fields: dict[str, object] = {
        "task": "node", "dataset": "karate", "model": "gcn", "metric": "accuracy", "metrics": metrics,
        "seeds": tuple(range(len(test))), "best_epochs": (best,) * len(test), "num_parameters": 1, "paper": None,
        "seconds": 1.0, "epoch_seconds": None, "steps_per_second": None, "peak_memory_mb": 0.0, "folder": folder,
    }  # fmt: skip
    return RunResult(**{**fields, **changes})  # type: ignore[arg-type]


def rows(epochs: int, seeds: int = 1) -> list[dict[str, float | None]]:
    return [
        {"seed": float(s), "epoch": float(e), "loss": 1 / e, "valid/accuracy": 50.0 + e % 7 + s}
        for s in range(seeds)
        for e in range(1, epochs + 1)
    ]


def page(one: RunResult, lines: Sequence[dict[str, float | None]] = (), added: Additions | None = None) -> str:
    write_report(one, {}, {}, lines, added or Additions())
    return (one.folder / "report.html").read_text()


def cells(text: str) -> list[list[str]]:
    """The cells of the result table, row by row."""
    (table,) = re.findall(r"<h2>Result</h2>.*?<table>(.*?)</table>", text, re.S)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr.*?</tr>", table)]


def test_the_table_has_a_row_of_the_baseline_and_no_empty_column(tmp_path: Path):
    assert cells(page(result(tmp_path), added=Additions(baseline=BASELINE))) == [
        ["split", "metric", "gcn"],
        ["valid", "accuracy", "71.00"], ["", "majority class", "40.00"],
        ["test", "accuracy", "70.00"], ["", "majority class", "31.90"],
    ]  # fmt: skip
    paper = {"source": "s", "test": {"accuracy": {"mean": 71.5, "std": None}}}
    assert cells(page(result(tmp_path, (70.0, 72.0), paper=paper, selection="drawn by lot"))) == [
        ["split", "metric", "gcn", "paper", "difference", "per seed"],
        ["valid", "accuracy", "72.00 ± 1.41", "", "", "71.00, 73.00"],
        ["test", "accuracy", "71.00 ± 1.41", "71.50", "-0.50", "70.00, 72.00"],
    ]  # fmt: skip
    text = (tmp_path / "report.html").read_text()
    assert "Paper: s." in text and "drawn by lot: 2, 2" in text and "<dd>71.00 ± 1.41</dd>" in text
    assert plus_minus({"mean": 1.234567, "std": 0.5}) == "1.23 ± 0.50" and plus_minus({"mean": 1.0}, 4) == "1.0000"


def test_each_of_a_few_seeds_has_a_line_and_a_marker_at_its_epoch(tmp_path: Path):
    text = page(result(tmp_path, (70.0, 71.0), best=3), rows(5, 2), Additions(baseline=BASELINE))
    loss, valid = text.split("<figcaption>")[1:]
    assert "seed 0" in loss and "seed 1" in loss and loss.count("class='stroke'") == 4  # two lines, and two in the legend
    assert valid.startswith("Validation accuracy") and "<title>seed 1: 3, 54</title>" in valid
    assert "majority class 40.00" in valid and "majority class" not in loss
    assert "Spread over seeds" not in text


def test_many_seeds_are_a_band_with_its_mean(tmp_path: Path):
    text = page(result(tmp_path, tuple(map(float, range(70, 77)))), rows(3, 7))
    loss, valid, spread = text.split("<figcaption>")[1:]
    assert "7 seeds, lowest to highest" in valid and "seed 3" not in valid
    (mean,) = re.findall(r"class='stroke' d='M([^']+)'", valid.split("<div class='key'>")[0])
    heights = [float(point.split(",")[1]) for point in mean.split("L")]
    lowest, highest = [float(place) for place in re.findall(r"class='area' d='M[\d.]+,([\d.]+).*,([\d.]+)Z'", valid)[0]][::-1]
    assert heights[0] == pytest.approx((lowest + highest) / 2, abs=0.2)  # seeds are 0 to 6 above each other
    assert spread.startswith("Spread over seeds") and "<title>seed 6, test: 76.00</title>" in spread
    assert "mean test 73.00" in spread


def test_the_page_stays_small_with_many_seeds_and_epochs(tmp_path: Path):
    few = page(result(tmp_path, (70.0,) * 5), rows(5000, 5))
    many = page(result(tmp_path, tuple(map(float, range(100)))), rows(400, 100))
    assert max(len(few), len(many)) < 200_000
    assert few.count("selected") >= 1 and "M" in few


def test_one_epoch_makes_no_curve(tmp_path: Path):
    assert "<figure" not in page(result(tmp_path), rows(1))
    speed = page(result(tmp_path, epoch_seconds=1.0, steps_per_second=2.0), rows(1))
    assert "1 s an epoch" in speed and "peak memory" not in speed
    assert "<p>peak memory 1 MiB.</p>" in page(result(tmp_path, peak_memory_mb=1.0), rows(1))


def test_numbers_in_another_unit_have_four_decimals(tmp_path: Path):
    metrics = summarize([{"valid": {"mae": value}, "test": {"mae": value}} for value in (0.0712, 0.0652, 0.0772)])
    text = page(result(tmp_path, (1.0,) * 3, metric="mae", metrics=metrics))
    assert "0.0712 ± 0.0060" in text and "mae, %" not in text and "seed 1, test: 0.0652" in text


def test_commands_and_sections_stand_on_the_page_and_are_escaped(tmp_path: Path):
    step = Step("Predict", "python -m graphkit.predict run='a b' user='<x>&'")
    text = page(result(tmp_path), added=Additions([Section("More", "<b>bold</b>")], None, "python -m graphkit.run", [step]))
    assert "<pre>python -m graphkit.run</pre>" in text and "<h2>More</h2>\n<b>bold</b>" in text
    assert "user=&#39;&lt;x&gt;&amp;&#39;" in text
    assert "<h2>Commands</h2>" not in page(result(tmp_path))


def test_what_cannot_be_drawn_loses_no_result(tmp_path: Path):
    def broken(found: RunResult) -> Additions:
        raise ZeroDivisionError("of <nothing>")

    heard: list[str] = []
    settings = config(tmp_path, train={"epochs": 2})
    found = train_run(settings, lambda seed: Scripted([1.0, 2.0]), add=broken, tell=heard.append)
    (said,) = [line for line in heard if "report.html lacks" in line]
    assert "ZeroDivisionError: of <nothing>" in said and (found.folder / "result.json").is_file()
    text = (found.folder / "report.html").read_text()
    assert "ZeroDivisionError: of &lt;nothing&gt;" in text and "Validation score" in text

    def interrupted(found: RunResult) -> Additions:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        additions(interrupted, found, heard.append)
