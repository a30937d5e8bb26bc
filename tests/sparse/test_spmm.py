"""A product that keeps a share of its input, against dense float64 algebra: values, gradients of any order, threads."""

from __future__ import annotations

import pytest
import torch

from graphkit.sparse import CSR, propagate_and_keep
from tests.sparse.graphs import N, close, edges, features, weights


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("channels", [1, 19])
def test_a_product_that_keeps_its_input_equals_dense(weighted: bool, channels: int) -> None:
    e = edges(40)
    w = weights(40) if weighted else None
    a = CSR.from_edge_index(e, N, w)
    a = a.without(a.positions(e[:, :4]))
    x, eps = features(channels=channels).requires_grad_(), torch.tensor([-0.4], dtype=torch.float64, requires_grad=True)
    whole = a.to_dense(torch.float64) + (1 + eps.detach()) * torch.eye(N, dtype=torch.float64)
    out, flow = propagate_and_keep(a, x, eps), features(channels=channels, seed=5)
    out.backward(flow)
    close(out.detach(), whole @ x.detach())
    assert x.grad is not None and eps.grad is not None
    close(x.grad, whole.t() @ flow)
    close(eps.grad, (x.detach() * flow).sum().view(1))


def test_gradcheck_in_all_that_it_reads() -> None:
    e, x, eps = edges(20), features(channels=2).requires_grad_(), torch.ones(1, dtype=torch.float64, requires_grad=True)
    w = weights(20).requires_grad_()
    fixed = CSR.from_edge_index(e, N, w.detach())
    assert torch.autograd.gradcheck(lambda x, eps: propagate_and_keep(fixed, x, eps), (x, eps))
    assert torch.autograd.gradgradcheck(lambda x, eps: propagate_and_keep(fixed, x, eps), (x, eps))
    assert torch.autograd.gradcheck(lambda w, x, eps: propagate_and_keep(CSR.from_edge_index(e, N, w), x, eps), (w, x, eps))


def test_without_edges_or_gradients_of_eps() -> None:
    x, eps = features().requires_grad_(), torch.tensor([0.5])
    out = propagate_and_keep(CSR.from_edge_index(edges(0), N), x, eps)
    out.sum().backward()
    close(out.detach(), 1.5 * x.detach())
    close(x.grad, torch.full_like(x, 1.5))


def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    e = torch.randint(9_000, (2, 60_000), generator=generator)
    a, x = CSR.from_edge_index(e, 9_000), torch.randn(9_000, 40, generator=generator).requires_grad_()
    eps, flow = torch.zeros(1, requires_grad=True), torch.randn(9_000, 40, generator=generator)
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        out = propagate_and_keep(a, x, eps)
        found.append((out, *torch.autograd.grad(out, (x, eps), flow)))
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))
    assert abs(float(found[0][2]) - float((x.detach().double() * flow.double()).sum())) < 1e-2
    close(found[0][0].detach(), dense_product(e, x), tolerance=1e-5)


def dense_product(e: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """(A + I) X, edge by edge in float64."""
    wide = x.detach().double()
    return wide.index_add(0, e[1], wide[e[0]])
