import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.metrics.classification import accuracy, average_precision, roc_auc


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


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 20), st.integers(0, 2**31))
def test_average_precision_is_equal_to_a_plain_loop(graphs: int, seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    logits = torch.randint(-2, 3, (graphs, 2), generator=source).float()
    labels = torch.randint(0, 2, (graphs,), generator=source)
    labels[:2] = torch.tensor([0, 1])
    assert average_precision(logits, labels) == pytest.approx(
        _plain_ap((logits[:, 1] - logits[:, 0]).tolist(), labels.tolist())
    )


def _plain_ap(scores: list[float], labels: list[float]) -> float:
    """The sum of precision times the gain of recall over the distinct thresholds, from the highest on."""
    total, recall, positives = 0.0, 0.0, sum(labels)
    for threshold in sorted(set(scores), reverse=True):
        chosen = [label for score, label in zip(scores, labels, strict=True) if score >= threshold]
        total += (sum(chosen) / positives - recall) * sum(chosen) / len(chosen)
        recall = sum(chosen) / positives
    return total


@settings(max_examples=50, deadline=None)
@given(st.integers(4, 20), st.integers(0, 2**31))
def test_of_several_labels_those_that_are_not_known_do_not_count(graphs: int, seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    logits = torch.randint(-2, 3, (graphs, 4), generator=source).float()
    labels = torch.randint(0, 2, (graphs, 4), generator=source).float()
    labels[torch.rand(graphs, 4, generator=source) < 0.3] = torch.nan
    labels[:2, 0] = torch.tensor([0.0, 1.0])
    labels[:, 3] = 1.0  # of which one value is known: it ranks nothing
    right, curves, precisions = [], [], []
    for column in range(4):
        known = [
            (score, label)
            for score, label in zip(logits[:, column].tolist(), labels[:, column].tolist(), strict=True)
            if label == label
        ]
        right += [(score > 0) == (label > 0) for score, label in known]
        positive, negative = ([score for score, label in known if label == value] for value in (1.0, 0.0))
        if positive and negative:
            wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
            curves.append(wins / (len(positive) * len(negative)))
            precisions.append(_plain_ap(*map(list, zip(*known, strict=True))))
    assert accuracy(logits, labels) == pytest.approx(sum(right) / len(right), abs=1e-12)
    assert roc_auc(logits, labels) == pytest.approx(sum(curves) / len(curves), abs=1e-12)
    assert average_precision(logits, labels) == pytest.approx(sum(precisions) / len(precisions), abs=1e-12)
