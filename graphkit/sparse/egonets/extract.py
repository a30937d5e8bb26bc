"""Bags by policy: k-hop balls, whole graphs, graphs without a node or an edge, balls around paths."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.sparse.block_diagonal import check_blocks, check_ptr
from graphkit.sparse.convert import Adjacency, as_csr
from graphkit.sparse.csr import CSR
from graphkit.sparse.egonets.bags import Bags
from graphkit.sparse.egonets.budget import MAX_BYTES, BagSize, ball_budget
from graphkit.sparse.egonets.lift import balls, expand
from graphkit.sparse.egonets.sampling import BagSample, draw
from graphkit.sparse.structure import pointers, untraced


@untraced
def ego_bags(
    adj: Adjacency,
    ptr: Tensor,
    hops: int,
    *,
    sample: BagSample | None = None,
    max_bytes: int = MAX_BYTES,
) -> Bags:
    """One bag per node u: the subgraph induced by all nodes from which u is reached in at most `hops` steps, u included.

    On the CPU all bags are found in one compiled pass: time and memory are those of the bags alone, never N x N.

    Args:
        adj: A batch of graphs as one block-diagonal graph of N nodes, in any layout of `as_csr`; values do not matter.
        ptr: Boundaries of the graphs' nodes [G + 1], from 0 to N.
        hops: At least 0.
        sample: Which bags of each graph to keep; None for all.
        max_bytes: Most memory that the index arrays may take.

    Returns:
        The bags, in the order of their roots.

    Raises:
        ValueError: A wrong `ptr` or `hops`.
        RequestError: The bags would take more than `max_bytes`; told before they are built.
    """
    adj = _graphs(adj, ptr)
    if hops < 0:
        raise ValueError(f"hops must be at least 0, got {hops}.")
    kept, bag_ptr, total = draw(ptr, sample)
    roots = kept[:, None]
    ball_budget(adj, roots, hops).refuse_beyond(max_bytes, f"ego bags of {hops} hops")
    return Bags(adj, ptr, bag_ptr, *balls(adj, roots, hops), roots, total=total)


@untraced
def whole_bags(
    adj: Adjacency,
    ptr: Tensor,
    *,
    sample: BagSample | None = None,
    max_bytes: int = MAX_BYTES,
) -> Bags:
    """One bag per node, which holds its whole graph: n rows each; for node marking and distances. Arguments as `ego_bags`."""
    adj = _graphs(adj, ptr)
    kept, bag_ptr, total = draw(ptr, sample)
    return _copies(adj, ptr, bag_ptr, kept[:, None], None, total, max_bytes, "one bag of the whole graph per node")


@untraced
def node_deleted_bags(
    adj: Adjacency,
    ptr: Tensor,
    *,
    sample: BagSample | None = None,
    max_bytes: int = MAX_BYTES,
) -> Bags:
    """One bag per node u: its graph without u; n - 1 rows each. Rows (u, u) do not exist. Arguments as `ego_bags`."""
    whole = whole_bags(adj, ptr, sample=sample, max_bytes=max_bytes)
    rest = ~whole.is_root
    sizes = whole.ptr.diff() - 1
    return Bags(whole.adj, ptr, whole.bag_ptr, pointers(sizes), whole.node[rest], whole.roots, total=whole.total)


@untraced
def edge_deleted_bags(
    adj: Adjacency,
    ptr: Tensor,
    *,
    sample: BagSample | None = None,
    max_bytes: int = MAX_BYTES,
) -> Bags:
    """One bag per edge between u and v: its graph without that edge, in both directions; n rows each, no roots.

    Self-loops are no edges here. A graph without edges gets itself as its only bag. Arguments as `ego_bags`.
    """
    adj = _graphs(adj, ptr)
    row, col = adj.row, adj.col
    entries = torch.arange(adj.nnz, device=adj.device)
    back, mutual = adj.structure.find(col * adj.shape[1] + row)
    twin = torch.where(mutual, back, entries)
    first = ((row > col) & mutual) | ((row != col) & ~mutual)  # each edge once
    owner = torch.searchsorted(ptr, row[first], right=True) - 1
    counts = torch.bincount(owner, minlength=ptr.numel() - 1)
    pairs = torch.stack([entries[first], twin[first]], dim=1)[torch.argsort(owner, stable=True)]
    alone = counts == 0
    all_ptr = pointers(counts.clamp(min=1))
    removed = pairs.new_full((int(all_ptr[-1]), 2), -1)
    with_edges = torch.ones(removed.size(0), dtype=torch.bool, device=removed.device)
    with_edges[all_ptr[:-1][alone]] = False
    removed[with_edges] = pairs
    kept, bag_ptr, total = draw(all_ptr, sample)
    return _copies(adj, ptr, bag_ptr, None, removed[kept], total, max_bytes, "one bag of the whole graph per edge")


@untraced
def path_bags(
    adj: Adjacency,
    ptr: Tensor,
    length: int,
    hops: int,
    *,
    sample: BagSample | None = None,
    max_bytes: int = MAX_BYTES,
) -> Bags:
    """One bag per path of k = `length` nodes: the subgraph induced by all nodes within `hops` steps of one of them.

    A path counts once in each direction, as every node of it may come first. Length 1 is `ego_bags`; length 2 is one bag per
    ordered edge, with a distance to each of its ends (I2-GNN). Other arguments and errors as `ego_bags`.

    Source: the bags of Li et al., "Revisiting Graph Neural Networks on Graph-level Tasks" (2025); which nodes belong to a bag
    is our reading.
    """
    adj = _graphs(adj, ptr)
    if length < 1 or hops < 0:
        raise ValueError(f"length must be at least 1 and hops at least 0, got length={length}, hops={hops}.")
    paths = _paths(adj, length, max_bytes)
    owner = torch.searchsorted(ptr, paths[:, 0].contiguous(), right=True) - 1
    kept, bag_ptr, total = draw(pointers(torch.bincount(owner, minlength=ptr.numel() - 1)), sample)
    roots = paths[kept]
    ball_budget(adj, roots, hops).refuse_beyond(max_bytes, f"bags of {hops} hops around paths of {length} nodes")
    return Bags(adj, ptr, bag_ptr, *balls(adj, roots, hops), roots, total=total)


def _paths(adj: CSR, length: int, max_bytes: int) -> Tensor:
    """All paths of `length` distinct nodes along entries [P, length], in lexical order."""
    paths = torch.arange(adj.shape[0], device=adj.device)[:, None]
    for _ in range(length - 1):
        last = paths[:, -1]
        counts = adj.rowptr.diff()[last]
        longer = int(counts.sum())
        BagSize(longer, longer, 0, exact=True).refuse_beyond(max_bytes, f"the paths of {length} nodes")
        entries, owner = expand(adj.rowptr[last], counts)
        step = adj.col[entries]
        fresh = (paths[owner] != step[:, None]).all(dim=1)
        paths = torch.cat([paths[owner[fresh]], step[fresh, None]], dim=1)
    return paths


def _copies(
    adj: CSR,
    ptr: Tensor,
    bag_ptr: Tensor,
    roots: Tensor | None,
    removed: Tensor | None,
    total: Tensor | None,
    max_bytes: int,
    what: str,
) -> Bags:
    """Bags that hold all nodes of their graph."""
    bags, nodes = bag_ptr.diff(), ptr.diff()
    entries = adj.rowptr[ptr].diff()
    size = BagSize(int(bags.sum()), int((bags * nodes).sum()), int((bags * entries).sum()), exact=True)
    size.refuse_beyond(max_bytes, what)
    graph = torch.arange(bags.numel(), device=bags.device).repeat_interleave(bags)
    node, _ = expand(ptr[:-1][graph], nodes[graph])
    return Bags(adj, ptr, bag_ptr, pointers(nodes[graph]), node, roots, removed=removed, total=total)


def _graphs(adj: Adjacency, ptr: Tensor) -> CSR:
    """The operator of a batch of graphs, without absent entries; ValueError where an edge joins two graphs."""
    check_ptr(ptr)
    csr = as_csr(adj, int(ptr[-1]))
    if csr.mask is not None:
        csr = CSR.from_edge_index(csr.edge_index(), csr.shape[0])
    check_blocks(csr, ptr)
    return csr
