"""All linear maps between tensors on the nodes of a set that commute with renaming them, for orders 0, 1 and 2."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least

BASIS = {(2, 2): 15, (2, 1): 5, (1, 2): 5, (1, 1): 2, (2, 0): 2, (1, 0): 1}
"""Number of maps from order k to order l: the partitions of k + l things, Bell number B(k + l)."""


class EquivariantLinear(nn.Module):
    """y = sum over the basis maps b of B_b(x) W_b, plus a bias that renaming leaves alone.

    With X of order 2 [m, m], d its diagonal, r its row sums, c its column sums, t its trace, s its sum, and x of order 1:

        2 -> 2   1 diag(d)   2 diag(t)   3 diag(r)   4 diag(c)   5 diag(s)   6 c_i in row i   7 r_i in row i   8 c_j in column j
                 9 r_j in column j   10 X   11 X^T   12 d_i in row i   13 d_j in column j   14 t everywhere   15 s everywhere
        2 -> 1   1 d   2 t   3 r   4 c   5 s
        1 -> 2   1 diag(x)   2 sum x on the diagonal   3 x_j in column j   4 x_i in row i   5 sum x everywhere
        1 -> 1   1 x   2 sum x everywhere
        2 -> 0   1 t   2 s
        1 -> 0   1 sum x

    A sum over one index is divided by m, a sum over both by m^2, so that the scale does not grow with m. The maps are never
    stacked: sums are taken first, mixed as vectors and numbers, and spread. Only X W_10 and X^T W_11 are products of full size.

    Of the 15 maps 1, 8, 14 and 15 are independent for m = 1, 2, 3 and 4 or more: smaller sets have more weights than maps.

    Args:
        in_channels: Input width D.
        out_channels: Output width.
        orders: (k, l): from order 1 or 2 to order 0, 1 or 2.
        bias: Add a bias; to order 2 one on the diagonal and one everywhere.

    Raises:
        ValueError: A width below 1, or orders without maps here.

    Source: Maron et al., "Invariant and Equivariant Graph Networks", ICLR 2019. Weights [maps, D, out_channels] are drawn from
    N(0, 2 / (D + out_channels)).

    Example:
        >>> EquivariantLinear(8, 16, orders=(2, 1))(x)  # [N, m, m, 8] -> [N, m, 16]
    """

    def __init__(self, in_channels: int, out_channels: int, *, orders: tuple[int, int] = (2, 2), bias: bool = True) -> None:
        super().__init__()
        in_order, out_order = orders
        check_at_least(1, in_channels=in_channels, out_channels=out_channels)
        if (in_order, out_order) not in BASIS:
            raise ValueError(f"maps go from order 1 or 2 to order 0, 1 or 2, got {in_order} to {out_order}.")
        self.in_order, self.out_order, self.in_channels, self.out_channels = in_order, out_order, in_channels, out_channels
        self.weight = nn.Parameter(torch.empty(BASIS[in_order, out_order], in_channels, out_channels))
        self.bias = nn.Parameter(torch.empty(2 if out_order == 2 else 1, out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw normal weights and set the bias to zero."""
        nn.init.normal_(self.weight, std=(2 / (self.in_channels + self.out_channels)) ** 0.5)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "N *m C"]) -> Float[Tensor, "N *k {self.out_channels}"]:
        """Map N tensors on sets of m nodes each.

        Args:
            x: [N, m, m, in_channels] for order 2, [N, m, in_channels] for order 1; m at least 1.

        Returns:
            [N, m, m, out_channels], [N, m, out_channels] or [N, out_channels].

        Raises:
            ValueError: x has another shape.
        """
        square = self.in_order == 1 or (x.dim() == 4 and x.size(1) == x.size(2))
        if x.dim() != self.in_order + 2 or x.size(-1) != self.in_channels or not square or x.size(1) == 0:
            raise ValueError(f"x must have shape [N, {'m, ' * self.in_order}{self.in_channels}], got {list(x.shape)}.")
        return equivariant(x, self.weight, self.bias, self.out_order)

    def __repr__(self) -> str:
        orders = f"orders=({self.in_order}, {self.out_order})"
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, {orders}, bias={self.bias is not None})"


def equivariant(
    x: Float[Tensor, "N *m D"],
    weight: Float[Tensor, "maps D C"],
    bias: Float[Tensor, "_ C"] | None,
    out_order: int,
) -> Float[Tensor, "N *k C"]:
    """The maps of `EquivariantLinear` with given weights, and a bias of one row, or two for order 2; shapes as there."""
    out = (_from_two if x.dim() == 4 else _from_one)(x, weight, out_order)
    if bias is None:
        return out
    if out_order < 2:
        return out + bias[0]
    return _add_diagonal(out + bias[1], bias[0].expand(out.size(0), out.size(1), -1))


def _from_two(x: Tensor, w: Tensor, out_order: int) -> Tensor:
    m = x.size(1)
    d = x.diagonal(dim1=1, dim2=2).transpose(1, 2)
    t = d.sum(1) / m
    r = x.sum(2) / m
    s = r.sum(1) / m
    if out_order == 0:
        return t @ w[0] + s @ w[1]
    c = x.sum(1) / m
    if out_order == 1:
        return d @ w[0] + r @ w[2] + c @ w[3] + (t @ w[1] + s @ w[4]).unsqueeze(1)
    full = x @ w[9] + (x @ w[10]).transpose(1, 2)
    rows = c @ w[5] + r @ w[6] + d @ w[11] + (t @ w[13] + s @ w[14]).unsqueeze(1)
    columns = c @ w[7] + r @ w[8] + d @ w[12]
    diagonal = d @ w[0] + r @ w[2] + c @ w[3] + (t @ w[1] + s @ w[4]).unsqueeze(1)
    return _add_diagonal(full + rows.unsqueeze(2) + columns.unsqueeze(1), diagonal)


def _from_one(x: Tensor, w: Tensor, out_order: int) -> Tensor:
    mean = x.mean(1)
    if out_order == 0:
        return mean @ w[0]
    if out_order == 1:
        return x @ w[0] + (mean @ w[1]).unsqueeze(1)
    rows = x @ w[3] + (mean @ w[4]).unsqueeze(1)
    columns = x @ w[2]
    return _add_diagonal(rows.unsqueeze(2) + columns.unsqueeze(1), x @ w[0] + (mean @ w[1]).unsqueeze(1))


def _add_diagonal(full: Tensor, diagonal: Tensor) -> Tensor:
    """Add vectors [N, m, D] to the diagonal of [N, m, m, D], which nobody else holds."""
    full.diagonal(dim1=1, dim2=2).add_(diagonal.transpose(1, 2))
    return full
