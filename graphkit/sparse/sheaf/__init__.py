"""Sheaves on graphs: half-edges, transports, diffusion, small matrices."""

from graphkit.sparse.sheaf.ends import EdgeEnds, edge_ends, undirected
from graphkit.sparse.sheaf.operations import Fixed, at_ends, diffuse, tanh_transports, transports
from graphkit.sparse.sheaf.small_matrices import householder, inverse_root

__all__ = [
    "EdgeEnds",
    "Fixed",
    "at_ends",
    "diffuse",
    "edge_ends",
    "householder",
    "inverse_root",
    "tanh_transports",
    "transports",
    "undirected",
]
