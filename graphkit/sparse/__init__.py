"""The engine: CSR operators with cached adjoints, segment reductions, degree-ordered ids."""

from graphkit.sparse.convert import Adjacency, as_csr
from graphkit.sparse.csr import CSR
from graphkit.sparse.order import Relabeling, degree_order
from graphkit.sparse.segment import segment_max, segment_mean, segment_softmax, segment_sum
from graphkit.sparse.structure import Structure

__all__ = [
    "CSR",
    "Adjacency",
    "Relabeling",
    "Structure",
    "as_csr",
    "degree_order",
    "segment_max",
    "segment_mean",
    "segment_softmax",
    "segment_sum",
]
