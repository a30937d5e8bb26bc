"""Propagation along patterns of up to two steps in a directed graph: ahead, behind, and by way of a shared neighbor."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from graphkit.sparse import CSR

PATTERNS = ("A", "A^T", "AA", "AA^T", "A^TA", "A^TA^T")
"""With A[i, j] for an edge i -> j; the order of whatever has one part a pattern."""

Hops: TypeAlias = list[list[Tensor]]


class Pattern:
    r"""Propagation along one pattern: X -> beta_k D^(r-1) P D^-r X, with P, a sum or product of A and A^T, never made.

    P X is A applied to A^T X, say, and D, the row sums of P on both sides, is P applied to ones.

    Args:
        factors: The one or two operators whose product is P; to one alone I is added, also where a node has a self-loop.
        exponent: r.
        decay: Whether beta_k = ln(1/k) + 1 + 1e-6, else 1.
    """

    def __init__(self, factors: tuple[CSR, ...], *, exponent: float, decay: bool) -> None:
        self._factors = factors
        self._decay = decay
        total = self._times(torch.ones(factors[0].shape[0], 1, dtype=torch.float64, device=factors[0].device))
        self._left, self._right = (_power(total, p) for p in (exponent - 1.0, -exponent))

    def step(self, x: Float[Tensor, "N C"], k: int) -> Float[Tensor, "N C"]:
        """The k-th propagation, from 1: X_(k-1) [N, C] to X_k."""
        beta = math.log(1.0 / k) + 1.0 + 1e-6 if self._decay else 1.0
        return (beta * self._left).to(x.dtype) * self._times(self._right.to(x.dtype) * x)

    def _times(self, x: Tensor) -> Tensor:
        """P X."""
        if len(self._factors) == 1:
            return self._factors[0].matmul(x) + x
        return self._factors[0].matmul(self._factors[1].matmul(x))


def directed_patterns(graph: CSR, exponent: float = 0.5, decay: bool = True) -> list[Pattern]:
    """The six patterns of a graph in the order of `PATTERNS`; arguments as in `propagate_patterns`.

    Where the graph is symmetric the patterns of one step coincide, and so do those of two: they are then the same object.
    """
    a, a_t = graph.t(), graph
    made: dict[tuple[int, ...], Pattern] = {}
    result = []
    for factors in ((a,), (a_t,), (a, a), (a, a_t), (a_t, a), (a_t, a_t)):
        key = tuple(map(id, factors))
        if key not in made:
            made[key] = Pattern(factors, exponent=exponent, decay=decay)
        result.append(made[key])
    return result


def propagate_patterns(graph: CSR, x: Float[Tensor, "N C"], num_hops: int, exponent: float = 0.5, decay: bool = True) -> Hops:
    r"""Features after one, two, ... propagations along each of the six patterns.

    X_k = beta_k D^(r-1) P D^-r X_(k-1), X_0 = X, for P of A + I, A^T + I, AA, AA^T, A^TA, A^TA^T, with D the row sums of P on
    both sides. Entries of the products count paths (or add up products of weights); the diagonals of AA^T and A^TA stay, and
    I is added to the first two alone, also where a node has a self-loop. A power of a sum that is not positive is 0, with
    exponent 0 it is 1.

    No product of matrices is ever made: memory is linear in the edges, where a product may fill a matrix N x N, and time is
    that of ten products with A for each hop (three where the graph is symmetric, since the patterns then coincide).

    Args:
        graph: A^T [N, N] as an operator whose rows are targets, non-negative.
        x: Features.
        num_hops: Propagations K.
        exponent: r; 0.5 is symmetric, 0 gives rows that sum to one.
        decay: Whether beta_k = ln(1/k) + 1 + 1e-6, else 1.

    Returns:
        For each pattern in the order of `PATTERNS`, X_1 to X_K [N, C]; differentiable any number of times in x and in the
        graph's values.
    """
    made: dict[Pattern, list[Tensor]] = {}
    patterns = directed_patterns(graph, exponent, decay)
    for pattern in patterns:
        if pattern not in made:
            hops = [x]
            for k in range(1, num_hops + 1):
                hops.append(pattern.step(hops[-1], k))
            made[pattern] = hops[1:]
    return [made[pattern] for pattern in patterns]


def _power(total: Tensor, exponent: float) -> Tensor:
    if exponent == 0.0:
        return torch.ones_like(total)
    positive = total > 0
    return torch.where(positive, torch.where(positive, total, 1.0) ** exponent, 0.0)
