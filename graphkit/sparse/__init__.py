"""The engine: CSR operators with cached adjoints, row intersection, segment reductions, degree-ordered ids."""

from graphkit.sparse.convert import Adjacency, as_csr, sparse_features
from graphkit.sparse.csr import CSR
from graphkit.sparse.order import Relabeling, degree_order
from graphkit.sparse.pairs.intersection import NeighborSets
from graphkit.sparse.segment import segment_max, segment_mean, segment_softmax, segment_sum
from graphkit.sparse.structure import Structure

__all__ = [
    "CSR",
    "Adjacency",
    "NeighborSets",
    "Relabeling",
    "Structure",
    "as_csr",
    "degree_order",
    "segment_max",
    "segment_mean",
    "segment_softmax",
    "segment_sum",
    "sparse_features",
]
