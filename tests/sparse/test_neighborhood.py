"""Statistics over neighbors against dense maxima and sums of which autograd gives the gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.sparse import CSR, neighbor_statistics
from graphkit.sparse.neighborhood import _plain

N, C = 23, 5


def graph(masked: bool) -> tuple[CSR, Tensor]:
    """A directed graph with isolated nodes and, where masked, absent entries; and its pattern, rows are targets."""
    generator = torch.Generator().manual_seed(0)
    adj = CSR.from_edge_index(torch.randint(N - 3, (2, 90), generator=generator), N, duplicates="first")
    pattern = torch.zeros(N, N, dtype=torch.bool)
    source, target = adj.edge_index()
    pattern[target, source] = True
    if masked:
        gone = torch.arange(0, adj.nnz, 4)
        pattern[target[gone], source[gone]] = False
        adj = adj.without(gone)
    return adj, pattern


def dense(pattern: Tensor, x: Tensor, start: Tensor) -> tuple[Tensor, ...]:
    members = torch.cat([x.expand(N, N, C), start.unsqueeze(1)], dim=1)  # [node, member, channel]
    inside = torch.cat([pattern, torch.ones(N, 1, dtype=torch.bool)], dim=1).unsqueeze(2)
    kept = members.masked_fill(~inside, 0.0)
    most, least = members.masked_fill(~inside, -torch.inf).amax(1), members.masked_fill(~inside, torch.inf).amin(1)
    return kept.sum(1), kept.square().sum(1), most, least


def leaves(ties: bool) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, start = torch.randn(2, N, C, dtype=torch.float64, generator=generator)
    if ties:
        x, start = x.round(), start.round()
    return x.requires_grad_(), start.requires_grad_()


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("masked", "ties"), [(False, False), (True, True)])
def test_equal_to_dense_statistics(masked: bool, ties: bool, plain: bool) -> None:
    adj, pattern = graph(masked)
    x, start = leaves(ties)
    found, expected = (_plain if plain else neighbor_statistics)(adj, x, start), dense(pattern, x, start)
    weights = torch.randn(4, N, C, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    ours, theirs = (
        torch.autograd.grad(sum((w * one).sum() for w, one in zip(weights, made, strict=True)), (x, start))
        for made in (found, expected)
    )
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_gradients_of_gradients() -> None:
    adj, pattern = graph(False)
    x, start = leaves(False)
    penalties = []
    for made in (neighbor_statistics(adj, x, start), dense(pattern, x, start)):
        first = torch.autograd.grad(sum(one.sin().sum() for one in made), (x, start), create_graph=True)
        penalties.append(torch.autograd.grad(sum(one.square().sum() for one in first), (x, start)))
    for a, b in zip(*penalties, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_shapes_that_do_not_fit_are_refused() -> None:
    adj, _ = graph(False)
    with pytest.raises(ValueError, match=r"x and start must have shape \[23, C\]"):
        neighbor_statistics(adj, torch.zeros(N, 2), torch.zeros(N, 3))
