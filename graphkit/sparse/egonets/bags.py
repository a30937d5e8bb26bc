"""Bags of subgraphs of a batch of graphs, as ragged rows (bag, node), with every index array made once."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from graphkit.sparse.block_diagonal import Segments, check_chosen, take_blocks
from graphkit.sparse.csr import CSR
from graphkit.sparse.egonets.blocks import Blocks
from graphkit.sparse.egonets.lift import depths, lifted
from graphkit.sparse.structure import Structure, lasting


class Bags:
    """Subgraphs of the graphs of a batch: row t stands for node `node[t]` in bag `bag[t]`.

    Only nodes that belong to a bag have a row. Everything below the constructor's arrays is computed on first use and kept, so
    that all layers of a network share it. A pair tensor h(u, v) is a matrix [T, C] over these rows.

    Args:
        adj: The graphs as one block-diagonal operator [N, N] without absent entries; row = target.
        node_ptr: Boundaries of the graphs' nodes [G + 1].
        bag_ptr: Boundaries of the graphs' bags [G + 1].
        ptr: Boundaries of the bags' rows [S + 1].
        node: Node of each row [T], strictly ascending inside a bag.
        roots: The k nodes that each bag is rooted at [S, k]; None where bags have no root.
        removed: The two entries of `adj` (or twice the same) that each bag lacks [S, 2]; None for induced subgraphs.
        total: How many bags each graph has in all [G], where only a sample is kept; None without sampling.
    """

    def __init__(
        self,
        adj: CSR,
        node_ptr: Tensor,
        bag_ptr: Tensor,
        ptr: Tensor,
        node: Tensor,
        roots: Tensor | None,
        *,
        removed: Tensor | None = None,
        total: Tensor | None = None,
    ) -> None:
        self.adj, self.node_ptr, self.bag_ptr, self.ptr, self.node, self.roots = adj, node_ptr, bag_ptr, ptr, node, roots
        self.removed, self.total = removed, total

    @property
    def num_graphs(self) -> int:
        """Number of graphs G."""
        return self.node_ptr.numel() - 1

    @property
    def num_nodes(self) -> int:
        """Number of nodes N of all graphs."""
        return self.adj.shape[0]

    @property
    def num_bags(self) -> int:
        """Number of bags S."""
        return self.ptr.numel() - 1

    @property
    def num_rows(self) -> int:
        """Number of (bag, node) rows T."""
        return self.node.numel()

    @cached_property
    @lasting
    def bag(self) -> Tensor:
        """Bag of each row [T], ascending."""
        return torch.arange(self.num_bags, device=self.ptr.device).repeat_interleave(self.ptr.diff(), output_size=self.num_rows)

    @cached_property
    @lasting
    def graph(self) -> Tensor:
        """Graph of each bag [S], ascending."""
        graphs = torch.arange(self.num_graphs, device=self.ptr.device)
        return graphs.repeat_interleave(self.bag_ptr.diff(), output_size=self.num_bags)

    @cached_property
    @lasting
    def root(self) -> Tensor:
        """The root of each bag [S]; ValueError where bags have none or several, or where a node is the root of several."""
        if self.roots is None or self.roots.size(1) != 1:
            raise ValueError("this needs bags with one root each; these have none or several: use uL, uG or vG.")
        root = self.roots[:, 0]
        if not bool((root.diff() > 0).all()):
            raise ValueError("this needs bags in the order of their roots, each node the root of at most one.")
        return root

    @cached_property
    @lasting
    def bag_of(self) -> Tensor:
        """The bag rooted at each node [N], -1 where there is none."""
        bags = torch.arange(self.num_bags, device=self.ptr.device)
        return torch.full((self.num_nodes,), -1, device=self.ptr.device).scatter_(0, self.root, bags)

    @cached_property
    @lasting
    def distance(self) -> Tensor:
        """Steps inside the bag from each of its roots to each row [T, k], int64; -1 where no walk leads.

        Steps go from a node to its in-neighbors, the direction in which messages are received.
        """
        if self.roots is None:
            raise ValueError("distances need bags with roots; edge-deleted bags have none.")
        return depths(self.adj, self.roots, self.ptr, self.node, self.within)

    # ------------------------------------------------------------------------------------------------ operators on rows

    @cached_property
    @lasting
    def within(self) -> CSR:
        """[T, T], ones: row (u, v) has an entry at (u, w) for each w in N(v) inside bag u."""
        return self._within[0]

    @cached_property
    @lasting
    def within_entry(self) -> Tensor:
        """The graph's entry that each entry of `within` comes from [L]."""
        return self._within[1]

    @cached_property
    @lasting
    def across(self) -> CSR:
        """[T, T], ones: row (u, v) has an entry at (w, v) for each w in N(u) whose bag holds v."""
        return self._across[0]

    @cached_property
    @lasting
    def across_entry(self) -> Tensor:
        """The graph's entry that each entry of `across` comes from [L]."""
        return self._across[1]

    @cached_property
    @lasting
    def _within(self) -> tuple[CSR, Tensor]:
        return self._lift(self.ptr, self.node, torch.arange(self.num_rows, device=self.ptr.device), self.removed)

    @cached_property
    @lasting
    def _across(self) -> tuple[CSR, Tensor]:
        self.refuse_sampled("vL")
        rows = self.spread_nodes.structure.t()  # the rows of each node, in the order of bags and so of roots
        return self._lift(rows.rowptr, self.root[self.bag[rows.col]], rows.col, None)

    def _lift(self, ptr: Tensor, member: Tensor, row: Tensor, removed: Tensor | None) -> tuple[CSR, Tensor]:
        start, col, entry = lifted(self.adj, ptr, member, row, removed)
        structure = Structure(start, col, (self.num_rows, self.num_rows))
        # Edges between rows go both ways exactly when the graph's do: a bag lacks an edge in both directions or in none.
        return CSR(structure, symmetric=self.adj.structure.symmetric), entry

    @cached_property
    @lasting
    def spread_bags(self) -> CSR:
        """[T, S], ones: row (u, v) has its entry at u; its adjoint sums over the rows of each bag."""
        return select(self.bag, self.num_bags)

    @cached_property
    @lasting
    def spread_nodes(self) -> CSR:
        """[T, N], ones: row (u, v) has its entry at v; its adjoint sums over the bags that hold each node."""
        return select(self.node, self.num_nodes)

    @cached_property
    @lasting
    def own_row(self) -> Tensor:
        """Row (u, u) of each bag u [S], -1 where the bag lacks its root."""
        bags = torch.arange(self.num_bags, device=self.ptr.device)
        return self._find(bags, self.root)

    @cached_property
    @lasting
    def own(self) -> CSR:
        """[S, T]: bag u has its entry at row (u, u)."""
        return select(self.own_row, self.num_rows)

    @cached_property
    @lasting
    def is_root(self) -> Tensor:
        """Whether a row stands for a root of its bag [T], bool."""
        if self.roots is None:
            return torch.zeros_like(self.node, dtype=torch.bool)
        return (self.node[:, None] == self.roots[self.bag]).any(dim=1)

    @cached_property
    @lasting
    def uu(self) -> CSR:
        """[T, T]: row (u, v) has its entry at (u, u)."""
        return select(self.own_row[self.bag], self.num_rows)

    @cached_property
    @lasting
    def vv(self) -> CSR:
        """[T, T]: row (u, v) has its entry at (v, v)."""
        self.refuse_sampled("vv")
        other = self.bag_of[self.node]
        return select(torch.where(other >= 0, self.own_row[other], -1), self.num_rows)

    @cached_property
    @lasting
    def vu(self) -> CSR:
        """[T, T]: row (u, v) has its entry at (v, u)."""
        self.refuse_sampled("vu")
        return select(self._find(self.bag_of[self.node], self.root[self.bag]), self.num_rows)

    def _find(self, bag: Tensor, node: Tensor) -> Tensor:
        """Row of (bag, node), -1 where there is none or where the bag is -1."""
        if self.num_rows == 0:
            return torch.full_like(bag, -1)
        wanted = bag * self.num_nodes + node
        keys = self.bag * self.num_nodes + self.node
        found = torch.searchsorted(keys, wanted).clamp_(max=self.num_rows - 1)
        return torch.where((bag >= 0) & (keys[found] == wanted), found, -1)

    @cached_property
    @lasting
    def square(self) -> bool:
        """Whether there is one bag per node, and each is the whole graph: h(u, v) is a square matrix per graph."""
        whole = self.removed is None and self.total is None and self.num_bags == self.num_nodes
        return whole and self.num_rows == int(self.node_ptr.diff().square().sum())

    @cached_property
    @lasting
    def blocks(self) -> Blocks:
        """The rows as dense blocks; ValueError where the bags are not `square`."""
        if not self.square:
            raise ValueError("blocks need one bag per node, each the whole graph: take whole_bags, without a sample.")
        return Blocks(self.node_ptr, self.adj)

    # --------------------------------------------------------------------------------------------------------- sampling

    @cached_property
    @lasting
    def scale(self) -> Tensor:
        """Bags in all per bag that is kept, of each graph [G], float64; ones without sampling."""
        kept = self.bag_ptr.diff().clamp(min=1).double()
        return torch.ones_like(kept) if self.total is None else self.total.clamp(min=1).double() / kept

    def refuse_sampled(self, what: str) -> None:
        """ValueError where bags are a sample: `what` reads rows of bags that were not drawn."""
        if self.total is not None:
            raise ValueError(f"{what} reads rows of other bags, which a sample lacks: keep all bags, or use uL, uu, uG and vG.")

    def describe(self) -> str:
        """One sentence on how many bags there are, and how many of all were drawn."""
        kept = f"{self.num_bags:,} bags of {self.num_graphs:,} graphs, {self.num_rows:,} rows"
        if self.total is None:
            return f"{kept}; every bag is kept."
        total = int(self.total.sum())
        return f"{kept}; drawn from {total:,} bags ({self.num_bags / max(total, 1):.1%})."

    def take(self, graphs: Tensor) -> Bags:
        """The bags of some of the graphs [B], in that order, with repeats.

        Blocks are copied, also of operators and distances: what these bags lack yet of what is asked for is made here once.

        Raises:
            ValueError: An id is out of range.
        """
        check_chosen(graphs, self.num_graphs)
        return _TakenBags(self, graphs)

    def to(self, device: torch.device | str) -> Bags:
        """The same bags on another device."""
        moved = [None if one is None else one.to(device) for one in (self.roots, self.removed, self.total)]
        node_ptr, bag_ptr, ptr, node = (one.to(device) for one in (self.node_ptr, self.bag_ptr, self.ptr, self.node))
        return Bags(self.adj.to(device), node_ptr, bag_ptr, ptr, node, moved[0], removed=moved[1], total=moved[2])

    def __repr__(self) -> str:
        return f"Bags(graphs={self.num_graphs}, nodes={self.num_nodes}, bags={self.num_bags}, rows={self.num_rows})"


