"""Reliability against a plain loop."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphkit.metrics.calibration import reliability


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 5), st.sampled_from([1, 3, 10]))
def test_bins_and_error_equal_a_loop(seed: int, count: int, classes: int, bins: int):
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(count, classes, generator=generator).softmax(dim=1)
    labels = torch.randint(classes, (count,), generator=generator)
    groups: dict[int, list[tuple[float, int]]] = {}
    for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
        sure = max(row)
        place = next(b for b in range(bins) if sure <= (b + 1) / bins or b == bins - 1)
        groups.setdefault(place, []).append((sure, int(row.index(sure) == label)))
    found = reliability(probabilities, labels, bins)
    means = [[sum(part) / len(group) for part in zip(*group, strict=True)] for _, group in sorted(groups.items())]
    assert found.confidence.tolist() == pytest.approx([mean[0] for mean in means])
    assert found.accuracy.tolist() == pytest.approx([mean[1] for mean in means])
    assert found.counts.tolist() == [len(group) for _, group in sorted(groups.items())]
    gaps = [len(group) / count * abs(mean[0] - mean[1]) for (_, group), mean in zip(sorted(groups.items()), means, strict=True)]
    assert found.error == pytest.approx(sum(gaps))


def test_sure_and_right_is_calibrated_and_sure_and_wrong_is_not():
    sure = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert reliability(sure, torch.tensor([0, 1])).error == 0.0
    assert reliability(sure, torch.tensor([1, 0])).error == 1.0
    with pytest.raises(ValueError, match="needs a prediction"):
        reliability(sure[:0], torch.tensor([], dtype=torch.int64))
