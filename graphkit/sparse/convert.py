"""What layers accept as a graph, made into an operator; the same `edge_index` is sorted once, not at every call."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.edge_list import SORTED, EdgeList
from graphkit.sparse.entries import Entries, assemble
from graphkit.sparse.memo import remember
from graphkit.sparse.structure import Size, as_shape, check_weight, untraced

Adjacency: TypeAlias = Tensor | CSR
"""`edge_index` [2, E] (source, target), PyG `EdgeIndex`, torch sparse CSR or COO (rows are targets), or a `CSR`."""


@untraced
def as_csr(adj: Adjacency, num_nodes: Size, edge_weight: Tensor | None = None) -> CSR:
    """The operator of a graph in any layout that layers accept.

    The work is done on the first call: later calls with the same tensor find the operator, and with it norms and adjoints,
    as long as the tensor lives and is not changed in place (changes through NumPy or `.data` cannot be seen). Weights that
    need gradients share everything but their values. Repeated edges sum up. While `torch.export` looks on, the graph stays
    a list of edges (`EdgeList`).

    Args:
        adj: `edge_index` [2, E] (source, target), PyG `EdgeIndex`, torch sparse CSR or COO tensor whose rows are targets (as
            PyG's convolutions take them), or a `CSR`, which is returned as it is.
        num_nodes: Number of nodes, or (targets, sources) of a bipartite graph: integers of Python, NumPy or torch.
        edge_weight: Weights [E] of an `edge_index`; None for ones. Other layouts carry their own.

    Returns:
        The operator [targets, sources].

    Raises:
        ValueError: Ids out of range, a wrong shape, or `edge_weight` beside a layout that carries weights.
        TypeError: No known layout, or a number of nodes that is no integer.
    """
    if torch.compiler.is_exporting():
        return EdgeList.of(adj, num_nodes, edge_weight)
    shape = as_shape(num_nodes)
    if not isinstance(adj, Tensor | CSR):
        raise TypeError(f"a graph must be an edge_index, EdgeIndex, torch sparse tensor or CSR, got {type(adj).__name__}.")
    if isinstance(adj, Tensor) and adj.layout == torch.strided:
        # PyG's EdgeIndex wraps the plain tensor it gives here; asking for the method spares importing PyG.
        edges: Tensor = adj.as_tensor() if hasattr(adj, "as_tensor") else adj
        default = torch.get_default_dtype()
        if edge_weight is None:
            return remember(lambda: _plain(edges, shape), ("plain", shape, default), edges)
        return remember(lambda: _weighted(edges, shape, edge_weight), ("weighted", shape, default), edges, edge_weight)
    if edge_weight is not None:
        raise ValueError("edge_weight belongs to an edge_index; a sparse matrix carries its own values.")
    if tuple(adj.shape) != shape:
        raise ValueError(f"the sparse matrix is {adj.shape[0]} x {adj.shape[1]} where {shape[0]} x {shape[1]} is needed.")
    if isinstance(adj, CSR):
        return adj
    if adj.layout not in (torch.sparse_csr, torch.sparse_coo):
        raise TypeError(f"layout {adj.layout} is not supported: pass edge_index, a torch sparse CSR or COO tensor, or a CSR.")
    return remember(lambda: _plain(adj, shape), ("plain", shape, torch.get_default_dtype()), adj)


@untraced
def as_entries(adj: Adjacency, num_nodes: Size) -> Entries:
    """How the edges of a graph lie as entries of its operator: `as_entries(edge_index, N).gather(edge_attr)` [nnz, D].

    Remembered as `as_csr` is, with the same arguments and errors. Sparse layouts and a `CSR` hold entries already: rows that
    belong to their entries stay in that order.
    """
    if torch.compiler.is_exporting():
        raise ValueError(SORTED)
    csr = as_csr(adj, num_nodes)
    if isinstance(adj, CSR):
        return Entries(csr.structure, None, None)
    edges: Tensor = adj.as_tensor() if hasattr(adj, "as_tensor") else adj
    return _entries(edges, (csr.shape[0], csr.shape[1]))[0]


def sparse_features(x: Tensor, density: float = 0.1) -> Tensor | CSR:
    """Features [N, F] as an operator of that shape if at most this share of them is not zero, else as they are."""
    entries = x.nonzero()
    if x.dim() != 2 or entries.size(0) > density * x.numel():
        return x
    return CSR.from_edge_index(entries.t().flip(0), (x.size(0), x.size(1)), x[entries[:, 0], entries[:, 1]])


def _plain(adj: Tensor, shape: tuple[int, int]) -> CSR:
    """The operator without `edge_weight`, or with the values that a sparse tensor carries."""
    entries, values = _entries(adj, shape)
    return CSR(entries.structure, entries.values(values, "sum", torch.get_default_dtype()))


def _weighted(edges: Tensor, shape: tuple[int, int], edge_weight: Tensor) -> CSR:
    weight = check_weight(edge_weight, edges)
    entries, _ = _entries(edges, shape)
    return CSR(entries.structure, entries.values(weight, "sum", torch.get_default_dtype()))


def _entries(adj: Tensor, shape: tuple[int, int]) -> tuple[Entries, Tensor | None]:
    """How the edges of a tensor became entries, remembered, and the values that it carries."""

    def make() -> tuple[Entries, Tensor | None]:
        edges, values = _edges_of(adj)
        return assemble(edges, shape), values

    return remember(make, ("entries", shape), adj)


def _edges_of(adj: Tensor) -> tuple[Tensor, Tensor | None]:
    if adj.layout == torch.strided:
        return adj, None
    if adj.layout == torch.sparse_coo:
        adj = adj.coalesce()
        target, source = adj.indices()
    else:
        target = torch.arange(adj.size(0), device=adj.device).repeat_interleave(adj.crow_indices().diff())
        source = adj.col_indices().long()
    return torch.stack([source, target]), adj.values()
