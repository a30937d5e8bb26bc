"""FastRP: powers of an adjacency matrix times a random matrix, embeddings of nodes that nothing is trained for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.norm import normalize
from graphkit.sparse.structure import untraced

KINDS = ("sparse", "gaussian")
WEIGHTS = (0.0, 0.0, 1.0, 4.0)
"""Default weights of the powers: walks of three and four steps."""


def random_projection(num_nodes: int, channels: int, kind: str = "sparse", *, seed: int = 0) -> Tensor:
    """A random matrix R [N, D] whose rows are nearly orthogonal, entries of mean 0 and variance 1 / D.

    `gaussian`: normal entries. `sparse`: with s = sqrt(N) an entry is sqrt(s / D) or -sqrt(s / D) with a chance of 1 / (2 s)
    each, else 0.

    Args:
        num_nodes: N.
        channels: D, at least 1.
        kind: One of `KINDS`.
        seed: Of the draw, which is the same with any number of threads.

    Returns:
        [N, D], float32, on the CPU.

    Raises:
        ValueError: `kind` is unknown, or D is below 1.

    Source: Li, Hastie and Church, "Very Sparse Random Projections", KDD 2006.
    """
    if kind not in KINDS or channels < 1:
        raise ValueError(f"kind must be one of {', '.join(KINDS)} and channels at least 1, got {kind!r} and {channels}.")
    generator = torch.Generator().manual_seed(seed)
    if kind == "gaussian":
        return torch.randn(num_nodes, channels, generator=generator).mul_(channels**-0.5)
    s = math.sqrt(max(num_nodes, 1))
    u = torch.rand(num_nodes, channels, generator=generator)
    signs = (u < 0.5 / s).to(torch.float32)
    signs -= (u >= 1.0 - 0.5 / s).to(torch.float32)
    signs *= math.sqrt(s / channels)
    return signs


@torch.no_grad()
@untraced
def fast_random_projection(
    adj: CSR,
    projection: Tensor,
    *,
    weights: Sequence[float] = WEIGHTS,
    exponent: float = -0.5,
    transition: bool = True,
    normalize_rows: bool = False,
) -> Tensor:
    """FastRP embeddings of the nodes.

        U_0 = diag(d)^exponent R,   U_q = M U_(q-1),   U = standardized(sum over q of weights_q U_q)

    M is D^-1 A, or A itself; d are row sums of A, and a node whose sum is not positive gets a zero row in U_0. With
    `normalize_rows` each row of U_q is divided by its L2 norm where it is summed. In the end each column gets mean 0 and
    deviation 1; a constant one becomes 0. Memory: four matrices [N, D].

    Args:
        adj: A [N, N], rows are targets.
        projection: R [N, D], floating point; the result has its dtype.
        weights: Of U_1, U_2, ...; at least one, not all zero.
        exponent: Of the degrees; negative ones make hubs count less.
        transition: Whether M is D^-1 A.
        normalize_rows: Whether powers are summed with rows of norm 1.

    Returns:
        [N, D].

    Raises:
        ValueError: The operator is not square, R does not fit it, or no weight differs from 0.

    Source: Chen et al., "Fast and Accurate Network Embeddings via Very Sparse Random Projection", CIKM 2019.
    """
    n = adj.shape[0]
    if adj.shape[0] != adj.shape[1] or projection.dim() != 2 or projection.size(0) != n:
        raise ValueError(f"FastRP needs a square operator and a row of R per node, got {adj} and {list(projection.shape)}.")
    if not any(weights):
        raise ValueError(f"weights must hold a number other than 0, got {list(weights)}.")
    degree = adj.row_sum(torch.float64).detach()
    scale = torch.where(degree > 0, degree.clamp(min=torch.finfo(torch.float64).tiny) ** exponent, 0.0)
    moves = normalize(adj, "mean", dtype=projection.dtype) if transition else adj
    u, total = projection * scale.to(projection.dtype).unsqueeze(1), None
    for weight in list(weights)[: max(q for q, w in enumerate(weights, 1) if w)]:
        u = moves @ u
        if weight:
            part = torch.nn.functional.normalize(u, dim=1) if normalize_rows else u
            total = part * weight if total is None else total.add_(part, alpha=weight)
    assert total is not None
    total -= total.mean(dim=0)
    deviation = total.square().mean(dim=0).sqrt()
    return total.div_(torch.where(deviation > 0, deviation, 1.0))
