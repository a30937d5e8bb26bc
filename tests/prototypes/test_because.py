"""Scores of changes beside a loop over changes, samples and prototypes."""

from __future__ import annotations

import pytest
import torch

from graphkit.prototypes import Because, PartBatch, PrototypeBank, because, because_of_all
from tests.prototypes.compare import IDENTITY, normal


def made(seed: int) -> PartBatch:
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]], dtype=torch.bool)
    return PartBatch(normal(2, 3, 4, seed=seed), mask, torch.zeros(2, 3, 2, dtype=torch.long))


@pytest.mark.parametrize("similarity", ["cosine", "log-l2"])
def test_the_part_stays_where_the_unchanged_sample_won(similarity: str) -> None:
    bank = PrototypeBank(IDENTITY, 4, similarity=similarity).double()
    parts, changed = made(0), [made(1), made(2)]
    found = because(bank, parts, changed)
    assert found.score.shape == (2, 2, 6)
    for i in range(2):
        held = [p for p in range(3) if parts.mask[i, p]]
        for j in range(6):
            values = [bank.compare(parts.z[i, p])[j].item() for p in held]
            best = held[values.index(max(values))]
            assert found.similarity[i, j].item() == pytest.approx(max(values))
            for k, other in enumerate(changed):
                lost = max(values) - bank.compare(other.z[i, best])[j].item()
                assert found.score[k, i, j].item() == pytest.approx(lost)


def test_the_mean_counts_samples_by_their_similarity() -> None:
    score, similarity = normal(2, 5, 3), normal(5, 3, seed=1)
    similarity[:, 2] = -1.0
    found = because_of_all(Because(score, similarity))
    for k in range(2):
        for j in range(2):
            weight = [max(value, 0.0) for value in similarity[:, j].tolist()]
            wanted = sum(w * v for w, v in zip(weight, score[k, :, j].tolist(), strict=True)) / sum(weight)
            assert found[k, j].item() == pytest.approx(wanted)
    assert found[:, 2].eq(0).all(), "no sample is like the last prototype"


def test_no_change_no_score_and_a_change_of_parts_is_refused() -> None:
    bank = PrototypeBank(IDENTITY, 4).double()
    assert because(bank, made(0), []).score.shape == (0, 2, 6)
    assert because(bank, made(0), [made(0)]).score.eq(0).all()
    other = PartBatch(made(0).z[:, :2], made(0).mask[:, :2], made(0).ref[:, :2])
    with pytest.raises(ValueError, match="must keep the parts"):
        because(bank, made(0), [other])
