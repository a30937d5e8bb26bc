"""report.html of a sweep: the winner, the curve of the best by trial, what mattered, every trial. One self-contained page."""

from __future__ import annotations

import jinja2

from graphkit.charts import STYLE, Axis, Line, Mark, Points, chart
from graphkit.conf.setting import show
from graphkit.metrics.registry import decimals
from graphkit.sweeps.trial import SweepResult, Trial, best_of
from graphkit.training.files import write_atomic
from graphkit.training.report import plus_minus


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
        style=STYLE,
        curve=_best_by_trial(result),
        values=lambda trial: [show(trial.values[key]) for key in result.ranges],
        valid=lambda trial: "failed" if trial.valid is None else f"{trial.valid:.{digits}f}",
    )
    write_atomic(result.folder / "report.html", text.encode())


def _best_by_trial(result: SweepResult) -> str:
    """A chart of the trials and of the best so far; empty where there are not two."""
    done = [(trial, trial.valid) for trial in result.trials if trial.valid is not None]
    if len(done) < 2:
        return ""
    digits = decimals(result.metric)
    others = [(trial, valid) for trial, valid in done if trial != result.winner]
    seen: list[Trial] = []
    best: list[tuple[float, float]] = []
    for trial, _ in done:
        seen.append(trial)
        leader = best_of(seen, result.metric)
        assert leader is not None and leader.valid is not None
        best += [(float(trial.number), height) for height in (best[-1][1] if best else leader.valid, leader.valid)]
    assert result.winner.valid is not None
    marks: list[Mark] = [
        Line("best so far", best, 0),
        Points(
            "trials",
            [(float(trial.number), valid) for trial, valid in others],
            0,
            [f"trial {trial.number}: {valid:.{digits}f}" for trial, valid in others],
        ),
        Points(
            "winner", [(float(result.best), result.winner.valid)], 1, [f"trial {result.best}: {result.winner.valid:.{digits}f}"]
        ),
    ]
    return chart("Best by trial", marks, x=Axis("trial", whole=True), y=Axis(f"validation {result.metric}"))
