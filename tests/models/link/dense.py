"""A graph of edges in both directions with isolated nodes, and its matrices, dense and in float64."""

from __future__ import annotations

import torch
from torch import Tensor

NODES = 20


def graph(features: int = 6, seed: int = 0) -> tuple[Tensor | None, Tensor, Tensor, Tensor]:
    """Features, edges, the adjacency matrix and pairs; the last three nodes are isolated."""
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(NODES - 3, (2, 50), generator=generator)
    edges = edges[:, edges[0] != edges[1]]
    edges = torch.unique(torch.cat([edges, edges.flip(0)], dim=1), dim=1)
    adjacency = torch.zeros(NODES, NODES, dtype=torch.float64)
    adjacency[edges[1], edges[0]] = 1.0
    x = torch.randn(NODES, features, dtype=torch.float64, generator=generator) if features else None
    return x, edges, adjacency, torch.randint(NODES, (2, 40), generator=generator)


def gcn(adjacency: Tensor) -> Tensor:
    """D^-1/2 (A + I) D^-1/2."""
    looped = adjacency + torch.eye(NODES, dtype=torch.float64)
    scale = looped.sum(1).rsqrt()
    return scale[:, None] * looped * scale


def assert_same(found: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
    """Values and gradients, of a sum that weighs each score differently."""
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    weight = torch.linspace(-1.0, 1.0, found.numel(), dtype=found.dtype)
    ours = torch.autograd.grad((found * weight).sum(), leaves)
    theirs = torch.autograd.grad((expected * weight).sum(), leaves)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)
