"""What can be said of a node by the graph alone: clustering, core number, PageRank, eigenvector centrality, concentration."""

from graphkit.sparse.graph_measures.centrality import eigenvector_centrality, pagerank
from graphkit.sparse.graph_measures.concentration import (
    approximate_concentration,
    reweighted,
    topological_concentration,
)
from graphkit.sparse.graph_measures.structure import clustering_coefficient, core_number
from graphkit.sparse.graph_measures.undirected import simple_graph

__all__ = [
    "approximate_concentration",
    "clustering_coefficient",
    "core_number",
    "eigenvector_centrality",
    "pagerank",
    "reweighted",
    "simple_graph",
    "topological_concentration",
]
