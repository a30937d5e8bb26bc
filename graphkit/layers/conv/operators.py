"""The normalized operators that convolutions propagate with, and their product with features and a map."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import CSR, Adjacency, as_csr

NORMS = ("gcn", "mean", "sum")


def operator(
    x: Float[Tensor, "N F"] | CSR,
    adj: Adjacency,
    edge_weight: Float[Tensor, " E"] | None,
    *,
    norm: str,
    self_loops: bool = True,
) -> CSR:
    """The normalized propagation matrix of a graph, rows are targets.

    `gcn`: D^-1/2 (A + I) D^-1/2 with the degrees of A + I; `mean`: D^-1 A; `sum`: A.

    Args:
        x: Features, dense or sparse; degrees are computed in their precision, at least in single.
        adj: The graph in any layout; a graphkit CSR keeps its normalized form, so that calls after the first cost nothing.
        edge_weight: Weights of an `edge_index`, or None.
        norm: One of `NORMS`.
        self_loops: With `gcn`, whether I is added; a node that has a self-loop keeps its own.

    Returns:
        The operator, N x N.
    """
    csr = as_csr(adj, x.shape[0], edge_weight)
    dtype = torch.promote_types(x.dtype or torch.float32, torch.float32)
    if norm == "gcn":
        return csr.gcn_norm(self_loops, dtype)
    return csr.mean_norm(dtype) if norm == "mean" else csr


def propagate_and_map(matrix: CSR, x: Float[Tensor, "N F"] | CSR, weight: Float[Tensor, "C F"]) -> Float[Tensor, "N C"]:
    """`matrix @ x @ weight^T`, the sparse product in the narrower width.

    At equal widths it runs first: then a first layer, whose x needs no gradient, has no sparse product in its backward pass.
    Sparse x is mapped first.
    """
    out_channels, in_channels = weight.shape
    if isinstance(x, Tensor) and in_channels <= out_channels:
        return linear(matrix.matmul(x), weight)
    return matrix.matmul(linear(x, weight))
