"""What colors know of cycles: nodes of subgraph networks count up to 4, those of SSWL go on; graphs count all the same."""

import networkx as nx
import numpy as np
import pytest
import torch

from graphkit.data.graph import Graph
from graphkit.data.measures.cycles import node_cycles
from graphkit.separation.refinement import CLASSES, graph_colors, node_colors
from tests.separation.test_refinement import batch

SIZES = ((3, 10), (4, 10))
"""Degree and nodes of random regular graphs, which refinement of the plain graph cannot tell apart."""


@pytest.fixture(scope="module")
def graphs() -> list[Graph]:
    made = []
    for degree, nodes in SIZES:
        for seed in range(60):
            edges = torch.tensor(list(nx.random_regular_graph(degree, nodes, seed=seed).edges)).t()
            made.append(Graph(edge_index=torch.cat([edges, edges.flip(0)], dim=1), num_nodes=nodes))
    return made


def counts(graphs, length):
    dense = torch.zeros(len(graphs), 10, 10)
    for number, graph in enumerate(graphs):
        dense[number, graph.edge_index[0], graph.edge_index[1]] = 1.0
    return node_cycles(dense, length)


def contradictions(colors, values):
    """Neighbors in the order of colors and values that have the same color and another value."""
    order = np.lexsort((values, colors))
    colors, values = colors[order], values[order]
    return int(((colors[1:] == colors[:-1]) & (values[1:] != values[:-1])).sum())


@pytest.mark.parametrize("name", ["1-wl", "swl-vs", "swl-sv", "pswl-vs", "gswl", "sswl"])
def test_cycles_through_nodes(graphs, name):
    """Through a node, 5-cycles separate SSWL from plain subgraph networks (Zhang et al., ICLR 2024)."""
    test = CLASSES[name]
    known = 2 if name == "1-wl" else 4 if name == "swl-vs" else 6
    plain = name == "1-wl"  # to which all nodes of a regular graph are alike
    colors = np.repeat(graph_colors(test, *batch(graphs)), 10) if plain else node_colors(test, *batch(graphs))
    for length in (3, 4, 5, 6):
        assert (contradictions(colors, counts(graphs, length).flatten().numpy()) == 0) == (length <= known)


@pytest.mark.parametrize("name", ["1-wl", "swl-vs", "sswl"])
def test_cycles_of_graphs(graphs, name):
    colors = graph_colors(CLASSES[name], *batch(graphs))
    for length in (3, 4, 5, 6):
        per_graph = counts(graphs, length).sum(1).numpy() / length
        assert (contradictions(colors, per_graph) == 0) == (name != "1-wl")
