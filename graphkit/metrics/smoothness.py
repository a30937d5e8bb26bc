"""How smooth node representations are on a graph: the Dirichlet energy, which vanishes where a deep network over-smooths."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from graphkit.sparse import Adjacency, as_csr, normalize
from graphkit.sparse.sheaf import undirected


class Operator(Protocol):
    """A symmetric operator on node signals, e.g. a `CSR` or the `SheafLaplacian` of `SheafDiffusion.sheaf`."""

    def matmul(self, x: Tensor) -> Any:
        """The operator times x [N, C]."""


@torch.no_grad()
def rayleigh_quotient(x: Tensor, laplacian: Operator) -> float:
    r"""Energy of a signal under a Laplacian, divided by the signal's size.

    .. math:: \frac{\mathrm{tr}(X^\top \Delta X)}{\|X\|_F^2}

    Args:
        x: Signal [N, C].
        laplacian: Symmetric operator; computed in its dtype, that of x where it has none of its own.

    Returns:
        A number in [0, lambda_max]; NaN where x is zero.
    """
    size = x.square().sum()
    return float((x * laplacian.matmul(x)).sum() / size) if size > 0 else float("nan")


@torch.no_grad()
def dirichlet_energy(x: Tensor, adj: Adjacency) -> float:
    r"""Dirichlet energy of node representations, divided by their size: a Rayleigh quotient.

    .. math:: \frac{1}{\|X\|_F^2} \sum_{\{i, j\} \in E} w_{ij}
        \left\| \frac{x_i}{\sqrt{d_i + 1}} - \frac{x_j}{\sqrt{d_j + 1}} \right\|^2

    Each undirected edge counts once, d_i is the sum of the weights at node i. An edge that is given in one direction counts in
    both; self-loops count neither in the sum nor in d. It is the quadratic form of the augmented normalized Laplacian of GCN
    and of identity sheaves, in [0, 2); 0 where all nodes of a component have x_i = sqrt(d_i + 1) c. Computed in float64.

    Args:
        x: Representations [N, C].
        adj: Graph: `edge_index` [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR, non-negative weights.

    Returns:
        The energy; NaN where x is zero.

    Raises:
        ValueError: A weight is negative.

    Source: Cai and Wang, A Note on Over-Smoothing for Graph Neural Networks, 2020.
    """
    x = x.double()
    _, adjacency = undirected(as_csr(adj, x.size(0)))
    smooth = normalize(adjacency, "gcn", dtype=torch.float64)
    return rayleigh_quotient(x, _OneMinus(smooth))


class _OneMinus:
    """I - A of an operator A."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    def matmul(self, x: Tensor) -> Tensor:
        difference: Tensor = x - self._operator.matmul(x)
        return difference
