"""Features of nodes, dense or sparse, as numbers that can be scaled, left out and summed by node or by feature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from graphkit.sparse import CSR


@dataclass(frozen=True)
class Features:
    """Features [N, F]; of sparse ones only what is stored counts, so that a gradient costs no more than the features.

    Attributes:
        x: The features.
        dtype: What the model computes in.
    """

    x: Tensor | CSR
    dtype: torch.dtype

    @cached_property
    def values(self) -> Tensor:
        """The numbers: [N, F], or those that are stored [nnz]."""
        return self.x.weights(self.dtype) if isinstance(self.x, CSR) else self.x

    def of(self, values: Tensor) -> Tensor | CSR:
        """The features with other numbers."""
        return self.x.with_value(values) if isinstance(self.x, CSR) else values

    def by_node(self, parts: Tensor) -> Tensor:
        """What belongs to each number [K, ...], summed by node [K, N]."""
        return self._summed(parts, 0) if isinstance(self.x, CSR) else parts.sum(dim=2)

    def by_feature(self, parts: Tensor) -> Tensor:
        """The same, summed by feature [K, F]."""
        return self._summed(parts, 1) if isinstance(self.x, CSR) else parts.sum(dim=1)

    def without_nodes(self, nodes: Tensor) -> Features:
        """The features with zeros in some rows [k]."""
        if isinstance(self.x, CSR):
            return self._with(self.values.masked_fill(torch.isin(self.x.row, nodes), 0.0))
        return self._with(self.values.index_fill(0, nodes, 0.0))

    def without_features(self, features: Tensor) -> Features:
        """The features with zeros in some columns [k]."""
        if isinstance(self.x, CSR):
            return self._with(self.values.masked_fill(torch.isin(self.x.col, features), 0.0))
        return self._with(self.values.index_fill(1, features, 0.0))

    def _with(self, values: Tensor) -> Features:
        return replace(self, x=self.of(values))

    def _summed(self, parts: Tensor, axis: int) -> Tensor:
        assert isinstance(self.x, CSR)
        place = self.x.col if axis else self.x.row
        return parts.new_zeros(parts.size(0), self.x.shape[axis]).index_add(1, place, parts)
