"""How good prototypes are as explanations; fractions in [0, 1] unless said otherwise. They need tensors alone, no model.

Parts may carry any annotation: the motif or functional group of a node, a community, the part of a bird in an image patch.
N samples, M prototypes, C classes, L labels of an annotation.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphkit.metrics.classification import accuracy


class ProjectionCost(NamedTuple):
    """Accuracy before and after projection, on the same samples; `before - after` is what explanations cost."""

    before: float
    after: float


def projection_cost(before: Tensor, after: Tensor, labels: Tensor) -> ProjectionCost:
    """Accuracy with learned and with projected prototypes.

    Args:
        before: Class scores [N, C] just before the projection.
        after: Class scores [N, C] just after, before the head is trained again.
        labels: Classes [N], int64.
    """
    return ProjectionCost(accuracy(before, labels), accuracy(after, labels))


def distinct_prototypes(source: Tensor) -> int:
    """How many different training parts the prototypes are, a count; fewer than M means that prototypes collapsed.

    Args:
        source: Ids of sample and part [M, 2], the buffer `source` of a bank.
    """
    return len(source.unique(dim=0))


def purity(nearest: Tensor, identity: Tensor) -> float:
    """Mean over prototypes of the share of their K nearest training parts whose sample has a class of the prototype.

    Args:
        nearest: Classes [M, K, C], boolean, of the samples of the nearest parts of any class.
        identity: Classes of the prototypes [M, C], boolean.
    """
    return (nearest & identity.unsqueeze(1)).any(dim=2).double().mean().item()


def active_prototypes(contributions: Tensor, share: float = 0.05) -> float:
    """Mean number of prototypes per decision that contribute more than a share of the sum of all absolute contributions.

    Args:
        contributions: Contributions to the logit of the predicted class [N, M].
        share: In [0, 1).
    """
    size = contributions.abs()
    return (size > share * size.sum(dim=1, keepdim=True)).sum(dim=1).double().mean().item()


def sparsity(contributions: Tensor, share: float = 0.05) -> float:
    """1 - active prototypes / M: the share of prototypes that do not matter for a decision, on average.

    Args:
        contributions: Contributions to the logit of the predicted class [N, M].
        share: As of `active_prototypes`.
    """
    return 1 - active_prototypes(contributions, share) / contributions.size(1)


def winning_labels(part: Tensor, annotation: Tensor) -> Tensor:
    """The annotation of the part that is most similar to each prototype.

    Args:
        part: Position of the winning part [N, M], as pooling gives it.
        annotation: Labels of all parts [N, P, L], boolean.

    Returns:
        Labels [N, M, L], boolean.
    """
    return annotation.gather(1, part.unsqueeze(2).expand(-1, -1, annotation.size(2)))


def box_hits(boxes: Tensor, truth: Tensor, least: float = 0.5) -> float:
    """How often a box lies on the thing that it should be about: it covers at least a share of the true box.

    Larger boxes hit more often: compare with those of random or shuffled prototypes, which are as large.

    Args:
        boxes: Left, top, right and bottom of a box per sample [N, 4], right and bottom excluded.
        truth: The same of the thing [N, 4], such as a planted pattern.
        least: The share, in (0, 1].
    """
    overlap = (torch.minimum(boxes[:, 2:], truth[:, 2:]) - torch.maximum(boxes[:, :2], truth[:, :2])).clamp(min=0)
    area = (truth[:, 2:] - truth[:, :2]).prod(dim=1)
    return (overlap.prod(dim=1).double() >= least * area).double().mean().item()


def labels_in_boxes(boxes: Tensor, points: Tensor) -> Tensor:
    """Which annotated points fall into the box of each part: an annotation for `winning_labels`.

    Args:
        boxes: Boxes of the parts of an image [P, 4], as in `box_hits`.
        points: Where each label lies in each sample, x and y in pixels [N, L, 2]; NaN where it is not visible.

    Returns:
        Labels of all parts [N, P, L], boolean.

    Source: EvalProtoPNet, ICCV 2023, whose boxes are 72 pixels around the winner.
    """
    low, high = boxes[:, :2].view(1, -1, 1, 2), boxes[:, 2:].view(1, -1, 1, 2)
    place = points.unsqueeze(1)
    return ((low <= place) & (place < high)).all(dim=3)


def perturbed(inputs: Tensor, generator: torch.Generator, std: float = 0.2, limit: float = 0.25) -> Tensor:
    """Inputs with Gaussian noise that is cut off, for `stability`.

    Args:
        inputs: Any shape, e.g. standardized images.
        generator: On the CPU, so that the value comes back.
        std: Standard deviation of the noise.
        limit: Its largest size.

    Source: EvalProtoPNet, ICCV 2023, which adds 0.2 within 0.25 to normalized images, without a seed.
    """
    noise = torch.randn(inputs.shape, generator=generator, dtype=torch.float64).mul(std).clamp(-limit, limit)
    return inputs + noise.to(inputs)


def consistency(winning: Tensor, visible: Tensor, own: Tensor, threshold: float = 0.8) -> float:
    """Share of prototypes that point at one and the same label in most samples.

    A prototype is consistent if there is a label that its winning parts have in at least `threshold` of its samples in which
    the label is visible.

    Args:
        winning: Labels of the winning parts [N, M, L], boolean.
        visible: Labels that occur in the sample [N, L], boolean.
        own: Samples that count for a prototype [N, M], boolean: those of its class.
        threshold: In (0, 1].

    Returns:
        The share, among prototypes with a sample in which a label is visible; NaN if there is none.

    Source: EvalProtoPNet, ICCV 2023.
    """
    shown = own.unsqueeze(2) & visible.unsqueeze(1)
    count = shown.sum(dim=0)
    hits = (winning & shown).sum(dim=0)
    # Whole numbers: 4 of 5 must reach 0.8 whatever the rounding of a quotient is.
    consistent = ((hits >= threshold * count - 1e-9) & (count > 0)).any(dim=1)
    return _share(consistent.double(), (count > 0).any(dim=1))


def stability(winning: Tensor, perturbed: Tensor, own: Tensor) -> float:
    """Mean over prototypes of the share of samples whose winning part has exactly the same labels under noise.

    The caller adds the noise, by a generator of its own, so that the value comes back.

    Args:
        winning: Labels of the winning parts [N, M, L], boolean.
        perturbed: The same for perturbed inputs [N, M, L].
        own: Samples that count for a prototype [N, M], boolean: those of its class.

    Returns:
        The mean over prototypes that have a sample; NaN if none has.

    Source: EvalProtoPNet, ICCV 2023.
    """
    same = (winning == perturbed).all(dim=2) & own
    count = own.sum(dim=0)
    return _share(same.sum(dim=0).double() / count.clamp(min=1), count > 0)


def agreement(scores: Tensor, k: int) -> float:
    """Mean over pairs of runs of the Jaccard index of their k highest scored items: edges, parts or training samples.

    Args:
        scores: A row of scores per run [S, E] with S of at least 2; of equal scores the first counts.
        k: From 1 to E.

    Raises:
        ValueError: There are fewer than two runs, or k is out of its range.
    """
    runs, items = scores.shape
    if runs < 2 or not 1 <= k <= items:
        raise ValueError(f"agreement needs two runs and k from 1 to {items}, got {runs} and {k}")
    top = scores.sort(dim=1, descending=True, stable=True).indices[:, :k]
    chosen = torch.zeros(runs, items, dtype=torch.float64, device=scores.device).scatter_(1, top, 1.0)
    both = chosen @ chosen.t()
    jaccard = both / (2 * k - both)
    return (jaccard.sum() - jaccard.diagonal().sum()).item() / (runs * (runs - 1))


def _share(values: Tensor, exists: Tensor) -> float:
    return values[exists].mean().item()
