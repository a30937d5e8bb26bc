"""Temperature scaling: one number, fitted on held-out samples, that makes probabilities say how often they are right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.optimize
import torch

from graphkit.metrics.calibration import reliability

Array = np.ndarray[Any, np.dtype[Any]]

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


def calibration_error(probabilities: Array, y: Array) -> float:
    """Expected calibration error, in [0, 1], see `graphkit.metrics.calibration`; 0 of no sample.

    Args:
        probabilities: p [N, C].
        y: Classes [N].
    """
    return reliability(torch.from_numpy(probabilities), torch.from_numpy(y)).error if len(y) else 0.0
