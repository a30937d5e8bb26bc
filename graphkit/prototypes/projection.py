"""Projection: every prototype becomes the nearest training part of its classes, so that it can be shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from graphkit.errors import RequestError
from graphkit.prototypes.bank import PrototypeBank
from graphkit.prototypes.nearest import CHUNK, Allowed, Nearest, nearest_parts
from graphkit.prototypes.parts import PartBatch
from graphkit.prototypes.similarity import ANGULAR

Parts = Callable[[], Iterable[PartBatch]]
"""Gives the training parts, in the same order at every call. Embeddings are computed while they are iterated over."""


@dataclass(frozen=True)
class Projection:
    """What a projection did.

    Attributes:
        moved: |p - source| of every prototype, before.
        similarity_before: Similarity of every prototype to its source, before.
        distinct: How many different parts the prototypes are; fewer than there are prototypes means that some collapsed.
    """

    moved: Float[Tensor, " M"]
    similarity_before: Float[Tensor, " M"]
    distinct: int


@torch.no_grad()
def project(
    bank: PrototypeBank,
    encoder: nn.Module,
    parts: Parts,
    *,
    labels: Int[Tensor, " N"] | Bool[Tensor, "N C"],
    train: Bool[Tensor, " N"],
    is_unique: bool = False,
    chunk: int = CHUNK,
) -> Projection:
    """Overwrite every prototype by the nearest training part of a sample that shares a class with it.

    Nearest means the least Euclidean distance, or for `cosine`, `relu-cosine` and `projection` the least angle. Afterwards no
    part is nearer to a prototype than its source. The encoder is in evaluation mode meanwhile, and nothing random is drawn.

    Args:
        bank: Gets the prototypes, where they come from, and the flag `projected`.
        encoder: All that turns samples into parts; its state is part of the fingerprint.
        parts: Gives the training parts, without augmentation.
        labels: Classes by sample id. Those of samples outside of `train` are never read.
        train: Which samples are for training; parts of others are passed over.
        is_unique: No two prototypes get the same part. Where several want one, the nearest gets it, and the others search again
            among the parts that are left: one more pass over the parts per such round.
        chunk: Parts compared at a time; it changes memory and time, never the result.

    Returns:
        What was done.

    Raises:
        RequestError: A prototype has no part to become: no training sample of its classes, or fewer parts than prototypes want.
    """
    device = bank.weight.device
    with evaluating(encoder):
        near = _sources(bank, parts, Allowed(train.to(device), labels.to(device)), is_unique, chunk)
        z, source = near.z[:, 0], near.ref[:, 0]
        before = bank.compare(z).diagonal()
        moved = (z.double() - bank.weight.double()).norm(dim=1)
        bank.place(z, source, before, encoder)
    return Projection(moved, before.clone(), int(source.unique(dim=0).size(0)))


def _sources(bank: PrototypeBank, parts: Parts, allowed: Allowed, is_unique: bool, chunk: int) -> Nearest:
    pending = torch.arange(bank.num_prototypes, device=bank.weight.device)  # prototypes without a part yet
    taken = pending.new_empty(0)
    done: list[tuple[Tensor, Nearest]] = []
    while pending.numel():
        near = nearest_parts(
            parts(),
            bank.weight[pending],
            bank.identity[pending],
            allowed=allowed._replace(taken=taken if is_unique else None),
            is_angular=bank.similarity in ANGULAR,
            chunk=chunk,
        )
        _refuse_missing(bank, pending, near, is_unique)
        won = _winners(near) if is_unique else torch.ones_like(pending, dtype=torch.bool)
        done.append((pending[won], Nearest(*(one[won] for one in near))))
        taken = torch.cat([taken, near.position[won, 0]])
        pending = pending[~won]
    order = torch.cat([who for who, _ in done]).argsort()
    return Nearest(*(torch.cat(found)[order] for found in zip(*(near for _, near in done), strict=True)))


def _winners(near: Nearest) -> Tensor:
    """Of the prototypes that want the same part the one that is nearest to it, the first of equal ones."""
    position, distance = near.position[:, 0], near.distance[:, 0]
    by_distance = distance.sort(stable=True).indices
    order = by_distance[position[by_distance].sort(stable=True).indices]
    wanted = position[order]
    is_first = torch.ones_like(wanted, dtype=torch.bool)
    is_first[1:] = wanted[1:] != wanted[:-1]
    return torch.zeros_like(is_first).index_copy(0, order, is_first)


def _refuse_missing(bank: PrototypeBank, pending: Tensor, near: Nearest, is_unique: bool) -> None:
    missing = pending[near.position[:, 0] < 0]
    if missing.numel():
        first = int(missing[0])
        classes = bank.identity[first].nonzero().flatten().tolist()
        why = "fewer training parts than prototypes" if is_unique else "no training parts"
        raise RequestError(
            f"prototype {first} of classes {classes} cannot be projected, there are {why}: give fewer prototypes or more data"
        )


@torch.no_grad()
def source_drift(bank: PrototypeBank, encoder: nn.Module, parts: Parts) -> Float[Tensor, " M"]:
    """|p - z| of every prototype and the embedding that its source has now; +inf where the source is not among the parts.

    After a projection it is zero. It tells whether a stored source id still names what the prototype is, on this data.

    Args:
        bank: A bank.
        encoder: All that turns samples into parts.
        parts: Gives parts, the sources among them.
    """
    drift = bank.weight.new_full((bank.num_prototypes,), torch.inf)
    with evaluating(encoder):
        for batch in parts():
            z, ref = batch.rows
            row, prototype = _matches(ref, bank.source)
            drift[prototype] = (z[row] - bank.weight[prototype]).norm(dim=1)
    return drift


def _matches(ref: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of a row of `ref` and a row of `source` that are equal, for rows of `ref` without repeats."""
    both, number = torch.cat([source, ref]).unique(dim=0, return_inverse=True)
    row_of = number.new_full((both.size(0),), -1)
    row_of[number[len(source) :]] = torch.arange(len(ref), device=ref.device)
    row = row_of[number[: len(source)]]
    prototype = (row >= 0).nonzero().flatten()
    return row[prototype], prototype


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Within: evaluation mode. Afterwards every part of the module is in the mode that it was in before."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
