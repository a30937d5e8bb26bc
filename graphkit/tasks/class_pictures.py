"""Pictures of predicted classes: the confusion matrix, and how far confidence can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from graphkit.charts import Axis, Line, Mark, chart, heat
from graphkit.charts.heat import MOST_CELLS
from graphkit.metrics.calibration import reliability
from graphkit.tasks.report_parts import Array, named, row, table
from graphkit.training.report import Section

_PAIRS = 6
"""Confused pairs that are listed where the matrix does not hold all classes."""


def sections(what: str, probabilities: Array, y: Array, names: Sequence[str]) -> list[Section]:
    """The test split of the first seed: confusion matrix and reliability diagram.

    Args:
        what: What is classified, e.g. `nodes`.
        probabilities: Of each class [N, C].
        y: True classes [N], all known.
        names: Names of the classes; empty: their numbers.
    """
    predicted = probabilities.argmax(axis=1)
    count = probabilities.shape[1]
    titles = [named(names, number, "class") for number in range(count)]
    charts = row(_matrix(y, predicted, titles), _diagram(probabilities, y))
    pairs = _confused(y, predicted, titles) if count > MOST_CELLS else ""
    return [Section(f"Classes of the {len(y):,} test {what}, first seed", charts + pairs)]


def confusion(y: Array, predicted: Array, count: int) -> Array:
    """How often class i was predicted as class j [C, C].

    Args:
        y: True classes [N].
        predicted: Predicted classes [N].
        count: Number of classes.
    """
    counts: Array = np.bincount(y * count + predicted, minlength=count * count).reshape(count, count)
    return counts


def _matrix(y: Array, predicted: Array, names: Sequence[str]) -> str:
    """The matrix; of many classes the largest, and all others as one."""
    count, about = len(names), "Rows are true classes; the color is the share of the row."
    if count > MOST_CELLS:
        kept = np.sort(np.argsort(-np.bincount(y, minlength=count), kind="stable")[: MOST_CELLS - 1])
        place = np.full(count, len(kept))
        place[kept] = np.arange(len(kept))
        y, predicted = place[y], place[predicted]
        names = [*(names[number] for number in kept.tolist()), "others"]
        about += f" The {len(kept)} largest of {count} classes."
    counts = confusion(y, predicted, len(names))
    return heat("Confusion matrix", counts, names, columns=names, sides=("class", "predicted"), about=about)


def _confused(y: Array, predicted: Array, names: Sequence[str]) -> str:
    """The pairs of classes that are confused most often."""
    counts = confusion(y, predicted, len(names))
    total = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:_PAIRS]
    pairs = [divmod(int(place), len(names)) for place in order if counts.flat[place]]
    rows = [[names[i], names[j], f"{counts[i, j]:,}", f"{counts[i, j] / total[i]:.1%}"] for i, j in pairs]
    head = ["class", "predicted as", "times", "of the class"]
    return f"<h3>Confused most often</h3>{table(head, rows, (2, 3))}" if rows else ""


def _diagram(probabilities: Array, y: Array) -> str:
    found = reliability(torch.from_numpy(probabilities), torch.from_numpy(y))
    points = [(100 * one, 100 * other) for one, other in zip(found.confidence.tolist(), found.accuracy.tolist(), strict=True)]
    notes = [
        f"{number:,} predictions, mean confidence {x:.1f} %, right {right:.1f} %"
        for (x, right), number in zip(points, found.counts.tolist(), strict=True)
    ]
    marks: list[Mark] = [
        Line("calibrated", [(0.0, 0.0), (100.0, 100.0)], 1),
        Line("predictions by confidence", points, 0, points, notes),
    ]
    about = f"Expected calibration error {100 * found.error:.1f} points. Below the diagonal the model is too sure."
    return chart("Calibration", marks, x=Axis("confidence, %", 0, 100), y=Axis("right, %", 0, 100), about=about)


def by_group(groups: Sequence[tuple[str, Array]], right: Array) -> tuple[list[str], list[float | None], list[str]]:
    """The share of right predictions of each group, in percent.

    Args:
        groups: Names, and the places of the members.
        right: Whether each prediction is right [N].

    Returns:
        Names with the number of members, shares, and both in a sentence.
    """
    shares: list[float | None] = [100 * float(right[members].mean()) for _, members in groups]
    names = [f"{name}\n{len(members):,}" for name, members in groups]
    notes = [f"{name}: {share:.2f} % of {len(members):,}" for (name, members), share in zip(groups, shares, strict=True)]
    return names, shares, notes
