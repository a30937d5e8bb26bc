"""The engine: CSR operators with cached adjoints, gathers, row intersection, segment reductions, row kernels, ranking.

Other rooms import from here, from `graphkit.sparse.egonets` what bags of subgraphs need, and from `graphkit.sparse.sheaf` what
sheaves need; the files behind may move.
"""

from graphkit.sparse.convert import Adjacency, as_csr, as_entries, sparse_features
from graphkit.sparse.csr import CSR
from graphkit.sparse.edge_list import EdgeList
from graphkit.sparse.entries import Entries
from graphkit.sparse.gathering import at_cols, at_rows, gather, incidence_of
from graphkit.sparse.graph_batch import BatchOperator, GraphBatch, GraphIndex
from graphkit.sparse.memo import remember
from graphkit.sparse.neighborhood import neighbor_statistics
from graphkit.sparse.norm import normalize
from graphkit.sparse.order import Relabeling, degree_order
from graphkit.sparse.pairs.balls import Balls
from graphkit.sparse.pairs.intersection import NeighborSets
from graphkit.sparse.pairs.product import pair_product
from graphkit.sparse.pairs.second_order import SecondOrderSets
from graphkit.sparse.pairs.shared import SharedNeighbors
from graphkit.sparse.pairs.sketches import BallSketches
from graphkit.sparse.polynomials import polynomial, polynomial_rows
from graphkit.sparse.products import dense_product
from graphkit.sparse.ranking.topk import UnrankedScore, top_columns
from graphkit.sparse.ranking.triples import Triples, TripleSampler
from graphkit.sparse.rows.dropout import dropout
from graphkit.sparse.rows.norm_dropout_relu import norm_dropout_relu
from graphkit.sparse.sampled_product import edge_products
from graphkit.sparse.segment import segment_max, segment_mean, segment_softmax, segment_sum
from graphkit.sparse.side_by_side import copies, stacked
from graphkit.sparse.spmm import propagate_and_keep
from graphkit.sparse.structure import Structure, check_ids, lasting, pointers, untraced

__all__ = [
    "CSR",
    "Adjacency",
    "BallSketches",
    "Balls",
    "BatchOperator",
    "EdgeList",
    "Entries",
    "GraphBatch",
    "GraphIndex",
    "NeighborSets",
    "Relabeling",
    "SecondOrderSets",
    "SharedNeighbors",
    "Structure",
    "TripleSampler",
    "Triples",
    "UnrankedScore",
    "as_csr",
    "as_entries",
    "at_cols",
    "at_rows",
    "check_ids",
    "copies",
    "degree_order",
    "dense_product",
    "dropout",
    "edge_products",
    "gather",
    "incidence_of",
    "lasting",
    "neighbor_statistics",
    "norm_dropout_relu",
    "normalize",
    "pair_product",
    "pointers",
    "polynomial",
    "polynomial_rows",
    "propagate_and_keep",
    "remember",
    "segment_max",
    "segment_mean",
    "segment_softmax",
    "segment_sum",
    "sparse_features",
    "stacked",
    "top_columns",
    "untraced",
]
