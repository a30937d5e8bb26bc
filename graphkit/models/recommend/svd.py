"""The largest singular values of a sparse operator and their right vectors, from products with blocks of vectors alone."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.sparse import CSR

BLOCK = 64
_GROWTH = 1.2  # of the space between two looks at the pairs, which cost its third power


def top_singular_vectors(matrix: CSR, rank: int, dtype: torch.dtype, tolerance: float = 1e-5) -> tuple[Tensor, Tensor]:
    """The `rank` largest singular values s and right singular vectors V of A, by a randomized block Krylov method.

    The space spanned by G, (A^T A) G, (A^T A)^2 G, ... of a random block G grows by a block at a time, kept orthonormal, until
    every wanted pair satisfies |A^T A v - s^2 v| <= tolerance s_1^2. It costs two products of A with a block of vectors and
    the orthonormalization a time, and memory for the space: a few times `rank` vectors of length num_cols. The random block
    comes from a generator of its own, so that the result is the same each time.

    Args:
        matrix: The operator A [num_rows, num_cols]; its values get no gradients.
        rank: How many, at least 1.
        dtype: float32 or float64.
        tolerance: The largest residual relative to s_1^2, positive.

    Returns:
        s [r] in descending order and V [num_cols, r], r = min(rank, num_rows, num_cols).

    Source: Musco and Musco, Randomized Block Krylov Methods for Stronger and Faster Approximate SVD, NIPS 2015.
    """
    size = matrix.shape[1]
    rank = min(rank, *matrix.shape)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(size, min(BLOCK, size), generator=generator, dtype=dtype).to(matrix.device)
    basis = block = torch.linalg.qr(start).Q
    gram = start.new_zeros(0, 0)  # the basis' image of A^T A, seen from the basis
    due = float(rank)
    while True:
        image = matrix.t() @ (matrix @ block)
        coupling = basis.t() @ image
        known = gram.size(0)
        gram = torch.cat([torch.cat([gram, coupling[:known].t()]), coupling], dim=1)
        # What the last block's image has outside the space: the residual of every pair, and where the space grows next.
        outside, length = torch.linalg.qr(image - basis @ coupling)
        width = min(BLOCK, size - gram.size(0))
        if gram.size(0) >= due or width == 0:
            values, vectors = torch.linalg.eigh((gram + gram.t()) / 2)
            values, vectors = values[-rank:].flip(0), vectors[:, -rank:].flip(1)
            residual = (length @ vectors[known:]).norm(dim=0)
            if width == 0 or bool((residual <= tolerance * values[0]).all()):
                return values.clamp(min=0.0).sqrt(), basis @ vectors
            due = gram.size(0) * _GROWTH
        block = outside[:, :width]
        # Once more: what rounding left of the old space, or all of it where that is exhausted.
        block = torch.linalg.qr(block - basis @ (basis.t() @ block)).Q
        basis = torch.cat([basis, block], dim=1)
