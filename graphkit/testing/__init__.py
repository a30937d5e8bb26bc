"""Public assertions that every message passing layer must pass, whoever wrote it; see `graphkit.testing.layers`."""

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

__all__ = [
    "DTYPES",
    "LAYOUTS",
    "Graph",
    "assert_batch_invariant",
    "assert_compiles",
    "assert_deterministic",
    "assert_gradients",
    "assert_isolated_nodes",
    "assert_layouts_agree",
    "assert_no_dead_parameters",
    "assert_permutation_equivariant",
    "random_graph",
]
