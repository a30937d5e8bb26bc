"""Equivariant polynomials of the adjacency matrix as features of pairs: walks, and the first that 2-FWL cannot compute."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from graphkit.sparse.egonets import Bags

_CHUNK = 2**24  # numbers of a temporary


def pair_polynomials(bags: Bags, degree: int) -> Float[Tensor, "T K"]:
    """Polynomials of A up to a degree, one column each, as features of the pairs (u, v).

        degree k          walks of k steps from v to u: (A^k)(u, v), for k = 1, ..., degree
        degree 5          P_5(u, v) = sum over k, l of A_uk A_vk A_ul A_vl A_kl
        degree 6          P_6(u, v) = A_uv P_5(u, v)

    P_5 counts, twice, the edges between common neighbors of u and v. P_6 counts the complete graphs on 4 nodes over an edge. No
    2-FWL network, so no PPGN, can compute them: they tell the 4 x 4 rook's graph from the Shrikhande graph. Degree 6 is the
    published choice.

    Args:
        bags: Bags of whole graphs, one per node. Edges count once, in the direction of messages; values do not matter.
        degree: At least 1.

    Returns:
        K = degree columns, and one more for degree 5, two more for degree 6 and above; float32, exact below 2^24.

    Raises:
        ValueError: A degree below 1, or bags that do not hold their whole graph.

    Source: Puny et al., "Equivariant Polynomials for Graph Neural Networks", ICML 2023; which polynomials they add we have not
    read. These are the ones of lowest degree that are missing. Time n^4 per graph from degree 5 on.
    """
    if degree < 1:
        raise ValueError(f"degree must be at least 1, got {degree}.")
    blocks = bags.blocks
    a = blocks.adjacency
    power, found = a, [a]
    for _ in range(degree - 1):
        power = power @ a
        found.append(power)
    if degree >= 5:
        five = _common_edges(a)
        found.append(five)
        if degree >= 6:
            found.append(a * five)
    return blocks.rows(torch.stack(found, dim=3))


def _common_edges(a: Tensor) -> Tensor:
    """P_5 of blocks [G, n, n], a few graphs and rows at a time."""
    n = a.size(1)
    graphs = max(1, _CHUNK // max(n**3, 1))
    rows = max(1, min(n, _CHUNK // max(n**2, 1)))
    out = torch.zeros_like(a)
    for first in range(0, a.size(0), graphs):
        part = a[first : first + graphs]
        for top in range(0, n, rows):
            common = part[:, top : top + rows, None] * part[:, None]  # [g, u, v, k]
            steps = common.flatten(1, 2) @ part
            out[first : first + graphs, top : top + rows] = (common * steps.view_as(common)).sum(3)
    return out
