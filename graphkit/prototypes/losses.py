"""The terms of a prototype loss as functions. All are to be added with a weight of at least 0, and to be made small.

Terms on samples take pooled similarities, where larger is nearer; with `negative-l2` they are those of the papers on distances.
Terms on prototypes know their classes from the identity table alone, so that any number of prototypes per class and several
classes per prototype are right. Cross entropy, and its multi-label form, are torch's own.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from graphkit.prototypes.labels import shares_class

# ----------------------------------------------------------------------------------------------------------- on samples


def cluster(
    similarity: Float[Tensor, "B M"], labels: Int[Tensor, " B"] | Bool[Tensor, "B C"], identity: Bool[Tensor, "M C"]
) -> Float[Tensor, ""]:
    """-mean over samples of the largest similarity to an own prototype: every sample near one of its class.

    A prototype is a sample's own if they share a class. Samples without own prototypes do not count. Source: ProtoPNet.
    """
    return -_mean_of_largest(similarity, shares_class(labels, identity))


def separation(
    similarity: Float[Tensor, "B M"], labels: Int[Tensor, " B"] | Bool[Tensor, "B C"], identity: Bool[Tensor, "M C"]
) -> Float[Tensor, ""]:
    """Mean over samples of the largest similarity to a prototype of another class: every sample far from all of those.

    With several labels a prototype of any of them is no other one. Source: ProtoPNet, which subtracts the distance.
    """
    return _mean_of_largest(similarity, ~shares_class(labels, identity))


def _mean_of_largest(similarity: Tensor, chosen: Tensor) -> Tensor:
    best = similarity.masked_fill(~chosen, -math.inf).max(dim=1).values
    return _mean_of_existing(best)


def _mean_of_existing(values: Tensor) -> Tensor:
    """The mean of the values other than -inf; zero, with a gradient of zero, if there is none. A NaN stays one."""
    exists = values != -math.inf
    return torch.where(exists, values, 0.0).sum() / exists.sum().clamp(min=1)


def nearest_sample(distance: Float[Tensor, "B M"]) -> Float[Tensor, ""]:
    """R1 = (1 / M) sum_j min_i d_ij: every prototype near some sample of the batch. Source: Li et al., AAAI 2018."""
    return distance.min(dim=0).values.mean()


def nearest_prototype(distance: Float[Tensor, "B M"]) -> Float[Tensor, ""]:
    """R2 = (1 / B) sum_i min_j d_ij: every sample near some prototype. Source: Li et al., AAAI 2018."""
    return distance.min(dim=1).values.mean()


def reconstruction(decoded: Float[Tensor, "B ..."], original: Float[Tensor, "B ..."]) -> Float[Tensor, ""]:
    """(1 / B) sum_i |decoded_i - x_i|^2: the mean over samples of the sum of squared errors. Source: Li et al., AAAI 2018."""
    return (decoded - original).square().flatten(1).sum(dim=1).mean()


def activation_diversity(
    similarity: Float[Tensor, "B P M"], mask: Bool[Tensor, "B P"], identity: Bool[Tensor, "M C"]
) -> Float[Tensor, ""]:
    """Mean of exp(-KL(a, b) - KL(b, a)) over samples and pairs of prototypes that share a class: they look at different parts.

    a and b are the softmax of the similarities of two prototypes over the parts of a sample. In [0, 1]: 1 where all prototypes
    of a class look at the same parts, 0 where no two share a class.

    Source: ScaleProtoSeg, within one scale.
    """
    filled = similarity.masked_fill(~mask.unsqueeze(2), -math.inf)
    log_p = filled.log_softmax(dim=1).masked_fill(~mask.unsqueeze(2), 0.0)
    p = filled.softmax(dim=1)
    cross = torch.einsum("bpm,bpn->bmn", p, log_p)
    entropy = cross.diagonal(dim1=1, dim2=2)
    divergence = entropy.unsqueeze(2) + entropy.unsqueeze(1) - cross - cross.transpose(1, 2)
    pairs = (_shared(identity) > 0) & ~torch.eye(identity.size(0), dtype=torch.bool, device=identity.device)
    return torch.exp(-divergence)[:, pairs].sum() / (similarity.size(0) * pairs.sum()).clamp(min=1)


def alignment(
    shallow: Float[Tensor, "B P S"],
    deep: Float[Tensor, "B P D"],
    part: Int[Tensor, "B M"],
    own: Bool[Tensor, "B M"],
    slack: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean of max(|cos(deep_p, deep_q) - cos(shallow_p, shallow_q)| - slack, 0) over parts q: deep parts stay where they look.

    p runs over the winning parts of a sample's own prototypes. Gradients reach the deep parts alone. 0 where no prototype is
    any sample's own.

    Args:
        shallow: Parts of an early layer, at the places of the deep ones.
        deep: Parts that prototypes are compared with.
        part: The winning part of every prototype.
        own: Which prototypes have a class of the sample (`labels.shares_class`).
        slack: Difference that costs nothing.

    Source: shallow-deep feature alignment of EvalProtoPNet, ICCV 2023, whose slack is 0.1.
    """
    sample, prototype = own.nonzero(as_tuple=True)
    winner = part[sample, prototype]
    apart = _cosines(deep, sample, winner) - _cosines(shallow.detach(), sample, winner)
    return (apart.abs() - slack).relu().sum() / max(apart.numel(), 1)


