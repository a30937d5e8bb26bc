"""The normalized operators that convolutions propagate with, of one node set or of two, and their product with features."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from graphkit.layers.checks import check_one_graph
from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import CSR, Adjacency, as_csr, normalize

NORMS = ("gcn", "mean", "sum", "directed")


def graph_shape(
    x: Tensor | CSR | tuple[Tensor | CSR, Tensor | CSR | None], adj: Adjacency, size: tuple[int, int] | None = None
) -> tuple[int, int]:
    """(targets, sources) of a graph: the shape of its operator.

    Args:
        x: Features of one node set, or of sources and targets; without those of the targets `size` counts them, or `adj` where
            it is a matrix or an `EdgeIndex` that knows its size.
        adj: The graph in any layout.
        size: (sources, targets), PyG's order, or None.

    Raises:
        ValueError: `size` differs from the rows of x, nothing says how many targets there are, or x is [B, N, C].
    """
    if not isinstance(x, tuple):
        check_one_graph(x=x)
        shape = x.shape[0], x.shape[0]
    else:
        source, target = x
        check_one_graph(x_src=source, x_dst=target)
        shape = _num_targets(adj, size) if target is None else target.shape[0], source.shape[0]
    if size is not None and tuple(size) != shape[::-1]:
        raise ValueError(f"size must be {shape[::-1]}, the number of sources and of targets in x, got {tuple(size)}")
    return shape


def _num_targets(adj: Adjacency, size: tuple[int, int] | None) -> int:
    if size is not None:
        return size[1]
    if isinstance(adj, CSR) or adj.layout != torch.strided:
        return adj.shape[0]
    known: int | None = adj.sparse_size(1) if hasattr(adj, "sparse_size") else None  # an EdgeIndex may know it
    if known is None:
        raise ValueError("x has no features of the targets: pass size=(number of sources, number of targets)")
    return known


def operator(
    x: Float[Tensor, "N F"] | CSR | tuple[Float[Tensor, "S F"] | CSR, Float[Tensor, "N G"] | CSR | None],
    adj: Adjacency,
    edge_weight: Float[Tensor, " E"] | None,
    *,
    norm: str,
    self_loops: bool = True,
    size: tuple[int, int] | None = None,
) -> CSR:
    """The normalized propagation matrix of a graph, rows are targets.

    `gcn`: D^-1/2 (A + I) D^-1/2 with the degrees of A + I; `mean`: D^-1 A; `sum`: A; `directed`: D_row^-1/2 A D_col^-1/2.

    Args:
        x: Features, dense or sparse, of one node set or of sources and targets; degrees are computed in the precision of the
            sources, at least in single.
        adj: The graph in any layout; a graphkit CSR keeps its normalized form, so that calls after the first cost nothing.
        edge_weight: Weights of an `edge_index`, or None.
        norm: One of `NORMS`.
        self_loops: With `gcn`, whether I is added; a node that has a self-loop keeps its own.
        size: (sources, targets); needed where x has no targets and an `edge_index` does not know their number.

    Returns:
        The operator, targets x sources.

    Raises:
        ValueError: `gcn` of two node sets, or sizes that contradict each other or are missing.
    """
    if norm == "gcn" and isinstance(x, tuple):
        raise ValueError(
            "norm='gcn' scales both ends of an edge by the degrees of one node set: "
            "for a pair (x_src, x_dst) take norm='mean', 'sum' or 'directed'"
        )
    source = x[0] if isinstance(x, tuple) else x
    dtype = torch.promote_types(source.dtype or torch.float32, torch.float32)
    return normalize(as_csr(adj, graph_shape(x, adj, size), edge_weight), norm, self_loops=self_loops, dtype=dtype)


def propagate_and_map(matrix: CSR, x: Float[Tensor, "S F"] | CSR, weight: Float[Tensor, "C F"]) -> Float[Tensor, "N C"]:
    """`matrix @ x @ weight^T`, the sparse product in the narrower width.

    At equal widths it runs first: then a first layer, whose x needs no gradient, has no sparse product in its backward pass.
    Sparse x is mapped first.
    """
    out_channels, in_channels = weight.shape
    if isinstance(x, Tensor) and in_channels <= out_channels:
        return linear(matrix.matmul(x), weight)
    return matrix.matmul(linear(x, weight))
