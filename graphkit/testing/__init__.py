"""Public assertions that every layer must pass, whoever wrote it; see `testing.layers`, and `testing.subgraph` for batches."""

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
    assert_permutation_equivariant,
)
from graphkit.testing.subgraph import assert_graphs_apart, assert_relabeling, graph_batch

__all__ = [
    "DTYPES",
    "LAYOUTS",
    "Graph",
    "assert_batch_invariant",
    "assert_compiles",
    "assert_deterministic",
    "assert_gradients",
    "assert_graphs_apart",
    "assert_isolated_nodes",
    "assert_layouts_agree",
    "assert_no_dead_parameters",
    "assert_permutation_equivariant",
    "assert_relabeling",
    "graph_batch",
    "random_graph",
]
