"""Similarities of patches to prototypes and their maximum, forward and backward, as in ProtoPNet's code and as here."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from graphkit.prototypes import PartBatch, PrototypeBank, class_identity

IMAGES, SIDE, CHANNELS, PROTOTYPES, PER_CLASS = 64, 14, 128, 1_000, 5


def contests(options: Options) -> Iterator[Contest]:
    """64 maps of 14 x 14 patches with 128 channels, 1,000 prototypes; cosines, and ProtoPNet's logarithm of distances."""
    images, prototypes = (4, 40) if options.quick else (IMAGES, PROTOTYPES)
    generator = torch.Generator().manual_seed(0)
    # Sixteenths: distances are exact sums, so that the expanded square of the peer finds the same winners.
    maps = torch.randint(17, (images, CHANNELS, SIDE, SIDE), generator=generator) / 16
    weight = torch.randint(17, (prototypes, CHANNELS), generator=generator) / 16
    flow = torch.randn(images, prototypes, generator=generator)
    pairs = images * SIDE * SIDE * prototypes
    work = Work("a product of every patch and prototype, once", flops=2.0 * pairs * CHANNELS)
    label = f"{images} maps of {SIDE}x{SIDE}x{CHANNELS}, {prototypes:,} prototypes"
    for similarity in ("cosine", "log-l2"):
        ours = Side("graphkit PrototypeBank", lambda s=similarity: _ours(maps, weight, flow, s))
        peer = Side("convolution and max pool", lambda s=similarity: _unfused(maps, weight, flow, s))
        yield Contest([Case(f"{similarity}: {label}", ours, peer, work)])


def _ours(maps: Tensor, weight: Tensor, flow: Tensor, similarity: str) -> Results:
    bank = PrototypeBank(class_identity([PER_CLASS] * (len(weight) // PER_CLASS)), CHANNELS, similarity=similarity)
    with torch.no_grad():
        bank.weight.copy_(weight)
    leaf = maps.clone().requires_grad_()
    found = bank(PartBatch.of_maps(leaf, torch.arange(len(maps)))).similarity
    found.backward(flow)
    return _results(found, leaf.grad, bank.weight.grad)


def _unfused(maps: Tensor, weight: Tensor, flow: Tensor, similarity: str) -> Results:
    """All similarities as a map [B, M, H, W], then its maximum; distances by the expanded square."""
    leaf, prototypes = maps.clone().requires_grad_(), weight.clone().requires_grad_()
    kernel = prototypes[:, :, None, None]
    if similarity == "cosine":
        cosines = F.conv2d(F.normalize(leaf, dim=1), F.normalize(kernel, dim=1))
        found = F.max_pool2d(cosines, cosines.shape[2:]).flatten(1)
    else:
        squares = F.conv2d(leaf.square(), torch.ones_like(kernel))
        distance = F.relu(squares - 2 * F.conv2d(leaf, kernel) + prototypes.square().sum(dim=1).view(-1, 1, 1))
        least = -F.max_pool2d(-distance, distance.shape[2:]).flatten(1)
        found = torch.log((least + 1) / (least + 1e-4))
    found.backward(flow)
    return _results(found, leaf.grad, prototypes.grad)


def _results(found: Tensor, of_maps: Tensor | None, of_prototypes: Tensor | None) -> Results:
    assert of_maps is not None and of_prototypes is not None
    return {"similarity": found.detach(), "gradient of maps": of_maps, "gradient of prototypes": of_prototypes}
