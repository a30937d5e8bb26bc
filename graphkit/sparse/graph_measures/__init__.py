"""What can be said of nodes by the graph alone: clustering, core number, PageRank, centrality, components, cliques, FastRP."""

from graphkit.sparse.graph_measures.centrality import eigenvector_centrality, pagerank
from graphkit.sparse.graph_measures.cliques import clique_pairs
from graphkit.sparse.graph_measures.components import connected_components
from graphkit.sparse.graph_measures.fastrp import fast_random_projection, random_projection
from graphkit.sparse.graph_measures.structure import clustering_coefficient, core_number
from graphkit.sparse.graph_measures.undirected import simple_graph

__all__ = [
    "clique_pairs",
    "clustering_coefficient",
    "connected_components",
    "core_number",
    "eigenvector_centrality",
    "fast_random_projection",
    "pagerank",
    "random_projection",
    "simple_graph",
]
