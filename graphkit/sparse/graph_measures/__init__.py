"""What can be said of a node by the graph alone: clustering, core number, PageRank, eigenvector centrality, FastRP."""

from graphkit.sparse.graph_measures.centrality import eigenvector_centrality, pagerank
from graphkit.sparse.graph_measures.fastrp import fast_random_projection, random_projection
from graphkit.sparse.graph_measures.structure import clustering_coefficient, core_number
from graphkit.sparse.graph_measures.undirected import simple_graph

__all__ = [
    "clustering_coefficient",
    "core_number",
    "eigenvector_centrality",
    "fast_random_projection",
    "pagerank",
    "random_projection",
    "simple_graph",
]
