"""report.html of a sweep: the winner, the curve of the best by trial, what mattered, every trial. One self-contained page."""

from __future__ import annotations

from dataclasses import dataclass

import jinja2

from graphkit.conf.setting import show
from graphkit.metrics.registry import decimals
from graphkit.sweeps.trial import SweepResult, Trial, best_of
from graphkit.training.files import write_atomic
from graphkit.training.report import plus_minus

_WIDTH, _HEIGHT, _MARGIN = 640, 240, 48


@dataclass(frozen=True)
class _Curve:
    """Trials as dots, the best so far as a line, in the places of the page."""

    dots: list[tuple[float, float, str, bool]]
    best: str
    first: int
    last: int
    low: str
    high: str


def write_page(result: SweepResult) -> None:
    """Write report.html into the sweep's folder."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("graphkit.sweeps"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    digits = decimals(result.metric)
    judged = {split: metrics[result.metric] for split, metrics in result.result.metrics.items()}
    figures = [
        (split, plus_minus(one, digits), ", ".join(f"{value:.{digits}f}" for value in one["per_seed"]))
        for split, one in judged.items()
    ]
    text = environment.get_template("sweep.html.j2").render(
        result=result,
        run=result.result,
        figures=figures,
        curve=_curve(result),
        values=lambda trial: [show(trial.values[key]) for key in result.ranges],
        valid=lambda trial: "failed" if trial.valid is None else f"{trial.valid:.{digits}f}",
        width=_WIDTH,
        height=_HEIGHT,
        margin=_MARGIN,
    )
    write_atomic(result.folder / "report.html", text.encode())


def _curve(result: SweepResult) -> _Curve | None:
    """The curve; None where there are not two points to join."""
    done = [(trial, trial.valid) for trial in result.trials if trial.valid is not None]
    if len(done) < 2:
        return None
    low, high = min(valid for _, valid in done), max(valid for _, valid in done)
    first, last, digits = done[0][0].number, done[-1][0].number, decimals(result.metric)

    def place(number: int, valid: float) -> tuple[float, float]:
        x = _MARGIN + (_WIDTH - 2 * _MARGIN) * (number - first) / (last - first)
        y = _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * (valid - low) / (high - low or 1.0)
        return round(x, 1), round(y, 1)

    dots = [
        (*place(trial.number, valid), f"trial {trial.number}: {valid:.{digits}f}", trial == result.winner)
        for trial, valid in done
    ]
    steps: list[str] = []
    seen: list[Trial] = []
    for trial, _ in done:
        seen.append(trial)
        best = best_of(seen, result.metric)
        assert best is not None and best.valid is not None
        x, y = place(trial.number, best.valid)
        steps.append(f"H{x} V{y}" if steps else f"M{x},{y}")
    return _Curve(dots, " ".join(steps), first, last, f"{low:.4g}", f"{high:.4g}")
