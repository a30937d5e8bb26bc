"""The curves of report.html at more epochs than the page has points."""

import math
import re
from pathlib import Path

from graphkit.training.report import write_report
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
