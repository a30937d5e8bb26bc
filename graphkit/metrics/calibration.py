"""Calibration: whether predictions of some confidence are right as often as that."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Reliability:
    """Bins of equal width of the confidence; empty ones are left out.

    Attributes:
        confidence: Mean confidence of each bin [B], in [0, 1].
        accuracy: Share of right predictions of each bin [B].
        counts: Predictions of each bin [B].
    """

    confidence: Tensor
    accuracy: Tensor
    counts: Tensor

    @property
    def error(self) -> float:
        r"""Expected calibration error, in [0, 1].

        .. math:: ECE = \sum_b \frac{n_b}{n} |acc_b - conf_b|

        Source:
            "On Calibration of Modern Neural Networks", ICML 2017.
        """
        gap = (self.accuracy - self.confidence).abs()
        return float((self.counts.double() / self.counts.sum() * gap).sum())


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """Predictions in bins by their confidence, the largest probability of a row.

    Args:
        probabilities: Of each class [N, C], in [0, 1].
        labels: Classes [N].
        bins: Bins over [0, 1]; each contains its upper end, the first also 0.

    Raises:
        ValueError: If there is no prediction.
    """
    if not labels.numel():
        raise ValueError("calibration needs a prediction.")
    confidence, predicted = probabilities.double().max(dim=1)
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    counts = place.bincount(minlength=bins)
    right = place.bincount((predicted == labels).double(), minlength=bins)
    total = place.bincount(confidence, minlength=bins)
    used = counts > 0
    return Reliability(total[used] / counts[used], right[used] / counts[used], counts[used])
