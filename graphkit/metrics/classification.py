"""Metrics of classification; fractions in [0, 1], higher is better."""

from __future__ import annotations

from torch import Tensor


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of right classes; of equal scores the first one counts.

    Args:
        logits: Class scores [N, C].
        labels: Classes [N], int64.
    """
    return (logits.argmax(dim=1) == labels).double().mean().item()


def roc_auc(logits: Tensor, labels: Tensor) -> float:
    """Probability that a random node of class 1 scores above a random one of class 0; a tie counts half.

    Args:
        logits: Scores [N, 2] of both classes; nodes rank by their difference, a strictly increasing function of the
            probability of class 1.
        labels: Classes [N], 0 or 1, both present.

    Raises:
        ValueError: If a score is NaN.
    """
    from sklearn.metrics import roc_auc_score  # takes seconds, and accuracy does without

    return float(roc_auc_score(labels.numpy(), (logits[:, 1] - logits[:, 0]).numpy()))
