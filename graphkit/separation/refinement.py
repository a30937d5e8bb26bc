"""Color refinement of pair tensors: what no network of the same aggregations can beat, computed exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graphkit.errors import RequestError
from graphkit.layers import make_bags, pair_polynomials
from graphkit.layers.subgraph.features import Labels
from graphkit.layers.subgraph.policies import POLICIES
from graphkit.layers.subgraph.pooling import Inner, Order
from graphkit.separation.balls import ball_colors
from graphkit.separation.ranks import Ints, pack, rank_multisets, rank_rows, ranks
from graphkit.sparse import CSR, as_csr
from graphkit.sparse.egonets import Bags

PLAIN = "plain"
"""The policy of a network without subgraphs: each graph is its own only bag."""
BALLS = "balls"
"""The aggregation of SPEN, whose colors are those of pairs of nodes, not of rows of bags."""


@dataclass(frozen=True)
class Refinement:
    """A Weisfeiler-Lehman test: colors c(u, v) of the rows of bags are refined until no class of rows is split any more.

        c'(u, v) = (c(u, v), one entry per aggregation),   where a sum over rows becomes the multiset of their colors

    The color of a graph is the multiset over its bags u of the multiset over v of c(u, v) (VS), or over its nodes v of the
    multiset over u (SV).

    Attributes:
        aggregations: Of `graphkit.layers.AGGREGATIONS`; and on bags of whole graphs `lfwl`, `slfwl` and `fwl`: the multiset of
            the pairs (c(u, w), c(w, v)) over w in N(v), in N(u) or N(v), or all w. `balls` stands alone: see
            `balls.ball_colors`.
        policy: A name of `graphkit.layers.POLICIES`, or `PLAIN`.
        order: VS or SV.
        hops: Of policies that need it.
        length: Likewise.
        inner: `root` colors a bag u by c(u, u); otherwise the multiset is taken.
        roots: Whether rows (u, u) are colored apart from the start, whatever the policy says.
        degree: Rows also start with `graphkit.layers.pair_polynomials` up to this degree; 0 for none.

    Source: Zhang et al., "A Complete Expressiveness Hierarchy for Subgraph GNNs via Subgraph Weisfeiler-Lehman Tests", ICML
    2023. A network with these aggregations, bags and pools, of any width, depth and weights, gives equal outputs to graphs of
    equal color.
    """

    aggregations: tuple[str, ...]
    policy: str = "node-marking"
    order: Order = "VS"
    hops: int | None = None
    length: int | None = None
    inner: Inner = "sum"
    roots: bool = False
    degree: int = 0

    def bags(self, edge_index: Tensor, ptr: Tensor) -> Bags:
        """The bags of a batch of graphs."""
        return policy_bags(edge_index, ptr, self.policy, hops=self.hops, length=self.length)


CLASSES: dict[str, Refinement] = {
    "1-wl": Refinement(("uL",), PLAIN),
    "swl-vs": Refinement(("uL",)),
    "swl-sv": Refinement(("uL",), order="SV"),
    "pswl-vs": Refinement(("uL", "vv")),
    "pswl-sv": Refinement(("uL", "vv"), order="SV"),
    "gswl": Refinement(("uL", "vG")),
    "sswl": Refinement(("uL", "vL")),
    "lfwl": Refinement(("lfwl",), "distance"),
    "slfwl": Refinement(("slfwl",), "distance"),
    "fwl": Refinement(("fwl",), "distance"),
    "node-deleted": Refinement(("uL",), "node-deleted"),
    "edge-deleted": Refinement(("uL",), "edge-deleted"),
    "dss-edge-deleted": Refinement(("uL", "vGL"), "edge-deleted"),
    "ego1": Refinement(("uL",), "ego", hops=1),
    "ego2": Refinement(("uL",), "ego", hops=2),
    "ego3": Refinement(("uL",), "ego", hops=3),
    "ego+1": Refinement(("uL",), "ego+", hops=1),
    "ego+2": Refinement(("uL",), "ego+", hops=2),
    "ego+3": Refinement(("uL",), "ego+", hops=3),
}
"""The classes of the hierarchy, weakest first, and bags of other policies."""


def policy_bags(edge_index: Tensor, ptr: Tensor, policy: str, *, hops: int | None = None, length: int | None = None) -> Bags:
    """The bags of a policy of `graphkit.layers.POLICIES`, or of `PLAIN`; RequestError where they would not fit."""
    if policy != PLAIN:
        try:
            return make_bags(edge_index, ptr, policy, hops=hops, length=length)
        except RequestError as error:
            raise RequestError(
                f"bags of policy={policy} would take too much memory: take smaller graphs, or policy=ego with a small hops="
            ) from error
    adj = as_csr(edge_index, int(ptr[-1]))
    return Bags(adj, ptr, torch.arange(ptr.numel()), ptr, torch.arange(adj.shape[0]), None)


def labels_of(test: Refinement) -> Labels:
    """What rows are told of their place in the bag."""
    return "none" if test.policy == PLAIN else POLICIES[test.policy].labels


def graph_colors(test: Refinement, edge_index: Tensor, ptr: Tensor) -> Ints:
    """The colors of a batch of graphs, refined together: equal where the test cannot tell two graphs apart.

    Args:
        test: Which test.
        edge_index: The graphs as one block-diagonal graph [2, E], both directions.
        ptr: Boundaries of their nodes [G + 1].

    Returns:
        A number per graph [G]; comparable inside this batch only.
    """
    bags = test.bags(edge_index, ptr)
    inner = ball_colors(bags) if BALLS in test.aggregations else _pool(test, bags, row_colors(test, bags))
    return rank_multisets(_array(bags.node_ptr if test.order == "SV" else bags.bag_ptr), inner)


def node_colors(test: Refinement, edge_index: Tensor, ptr: Tensor) -> Ints:
    """The colors of the nodes of a batch of graphs: of the bag rooted at each (VS) or of the bags that hold it (SV).

    Args:
        test: Which test; with VS, on bags with one root each.
        edge_index: As for `graph_colors`.
        ptr: Likewise.

    Returns:
        A number per node [N]; comparable inside this batch only.
    """
    bags = test.bags(edge_index, ptr)
    colors = _pool(test, bags, row_colors(test, bags))
    return colors if test.order == "SV" else colors[_array(bags.bag_of)]


def row_colors(test: Refinement, bags: Bags) -> Ints:
    """The stable colors of the rows (u, v) [T]."""
    reads = [_reader(name, bags) for name in test.aggregations]
    color = rank_rows(_first(test, bags))
    while True:
        finer = rank_rows([color, *(read(color) for read in reads)])
        if finer.max(initial=0) == color.max(initial=0):  # refining never joins classes: as many are the same
            return color
        color = finer


def _first(test: Refinement, bags: Bags) -> list[Ints]:
    """What rows differ in before the first round."""
    labels = labels_of(test)
    first = [np.zeros(bags.num_rows, dtype=np.int64)]
    if labels == "distance":
        first += [_array(bags.distance[:, root]) + 1 for root in range(bags.distance.size(1))]
    if labels == "mark" or test.roots:
        first.append(_array(bags.is_root.long()))
    if test.degree:
        first += [ranks(_array(column.long())) for column in pair_polynomials(bags, test.degree).t()]
    return first


_Read = Callable[[Ints], Ints]


def _reader(name: str, bags: Bags) -> _Read:
    """How an aggregation becomes a column of integers."""
    match name:
        case "uv":
            return lambda color: color
        case "uL":
            return _over(bags.within)
        case "vL":
            return _over(bags.across)
        case "uu" | "vv" | "vu":
            return _over(getattr(bags, name))
        case "uG":
            ptr, bag = _array(bags.ptr), _array(bags.bag)
            return lambda color: rank_multisets(ptr, color)[bag]
        case "vG":
            pool, node = _over(bags.spread_nodes.t()), _array(bags.node)
            return lambda color: pool(color)[node]
        case "vGL":
            pool, near, node = _over(bags.spread_nodes.t()), _over(bags.adj), _array(bags.node)
            return lambda color: rank_rows([shared := pool(color), near(shared)])[node]
        case "lfwl" | "slfwl" | "fwl":
            return _walks(name, bags)
    raise ValueError(f"unknown aggregation {name!r}.")


def _over(operator: CSR) -> _Read:
    """The multiset of the colors at the entries of each row."""
    ptr, col = _array(operator.rowptr), _array(operator.col)
    return lambda color: rank_multisets(ptr, color[col])


def _walks(name: str, bags: Bags) -> _Read:
    """The multiset of (c(u, w), c(w, v)) over the w that the name says."""
    if not bags.square:
        raise ValueError(f"{name} needs bags of whole graphs, one per node.")
    row, w = _middles(name, bags)
    graph = bags.graph[bags.bag]
    first_row, first_node = bags.ptr[:-1], bags.node_ptr[graph]
    left = _array(first_row[bags.bag[row]] + w - first_node[row])
    right = _array(first_row[w] + (bags.node - first_node)[row])
    ptr = np.concatenate([[0], np.bincount(_array(row), minlength=bags.num_rows).cumsum()])
    return lambda color: rank_multisets(ptr, ranks(pack(color[left], color[right])))


def _middles(name: str, bags: Bags) -> tuple[Tensor, Tensor]:
    """Rows (u, v), ascending, each repeated for its nodes w [L], and these nodes [L]."""
    if name == "fwl":
        sizes = bags.node_ptr.diff()[bags.graph][bags.bag]
        row = torch.arange(bags.num_rows).repeat_interleave(sizes)
        start = (sizes.cumsum(0) - sizes)[row]
        return row, bags.node_ptr[bags.graph][bags.bag][row] + torch.arange(row.numel()) - start
    row, w = bags.within.row, bags.node[bags.within.col]
    if name == "slfwl":
        across = bags.across
        row, w = torch.cat([row, across.row]), torch.cat([w, bags.root[bags.bag[across.col]]])
        key = torch.unique(row * bags.num_nodes + w)
        row, w = key // bags.num_nodes, key % bags.num_nodes
    return row, w


def _pool(test: Refinement, bags: Bags, color: Ints) -> Ints:
    """The colors of bags [S] (VS) or of nodes [N] (SV)."""
    if test.order == "SV":
        return _over(bags.spread_nodes.t())(color)
    return color[_array(bags.own_row)] if test.inner == "root" else rank_multisets(_array(bags.ptr), color)


def _array(tensor: Tensor) -> Ints:
    array: Ints = tensor.numpy()
    return array
