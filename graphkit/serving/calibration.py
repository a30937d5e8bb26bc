"""Temperature scaling: one number, fitted on held-out samples, that makes probabilities say how often they are right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.optimize

Array = np.ndarray[Any, np.dtype[Any]]

BINS = 15
_RANGE = (0.01, 100.0)
"""Temperatures that are tried."""
_FLOOR = float(np.finfo(np.float64).tiny)


def fit_temperature(probabilities: Array, y: Array) -> float:
    r"""The temperature T that minimizes the negative log-likelihood of p^(1/T), normalized, on samples with known classes.

    .. math:: T = \arg\min_T -\sum_n \ln \frac{p_{n y_n}^{1/T}}{\sum_c p_{nc}^{1/T}}

    The loss is convex in 1/T; its minimum is sought between 0.01 and 100, in ln T. Of right predictions alone it has none: T
    is then small.

    Args:
        probabilities: p [N, C], in [0, 1].
        y: Classes [N].

    Returns:
        T, above 0; above 1 it lowers the probability of the predicted class.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    logs = np.log(np.maximum(probabilities.astype(np.float64), _FLOOR))
    own = np.take_along_axis(logs, y[:, None], axis=1)

    def loss(log_temperature: float) -> float:
        """The loss less its part that T does not change: ln sum_c exp((ln p_c - ln p_y) / T)."""
        scaled = (logs - own) / math.exp(log_temperature)
        top = scaled.max(axis=1, keepdims=True)
        return float((top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))).mean())

    low, high = map(math.log, _RANGE)
    found = scipy.optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-8})
    return math.exp(float(found.x))


def scaled(probabilities: Array, temperature: float) -> Array:
    """p^(1/T), normalized over classes [N, C]; the order of the classes stays."""
    logs = np.log(np.maximum(probabilities.astype(np.float64), _FLOOR)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def calibration_error(probabilities: Array, y: Array, bins: int = BINS) -> float:
    r"""Expected calibration error: how far confidence is from accuracy, over bins of equal width of the confidence.

    .. math:: \mathrm{ECE} = \sum_b \frac{n_b}{N} \lvert \mathrm{accuracy}_b - \mathrm{confidence}_b \rvert

    Args:
        probabilities: p [N, C]; the confidence is the largest of each row, in bins (0, 1/B], (1/B, 2/B], ...
        y: Classes [N].
        bins: B, at least 1.

    Returns:
        In [0, 1]; 0 of no sample.
    """
    confidence, right = probabilities.max(axis=1).astype(np.float64), probabilities.argmax(axis=1) == y
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    apart = np.bincount(place, right - confidence, minlength=bins)
    return float(np.abs(apart).sum() / max(len(y), 1))
