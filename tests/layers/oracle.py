"""Dense float64 matrices of a graph, entry by entry; shares nothing with the engine."""

from __future__ import annotations

import torch
from torch import Tensor


def dense_adjacency(edge_index: Tensor, size: int | tuple[int, int], edge_weight: Tensor | None = None) -> Tensor:
    """A[target, source], weights of repeated edges added up; differentiable in the weights. `size` is (sources, targets)."""
    num_sources, num_targets = (size, size) if isinstance(size, int) else size
    rows = [[torch.zeros((), dtype=torch.float64) for _ in range(num_sources)] for _ in range(num_targets)]
    for e, (source, target) in enumerate(edge_index.t().tolist()):
        rows[target][source] = rows[target][source] + (1.0 if edge_weight is None else edge_weight[e])
    return torch.stack([torch.stack(row) for row in rows])


def dense_operator(
    edge_index: Tensor, size: int | tuple[int, int], edge_weight: Tensor | None, norm: str, self_loops: bool = True
) -> Tensor:
    """The normalized matrix, one entry at a time; `size` is (sources, targets)."""
    a = dense_adjacency(edge_index, size, edge_weight)
    if norm == "gcn" and self_loops:
        a = a + torch.diag((a.diagonal() == 0).to(a.dtype))
    degree = [row.sum() for row in a]
    leaving = [column.sum() for column in a.t()] if norm == "directed" else degree
    zero = torch.zeros((), dtype=torch.float64)
    rows = []
    for i in range(a.size(0)):
        row = []
        for j in range(a.size(1)):
            if a[i, j] == 0:
                row.append(zero)
            elif norm == "sum":
                row.append(a[i, j])
            elif norm == "mean":
                row.append(a[i, j] / degree[i])
            else:
                product = degree[i] * leaving[j]
                row.append(a[i, j] * product**-0.5 if product > 0 else zero)
        rows.append(torch.stack(row))
    return torch.stack(rows)


def messy_graph(seed: int = 0) -> tuple[Tensor, int]:
    """A directed graph with duplicate edges, a repeated self-loop and isolated nodes at both ends."""
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(1, 9, (2, 30), generator=generator)
    return torch.cat([edge_index, edge_index[:, :5], torch.tensor([[4, 4], [4, 4]])], dim=1), 11


def assert_same(actual: Tensor, expected: Tensor, inputs: list[Tensor]) -> None:
    """The same values, and the same gradients with respect to the inputs."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)
    probe = torch.linspace(-1.0, 1.0, expected.numel(), dtype=torch.float64).sin().view_as(expected)
    ours = torch.autograd.grad((actual * probe).sum(), inputs)
    theirs = torch.autograd.grad((expected * probe).sum(), inputs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
