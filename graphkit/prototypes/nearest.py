"""The parts nearest to every prototype, found in one pass over parts that come in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

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
    targets = _comparable(weight, is_angular)
    found = Nearest(
        targets.new_full((len(weight), k), torch.inf),
        weight.new_zeros(len(weight), k, weight.size(1)),
        torch.full((len(weight), k, 2), -1, device=weight.device),
        torch.full((len(weight), k), -1, device=weight.device),
    )
    groups = _groups(identity if allowed.labels is not None else torch.ones_like(identity[:, :1]))
    for z, ref, position in _chunks(batches, chunk):
        usable = _usable(z, ref, position, allowed, is_angular)
        z, ref, position = z[usable], ref[usable], position[usable]
        if not bool(z.isfinite().all()):
            raise RunError("embeddings of training parts are not finite: lower train.lr or check the features")
        classes = None if allowed.labels is None else multi_hot(allowed.labels[ref[:, 0]], identity.size(1))
        points = _comparable(z, is_angular)
        for row, members in groups:
            own = slice(None) if classes is None else (classes & row).any(dim=1)
            near = _nearest_of_chunk(points[own], targets[members], k)
            _merge(found, members, near, z[own], ref[own], position[own])
    return found


def _groups(identity: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Prototypes that stand for the same classes: the row of classes, and which they are."""
    rows, group = identity.unique(dim=0, return_inverse=True)
    return [(row, (group == number).nonzero().flatten()) for number, row in enumerate(rows)]


def _chunks(batches: Iterable[PartBatch], chunk: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Embeddings, ids and positions of at most `chunk` parts at a time."""
    first = 0
    for batch in batches:
        z, ref = batch.rows
        for start in range(0, z.size(0), chunk):
            part = z[start : start + chunk]
            yield part, ref[start : start + chunk], first + start + torch.arange(part.size(0), device=z.device)
        first += z.size(0)


def _usable(z: Tensor, ref: Tensor, position: Tensor, allowed: Allowed, is_angular: bool) -> Tensor:
    usable = allowed.train[ref[:, 0]]
    if allowed.taken is not None:
        usable = usable & ~torch.isin(position, allowed.taken)
    return usable & z.any(dim=1) if is_angular else usable


def _comparable(z: Tensor, is_angular: bool) -> Tensor:
    return functional.normalize(z.double(), dim=1) if is_angular else z.double()


class _NearOfChunk(NamedTuple):
    distance: Tensor
    row: Tensor


def _nearest_of_chunk(points: Tensor, targets: Tensor, k: int) -> _NearOfChunk:
    """The least distances [m, k'] of each target and the rows of the points, k' = min(k, points)."""
    distance = torch.cdist(targets, points, compute_mode="donot_use_mm_for_euclid_dist")
    values, rows = [], []
    for _ in range(min(k, points.size(0))):
        least, row = distance.min(dim=1, keepdim=True)  # the first of equal ones, which topk does not promise
        values.append(least)
        rows.append(row)
        if len(rows) < k:
            distance = distance.scatter(1, row, torch.inf)
    if not rows:
        nothing = targets.new_empty(targets.size(0), 0)
        return _NearOfChunk(nothing, nothing.long())
    return _NearOfChunk(torch.cat(values, dim=1), torch.cat(rows, dim=1))


def _merge(found: Nearest, members: Tensor, near: _NearOfChunk, z: Tensor, ref: Tensor, position: Tensor) -> None:
    """Keep the k least of what was found before and what the chunk gave; the earlier of equal ones."""
    k = found.distance.size(1)
    distance = torch.cat([found.distance[members], near.distance], dim=1)
    order = distance.sort(dim=1, stable=True).indices[:, :k]
    rows = torch.arange(len(members), device=members.device).unsqueeze(1)
    found.distance[members] = distance[rows, order]
    for kept, new in ((found.z, z), (found.ref, ref), (found.position, position)):
        kept[members] = torch.cat([kept[members], new[near.row]], dim=1)[rows, order].to(kept.dtype)
