"""What layers accept as a graph, made into an operator; the same `edge_index` is sorted once, not at every call."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.structure import Assembly, assemble, check_weight, untraced

Adjacency: TypeAlias = Tensor | CSR
"""`edge_index` [2, E] (source, target), PyG `EdgeIndex`, torch sparse CSR or COO (rows are targets), or a `CSR`."""


@untraced
def as_csr(adj: Adjacency, num_nodes: int | tuple[int, int], edge_weight: Tensor | None = None) -> CSR:
    """The operator of a graph in any layout that layers accept.

    The work is done on the first call: later calls with the same tensor find the operator, and with it norms and adjoints,
    as long as the tensor lives and is not changed in place (changes through NumPy or `.data` cannot be seen). Weights that
    need gradients share everything but their values. Repeated edges sum up.

    Args:
        adj: `edge_index` [2, E] (source, target), PyG `EdgeIndex`, torch sparse CSR or COO tensor whose rows are targets (as
            PyG's convolutions take them), or a `CSR`, which is returned as it is.
        num_nodes: Number of nodes, or (targets, sources) of a bipartite graph.
        edge_weight: Weights [E] of an `edge_index`; None for ones. Other layouts carry their own.

    Returns:
        The operator [targets, sources].

    Raises:
        ValueError: Ids out of range, a wrong shape, or `edge_weight` beside a layout that carries weights.
        TypeError: No known layout.
    """
    shape = (num_nodes, num_nodes) if isinstance(num_nodes, int) else (int(num_nodes[0]), int(num_nodes[1]))
    if not isinstance(adj, Tensor | CSR):
        raise TypeError(f"a graph must be an edge_index, EdgeIndex, torch sparse tensor or CSR, got {type(adj).__name__}.")
    if isinstance(adj, Tensor) and adj.layout == torch.strided:
        # PyG's EdgeIndex wraps the plain tensor it gives here; asking for the method spares importing PyG.
        edges: Tensor = adj.as_tensor() if hasattr(adj, "as_tensor") else adj
        known = _find(edges, shape)
        return known.plain if edge_weight is None else _weighted(known, edges, edge_weight)
    if edge_weight is not None:
        raise ValueError("edge_weight belongs to an edge_index; a sparse matrix carries its own values.")
    if tuple(adj.shape) != shape:
        raise ValueError(f"the sparse matrix is {adj.shape[0]} x {adj.shape[1]} where {shape[0]} x {shape[1]} is needed.")
    if isinstance(adj, CSR):
        return adj
    if adj.layout not in (torch.sparse_csr, torch.sparse_coo):
        raise TypeError(f"layout {adj.layout} is not supported: pass edge_index, a torch sparse CSR or COO tensor, or a CSR.")
    return _find(adj, shape).plain


def sparse_features(x: Tensor, density: float = 0.1) -> Tensor | CSR:
    """Features [N, F] as an operator of that shape if at most this share of them is not zero, else as they are."""
    entries = x.nonzero()
    if x.dim() != 2 or entries.size(0) > density * x.numel():
        return x
    return CSR.from_edge_index(entries.t().flip(0), (x.size(0), x.size(1)), x[entries[:, 0], entries[:, 1]])


@dataclass
class _Known:
    """What one tensor was made into.

    Attributes:
        tensor: The tensor, weakly: when it dies, this entry goes.
        version: Its in-place version at the time.
        shape: The shape that was asked for.
        assembly: How edges became entries.
        plain: The operator without `edge_weight`, or with the values a sparse tensor carries.
        weighted: The last `edge_weight` without gradient, weakly, its version and its operator.
    """

    tensor: weakref.ref[Tensor]
    version: int
    shape: tuple[int, int]
    assembly: Assembly
    plain: CSR
    weighted: tuple[weakref.ref[Tensor], int, CSR] | None = None


_known: dict[int, _Known] = {}


def _find(adj: Tensor, shape: tuple[int, int]) -> _Known:
    key = id(adj)
    # Inference tensors count no versions, and sparse values that need gradients belong to one graph of autograd.
    remember = not adj.is_inference() and not adj.requires_grad
    found = _known.get(key) if remember else None
    if found is not None and found.tensor() is adj and found.version == adj._version and found.shape == shape:
        return found
    edges, values = _edges_of(adj)
    assembly = assemble(edges, shape)
    plain = CSR(assembly.structure, assembly.values(values, "sum", torch.get_default_dtype()))
    gone = weakref.ref(adj, lambda _: _known.pop(key, None))
    made = _Known(gone, adj._version if remember else -1, shape, assembly, plain)
    if remember:
        _known[key] = made
    return made


def _weighted(known: _Known, edges: Tensor, edge_weight: Tensor) -> CSR:
    remember = not edge_weight.requires_grad and not edge_weight.is_inference()
    last = known.weighted
    if remember and last is not None and last[0]() is edge_weight and last[1] == edge_weight._version:
        return last[2]
    weight = check_weight(edge_weight, edges)
    operator = CSR(known.assembly.structure, known.assembly.values(weight, "sum", torch.get_default_dtype()))
    if remember:
        known.weighted = (weakref.ref(edge_weight), edge_weight._version, operator)
    return operator


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
