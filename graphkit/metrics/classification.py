"""Metrics of classification; fractions in [0, 1], higher is better."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

from torch import Tensor


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of right classes, or of right labels; of equal scores the first class counts.

    Args:
        logits: Class scores [N, C], or scores of T labels each [N, T], of which those above 0 say yes.
        labels: Classes [N], int64; or labels [N, T], 0 and 1, NaN where not known.
    """
    if labels.dim() == 1:
        return (logits.argmax(dim=1) == labels).double().mean().item()
    known = ~labels.isnan()
    return ((logits[known] > 0) == (labels[known] > 0)).double().mean().item()


def roc_auc(logits: Tensor, labels: Tensor) -> float:
    """Probability that a random row of class 1 scores above a random one of class 0; a tie counts half.

    Args:
        logits: Scores [N, 2] of both classes; rows rank by their difference, a strictly increasing function of the
            probability of class 1. Or scores of T labels each [N, T].
        labels: Classes [N], 0 or 1, both present. Or labels [N, T], 0 and 1, NaN where not known: the mean over the labels of
            which both values are known.

    Raises:
        ValueError: If a score is NaN.

    Source:
        The mean over labels as in OGB's `Evaluator` for ogbg-molhiv and ogbg-moltox21.
    """
    from sklearn.metrics import roc_auc_score  # takes seconds, and accuracy does without

    return _mean_over_labels(roc_auc_score, logits, labels)


def average_precision(logits: Tensor, labels: Tensor) -> float:
    r"""Precision at each row of label 1, ranked by score, averaged: :math:`\sum_n (R_n - R_{n-1}) P_n`.

    Args:
        logits: As for `roc_auc`.
        labels: As for `roc_auc`.

    Raises:
        ValueError: If a score is NaN.

    Source:
        The mean over labels as in OGB's `Evaluator` for ogbg-molpcba.
    """
    from sklearn.metrics import average_precision_score  # as above

    return _mean_over_labels(average_precision_score, logits, labels)


def _mean_over_labels(metric: Callable[..., Any], logits: Tensor, labels: Tensor) -> float:
    if labels.dim() == 1:
        return float(metric(labels.numpy(), (logits[:, 1] - logits[:, 0]).numpy()))
    values = []
    for scores, column in zip(logits.unbind(1), labels.unbind(1), strict=True):
        known = ~column.isnan()
        if column[known].unique().numel() == 2:
            values.append(float(metric(column[known].numpy(), scores[known].numpy())))
    return fmean(values)
