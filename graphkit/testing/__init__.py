"""Public assertions that every layer must pass, whoever wrote it; see `testing.layers`.

`testing.subgraph` is for layers on batches of graphs, `testing.bipartite` for layers that read two node sets.
"""

from graphkit.testing.bipartite import BipartiteGraph, assert_two_node_sets, random_bipartite_graph
from graphkit.testing.graphs import LAYOUTS, Graph, random_graph
from graphkit.testing.layers import (
    DTYPES,
    assert_batch_invariant,
    assert_compiles,
    assert_deterministic,
    assert_gradients,
    assert_isolated_nodes,
    assert_layouts_agree,
    assert_no_dead_parameters,
    assert_no_nodes,
    assert_permutation_equivariant,
)
from graphkit.testing.subgraph import assert_graphs_apart, assert_relabeling, graph_batch

__all__ = [
    "DTYPES",
    "LAYOUTS",
    "BipartiteGraph",
    "Graph",
    "assert_batch_invariant",
    "assert_compiles",
    "assert_deterministic",
    "assert_gradients",
    "assert_graphs_apart",
    "assert_isolated_nodes",
    "assert_layouts_agree",
    "assert_no_dead_parameters",
    "assert_no_nodes",
    "assert_permutation_equivariant",
    "assert_relabeling",
    "assert_two_node_sets",
    "graph_batch",
    "random_bipartite_graph",
    "random_graph",
]
