r"""Paired tests of scores over seeds.

Scores of models on random splits of one data set are correlated, since training and test sets overlap. Then the variance of
the mean of n differences is not :math:`\sigma^2 / n`, and the plain t-test rejects far too often. The correction of Nadeau and
Bengio adds the ratio of test to training examples:

.. math:: t = \frac{\bar d}{\sqrt{(\frac{1}{n} + \frac{n_{test}}{n_{train}}) s^2}}, \qquad
   \bar d = \frac{1}{n} \sum_i d_i, \quad s^2 = \frac{1}{n - 1} \sum_i (d_i - \bar d)^2

with n - 1 degrees of freedom. A ratio of 0 gives the plain paired t-test.

Source:
    Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003, section 5.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

Array = np.ndarray[Any, np.dtype[np.float64]]
FEWEST = 3
"""Differences that a test needs at least."""


class Paired(NamedTuple):
    """A paired test, or many at once.

    Attributes:
        mean: Mean difference.
        low: Lower end of its confidence interval.
        high: Upper end.
        t: The statistic; NaN where all differences are equal.
        p: Two-sided p-value; NaN where all differences are equal, which tells nothing of how they vary.
    """

    mean: Array
    low: Array
    high: Array
    t: Array
    p: Array


def paired_test(differences: Array, *, ratio: float, confidence: float = 0.95) -> Paired:
    """The corrected resampled t-test of the mean difference, two-sided.

    Args:
        differences: Scores of one model minus those of the other, by seed [..., n], n at least 3.
        ratio: n_test / n_train of overlapping random splits; 0 where the differences are independent.
        confidence: That of the interval, in (0, 1).

    Returns:
        The test of every row [...].

    Raises:
        ValueError: If there are fewer than 3 differences, or a number is out of range.
    """
    n = differences.shape[-1]
    if n < FEWEST:
        raise ValueError(f"a paired test needs at least {FEWEST} differences, not {n}.")
    if ratio < 0 or not 0 < confidence < 1:
        raise ValueError("a ratio is at least 0, a confidence between 0 and 1.")
    mean = differences.mean(axis=-1)
    error = np.sqrt((1 / n + ratio) * differences.var(axis=-1, ddof=1))
    constant = np.ptp(differences, axis=-1) <= 1e-12 * np.abs(differences).max(axis=-1)
    t = np.divide(mean, error, out=np.full_like(mean, np.nan), where=~constant)
    half = np.where(constant, 0.0, stdtrit(n - 1, (1 + confidence) / 2) * error)
    return Paired(mean, mean - half, mean + half, t, 2 * stdtr(n - 1, -np.abs(t)))


def holm(p_values: Sequence[float]) -> list[float]:
    r"""Holm's step-down correction of several tests: the probability of any false rejection stays below the level.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})

    Args:
        p_values: The p-values; NaN ones are no tests and stay.

    Returns:
        The corrected p-values, in the same order.

    Source:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    corrected = list(p_values)
    order = sorted((p, place) for place, p in enumerate(p_values) if not np.isnan(p))
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        corrected[place] = largest
    return corrected
