"""Exact counts of small patterns, of all graphs of one size at once: cycles through every edge, triangles with tails, stars."""

from __future__ import annotations

import torch
from torch import Tensor

_CHUNK = 2**23  # numbers of a temporary
CYCLES = (3, 4, 5, 6)
"""Lengths of cycles that can be counted."""


def edge_cycles(adjacency: Tensor, length: int) -> Tensor:
    """Cycles of k nodes through every edge.

        c(i, w) = sum over y in N(w), x in N(i) of P_(k-3)(y, x)

    with P_l(y, x) the paths of l edges from y to x in the graph without i and w; A is its adjacency matrix, D its degrees:

        P_0 = I    P_1 = A    P_2 = A^2 - D    P_3 = A^3 - D A - A D + A    (P_1 to P_3 for y other than x)

    Args:
        adjacency: Symmetric, zeros and ones, zero diagonal [G, n, n].
        length: k, 3 to 6.

    Returns:
        [G, n, n], float64, exact; zero where there is no edge.

    Raises:
        ValueError: Another length. Time m n^3 per graph.
    """
    if length not in CYCLES:
        raise ValueError(f"length must be one of {', '.join(map(str, CYCLES))}, got {length}.")
    adjacency = adjacency.double()
    graph, i, w = adjacency.triu().nonzero(as_tuple=True)
    out = torch.zeros_like(adjacency)
    n = adjacency.size(1)
    for part in torch.arange(graph.numel()).split(max(1, _CHUNK // max(n**2, 1))):
        counts = _through(adjacency[graph[part]], i[part], w[part], length - 3)
        out[graph[part], i[part], w[part]] = counts
    return out + out.transpose(1, 2)


def _through(a: Tensor, i: Tensor, w: Tensor, steps: int) -> Tensor:
    """Paths of some steps from N(w) to N(i), in each graph [B, n, n] without its own i and w."""
    rows = torch.arange(a.size(0))
    left, right = a[rows, w].clone(), a[rows, i].clone()
    a = a.clone()
    for gone in (i, w):
        a[rows, gone] = 0
        a[rows, :, gone] = 0
        left[rows, gone] = right[rows, gone] = 0
    if steps == 0:
        return (left * right).sum(1)
    degree = a.sum(2)
    paths = a
    if steps == 2:
        paths = a @ a
    elif steps == 3:
        paths = a @ a @ a - degree.unsqueeze(2) * a - a * degree.unsqueeze(1) + a
    diagonal = paths.diagonal(dim1=1, dim2=2)
    return (left.unsqueeze(1) @ paths @ right.unsqueeze(2)).flatten() - (left * diagonal * right).sum(1)


def node_cycles(adjacency: Tensor, length: int) -> Tensor:
    """Cycles of `length` nodes through every node [G, n]: each uses two of its edges."""
    return edge_cycles(adjacency, length).sum(2) / 2


def graph_cycles(adjacency: Tensor, length: int) -> Tensor:
    """Cycles of `length` nodes of every graph [G]."""
    return node_cycles(adjacency, length).sum(1) / length


def tailed_triangles(adjacency: Tensor) -> Tensor:
    """Triangles with one more edge at a corner [G]: sum over i of triangles at i times (d_i - 2)."""
    degree = adjacency.double().sum(2)
    return (node_cycles(adjacency, 3) * (degree - 2)).sum(1)


def stars(adjacency: Tensor) -> Tensor:
    """Nodes with three of their neighbors [G]: sum over i of (d_i choose 3)."""
    degree = adjacency.double().sum(2)
    return (degree * (degree - 1) * (degree - 2) / 6).sum(1)
