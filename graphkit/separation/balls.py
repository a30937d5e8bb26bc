"""What SPEN can tell apart: color refinement of the pairs (i, j) that some bag holds, by all that its maps read in the bags."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from graphkit.separation.ranks import Ints, pack, rank_multisets, rank_rows, ranks
from graphkit.sparse.egonets import Bags


def ball_colors(bags: Bags) -> Ints:
    """Stable colors of bags [S], for graphs without features.

        p_0(i, j) = (whether i = j, d_i d_j where i ~ j),   n_0(v) = nothing
        p'(i, j)  = (p, what the maps of orders 1, 2 -> 2 give at (i, j), as a mean over the bags that hold i and j)
        n'(v)     = (n, what the maps of orders 1, 2 -> 1 give at v, as a mean over the bags that hold v)
        bag       = what the maps of orders 1, 2 -> 0 give

    The maps to (i, j) give p(i, j), p(j, i), p(i, i), p(j, j), n(i), n(j), and sums over the row and the column of i and of j,
    over the diagonal, over all pairs, and over all n of the bag. They are linear, and so is the mean over bags: of each map
    apart, and of bags of each size apart, it tells how often it meets each color, divided by the number of bags. Normalization
    per graph reads the shares of colors among the graph's pairs and nodes, so the color of a bag holds these, too.

    Args:
        bags: Bags of a batch of graphs.

    Source: Mitton and Murray-Smith, "Subgraph Permutation Equivariant Networks", TMLR 2023, on the basis of Maron et al.,
    "Invariant and Equivariant Graph Networks", ICLR 2019. d_i d_j stands for the entry 1 / sqrt(d_i d_j) of its input.
    """
    look = _Places(bags)
    pair, node = look.first_pairs(), np.zeros(bags.num_nodes, dtype=np.int64)
    while True:
        finer_pair, finer_node = look.refined(pair, node)
        if finer_pair.max(initial=0) == pair.max(initial=0) and finer_node.max(initial=0) == node.max(initial=0):
            return look.bag_colors(pair, node)
        pair, node = finer_pair, finer_node


class _Places:
    """Where pairs and nodes lie in bags: rows t = (u, i) [T], bag by bag, and for each of them its places (u, i, j) [P]."""

    def __init__(self, bags: Bags) -> None:
        sizes = bags.ptr.diff()[bags.bag]  # of the bag of each row
        first = torch.arange(bags.num_rows).repeat_interleave(sizes)
        ptr = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        own = torch.arange(bags.num_rows) - bags.ptr[bags.bag]  # place of each row in its bag
        second = bags.ptr[bags.bag][first] + torch.arange(first.numel()) - ptr[:-1][first]
        keys, pair = torch.unique(bags.node[first] * bags.num_nodes + bags.node[second], return_inverse=True)
        self.bags, self.i, self.j = bags, keys // bags.num_nodes, keys % bags.num_nodes
        self.node, self.bag, self.size = bags.node.numpy(), bags.bag.numpy(), sizes.numpy()
        self.first, self.second, self.pair = first.numpy(), second.numpy(), pair.numpy()
        self.turned, self.diagonal = (ptr[:-1][second] + own[first]).numpy(), (ptr[:-1] + own).numpy()
        self.bag_rows, self.bag_places = bags.ptr.numpy(), ptr[bags.ptr].numpy()
        self.graph = np.repeat(np.arange(bags.num_graphs), bags.node_ptr.diff().numpy())

    def first_pairs(self) -> Ints:
        """Colors of the pairs before the first round [U]."""
        adj = self.bags.adj
        edges = torch.cat([adj.row * self.bags.num_nodes + adj.col, torch.tensor([-1])])  # ascending, but for the stopper
        keys = self.i * self.bags.num_nodes + self.j
        joined = edges[torch.searchsorted(edges[:-1], keys)] == keys
        degree = adj.degree()
        weight = torch.where(joined, degree[self.i] * degree[self.j], 0)
        return rank_rows([ranks((self.i == self.j).long().numpy()), ranks(weight.numpy())])

    def refined(self, pair: Ints, node: Ints) -> tuple[Ints, Ints]:
        """The colors of pairs [U] and nodes [N] after a round."""
        at = pair[self.pair]
        own, on_rows = pack(at, self.size[self.first]), pack(node[self.node], self.size)
        diagonal, rows, places = own[self.diagonal], np.arange(self.node.size), np.arange(at.size)
        bag_of_place = self.bag[self.first]
        of_rows = [(rows, diagonal), (rows, on_rows), (self.first, own), (self.first, own[self.turned])]
        of_bags = [(self.bag, diagonal), (bag_of_place, own), (self.bag, on_rows)]
        pairs = [rank_sums(self.pair, places, *one) for one in ((places, own), (places, own[self.turned]))]
        pairs += [rank_sums(self.pair, end, *one) for one in of_rows for end in (self.first, self.second)]
        pairs += [rank_sums(self.pair, bag_of_place, *one) for one in of_bags]
        nodes = [rank_sums(self.node, rows, *one) for one in of_rows]
        nodes += [rank_sums(self.node, self.bag, *one) for one in of_bags]
        return rank_rows([pair, *pairs]), rank_rows([node, *nodes])

    def bag_colors(self, pair: Ints, node: Ints) -> Ints:
        """The colors of bags [S], with what normalization reads of their graph."""
        at, graph = pair[self.pair], self.bags.graph.numpy()
        own = [(self.bag_rows, at[self.diagonal]), (self.bag_places, at), (self.bag_rows, node[self.node])]
        shares = [
            rank_sums(owner, np.arange(owner.size), np.arange(owner.size), colors)[graph]
            for owner, colors in ((self.graph[self.i.numpy()], pair), (self.graph, node))
        ]
        return rank_rows([*(rank_multisets(ptr, colors) for ptr, colors in own), *shares])


def rank_sums(target: Ints, source: Ints, owner: Ints, color: Ints) -> Ints:
    """Equal numbers for equal proportions of the colors that targets meet in their sources.

    Args:
        target: Of each meeting [P], from 0 on, each at least once.
        source: Likewise.
        owner: The source that a color lies in [L].
        color: Colors, from 0 on [L].

    Returns:
        A number per target. Counts of colors are divided by their greatest common divisor.
    """
    color = ranks(color)
    count, width = int(max(source.max(initial=-1), owner.max(initial=-1))) + 1, int(color.max(initial=-1)) + 1
    meets = sparse.csr_array((np.ones_like(target), (target, source)), shape=(int(target.max(initial=-1)) + 1, count))
    holds = sparse.csr_array((np.ones_like(owner), (owner, color)), shape=(count, width))
    total = (meets @ holds).tocsr()
    total.sort_indices()
    ptr = total.indptr.astype(np.int64)
    times = total.data // np.repeat(np.gcd.reduceat(total.data, ptr[:-1]), np.diff(ptr)) if total.nnz else total.data
    return rank_multisets(ptr, ranks(pack(total.indices.astype(np.int64), times)))
