"""The sparse operator that layers propagate with: built once, its adjoint known, entries left out without rebuilding."""

from __future__ import annotations

import weakref
from typing import Literal

import torch
from torch import Tensor

from graphkit.sparse.entries import assemble
from graphkit.sparse.segment import segment_sum
from graphkit.sparse.spmm import propagate, torch_csr
from graphkit.sparse.structure import Size, Structure, as_shape, check_weight


class CSR:
    """An immutable sparse operator A [num_rows, num_cols]: row = target node, column = source node.

    Y = A X sends messages from sources to targets: Y_i = sum_j A_ij X_j, with A[dst, src] for `edge_index` (src, dst).
    Columns ascend inside a row and no entry is stored twice. Operators that differ only in values share one `Structure`
    and with it row ids, search keys and the transpose permutation. Values that need no gradient must not be changed in
    place: casts and the adjoint are kept, and so are norms (`normalize`).

    Indices are int64, which everything in torch takes: int32 saved a product a tenth, too little for casts elsewhere.

    Args:
        structure: Where the entries lie.
        value: Their values [nnz], zero where `mask` is False; None for ones.
        mask: Which entries are present [nnz], bool; None for all.
        symmetric: True promises A = A^T; None looks on first need (values that need gradients are never looked at, since
            they may change: they count as not symmetric unless promised).
    """

    def __init__(
        self, structure: Structure, value: Tensor | None = None, mask: Tensor | None = None, symmetric: bool | None = None
    ) -> None:
        self._structure = structure
        self._value = value
        self._mask = mask
        self._symmetric = symmetric
        self._adjoint: CSR | None = None
        self._origin: weakref.ref[CSR] | None = None
        self._weights: dict[torch.dtype, Tensor] = {}

    @classmethod
    def from_edge_index(
        cls,
        edge_index: Tensor,
        size: Size,
        edge_weight: Tensor | None = None,
        duplicates: Literal["sum", "first"] = "sum",
    ) -> CSR:
        """Build the operator of a list of edges.

        Args:
            edge_index: (source, target) ids [2, E], in any order.
            size: Number of nodes, or (targets, sources) = (num_rows, num_cols) of a bipartite graph.
            edge_weight: Weights [E]; None for ones. Differentiable.
            duplicates: A repeated edge counts with the sum of its weights (as messages would), or with its first weight.

        Returns:
            The operator. Its `value` is None when all values are one.

        Raises:
            ValueError: Ids out of range, wrong shapes, or an unknown `duplicates`.
            TypeError: Ids that are no integers.
        """
        if duplicates not in ("sum", "first"):
            raise ValueError(f"duplicates must be 'sum' or 'first', got {duplicates!r}.")
        shape = as_shape(size)
        if min(shape) < 0:
            raise ValueError(f"size must not be negative, got {size}.")
        entries = assemble(edge_index, shape)
        weight = check_weight(edge_weight, edge_index)
        return cls(entries.structure, entries.values(weight, duplicates, torch.get_default_dtype()))

    @property
    def structure(self) -> Structure:
        """Where the entries lie; shared between operators that differ in values alone."""
        return self._structure

    @property
    def rowptr(self) -> Tensor:
        """Row boundaries [num_rows + 1], int64: row i holds entries rowptr[i] to rowptr[i + 1]."""
        return self._structure.rowptr

    @property
    def col(self) -> Tensor:
        """Column (source) of each entry [nnz], int64, ascending inside a row."""
        return self._structure.col

    @property
    def row(self) -> Tensor:
        """Row (target) of each entry [nnz], int64, ascending."""
        return self._structure.row

    @property
    def value(self) -> Tensor | None:
        """Values [nnz], zero at absent entries; None when every present entry is one."""
        return self._value

    @property
    def mask(self) -> Tensor | None:
        """Which stored entries are present [nnz], bool; None for all. Kernels that walk `col` must skip the others."""
        return self._mask

    @property
    def shape(self) -> tuple[int, int]:
        """(num_rows, num_cols)."""
        return self._structure.shape

    @property
    def nnz(self) -> int:
        """Number of stored entries, absent ones included."""
        return self._structure.nnz

    @property
    def device(self) -> torch.device:
        """Where the operator lives."""
        return self.col.device

    @property
    def dtype(self) -> torch.dtype | None:
        """Dtype of the values; None when all are one: such an operator takes every dtype exactly."""
        return None if self._value is None else self._value.dtype

    @property
    def requires_grad(self) -> bool:
        """Whether the values need gradients."""
        return self._value is not None and self._value.requires_grad

    @property
    def promised_symmetric(self) -> bool:
        """Whether A = A^T is known already, without looking at values."""
        return self._symmetric is True

    @property
    def symmetric(self) -> bool:
        """Whether A = A^T, looked up once; False for values that need gradients unless promised."""
        if self._symmetric is None and not self.requires_grad:
            self.t()
        return self._symmetric is True

    def t(self) -> CSR:
        """The adjoint A^T, cached; a symmetric operator returns itself."""
        if self._symmetric:
            return self
        if self._adjoint is not None:
            return self._adjoint
        origin = self._origin() if self._origin is not None else None
        if origin is not None:
            return origin
        transposed = self._structure.t()
        value = None if self._value is None else self._value[self._structure.perm]
        mask = None if self._mask is None else self._mask[self._structure.perm]
        if self.requires_grad:
            # Not kept: the values may be a parameter that the optimizer changes, or hang on a graph that is used up.
            return CSR(transposed, value, mask, symmetric=False)
        if self._symmetric is None:
            self._symmetric = transposed is self._structure and _same(value, self._value) and _same(mask, self._mask)
            if self._symmetric:
                return self
        self._adjoint = CSR(transposed, value, mask, symmetric=False)
        self._adjoint._origin = weakref.ref(self)
        return self._adjoint

    def weights(self, dtype: torch.dtype) -> Tensor:
        """Values of all stored entries [nnz] in this dtype, ones filled in, zero where absent; cached without gradients."""
        if self._value is not None and (self.requires_grad or self._value.dtype == dtype):
            return self._value.to(dtype)
        if dtype not in self._weights:
            source = self._mask if self._value is None else self._value
            ones = torch.ones(self.nnz, dtype=dtype, device=self.device)
            self._weights[dtype] = ones if source is None else source.to(dtype)
        return self._weights[dtype]

    def with_value(self, value: Tensor | None, symmetric: bool | None = None) -> CSR:
        """The same entries with other values [nnz] (absent ones stay absent); `symmetric=True` promises A = A^T."""
        if value is not None:
            if value.shape != (self.nnz,):
                raise ValueError(f"value must have shape [{self.nnz}], one for each stored entry, got {list(value.shape)}.")
            if self._mask is not None:
                value = value.masked_fill(~self._mask, 0.0)
        return CSR(self._structure, value, self._mask, symmetric)

    def matmul(self, x: Tensor, reduce: Literal["sum", "mean"] = "sum") -> Tensor:
        """Propagate: Y_i = sum_j A_ij X_j, or the same divided by the number of present entries of row i.

        Computed in the dtype of x, also under autocast; bfloat16 and float16 accumulate in float32. Differentiable any
        number of times, in x and in the values. An absent entry counts as zero.

        Args:
            x: Features [num_cols, C] or [num_cols], floating point.
            reduce: `sum`, or `mean` over present entries (empty rows give 0).

        Returns:
            [num_rows, C] or [num_rows].

        Raises:
            ValueError: A wrong shape, device or `reduce`.
            TypeError: x is not floating point.
        """
        if reduce not in ("sum", "mean"):
            raise ValueError(f"reduce must be 'sum' or 'mean', got {reduce!r}.")
        if x.dim() not in (1, 2) or x.size(0) != self.shape[1]:
            raise ValueError(f"x must have shape [{self.shape[1]}, C] or [{self.shape[1]}], got {list(x.shape)}.")
        if not x.is_floating_point():
            raise TypeError(f"x must be floating point, got {x.dtype}.")
        if x.device != self.device:
            raise ValueError(f"x lies on {x.device} and the operator on {self.device}; move one of them with .to().")
        features = x if x.dim() == 2 else x.unsqueeze(1)
        out = propagate(self, features)
        if reduce == "mean":
            out = out / self.degree().clamp(min=1).to(out.dtype).unsqueeze(1)
        return out if x.dim() == 2 else out.squeeze(1)

    __matmul__ = matmul

    def positions(self, edge_index: Tensor) -> Tensor:
        """Where the entries of these (source, target) edges [2, P] lie [P], int64; binary search on cached keys.

        Raises:
            ValueError: An edge is no entry (it is named), or an id is out of range.
        """
        return self._structure.positions(edge_index)

    def without(self, entries: Tensor, mirror: bool = False) -> CSR:
        """The same operator with some entries absent; nothing is rebuilt.

        A symmetric operator stays its own adjoint when (i, j) and (j, i) go together: with `mirror=True` they do, else it is
        looked up, at the cost of one gather of the given entries.

        Args:
            entries: Positions of the entries to leave out [P], as `positions` gives them; repeats allowed.
            mirror: Also leave out (j, i) for each (i, j); the pattern must be symmetric.

        Raises:
            ValueError: A position is out of range, or `mirror` on a pattern that is not symmetric.
        """
        if entries.numel() and not 0 <= int(entries.min()) <= int(entries.max()) < self.nnz:
            raise ValueError(f"entries must lie in [0, {self.nnz}); take them from positions().")
        if mirror:
            if not self._structure.symmetric:
                raise ValueError("mirror=True needs a symmetric pattern: every (i, j) stored with its (j, i).")
            entries = torch.cat([entries, self._structure.perm[entries]])
        old = torch.ones(self.nnz, dtype=torch.bool, device=self.device) if self._mask is None else self._mask
        mask = old.index_fill(0, entries, False)
        value = None if self._value is None else self._value.index_fill(0, entries, 0.0)
        symmetric = None
        if self.symmetric:
            symmetric = mirror or not bool(mask[self._structure.perm[entries]].any())
        return CSR(self._structure, value, mask, symmetric)

    def dropout(self, p: float, generator: torch.Generator | None = None, rescale: bool = True) -> CSR:
        """Every entry absent with probability p, each by itself, so that the result is not symmetric.

        Args:
            p: Probability in [0, 1).
            generator: Where the draws come from; None for torch's global state.
            rescale: Divide the values that stay by 1 - p, which keeps A's expectation.

        Raises:
            ValueError: p outside [0, 1).
        """
        if not 0.0 <= p < 1.0:
            raise ValueError(f"p must lie in [0, 1), got {p}.")
        if p == 0.0:
            return self
        mask = torch.rand(self.nnz, generator=generator, device=self.device) >= p
        if self._mask is not None:
            mask &= self._mask
        scale = 1.0 / (1.0 - p) if rescale else 1.0
        value = self._value
        if value is not None:
            value = value * (mask.to(value.dtype) * scale)
        elif rescale:
            value = mask.to(torch.get_default_dtype()) * scale
        return CSR(self._structure, value, mask, symmetric=False)

    def row_sum(self, dtype: torch.dtype | None = None) -> Tensor:
        """Weighted degree of each row, sum_j A_ij [num_rows]; differentiable in the values."""
        dtype = dtype or self.dtype or torch.get_default_dtype()
        if self._value is None:
            return self.degree().to(dtype)
        return segment_sum(self.weights(dtype), self.rowptr, self.row)

    def degree(self) -> Tensor:
        """Number of present entries of each row [num_rows], int64."""
        if self._mask is None:
            return self.rowptr.diff()
        seen = torch.cat([self.rowptr.new_zeros(1), self._mask.cumsum(0)])
        return seen[self.rowptr].diff()

    def with_self_loops(self) -> CSR:
        """A with value 1 at every (i, i) that is not present; the pattern is made once and shared. Needs a square operator."""
        if self.shape[0] != self.shape[1]:
            raise ValueError(f"self loops need a square operator, got {self.shape[0]} x {self.shape[1]}.")
        structure, place = self._structure.with_diagonal
        mask, value = self._mask, self._value
        if value is not None:
            value = value.new_ones(structure.nnz).index_copy(0, place, value)
        if mask is not None:
            loops = self._structure.diagonal
            absent = place[loops[~mask[loops]]]
            mask = mask.new_ones(structure.nnz).index_copy(0, place, mask).index_fill_(0, absent, True)
            value = None if value is None else value.index_fill(0, absent, 1.0)
        return CSR(structure, value, mask, self._symmetric)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> CSR:
        """The operator on another device or with values of another dtype; itself when nothing changes."""
        place = self.device if device is None else torch.device(device)
        value = None if self._value is None else self._value.to(place, dtype)
        if place == self.device and value is self._value:
            return self
        mask = None if self._mask is None else self._mask.to(place)
        return CSR(self._structure.to(place), value, mask, self._symmetric)

    def to_torch(self, dtype: torch.dtype | None = None) -> Tensor:
        """A torch sparse CSR tensor of all stored entries (absent ones with value 0), sharing memory where it can."""
        return torch_csr(self._structure, self.weights(dtype or self.dtype or torch.get_default_dtype()))

    def to_dense(self, dtype: torch.dtype | None = None) -> Tensor:
        """The matrix [num_rows, num_cols], differentiable in the values."""
        weights = self.weights(dtype or self.dtype or torch.get_default_dtype())
        return weights.new_zeros(self.shape).index_put((self.row, self.col), weights)

    def edge_index(self) -> Tensor:
        """The present entries as (source, target) edges [2, E], ascending by target, then source."""
        edges = torch.stack([self.col, self.row])
        return edges if self._mask is None else edges[:, self._mask]

    def __reduce__(self) -> tuple[type[CSR], tuple[Structure, Tensor | None, Tensor | None, bool | None]]:
        return CSR, (self._structure, self._value, self._mask, self._symmetric)

    def __repr__(self) -> str:
        values = "ones" if self._value is None else str(self._value.dtype).removeprefix("torch.")
        absent = "" if self._mask is None else f", absent={self.nnz - int(self._mask.sum())}"
        return f"CSR({self.shape[0]} x {self.shape[1]}, nnz={self.nnz}{absent}, values={values}, device={self.device})"


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    return a is b or (a is not None and b is not None and torch.equal(a, b))
