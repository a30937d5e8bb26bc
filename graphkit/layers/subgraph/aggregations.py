"""What a pair (u, v) can read of a pair tensor h(u, v): the aggregations that subgraph networks are made of.

    uv   h(u, v)                          vu   h(v, u)
    uu   h(u, u)                          vv   h(v, v)
    uL   sum over w in N(v) of h(u, w)    vL   sum over w in N(u) of h(w, v)
    uG   pool over w of h(u, w)           vG   pool over w of h(w, v)
    vGL  m(v) + sum over w in N(v) of m(w), with m(v) the pool over u of h(u, v)

u is the root of the bag, v the node; a pair that has no row counts as zero. The names are those of Zhang et al., ICML 2023, but
for `uv` and for `vGL`, the information sharing of DSS-GNN.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from graphkit.sparse import CSR, at_cols, gather, segment_sum
from graphkit.sparse.egonets import Bags

Pool = Literal["sum", "mean"]

LOCAL = ("uL", "vL")
POINT = ("uv", "vu", "uu", "vv")
POOLED = ("uG", "vG", "vGL")
AGGREGATIONS = LOCAL + POINT + POOLED
"""All aggregations of a pair tensor by name."""


# A dense product costs n multiply-adds per row and channel; the sparse one costs d of them (the mean degree) and gathers rows.
# Time of the dense over the sparse `vL`, forward, 16 to 96 channels, regular graphs of one size (their blocks are views), one
# core of an EPYC (Zen 4): 0.5 to 1.2 at d / n = 0.5, above 1 in one of nine cases; 0.8 to 1.7 at 0.25; always above 1 below
# that. 0.4 lies between and was not measured. `uL`, a product per bag, gained at 16 channels only, a sixth at most.
_DENSE_FROM = 0.4

Method = Literal["auto", "sparse", "dense"]


def aggregate(
    h: Float[Tensor, "T C"], bags: Bags, name: str, pool: Pool = "sum", method: Method = "auto"
) -> Float[Tensor, "T C"]:
    """One aggregation of h over all rows.

    Args:
        h: Rows (u, v).
        bags: Whose rows they are.
        name: One of `AGGREGATIONS`.
        pool: How `uG`, `vG` and `vGL` pool. A sum over a sample of the bags is scaled up to all of them.
        method: How `uL` and `vL` are multiplied: with a sparse operator on the rows, or on padded dense blocks, one per graph,
            which needs bags of whole graphs. `auto` takes the cheaper one. The results are the same.

    Returns:
        A row for each row of h.

    Raises:
        ValueError: The bags have no such aggregation, for they are a sample or have no single root.
    """
    operator = operator_of(bags, name, method)
    if operator is not None:
        return operator @ h
    match name:
        case "uv":
            return h
        case "uL" | "vL":
            return _dense(h, bags, name)
        case "uG":
            return bags.spread_bags @ pool_nodes(h, bags, pool)
        case "vG":
            return bags.spread_nodes @ pool_bags(h, bags, pool)
        case "vGL":
            shared = pool_bags(h, bags, pool)
            return bags.spread_nodes @ (shared + _ones(bags.adj) @ shared)
    raise ValueError(f"unknown aggregation {name!r}; choose of {', '.join(AGGREGATIONS)}.")


def operator_of(bags: Bags, name: str, method: Method = "auto") -> CSR | None:
    """The sparse operator on the rows with which an aggregation multiplies, [T, T]; None for those that take another way."""
    dense = method == "dense" or (method == "auto" and name == "vL" and dense_is_cheaper(bags))
    match name:
        case "uL":
            return None if dense else bags.within
        case "vL":
            return None if dense else bags.across
        case "uu":
            return bags.uu
        case "vv":
            return bags.vv
        case "vu":
            return bags.vu
    return None


def dense_is_cheaper(bags: Bags) -> bool:
    """Whether `vL` costs less on dense blocks; see the measurement above."""
    if not bags.square or not bags.blocks.equal:
        return False
    return bags.adj.nnz >= _DENSE_FROM * bags.blocks.size * bags.num_nodes


def _dense(h: Tensor, bags: Bags, name: str) -> Tensor:
    """`uL` = A H(u, :) per bag, `vL` = A H(:, v) per graph."""
    blocks = bags.blocks
    padded, a = blocks.pad(h), blocks.adjacency.to(h.dtype)
    if name == "uL":
        return blocks.rows(torch.matmul(a.unsqueeze(1), padded))
    return blocks.rows(torch.bmm(a, padded.flatten(2)).view_as(padded))


def pool_nodes(h: Float[Tensor, "T C"], bags: Bags, pool: Pool) -> Float[Tensor, "S C"]:
    """Pool the rows of each bag over its nodes; zeros for an empty bag."""
    total = bags.spread_bags.t() @ h
    return total if pool == "sum" else total / _divisor(bags.ptr.diff(), h)


def pool_bags(h: Float[Tensor, "T C"], bags: Bags, pool: Pool) -> Float[Tensor, "N C"]:
    """Pool the rows of each node over the bags that hold it; zeros for a node that no bag holds.

    A sum over sampled bags is scaled up to all bags of the graph: an unbiased estimate.
    """
    held = bags.spread_nodes.t()
    total = held @ h
    if pool == "mean":
        return total / _divisor(held.degree(), h)
    if bags.total is None:
        return total
    return total * bags.scale.repeat_interleave(bags.node_ptr.diff()).to(h.dtype).unsqueeze(1)


def messages(h: Float[Tensor, "T C"], bags: Bags, name: str, edges: Float[Tensor, "nnz C"]) -> Float[Tensor, "T C"]:
    """`uL` or `vL` with edge features: the sum over w of ReLU(h(u, w) + e(w, v)), or of ReLU(h(w, v) + e(w, u)).

    Args:
        h: Rows (u, v).
        bags: Whose rows they are.
        name: `uL` or `vL`.
        edges: Features of the graph's edges, in the order of the entries of `bags.adj`.

    Returns:
        A row for each row of h.
    """
    operator, entry = (bags.within, bags.within_entry) if name == "uL" else (bags.across, bags.across_entry)
    sent = (at_cols(h, operator.structure) + gather(edges, entry)).relu()
    return segment_sum(sent, operator.rowptr, operator.row)


def _ones(adj: CSR) -> CSR:
    """The graph without the values of its edges: inside bags they do not count either."""
    return adj if adj.value is None else adj.with_value(None, symmetric=adj.structure.symmetric)


def _divisor(counts: Tensor, h: Tensor) -> Tensor:
    return counts.clamp(min=1).to(h.dtype).unsqueeze(1)
