"""Restriction maps of a sheaf from unconstrained numbers: one small matrix at each end of an edge."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from graphkit.layers.checks import check_at_least, check_choice
from graphkit.sparse.sheaf import householder

MAPS = ("identity", "diagonal", "orthogonal", "general")
ORTHOGONAL = ("householder", "cayley", "exp", "rotation")


def check_maps(maps: str, orthogonal: str, stalk_dim: int) -> None:
    """Raise ValueError unless these maps exist for this stalk dimension."""
    check_choice(MAPS, maps=maps)
    check_choice(ORTHOGONAL, orthogonal=orthogonal)
    check_at_least(1, stalk_dim=stalk_dim)
    if maps != "orthogonal":
        return
    if stalk_dim == 1:
        raise ValueError("orthogonal maps need stalk_dim of at least 2: with 1 there is nothing to turn; take maps='identity'")
    if orthogonal == "rotation" and stalk_dim != 2:
        raise ValueError(f"orthogonal='rotation' needs stalk_dim=2, got {stalk_dim}; take 'householder', 'cayley' or 'exp'")


def num_map_parameters(maps: str, stalk_dim: int) -> int:
    """How many numbers describe one map: 0, d, d (d - 1) / 2 or d^2."""
    counts = (0, stalk_dim, stalk_dim * (stalk_dim - 1) // 2, stalk_dim**2)
    return dict(zip(MAPS, counts, strict=True))[maps]


def orthogonal_maps(
    theta: Float[Tensor, "n {stalk_dim*(stalk_dim-1)//2}"], stalk_dim: int, kind: str
) -> Float[Tensor, "n {stalk_dim} {stalk_dim}"]:
    r"""Orthogonal matrices, with A the skew-symmetric matrix that has theta below its diagonal.

    `householder`: Q = H_1 ... H_d, the i-th reflection along a vector with a one at place i and theta below;
    `cayley`: Q = (I - A/2)^-1 (I + A/2); `exp`: Q = exp(A); `rotation` (d = 2): Q turns by 2 pi theta.

    No theta is without effect: the last reflection and the diagonal of A, which cancels, have none. Only one component of O(d)
    is reached, of determinant (-1)^d by `householder` and 1 by the others, so that Q_v^T Q_u is always a rotation.

    Args:
        theta: Free numbers, d (d - 1) / 2 of each map.
        stalk_dim: d, at least 2.
        kind: One of `ORTHOGONAL`.

    Returns:
        Q of each map.
    """
    if kind == "householder":
        return householder(theta, stalk_dim)
    # Entry by entry, so that torch goes through long rows: [d (d - 1) / 2, n] and [d, d, n].
    skew = _skew(theta.t() * (2 * math.pi) if kind == "rotation" else theta.t(), stalk_dim)
    if stalk_dim <= 3:
        return _near_identity(skew, "cayley" if kind == "cayley" else "exp").permute(2, 0, 1)
    batched = skew.permute(2, 0, 1)
    matrices: Tensor
    if kind == "exp":
        matrices = torch.linalg.matrix_exp(batched)
    else:
        unit = torch.eye(stalk_dim, dtype=theta.dtype, device=theta.device)
        matrices = torch.linalg.solve(unit - batched / 2, unit + batched / 2)
    return matrices


def _skew(theta: Tensor, d: int) -> Tensor:
    """A [d, d, n] with theta below the diagonal, row by row."""
    rows, columns = torch.tril_indices(d, d, -1, device=theta.device)
    lower = theta.new_zeros(d, d, theta.size(1)).index_put((rows, columns), theta)
    return lower - lower.transpose(0, 1)


def _near_identity(skew: Tensor, kind: str) -> Tensor:
    """I + a A + b A^2: up to d = 3, A^3 = -s A with s = |A|^2 / 2, so that both functions of A have this form."""
    d = skew.size(0)
    s = skew.square().sum((0, 1)) / 2
    if kind == "cayley":
        a = 1 / (1 + s / 4)
        b = a / 2
    else:
        # sin(t) / t and (1 - cos t) / t^2 with t^2 = s; near zero their series, whose gradient is finite there.
        small = s < 1e-4
        t = torch.where(small, 1.0, s).sqrt()
        a = torch.where(small, 1 - s / 6 + s.square() / 120, t.sin() / t)
        b = torch.where(small, 0.5 - s / 24 + s.square() / 720, 2 * ((t / 2).sin() / t).square())
    unit = torch.eye(d, dtype=skew.dtype, device=skew.device).unsqueeze(2)
    out: Tensor = unit + a * skew + b * torch.einsum("ace,cbe->abe", skew, skew)
    return out
