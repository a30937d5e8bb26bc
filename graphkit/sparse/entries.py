"""From a list of edges to the entries of an operator, and the way there for whatever belongs to the edges."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from graphkit.sparse.gathering import gather
from graphkit.sparse.structure import Structure, check_ids, lasting, pointers


class Entries(NamedTuple):
    """How a list of edges became the entries of a structure, so that weights and features of edges can follow.

    Attributes:
        structure: Where the entries lie.
        order: The edges in entry order [E], or None when they came sorted.
        entry: The entry that each ordered edge belongs to [E], or None when no edge is repeated.
    """

    structure: Structure
    order: Tensor | None
    entry: Tensor | None

    def values(self, edge_weight: Tensor | None, duplicates: Literal["sum", "first"], dtype: torch.dtype) -> Tensor | None:
        """Values of the entries from weights of the edges [E]; None when all are one. Differentiable."""
        if edge_weight is None:
            if self.entry is None or duplicates == "first":
                return None
            return torch.bincount(self.entry, minlength=self.structure.nnz).to(dtype)
        values = self._merged(edge_weight, duplicates)
        # Never an alias of weights that somebody may change later, unless they are to be learned.
        return values.clone() if values is edge_weight and not edge_weight.requires_grad else values

    def gather(self, edge_attr: Tensor, duplicates: Literal["refuse", "sum", "first"] = "refuse") -> Tensor:
        """Rows of the edges in the order of the entries; differentiable.

        Args:
            edge_attr: A row per edge [E, ...], in the order of the edge list.
            duplicates: What becomes of an edge that is listed more than once: `refuse`; `sum` of its rows; its `first` row.

        Returns:
            A row per entry [nnz, ...].

        Raises:
            ValueError: Another number of rows than edges, or repeated edges that are to be refused.
        """
        edges = self.structure.nnz if self.entry is None else self.entry.numel()
        if edge_attr.dim() == 0 or edge_attr.size(0) != edges:
            raise ValueError(f"edge_attr must have {edges} rows, one per edge, got shape {list(edge_attr.shape)}.")
        if duplicates == "refuse":
            if self.entry is not None:
                raise ValueError(
                    f"{edges - self.structure.nnz} edges are listed again, and features of repeated edges have no order: "
                    "merge them first (torch_geometric.utils.coalesce), or say whether to take their sum or their first row."
                )
            duplicates = "first"
        return self._merged(edge_attr, duplicates)

    def _merged(self, rows: Tensor, duplicates: Literal["sum", "first"]) -> Tensor:
        if self.order is not None:
            rows = gather(rows, self.order)
        if self.entry is None:
            return rows
        if duplicates == "sum":
            return rows.new_zeros((self.structure.nnz, *rows.shape[1:])).index_add(0, self.entry, rows)
        return gather(rows, torch.searchsorted(self.entry, torch.arange(self.structure.nnz, device=rows.device)))


@lasting
def assemble(edge_index: Tensor, shape: tuple[int, int]) -> Entries:
    """Sort (source, target) edges [2, E] into a structure of the given (rows, columns), repeated ones merged."""
    source, target = check_ids(edge_index, shape)
    key = target * shape[1] + source
    order = entry = None
    if not bool((key[1:] > key[:-1]).all()):
        key, order = key.sort(stable=True)
        first = torch.cat([key.new_ones(1, dtype=torch.bool), key[1:] != key[:-1]])
        if not bool(first.all()):
            key, entry = key[first], first.cumsum(0) - 1
    rows = key // max(shape[1], 1)
    rowptr = pointers(torch.bincount(rows, minlength=shape[0]))
    return Entries(Structure(rowptr, key - rows * shape[1], shape), order, entry)