def _cosines(parts: Tensor, sample: Tensor, winner: Tensor) -> Tensor:
    """Cosines [R, P] of some parts, one per row, with all parts of their sample."""
    unit = functional.normalize(parts, dim=2)
    rows = unit.flatten(0, 1).index_select(0, sample * parts.size(1) + winner)
    return torch.einsum("rd,rpd->rp", rows, unit.index_select(0, sample))


# -------------------------------------------------------------------------------------------------------- on prototypes


def orthogonality(weight: Float[Tensor, "M D"], identity: Bool[Tensor, "M C"]) -> Float[Tensor, ""]:
    """Sum over classes of the entrywise L1 norm of P_c P_c^T - I, of unit prototypes: those of a class differ.

    Source: ST-ProtoPNet. Other code reshapes the prototypes to [C, M / C, D] for this, which mixes classes if they are stored
    in another order.
    """
    gram = _gram(weight)
    eye = torch.eye(gram.size(0), dtype=gram.dtype, device=gram.device)
    return ((gram - eye).abs() * _shared(identity)).sum()


def decorrelation(weight: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    """|P P^T - I|_F^2 / M^2 of unit prototypes, over all classes. Source: ProtoECGNet."""
    gram = _gram(weight)
    return (gram - torch.eye(gram.size(0), dtype=gram.dtype, device=gram.device)).square().mean()


def closeness(weight: Float[Tensor, "M D"], identity: Bool[Tensor, "M C"]) -> Float[Tensor, ""]:
    """-mean over ordered pairs of classes of the smallest cosine of their prototypes, for support prototypes.

    It draws the farthest prototypes of two classes together, toward the boundary between them. A prototype of both classes is
    not compared with itself. Source: ST-ProtoPNet, ICCV 2023.
    """
    return _mean_of_class_extremes(-_gram(weight), identity)


def discrimination(weight: Float[Tensor, "M D"], identity: Bool[Tensor, "M C"]) -> Float[Tensor, ""]:
    """Mean over ordered pairs of classes of the largest cosine of their prototypes, for trivial prototypes.

    It drives the nearest prototypes of two classes apart. A prototype of both classes is not compared with itself. Source:
    ST-ProtoPNet, ICCV 2023.
    """
    return _mean_of_class_extremes(_gram(weight), identity)


def _mean_of_class_extremes(values: Tensor, identity: Tensor) -> Tensor:
    """Mean over pairs c, c' of different classes of the largest value of two different prototypes, one of c and one of c'."""
    count, classes = identity.shape
    member, owner = identity.nonzero(as_tuple=True)  # a row per membership, so that several classes per prototype fit
    itself = torch.eye(count, dtype=torch.bool, device=values.device)
    rows = _largest_by_class(values.masked_fill(itself, -math.inf).index_select(0, member), owner, classes)
    pairs = _largest_by_class(rows.t().index_select(0, member), owner, classes)
    different = ~torch.eye(classes, dtype=torch.bool, device=values.device)
    return _mean_of_existing(pairs[different])


def _largest_by_class(rows: Tensor, owner: Tensor, classes: int) -> Tensor:
    start = rows.new_full((classes, rows.size(1)), -math.inf)
    return start.scatter_reduce(0, owner.unsqueeze(1).expand_as(rows), rows, "amax")


def diversity(weight: Float[Tensor, "M D"], identity: Bool[Tensor, "M C"], threshold: float = 0.3) -> Float[Tensor, ""]:
    """Sum over ordered pairs of prototypes that share a class of max(cosine - threshold, 0): no two of a class alike.

    Source: ProtGNN, AAAI 2022, whose threshold is 0.3.
    """
    gram = _gram(weight)
    pairs = (_shared(identity) > 0) & ~torch.eye(gram.size(0), dtype=torch.bool, device=gram.device)
    return ((gram - threshold).relu() * pairs).sum()


def co_occurrence(labels: Bool[Tensor, "N C"]) -> Float[Tensor, "C C"]:
    """Jaccard index of classes: samples that have both over samples that have either, in [0, 1]; 0 where none has either.

    Args:
        labels: Those of training samples alone; labels of others would leak.
    """
    table = labels.double()
    both = table.t() @ table
    count = both.diagonal()
    return (both / (count.unsqueeze(0) + count.unsqueeze(1) - both).clamp(min=1)).float()


def co_occurrence_contrast(
    weight: Float[Tensor, "M D"], identity: Bool[Tensor, "M C"], jaccard: Float[Tensor, "C C"]
) -> Float[Tensor, ""]:
    """(sum S * W- - sum S * W+) / sqrt(M): prototypes of classes that occur together may be alike, others repel.

    S are cosines of different prototypes. W+ = A J A^T with the co-occurrence J and the identity table A, whose rows are
    divided by the number of classes of the prototype; W- = 1 - W+. Both get a zero diagonal and are divided by their sum. How
    the original divides could not be checked.

    Source: ProtoECGNet (multi-label).
    """
    table = identity.to(weight.dtype)
    table = table / table.sum(dim=1, keepdim=True)
    attract = table @ jaccard.to(weight.dtype) @ table.t()
    pairs = 1 - torch.eye(attract.size(0), dtype=weight.dtype, device=weight.device)
    pull, push = attract * pairs, (1 - attract) * pairs
    least = torch.finfo(weight.dtype).tiny
    balance = push / push.sum().clamp(min=least) - pull / pull.sum().clamp(min=least)
    return (_gram(weight) * balance).sum() / math.sqrt(identity.size(0))


def off_class_l1(head_weight: Float[Tensor, "C M"], identity: Bool[Tensor, "M C"]) -> Float[Tensor, ""]:
    """Sum of |w_cj| over prototypes j that are not of class c: a decision rests on own prototypes. Source: ProtoPNet."""
    return head_weight.masked_fill(identity.t(), 0.0).abs().sum()


def margin(scores: Float[Tensor, "B C"], labels: Int[Tensor, " B"], width: float) -> Float[Tensor, ""]:
    """Mean of max(largest wrong score - right score + width, 0); 0 with one class. Source: Classification-by-Components.

    Args:
        scores: The p of `ComponentsHead`.
        labels: Right classes.
        width: 0.3 in the first version, 0.025 in the deep one.
    """
    right = scores.gather(1, labels.unsqueeze(1))
    wrong = scores.scatter(1, labels.unsqueeze(1), -math.inf).max(dim=1, keepdim=True).values
    return (wrong - right + width).relu().mean()


def robust_margin(margins: Float[Tensor, " B"], width: float) -> Float[Tensor, ""]:
    """Mean of max(width - margin, 0) of the margins of `ComponentsHead.margin`. Source: AAAI 2025, 1.58 on MNIST."""
    return (width - margins).relu().mean()


def _gram(weight: Tensor) -> Tensor:
    unit = functional.normalize(weight, dim=1)
    return unit @ unit.t()


def _shared(identity: Tensor) -> Tensor:
    """How many classes each pair of prototypes shares."""
    table = identity.float()
    return table @ table.t()
