"""The curves of report.html at more epochs than the page has points."""

import math
import re
from pathlib import Path

from graphkit.training.report import Section, plus_minus, write_report
from graphkit.training.result import RunResult, summarize

EPOCHS, BEST = 2001, 1234


def curve(epoch: int) -> float:
    """A slow rise with one narrow peak, at an odd place, and one narrow dip."""
    return 50 + epoch / 100 + 30 * (epoch == BEST) - 40 * (epoch == 777)


def page(folder: Path, best: int, epoch_seconds: float | None, memory: float, rows: list[dict]) -> str:
    metrics = summarize([{"valid": {"accuracy": 80.0}, "test": {"accuracy": 70.0}}])
    result = RunResult(
        task="node", dataset="karate", model="gcn", metric="accuracy", metrics=metrics, seeds=(0,), best_epochs=(best,),
        num_parameters=1, paper=None, seconds=1.0, epoch_seconds=epoch_seconds, steps_per_second=epoch_seconds,
        peak_memory_mb=memory, folder=folder,
    )  # fmt: skip
    write_report(result, {}, {}, rows)
    return (folder / "report.html").read_text()


def test_a_thinned_curve_goes_through_the_selected_epoch_and_the_extremes(tmp_path: Path):
    rows = [{"seed": 0.0, "epoch": float(e), "loss": 1 / (e + 1), "valid/accuracy": curve(e)} for e in range(1, EPOCHS)]
    text = page(tmp_path, BEST, 1.0, 0.0, rows)
    _, accuracy = (match.group(1).split() for match in re.finditer(r'<polyline[^>]* points="([^"]+)"', text))
    dot = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', text)[-1]
    points = [tuple(map(float, point.split(","))) for point in accuracy]
    assert ",".join(dot) in accuracy
    assert len(points) <= 410
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    heights = [y for _, y in points]
    assert math.isclose(min(heights), 48.0) and math.isclose(max(heights), 192.0)  # the peak and the dip are both drawn
    assert (points[0][0], points[-1][0]) == (48.0, 592.0)
    assert "1 s an epoch" in text and "peak memory" not in text


def test_a_short_curve_is_drawn_whole(tmp_path: Path):
    rows = [{"seed": 0.0, "epoch": float(e), "loss": None, "valid/accuracy": float(e % 7)} for e in range(1, 401)]
    text = page(tmp_path, 6, None, 1.0, rows)
    (points,) = re.findall(r'<polyline[^>]* points="([^"]+)"', text)
    assert len(points.split()) == 400
    assert "<p>peak memory 1 MiB.</p>" in text


def test_the_spread_over_seeds_and_the_parts_that_a_task_adds(tmp_path: Path):
    values = [0.0712, 0.0652, 0.0772, 0.0684]
    metrics = summarize([{"valid": {"mae": value}, "test": {"mae": value + 1}} for value in values])
    result = RunResult(
        task="graph", dataset="zinc", model="gin", metric="mae", metrics=metrics, seeds=(3, 4, 5, 6), best_epochs=(1, 1, 1, 1),
        num_parameters=1, paper={"source": "s", "test": {"mae": {"mean": 1.07, "std": None}}}, seconds=1.0,
        epoch_seconds=None, steps_per_second=None, peak_memory_mb=0.0, folder=tmp_path, selection="drawn by lot",
    )  # fmt: skip
    write_report(result, {}, {}, [], [Section("More", "<b>bold</b>")])
    text = (tmp_path / "report.html").read_text()
    found = re.findall(r'<title>([^<]+)</title><circle class="dot" cx="([\d.]+)" cy="36" r="5"/>', text)
    dots = [(x, name) for name, x in found]
    assert dots[:4] == [
        ("320.0", "seed 3: 0.0712"),
        ("48.0", "seed 4: 0.0652"),
        ("592.0", "seed 5: 0.0772"),
        ("193.1", "seed 6: 0.0684"),
    ]
    mean = float(re.findall(r'<path class="mean" d="M([\d.]+)', text)[0])
    assert math.isclose(mean, sum(float(x) for x, _ in dots[:4]) / 4, abs_tol=0.1)
    assert "0.0705 ± 0.0051" in text and "+0.0005" in text  # four decimals of what is no percentage
    assert "<h2>More</h2>\n<b>bold</b>" in text and "drawn by lot: 1, 1, 1, 1" in text


def test_two_seeds_have_no_spread(tmp_path: Path):
    assert "Spread over seeds" not in page(tmp_path, 1, None, 1.0, [])
    assert plus_minus({"mean": 1.234567, "std": 0.5}) == "1.23 ± 0.50" and plus_minus({"mean": 1.0}, 4) == "1.0000"
