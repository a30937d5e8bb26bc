"""The index half of a sparse operator: which entries exist, where they lie, and what is derived from that once."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from functools import cached_property, wraps
from operator import index
from typing import ParamSpec, SupportsIndex, TypeAlias, TypeVar

import torch
from torch import Tensor

from graphkit.sparse.counting_sort import counting_sort

Size: TypeAlias = SupportsIndex | tuple[SupportsIndex, SupportsIndex]
"""Number of nodes, or (rows, columns): any integers, those of NumPy and torch's tensors without dimension among them."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def lasting(build: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run `build` outside inference mode: what it makes is kept, and a later training step may save it for its backward."""

    @wraps(build)
    def outside(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not torch.is_inference_mode_enabled():
            return build(*args, **kwargs)
        with torch.inference_mode(False), torch.no_grad():
            return build(*args, **kwargs)

    return outside


def untraced(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """Leave `call` out of `torch.compile`, which traces neither sparse CSR tensors nor caches: its graph breaks here.

    The tracer takes seconds to import: where nothing has imported it, nothing is traced and `call` is made directly.
    """
    disabled: Callable[_P, _R] | None = None

    @wraps(call)
    def outside(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        nonlocal disabled
        if disabled is None:
            if "torch._dynamo" not in sys.modules:
                return call(*args, **kwargs)
            disabled = torch.compiler.disable(call)  # type: ignore[no-untyped-call]
        return disabled(*args, **kwargs)

    return outside


class Structure:
    """Positions of the entries of a sparse matrix, row by row; shared by all operators that differ in values alone.

    Everything here is computed on first use and kept: row ids, search keys, the transpose with its permutation and the
    pattern with a full diagonal.

    Args:
        rowptr: Row boundaries [num_rows + 1], int64, non-decreasing from 0 to nnz.
        col: Column of each entry [nnz], int64, strictly ascending inside a row.
        shape: (num_rows, num_cols).
    """

    def __init__(self, rowptr: Tensor, col: Tensor, shape: tuple[int, int]) -> None:
        self.rowptr = rowptr
        self.col = col
        self.shape = shape
        self._transposed: Structure | None = None
        self._origin: weakref.ref[Structure] | None = None

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return self.col.numel()

    @cached_property
    @lasting
    def row(self) -> Tensor:
        """Row of each entry [nnz], ascending."""
        ids = torch.arange(self.shape[0], device=self.rowptr.device)
        return ids.repeat_interleave(self.rowptr.diff(), output_size=self.nnz)

    @cached_property
    @lasting
    def row_blocks(self) -> Tensor:
        """Boundaries of up to 64 runs of rows with about equally many entries: what one thread takes at a time."""
        shares = torch.arange(65, device=self.rowptr.device) * self.nnz // 64
        blocks = torch.searchsorted(self.rowptr, shares, right=True) - 1
        blocks[0], blocks[-1] = 0, self.shape[0]
        return blocks

    @cached_property
    @lasting
    def narrow_col(self) -> Tensor:
        """`col` in 32 bits where the ids fit: kernels that are short of memory bandwidth read half as much."""
        return self.col.to(torch.int32) if self.shape[1] < 2**31 else self.col

    @cached_property
    @lasting
    def key(self) -> Tensor:
        """`row * num_cols + col` of each entry [nnz], strictly ascending: what binary search looks in."""
        return self.row * self.shape[1] + self.col

    @cached_property
    @lasting
    def perm(self) -> Tensor:
        """Entry t of the transpose is entry `perm[t]` here [nnz]; for a symmetric pattern, (i, j) <-> (j, i)."""
        origin = self._origin() if self._origin is not None else None
        if origin is not None:
            return torch.empty_like(origin.perm).scatter_(0, origin.perm, torch.arange(self.nnz, device=self.col.device))
        return counting_sort(self.col, self.shape[1])[1]

    @lasting
    def t(self) -> Structure:
        """The transposed pattern; a symmetric one returns itself."""
        origin = self._origin() if self._origin is not None else None
        if origin is not None:
            return origin
        if self._transposed is None:
            rowptr = pointers(torch.bincount(self.col, minlength=self.shape[1]))
            col = self.row[self.perm]
            if self.shape[0] == self.shape[1] and torch.equal(rowptr, self.rowptr) and torch.equal(col, self.col):
                # A weak link to itself: a strong one would be a cycle that only the garbage collector could free.
                self._origin = weakref.ref(self)
                return self
            self._transposed = Structure(rowptr, col, (self.shape[1], self.shape[0]))
            self._transposed._origin = weakref.ref(self)
        return self._transposed

    @property
    def symmetric(self) -> bool:
        """Whether (i, j) is an entry exactly when (j, i) is."""
        return self.shape[0] == self.shape[1] and self.t() is self

    @cached_property
    @lasting
    def row_incidence(self) -> Structure:
        """Which entries stand in each row, as a pattern [num_rows, nnz]: what `gather` by `row` adds up its gradients with."""
        return Structure(self.rowptr, torch.arange(self.nnz, device=self.col.device), (self.shape[0], self.nnz))

    @cached_property
    @lasting
    def col_incidence(self) -> Structure:
        """Which entries stand in each column, as a pattern [num_cols, nnz]; see `row_incidence`."""
        return Structure(self.t().rowptr, self.perm, (self.shape[1], self.nnz))

    @cached_property
    @lasting
    def diagonal(self) -> Tensor:
        """Positions of the entries (i, i)."""
        return (self.row == self.col).nonzero().flatten()

    @cached_property
    @lasting
    def with_diagonal(self) -> tuple[Structure, Tensor]:
        """The pattern with every (i, i) added, and the place there of each entry here [nnz]."""
        n = self.shape[0]
        present = torch.zeros(n, dtype=torch.bool, device=self.col.device)
        present[self.row[self.diagonal]] = True
        missing = (~present).nonzero().flatten()
        if missing.numel() == 0:
            # Nothing to add. A fresh object, because a property that returns its owner would keep it alive.
            return Structure(self.rowptr, self.col, self.shape), torch.arange(self.nnz, device=self.col.device)
        key = torch.cat([self.key, missing * (n + 1)]).sort().values
        rowptr = pointers(self.rowptr.diff() + (~present).long())
        return Structure(rowptr, key % n, self.shape), torch.searchsorted(key, self.key)

    def positions(self, edge_index: Tensor) -> Tensor:
        """Where the entries of these (source, target) pairs lie [P]; ValueError names a pair that is none."""
        source, target = check_ids(edge_index, self.shape)
        found, present = self.find(target * self.shape[1] + source)
        if not bool(present.all()):
            pair = edge_index[:, int((~present).nonzero()[0])].tolist()
            raise ValueError(f"edge {pair[0]} -> {pair[1]} is not an entry of this operator; pass edges of its own graph.")
        return found

    def contains(self, row: Tensor, col: Tensor) -> Tensor:
        """Whether there is an entry at (row, col), ids that broadcast; no row has an entry in a column below 0."""
        return self.find(row * self.shape[1] + col)[1] & (col >= 0)

    def find(self, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Where entries of these keys lie, and whether there are such; see `key`."""
        if self.nnz == 0:
            return wanted, torch.zeros_like(wanted, dtype=torch.bool)
        found = torch.searchsorted(self.key, wanted).clamp_(max=self.nnz - 1)
        return found, self.key[found] == wanted

    def to(self, device: torch.device) -> Structure:
        """The same pattern on another device."""
        if device == self.col.device:
            return self
        return Structure(self.rowptr.to(device), self.col.to(device), self.shape)

    def __reduce__(self) -> tuple[type[Structure], tuple[Tensor, Tensor, tuple[int, int]]]:
        return Structure, (self.rowptr, self.col, self.shape)


def pointers(counts: Tensor) -> Tensor:
    """Row boundaries [R + 1] from the number of entries of each row [R]."""
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def as_shape(size: Size) -> tuple[int, int]:
    """(rows, columns) of an operator: of a square one from its number of nodes; TypeError where that is no integer."""
    both = size if isinstance(size, tuple | list) else (size, size)
    try:
        rows, columns = (index(number) for number in both)
    except (TypeError, ValueError) as error:
        raise TypeError(f"a number of nodes must be an integer, or (targets, sources) two of them, got {size!r}.") from error
    return rows, columns


def check_ids(edge_index: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Source and target ids [E] as int64; TypeError or ValueError when they are no node ids of this shape."""
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(f"edge_index must have shape [2, E], got {list(edge_index.shape)}.")
    if edge_index.is_floating_point() or edge_index.is_complex() or edge_index.dtype == torch.bool:
        raise TypeError(f"edge_index must hold integer node ids, got {edge_index.dtype}.")
    if shape[0] * shape[1] >= 2**63:
        raise ValueError(f"a matrix of shape {shape[0]} x {shape[1]} is too large to number its cells in 64 bits.")
    source, target = edge_index.long()
    if source.numel():
        for name, ids, size in (("source", source, shape[1]), ("target", target, shape[0])):
            low, high = (int(bound) for bound in torch.aminmax(ids))
            if low < 0 or high >= size:
                bad = low if low < 0 else high
                raise ValueError(f"{name} id {bad} is out of range: ids must lie in [0, {size}).")
    return source, target


def check_weight(edge_weight: Tensor | None, edge_index: Tensor) -> Tensor | None:
    """Edge weights as floating point [E]; ValueError when there is not one weight an edge."""
    if edge_weight is None:
        return None
    if edge_weight.shape != (edge_index.size(1),):
        raise ValueError(f"edge_weight must have shape [{edge_index.size(1)}], got {list(edge_weight.shape)}.")
    return edge_weight if edge_weight.is_floating_point() else edge_weight.to(torch.get_default_dtype())
