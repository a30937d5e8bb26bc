"""Projection of prototypes onto a million training parts, against a loop over prototypes, as the push of ProtoPNet does it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from graphkit.prototypes import PartBatch, PrototypeBank, class_identity, project

WIDTH, PATCHES, CLASSES, PER_CLASS, BATCH = 64, 49, 10, 10, 1_000


def contests(options: Options) -> Iterator[Contest]:
    """Maps of 7 x 7 patches, 64 channels, 10 classes with 10 prototypes each; cosines and distances."""
    samples = 100 if options.quick else 20_409
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(samples, PATCHES, WIDTH, generator=generator)
    labels = torch.randint(CLASSES, (samples,), generator=generator)
    start = torch.randn(CLASSES * PER_CLASS, WIDTH, generator=generator)
    pairs = z.numel() // WIDTH * PER_CLASS  # every part meets the prototypes of its class
    work = Work(
        "a difference, a square and a sum per channel of every part and prototype of its class", flops=3.0 * pairs * WIDTH
    )
    label = f"{samples * PATCHES:,} parts, {WIDTH} channels, {len(start)} prototypes of {CLASSES} classes"
    for similarity in ("cosine", "log-l2"):
        ours = Side("graphkit project", lambda s=similarity: _ours(z, labels, start, s))
        peer = Side("loop over prototypes", lambda s=similarity: _loop(z, labels, start, s == "cosine"))
        yield Contest([Case(f"{similarity}: {label}", ours, peer, work)])


def _ours(z: Tensor, labels: Tensor, start: Tensor, similarity: str) -> Results:
    bank = PrototypeBank(class_identity([PER_CLASS] * CLASSES), WIDTH, similarity=similarity)
    with torch.no_grad():
        bank.weight.copy_(start)
    train = torch.ones(len(labels), dtype=torch.bool)
    project(bank, nn.Identity(), lambda: _batches(z), labels=labels, train=train)
    return {"sources": bank.source, "prototypes": bank.weight.detach()}


def _batches(z: Tensor) -> Iterator[PartBatch]:
    mask = torch.ones(BATCH, PATCHES, dtype=torch.bool)
    for first in range(0, len(z), BATCH):
        part = z[first : first + BATCH]
        ids = torch.arange(first, first + len(part))[:, None].expand(-1, PATCHES)
        ref = torch.stack([ids, torch.arange(PATCHES).expand_as(ids)], dim=2)
        yield PartBatch(part, mask[: len(part)], ref)


def _loop(z: Tensor, labels: Tensor, start: Tensor, is_angular: bool) -> Results:
    """Per batch and prototype: the distances to all parts of its class, and the least of them."""
    targets = start.double()
    if is_angular:
        targets = targets / targets.norm(dim=1, keepdim=True)
    least = [torch.inf] * len(start)
    source = torch.zeros(len(start), 2, dtype=torch.long)
    prototypes = torch.zeros_like(start)
    for first in range(0, len(z), BATCH):
        part, classes = z[first : first + BATCH], labels[first : first + BATCH]
        for j, target in enumerate(targets):
            own = (classes == j // PER_CLASS).nonzero().flatten()
            if own.numel() == 0:
                continue
            points = part[own].double()
            if is_angular:
                points = points / points.norm(dim=2, keepdim=True)
            value, place = (points - target).norm(dim=2).flatten().min(dim=0)
            if value < least[j]:
                least[j] = float(value)
                sample, item = own[place // PATCHES], place % PATCHES
                source[j] = torch.stack([sample + first, item])
                prototypes[j] = part[sample, item]
    return {"sources": source, "prototypes": prototypes}
