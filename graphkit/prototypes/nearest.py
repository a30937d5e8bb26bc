"""The parts nearest to every prototype, found in one pass over parts that come in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphkit.errors import RunError
from graphkit.prototypes.labels import multi_hot
from graphkit.prototypes.parts import PartBatch

CHUNK = 16_384
"""Parts that are compared at a time."""


class Nearest(NamedTuple):
    """The k nearest parts of every prototype, the nearest first; of equal ones the earlier.

    Attributes:
        distance: |z - p|, or between unit vectors if only directions count; +inf where fewer than k parts were allowed.
        z: Their embeddings; zero where there is none.
        ref: Their ids of sample and part; -1 where there is none.
        position: Their places among all parts that exist, in the order in which these came; -1 where there is none.
    """

    distance: Float[Tensor, "M K"]
    z: Float[Tensor, "M K D"]
    ref: Int[Tensor, "M K 2"]
    position: Int[Tensor, "M K"]


class Allowed(NamedTuple):
    """Which parts may be near a prototype, by the id of their sample.

    Attributes:
        train: The training samples; no other is looked at.
        labels: Their classes; those of other samples are not read. None: parts of all classes are allowed for all prototypes.
        taken: Positions of parts that are not allowed.
    """

    train: Bool[Tensor, " N"]
    labels: Tensor | None = None
    taken: Tensor | None = None


class _Rows(NamedTuple):
    """Parts one below the other: embeddings [c, D], ids [c, 2] of sample and part, places [c] in the order of all parts."""

    z: Tensor
    ref: Tensor
    position: Tensor


@torch.no_grad()
def nearest_parts(
    batches: Iterable[PartBatch],
    weight: Float[Tensor, "M D"],
    identity: Bool[Tensor, "M C"],
    *,
    allowed: Allowed,
    is_angular: bool,
    k: int = 1,
    chunk: int = CHUNK,
) -> Nearest:
    """Find the k nearest parts of every prototype.

    Distances are computed pair by pair in float64, not by a matrix product, whose rounding depends on its size. So a prototype
    has the same parts whatever `chunk` is, and equal parts count in the order in which they come.

    Args:
        batches: The parts.
        weight: The prototypes.
        identity: Their classes.
        allowed: Which parts may be near which prototypes.
        is_angular: Compare directions; parts of length zero have none and are left out.
        k: How many parts are kept per prototype.
        chunk: Parts compared at a time. Memory beyond that of a batch is about 8 chunk (D + M) bytes.

    Returns:
        The parts.

    Raises:
        ValueError: k or chunk is below 1.
        RunError: An embedding is not finite.
    """
    if k < 1 or chunk < 1:
        raise ValueError(f"k and chunk must be at least 1, got {k} and {chunk}")
    targets = _points(weight, is_angular)
    found = Nearest(
        targets.new_full((len(weight), k), torch.inf),
        weight.new_zeros(len(weight), k, weight.size(1)),
        torch.full((len(weight), k, 2), -1, device=weight.device),
        torch.full((len(weight), k), -1, device=weight.device),
    )
    classes, groups = _groups(identity if allowed.labels is not None else torch.ones_like(identity[:, :1]))
    for part in _chunks(batches, allowed, chunk):
        points = _points(part.z, is_angular)
        for members, own in zip(groups, _wanted(part.ref, classes, allowed.labels), strict=True):
            rows = own.nonzero().flatten()
            distance, near = _nearest_of_chunk(points.index_select(0, rows), targets[members], k)
            _merge(found, members, distance, _Rows(*(one[rows[near]] for one in part)))
    return found


def _groups(identity: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Prototypes that stand for the same classes: the classes [G, C] of each group, and which prototypes it has."""
    rows, group = identity.unique(dim=0, return_inverse=True)
    return rows, [(group == number).nonzero().flatten() for number in range(rows.size(0))]


def _wanted(ref: Tensor, classes: Tensor, labels: Tensor | None) -> Tensor:
    """Which parts [G, c] have a class of a group."""
    if labels is None:
        return torch.ones(classes.size(0), ref.size(0), dtype=torch.bool, device=ref.device)
    own = multi_hot(labels[ref[:, 0]], classes.size(1))
    return classes.float() @ own.float().t() > 0


def _chunks(batches: Iterable[PartBatch], allowed: Allowed, chunk: int) -> Iterator[_Rows]:
    """The parts that are allowed, from at most `chunk` parts at a time."""
    first = 0
    for batch in batches:
        z, ref = batch.z.flatten(0, 1), batch.ref.flatten(0, 1)
        exists = batch.mask.flatten().nonzero().flatten()
        positions = first + torch.arange(exists.numel(), device=exists.device)
        for rows, position in zip(exists.split(chunk), positions.split(chunk), strict=True):
            usable = allowed.train[ref[rows, 0]]
            if allowed.taken is not None:
                usable = usable & ~torch.isin(position, allowed.taken)
            rows = rows[usable]
            yield _Rows(z.index_select(0, rows), ref.index_select(0, rows), position[usable])
        first += exists.numel()


def _points(z: Tensor, is_angular: bool) -> Tensor:
    """In float64; for directions the unit vectors, and infinitely far away a vector that has no direction."""
    points = z.double()
    if not bool(points.sum().isfinite()):
        raise RunError("embeddings of training parts or prototypes are not finite: lower train.lr or check the features")
    if not is_angular:
        return points
    norm = torch.linalg.vector_norm(points, dim=1, keepdim=True)
    return torch.where(norm > 0, points / norm, torch.inf)


def _nearest_of_chunk(points: Tensor, targets: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The least distances [m, k'] of each target and the rows [m, k'] of the points, k' = min(k, points)."""
    distance = torch.cdist(targets, points, compute_mode="donot_use_mm_for_euclid_dist")
    values, rows = [distance[:, :0]], [torch.empty(len(targets), 0, dtype=torch.long, device=targets.device)]
    for _ in range(min(k, points.size(0))):
        least, row = distance.min(dim=1, keepdim=True)  # the first of equal ones, which topk does not promise
        values.append(least)
        rows.append(row)
        if len(rows) <= k:
            distance = distance.scatter(1, row, torch.inf)
    return torch.cat(values, dim=1), torch.cat(rows, dim=1)


def _merge(found: Nearest, members: Tensor, distance: Tensor, new: _Rows) -> None:
    """Keep the k least of what was found before and what a chunk gave; the earlier of equal ones.

    Where fewer than k were found, the infinite distances of before come first, so that their empty rows stay.
    """
    both = torch.cat([found.distance[members], distance], dim=1)
    order = both.sort(dim=1, stable=True).indices[:, : found.distance.size(1)]
    rows = torch.arange(members.numel(), device=members.device).unsqueeze(1)
    found.distance[members] = both[rows, order]
    for kept, more in zip((found.z, found.ref, found.position), new, strict=True):
        kept[members] = torch.cat([kept[members], more], dim=1)[rows, order].to(kept.dtype)