class _TakenBags(Bags):
    """Bags of some graphs of a batch. Index arrays are copied at once, operators when they are first needed."""

    def __init__(self, whole: Bags, graphs: Tensor) -> None:
        self._whole = whole
        self._nodes = nodes = Segments.of(whole.node_ptr, graphs)
        self._bags = bags = Segments.of(whole.bag_ptr, graphs)
        self._rows = rows = bags.inside(whole.ptr)
        self._entries = entries = nodes.inside(whole.adj.rowptr)
        ptr = torch.cat([rows.ptr[:1], bags.copy(whole.ptr[1:], rows.shift)])
        roots = removed = None
        if whole.roots is not None:
            roots = torch.stack([bags.copy(root, nodes.shift) for root in whole.roots.unbind(1)], dim=1)
        if whole.removed is not None:
            left_out = [bags.copy(entry) for entry in whole.removed.unbind(1)]
            shifted = [bags.copy(entry, entries.shift) for entry in whole.removed.unbind(1)]
            removed = torch.where(torch.stack(left_out, dim=1) < 0, -1, torch.stack(shifted, dim=1))
        super().__init__(
            take_blocks(whole.adj, nodes, nodes),
            nodes.ptr,
            bags.ptr,
            ptr,
            rows.copy(whole.node, nodes.shift),
            roots,
            removed=removed,
            total=None if whole.total is None else whole.total[graphs],
        )

    @cached_property
    @lasting
    def distance(self) -> Tensor:
        """As in `Bags`."""
        return self._whole.distance[self._rows.positions]

    @cached_property
    @lasting
    def _within(self) -> tuple[CSR, Tensor]:
        return self._lifted(self._whole.within, self._whole.within_entry)

    @cached_property
    @lasting
    def _across(self) -> tuple[CSR, Tensor]:
        return self._lifted(self._whole.across, self._whole.across_entry)

    def _lifted(self, operator: CSR, entry: Tensor) -> tuple[CSR, Tensor]:
        copied = self._rows.inside(operator.rowptr).copy(entry, self._entries.shift)
        return take_blocks(operator, self._rows, self._rows), copied

    @cached_property
    @lasting
    def spread_bags(self) -> CSR:
        """As in `Bags`."""
        return take_blocks(self._whole.spread_bags, self._rows, self._bags)

    @cached_property
    @lasting
    def spread_nodes(self) -> CSR:
        """As in `Bags`."""
        return take_blocks(self._whole.spread_nodes, self._rows, self._nodes)

    @cached_property
    @lasting
    def own(self) -> CSR:
        """As in `Bags`."""
        return take_blocks(self._whole.own, self._bags, self._rows)

    @cached_property
    @lasting
    def uu(self) -> CSR:
        """As in `Bags`."""
        return take_blocks(self._whole.uu, self._rows, self._rows)

    @cached_property
    @lasting
    def vv(self) -> CSR:
        """As in `Bags`."""
        return take_blocks(self._whole.vv, self._rows, self._rows)

    @cached_property
    @lasting
    def vu(self) -> CSR:
        """As in `Bags`."""
        return take_blocks(self._whole.vu, self._rows, self._rows)


def select(source: Tensor, width: int) -> CSR:
    """The operator [R, width] whose row r takes row source[r] of what it is multiplied with, or nothing where that is -1."""
    present = source >= 0
    rowptr = torch.cat([source.new_zeros(1), present.long().cumsum(0)])
    return CSR(Structure(rowptr, source[present], (source.numel(), width)))
