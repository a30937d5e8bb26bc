"""Propagation without weights: the linear step that convolutions, LightGCN and the encoders of link prediction share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import CSR, Adjacency, as_csr, normalize

NORMS = ("gcn", "mean", "sum")


def operator(x: Tensor | CSR, adj: Adjacency, edge_weight: Tensor | None, norm: str, self_loops: bool = True) -> CSR:
    """The normalized propagation matrix of a graph, rows are targets.

    `gcn`: D^-1/2 (A + I) D^-1/2 with the degrees of A + I; `mean`: D^-1 A; `sum`: A.

    Args:
        x: Features [N, C], dense or sparse; degrees are computed in their precision, at least in single.
        adj: The graph in any layout; a graphkit CSR keeps its normalized form, so that calls after the first cost nothing.
        edge_weight: Weights [E] of an `edge_index`, or None.
        norm: One of `NORMS`.
        self_loops: With `gcn`, whether I is added; a node that has a self-loop keeps its own.

    Returns:
        The operator, N x N.
    """
    dtype = torch.promote_types(x.dtype or torch.float32, torch.float32)
    return normalize(as_csr(adj, x.shape[0], edge_weight), norm, self_loops=self_loops, dtype=dtype)


def check_norm(norm: str) -> str:
    """Return `norm` if it is one of `NORMS`, else raise ValueError."""
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}")
    return norm


class Propagation(nn.Module):
    r"""One step of weightless message passing.

    X' = D^-1/2 (A + I) D^-1/2 X (`gcn`, degrees of A + I), X' = D^-1 A X (`mean`) or X' = A X (`sum`), that is for node i

    x'_i = sum over edges j -> i of c_ji w_ji x_j, with c_ji = (d_i d_j)^-1/2, 1 / d_i or 1

    where d_i is the sum of the weights that arrive at i, so that `mean` is the weighted mean. A node where none arrives gets
    itself with `gcn` and zeros otherwise.

    Args:
        norm: `gcn`, `mean` or `sum`.

    Raises:
        ValueError: If `norm` is unknown.

    Example:
        >>> layer = Propagation("mean")
        >>> layer(x, edge_index)  # [N, C] -> [N, C]
    """

    def __init__(self, norm: str = "gcn") -> None:
        super().__init__()
        self.norm = check_norm(norm)

    def forward(self, x: Tensor, edge_index: Adjacency, edge_weight: Tensor | None = None) -> Tensor:
        """Propagate.

        Args:
            x: Features [N, C].
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights [E] of an `edge_index`.

        Returns:
            Features [N, C].
        """
        return operator(x, edge_index, edge_weight, self.norm).matmul(x)

    def reset_parameters(self) -> None:
        """Do nothing; the layer has no parameters."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(norm={self.norm!r})"


def propagate_and_map(matrix: CSR, x: Tensor | CSR, weight: Tensor) -> Tensor:
    """`matrix @ x @ weight^T`, the sparse product in the narrower width.

    At equal widths it runs first: then a first layer, whose x needs no gradient, has no sparse product in its backward pass.
    Sparse x is mapped first.
    """
    out_channels, in_channels = weight.shape
    if isinstance(x, Tensor) and in_channels <= out_channels:
        return linear(matrix.matmul(x), weight)
    return matrix.matmul(linear(x, weight))
