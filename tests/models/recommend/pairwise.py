"""The pairwise loss by plain loops in double precision, and a small set of interactions; shares nothing with the models."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphkit.sparse import CSR

NUM_USERS, NUM_ITEMS = 7, 9
PENALTIES = ("half-squared", "unique-squared", "norm")


def some_interactions(weighted: bool = False) -> tuple[CSR, Tensor]:
    """Users x items as an operator and as a dense matrix; user 6 and item 8 have nothing."""
    generator = torch.Generator().manual_seed(3)
    dense = (torch.rand(NUM_USERS, NUM_ITEMS, generator=generator) < 0.4).double()
    dense[6], dense[:, 8] = 0.0, 0.0
    dense[0, 0] = 1.0
    users, items = dense.nonzero().t()
    weight = torch.rand(users.numel(), generator=generator, dtype=torch.float64) + 0.5 if weighted else None
    if weight is not None:
        dense[users, items] = weight
    return CSR.from_edge_index(torch.stack([items, users]), (NUM_USERS, NUM_ITEMS), weight), dense


def some_triples(num_negatives: int) -> tuple[Tensor, Tensor, Tensor]:
    """A batch with repeated users and items."""
    users, positives = torch.tensor([2, 0, 2, 5, 6]), torch.tensor([1, 8, 1, 0, 3])
    return users, positives, torch.tensor([[3, 0, 1], [1, 1, 2], [4, 5, 8], [2, 7, 7], [1, 3, 6]])[:, :num_negatives]


def dense_a_hat(dense: Tensor) -> Tensor:
    """D^-1/2 A D^-1/2 of users followed by items, entry by entry."""
    n = NUM_USERS + NUM_ITEMS
    a = torch.zeros(n, n, dtype=torch.float64)
    a[:NUM_USERS, NUM_USERS:] = dense
    a[NUM_USERS:, :NUM_USERS] = dense.t()
    degree = [float(row.sum()) for row in a]
    out = torch.zeros_like(a)
    for i in range(n):
        for j in range(n):
            if a[i, j] != 0:
                out[i, j] = a[i, j] / (degree[i] * degree[j]) ** 0.5
    return out


def loop_loss(final: Tensor, ego: Tensor, triples: Sequence[Tensor], weight: float, penalty: str = "half-squared") -> Tensor:
    """The loss one triple at a time, for embeddings of all users followed by all items."""
    users, positives, negatives = (part.tolist() for part in triples)
    terms, squares, nodes = [], [], set()
    blocks: list[list[Tensor]] = [[], [], []]
    for u, i, others in zip(users, positives, negatives, strict=True):
        for j in others:
            difference = (final[u] * final[NUM_USERS + j]).sum() - (final[u] * final[NUM_USERS + i]).sum()
            terms.append(torch.log(1 + torch.exp(difference)))
        for block, ids in enumerate(([u], [NUM_USERS + i], [NUM_USERS + j for j in others])):
            blocks[block] += [(ego[node] ** 2).sum() for node in ids]
            squares += [(ego[node] ** 2).sum() for node in ids]
            nodes |= set(ids)
    loss = sum(terms) / len(terms)
    if penalty == "half-squared":
        return loss + weight * sum(squares) / 2 / len(users)
    if penalty == "unique-squared":
        return loss + weight * sum((ego[node] ** 2).sum() for node in nodes) / len(users)
    return loss + weight * sum(sum(block) ** 0.5 for block in blocks) / len(users)


def assert_same(actual: Tensor, expected: Tensor, parameters: list[Tensor]) -> None:
    """The same value and the same gradients of the parameters."""
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)
    ours, oracle = torch.autograd.grad(actual, parameters), torch.autograd.grad(expected, parameters)
    for one, other in zip(ours, oracle, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
