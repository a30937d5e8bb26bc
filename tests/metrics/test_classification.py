import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.metrics.classification import accuracy, roc_auc


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 30), st.integers(0, 2**31))
def test_equal_to_plain_loops(nodes: int, seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    logits = torch.randint(-2, 3, (nodes, 2), generator=source).float()  # few values: many ties
    labels = torch.randint(0, 2, (nodes,), generator=source)
    labels[:2] = torch.tensor([0, 1])
    rows, wanted = logits.tolist(), labels.tolist()
    right = [row.index(max(row)) == label for row, label in zip(rows, wanted, strict=True)]
    assert accuracy(logits, labels) == pytest.approx(sum(right) / nodes, abs=1e-12)
    margins = {label: [row[1] - row[0] for row, own in zip(rows, wanted, strict=True) if own == label] for label in (0, 1)}
    wins = sum((p > n) + 0.5 * (p == n) for p in margins[1] for n in margins[0])
    assert roc_auc(logits, labels) == pytest.approx(wins / (len(margins[0]) * len(margins[1])), abs=1e-12)
