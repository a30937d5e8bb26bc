"""Pictures for the report of a link run: scores, hits against K, and the pairs that are ranked worst, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from graphkit.charts import Axis, Line, Mark, chart, densities
from graphkit.data.dataset import LinkData
from graphkit.metrics.pairs import hits_at_k
from graphkit.tasks.baselines import Scores, by_positive
from graphkit.tasks.report_parts import Array, Arrays, named, row, table
from graphkit.training.report import Section

LISTED = 6
"""Pairs of each table."""
_LOOKED_AT = 1000
"""Negatives among which distinct pairs are looked for."""
KS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
MOST_RANKED = 4_000_000
"""Negatives of which hits are shown for every K; of more for a few."""


def sections(dataset: LinkData, arrays: Arrays, simple: Scores) -> list[Section]:
    """The test split of the first seed.

    Args:
        dataset: The pairs and names of nodes.
        arrays: The predictions of the seed.
        simple: Common neighbors of the same pairs; empty: they were not counted.
    """
    positive, negative = arrays["test_positive_scores"], arrays["test_negative_scores"]
    both = densities({"positive": positive, "negative": negative})
    scores = chart("Scores of test pairs", both, x=Axis("score"), y=Axis("share of the pairs, %"))
    ours = torch.from_numpy(positive), by_positive(dataset, "test", torch.from_numpy(negative))
    curves = {"model": ours} | ({"common neighbors": simple["test"]} if "test" in simple else {})
    return [
        Section("Test pairs of the first seed", row(scores, _hits(curves))),
        Section("Where the model is most wrong, first seed", _worst(dataset, arrays)),
    ]


def _hits(curves: dict[str, tuple[Tensor, Tensor]]) -> str:
    """Hits against K, up to half of the negatives."""
    negatives = next(iter(curves.values()))[1]
    ks = [k for k in KS if 2 * k <= negatives.size(-1)]
    if negatives.numel() > MOST_RANKED:
        ks = ks[::3]
    if len(ks) < 2:
        return ""
    marks: list[Mark] = []
    for style, (name, scores) in enumerate(curves.items()):
        points = [(float(place), 100 * hits_at_k(*scores, k)) for place, k in enumerate(ks)]
        notes = [f"{name}, hits@{k}: {value:.2f}" for k, (_, value) in zip(ks, points, strict=True)]
        marks.append(Line(name, points, style, points, notes))
    axis = Axis("K", names=[str(k) for k in ks])
    return chart("Hits against K", marks[::-1], x=axis, y=Axis("hits@K, %", 0, 100), about="Of the test positives.")


def _worst(dataset: LinkData, arrays: Arrays) -> str:
    """The positives with the lowest scores, and the negatives with the highest."""
    positive, negative = arrays["test_positive_scores"], arrays["test_negative_scores"]
    lowest = np.argsort(positive, kind="stable")[:LISTED]
    most = min(len(negative), _LOOKED_AT)
    candidates = np.sort(np.argpartition(-negative, most - 1)[:most])  # sorting all negatives of each positive takes seconds
    order = candidates[np.argsort(-negative[candidates], kind="stable")]
    highest = _first_pairs(arrays["test_negative_pairs"], order)
    above = [f"{(negative > positive[place]).mean():.1%}" for place in lowest]
    below = [f"{(positive < negative[place]).mean():.1%}" for place in highest]
    return (
        "<h3>Negatives ranked highest: links that the model expects and that are not there</h3>"
        + _pairs(dataset, arrays["test_negative_pairs"], negative, highest, below, "positives below")
        + "<h3>Positives ranked lowest: links that are there and that the model does not expect</h3>"
        + _pairs(dataset, arrays["test_positive_pairs"], positive, lowest, above, "negatives above")
    )


def _first_pairs(pairs: Array, order: Array) -> Array:
    """The places of the first distinct pairs of an order: own negatives of several positives may be the same."""
    found: dict[tuple[int, ...], int] = {}
    for place in order.tolist():
        found.setdefault(tuple(sorted(pairs[:, place].tolist())), place)
        if len(found) == LISTED:
            break
    return np.array(list(found.values()))


def _pairs(dataset: LinkData, pairs: Array, scores: Array, places: Array, shares: Sequence[str], what: str) -> str:
    rows = [
        [*(named(dataset.node_names, node, "node") for node in pairs[:, place].tolist()), f"{scores[place]:.4g}", share]
        for place, share in zip(places.tolist(), shares, strict=True)
    ]
    return table(["source", "target", "score", what], rows, (2, 3))
