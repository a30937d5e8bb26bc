"""Metrics of link prediction, as the Open Graph Benchmark defines them; fractions in [0, 1], higher is better."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.errors import RunError
from graphkit.metrics.registry import parse


def hits_at_k(pos_scores: Tensor, neg_scores: Tensor, k: int) -> float:
    r"""Share of positives that score above the k-th best negative.

    .. math:: \frac{1}{P} \left|\{ i : s^+_i > s^-_{(k)} \}\right|

    A tie with the k-th negative is a miss. With fewer than k negatives every positive is a hit. Where each positive has its own
    negatives a hit is a positive of rank at most k among them, ranked as in `mrr`.

    Args:
        pos_scores: Scores of positives [P].
        neg_scores: Scores of negatives: [Q], shared by all positives, or [P, Q], each positive's own.
        k: Rank of the deciding negative, at least 1.

    Returns:
        A fraction.

    Raises:
        ValueError: If k is below 1, there is no positive, the shapes do not fit, or a score is NaN.

    Source:
        OGB's `Evaluator` for ogbl-ddi, ogbl-collab and ogbl-ppa, with own negatives that for ogbl-citation2 (ogb 1.3.6).
    """
    _check(pos_scores, neg_scores)
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if neg_scores.dim() == 2:
        return (_ranks(pos_scores, neg_scores) <= k).double().mean().item()
    if neg_scores.numel() < k:
        return 1.0
    kth = torch.topk(neg_scores, k).values[-1]
    return (pos_scores > kth).double().mean().item()


def mrr(pos_scores: Tensor, neg_scores: Tensor) -> float:
    r"""Mean reciprocal rank of positives among negatives.

    The rank of a positive is the mean of its optimistic rank (ties below it) and its pessimistic rank (ties above it):

    .. math:: r_i = 1 + \tfrac{1}{2} \left( |\{j : s^-_j > s^+_i\}| + |\{j : s^-_j \ge s^+_i\}| \right)

    Args:
        pos_scores: Scores of positives [P].
        neg_scores: Scores of negatives: [Q], shared by all positives, or [P, Q], each positive's own.

    Returns:
        The mean of 1 / r_i.

    Raises:
        ValueError: If there is no positive, the shapes do not fit, or a score is NaN.

    Source:
        OGB's `Evaluator` for ogbl-citation2, ties as since ogb 1.3.4; OGB gives each positive its own negatives.
    """
    _check(pos_scores, neg_scores)
    return _ranks(pos_scores, neg_scores).reciprocal().mean().item()


def _ranks(pos_scores: Tensor, neg_scores: Tensor) -> Tensor:
    """Rank [P] of each positive, the mean of the optimistic and the pessimistic one; see `mrr`."""
    pos_scores, neg_scores = pos_scores.double(), neg_scores.double()
    if neg_scores.dim() == 2:
        if neg_scores.size(0) != pos_scores.numel():
            raise ValueError(f"{pos_scores.numel()} positives need as many rows of negatives, got {neg_scores.size(0)}")
        scores = pos_scores.view(-1, 1)
        above, at_least = (neg_scores > scores).sum(dim=1), (neg_scores >= scores).sum(dim=1)
    else:
        ascending = neg_scores.sort().values
        above = neg_scores.numel() - torch.searchsorted(ascending, pos_scores, right=True)
        at_least = neg_scores.numel() - torch.searchsorted(ascending, pos_scores, right=False)
    return 1.0 + 0.5 * (above + at_least).double()


def roc_auc(pos_scores: Tensor, neg_scores: Tensor) -> float:
    """Probability that a random positive scores above a random negative; a tie counts half.

    Args:
        pos_scores: Scores of positives [P].
        neg_scores: Scores of negatives of any shape; all positives are compared with all of them.

    Returns:
        A fraction.

    Raises:
        ValueError: If there is no positive or no negative, or a score is NaN.
    """
    _check(pos_scores, neg_scores)
    if neg_scores.numel() == 0:
        raise ValueError("there is no negative to rank the positives against")
    neg_scores = neg_scores.flatten()
    labels = torch.cat([torch.ones(pos_scores.numel()), torch.zeros(neg_scores.numel())])
    from sklearn.metrics import roc_auc_score  # takes seconds, and most runs do without

    return float(roc_auc_score(labels.numpy(), torch.cat([pos_scores, neg_scores]).double().cpu().numpy()))


def link_metric(name: str, pos_scores: Tensor, neg_scores: Tensor) -> float:
    """A metric by its name, in percent.

    Args:
        name: `hits@K`, `mrr` or `roc-auc`.
        pos_scores: Scores of positives [P].
        neg_scores: Scores of negatives: [Q], shared by all positives, or [P, Q], each positive's own.

    Returns:
        A percentage.

    Raises:
        RequestError: If the name is unknown.
        RunError: If a score is NaN.
    """
    metric = parse(name, "link")
    if pos_scores.isnan().any() or neg_scores.isnan().any():
        raise RunError("the model scores pairs with NaN: lower train.lr or train.head_lr, or use precision=32-true")
    return metric(pos_scores, neg_scores)


def _check(pos_scores: Tensor, neg_scores: Tensor) -> None:
    if pos_scores.dim() != 1 or pos_scores.numel() == 0:
        raise ValueError(f"scores of at least one positive are needed as a vector, got shape {tuple(pos_scores.shape)}")
    if pos_scores.isnan().any() or neg_scores.isnan().any():
        raise ValueError("a score is NaN, which has no rank")
