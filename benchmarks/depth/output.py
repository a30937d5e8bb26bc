"""What is left behind: `DATASET.json` with everything, `DATASET.csv` with a line a seed, `DATASET.png` to look at."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.depth.points import MODELS, Plan
from graphkit.errors import RequestError
from graphkit.training.files import write_atomic

ENERGY = "sum over edges of |x_i / sqrt(d_i + 1) - x_j / sqrt(d_j + 1)|^2, divided by |X|^2"
_COLUMNS = ("model", "layers", "seed", "valid", "test", "energy", "sheaf_energy", "best_epoch", "commit", "dirty", "device")

Points = dict[tuple[str, int], dict[str, Any]]
"""What `benchmarks.depth.points.measure` found, by model and depth."""


def require_matplotlib() -> None:
    """Check that a plot can be drawn.

    Raises:
        RequestError: If matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise RequestError("the plot needs matplotlib: pip install 'graphkit-layers[plot]', or give --no-plot")


def read_points(out: Path, plan: Plan) -> Points:
    """Points that an earlier call left, so that a call for other models or depths adds to them.

    Raises:
        RequestError: If they are of other seeds or epochs, or the file is damaged.
    """
    path = out / f"{plan.dataset}.json"
    if not path.exists():
        return {}
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        same = (raw["seeds"], raw["epochs"]) == (plan.seeds, plan.epochs)
        points = {(point["model"], point["layers"]): point for point in raw["points"]}
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{path} is damaged: remove it; finished runs are not trained again") from error
    if not same:
        raise RequestError(
            f"{path} is of {raw['seeds']} seeds and {raw['epochs']} epochs: ask for the same, or give another folder with --out"
        )
    return points


def write_points(out: Path, plan: Plan, metric: str, points: Points) -> list[Path]:
    """Write the JSON and the CSV file, and return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    ordered = [{"model": model, "layers": layers, **point} for (model, layers), point in sorted(points.items())]
    head = {"dataset": plan.dataset, "metric": metric, "seeds": plan.seeds, "epochs": plan.epochs, "energy": ENERGY}
    table, text = out / f"{plan.dataset}.json", io.StringIO()
    write_atomic(table, (json.dumps({**head, "points": ordered}, indent=2, allow_nan=False) + "\n").encode())
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for point in ordered:
        git = point["environment"]["git"] or {"commit": "unknown", "dirty": "unknown"}
        names = ("seeds", "valid", "test", "energy", "sheaf_energy", "best_epochs")
        for values in zip(*(point[name] for name in names), strict=True):
            origin = (git["commit"], git["dirty"], point["environment"]["device"])
            writer.writerow([point["model"], point["layers"], *values, *origin])
    lines = out / f"{plan.dataset}.csv"
    write_atomic(lines, text.getvalue().encode())
    return [table, lines]


def draw(out: Path, plan: Plan, metric: str, points: Points) -> Path:
    """Draw test metric and energies over the number of layers, means over seeds with their standard deviation."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    panels = (("test", f"test {metric} (%)"), ("energy", "Dirichlet energy / |X|²"), ("sheaf_energy", "sheaf energy / |X|²"))
    figure, axes = pyplot.subplots(1, len(panels), figsize=(13, 4), layout="constrained")
    depths = sorted({layers for _, layers in points})
    for axis, (name, title) in zip(axes, panels, strict=True):
        for number, model in enumerate(MODELS):  # a model keeps its color
            line = [(layers, *_summary(points[model, layers][name])) for layers in depths if (model, layers) in points]
            known = [(layers, mean, std) for layers, mean, std in line if mean is not None]
            if known:
                axis.errorbar(*zip(*known, strict=True), marker="o", capsize=3, color=f"C{number}", label=model)
        axis.set_xscale("log", base=2)
        axis.set_xticks(depths, [str(depth) for depth in depths])
        axis.set_xlabel("layers")
        axis.set_title(title)
        if name != "test":
            axis.set_yscale("log", nonpositive="clip")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(MODELS))
    figure.suptitle(f"{plan.dataset}: {plan.seeds} seeds, {plan.epochs} epochs, epoch selected on validation")
    path = out / f"{plan.dataset}.png"
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return path


def _summary(values: list[float | None]) -> tuple[float | None, float]:
    """Mean and standard deviation of the seeds that have a value."""
    known = [value for value in values if value is not None]
    return (statistics.fmean(known) if known else None), (statistics.stdev(known) if len(known) > 1 else 0.0)
