"""Polynomial sheaf diffusion: one learned sheaf, and a polynomial of its Laplacian in place of the Laplacian itself."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.layers.sheaf.diffusion import SheafDiffusion, SheafDiffusionOptions
from graphkit.layers.sheaf.laplacian import SheafLaplacian


class PolynomialSheafDiffusion(SheafDiffusion):
    r"""One step of polynomial neural sheaf diffusion.

    X' = (1 + tanh eps) X - sigma(sum_k c_k T_k(Delta - I) Y + a (Y - Delta Y / 2)) with Y = (I kron W_1) X W_2

    Delta is the normalized sheaf Laplacian of `SheafDiffusion`, whose eigenvalues lie in [0, 2), so that those of Delta - I lie
    in [-1, 1) where the Chebyshev polynomials T_0, ..., T_K are bounded by 1. The coefficients c = softmax(theta) are positive
    and sum to 1. With K steps one layer reaches nodes K edges away, over one sheaf; nothing is built or decomposed.

    Edges in one direction, repeated edges, self-loops, isolated nodes and batches of graphs are as in `SheafDiffusion`. At an
    isolated node Delta = 0 and T_k(-1) = (-1)^k, so that it hears itself alone.

    Args:
        in_channels: Width f h of input and output.
        stalk_dim: Dimension d of the learned part of a stalk.
        degree: K, at least 1.
        **options: The keyword arguments of `SheafDiffusion`; the paper finds diagonal maps to be enough.

    Raises:
        ValueError: `degree` is below 1, or for the reasons of `SheafDiffusion`.

    Source: Borgi, Silvestri and Lio, arXiv:2512.00242. Built from an outline, not from the authors' code: polynomial,
    coefficients, skip and gate are theirs; W_1, W_2, the learner those of `SheafDiffusion`. They call the skip high-pass,
    though its response 1 - lambda / 2 is largest at lambda = 0. First values are ours: theta = 0 (equal coefficients), a = 0.

    Example:
        >>> layer = PolynomialSheafDiffusion(128, stalk_dim=4, degree=5)
        >>> layer(x, edge_index)  # [N, 128] -> [N, 128]
    """

    def __init__(
        self, in_channels: int, stalk_dim: int = 2, *, degree: int = 3, **options: Unpack[SheafDiffusionOptions]
    ) -> None:
        check_at_least(1, degree=degree)
        super().__init__(in_channels, stalk_dim, **options)
        self.degree = degree
        self.theta = nn.Parameter(torch.zeros(degree + 1))
        self.skip = nn.Parameter(torch.zeros(1))

    def reset_parameters(self) -> None:
        """As in `SheafDiffusion`; theta and a become zero."""
        super().reset_parameters()
        for name in ("theta", "skip"):
            if name in self._parameters:  # not yet, when the base class is made
                nn.init.zeros_(getattr(self, name))

    def _propagate(self, y: Tensor, laplacian: SheafLaplacian) -> Tensor:
        """The polynomial and the skip, applied by the three-term recurrence of the T_k."""
        coefficients = self.theta.softmax(0).to(y.dtype)
        before, current = y, laplacian.matmul(y) - y
        # Y - Delta Y / 2 = (T_0 - T_1) Y / 2
        half = self.skip.to(y.dtype) / 2
        out = (coefficients[0] + half) * before + (coefficients[1] - half) * current
        for k in range(2, self.degree + 1):
            before, current = current, 2 * (laplacian.matmul(current) - current) - before
            out = out + coefficients[k] * current
        return out

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, degree={self.degree})"
