"""Counts of patterns against a search over tuples of nodes."""

import itertools
import math

import networkx as nx
import pytest
import torch

from graphkit.data.measures.cycles import CYCLES, edge_cycles, graph_cycles, node_cycles, stars, tailed_triangles


def graphs():
    """Complete, bipartite, empty and random graphs of 7 nodes."""
    made = [nx.complete_graph(7), nx.complete_bipartite_graph(3, 4), nx.empty_graph(7), nx.cycle_graph(7), nx.star_graph(6)]
    return [*made, *(nx.gnp_random_graph(7, share, seed=seed) for seed, share in enumerate((0.3, 0.5, 0.5, 0.7)))]


def matrices():
    return torch.stack([torch.from_numpy(nx.to_numpy_array(graph, nodelist=range(7))) for graph in graphs()])


def cycles(graph, length):
    """Every cycle once: as the sequence that begins with its least node and goes on to the lesser neighbor."""
    for nodes in itertools.permutations(graph, length):
        closed = zip(nodes, (*nodes[1:], nodes[0]), strict=True)
        if nodes[0] == min(nodes) and nodes[1] < nodes[-1] and all(graph.has_edge(*edge) for edge in closed):
            yield nodes


@pytest.mark.parametrize("length", CYCLES)
def test_cycles_through_edges_nodes_and_graphs(length):
    by_edge, by_node, by_graph = (count(matrices(), length) for count in (edge_cycles, node_cycles, graph_cycles))
    for number, graph in enumerate(graphs()):
        found = list(cycles(graph, length))
        assert by_graph[number] == len(found)
        assert by_node[number].tolist() == [sum(v in one for one in found) for v in range(7)]
        edges = torch.zeros(7, 7, dtype=torch.float64)
        for one in found:
            for u, v in zip(one, (*one[1:], one[0]), strict=True):
                edges[u, v] += 1
                edges[v, u] += 1
        assert torch.equal(by_edge[number], edges)


def test_closed_forms_and_blocks_of_work(monkeypatch):
    a = matrices()
    square = a @ a
    trace = torch.stack([(square @ a).diagonal(dim1=1, dim2=2).sum(1) / 6, ((square @ square).diagonal(dim1=1, dim2=2).sum(1)
             + square.diagonal(dim1=1, dim2=2).sum(1) - 2 * square.sum((1, 2))) / 8])  # fmt: skip
    assert torch.equal(torch.stack([graph_cycles(a, 3), graph_cycles(a, 4)]), trace)
    whole = edge_cycles(a, 6)
    monkeypatch.setattr("graphkit.data.measures.cycles._CHUNK", 100)
    assert torch.equal(edge_cycles(a, 6), whole)
    assert graph_cycles(a, 6)[0] == math.comb(7, 6) * math.factorial(5) / 2


def test_tailed_triangles_and_stars():
    for number, graph in enumerate(graphs()):
        tails = sum(len(set(graph[corner]) - set(one)) for one in cycles(graph, 3) for corner in one)
        claws = sum(math.comb(graph.degree[v], 3) for v in graph)
        assert tailed_triangles(matrices())[number] == tails and stars(matrices())[number] == claws


def test_other_lengths_are_refused():
    with pytest.raises(ValueError, match="length must be one of 3, 4, 5, 6, got 7"):
        edge_cycles(matrices(), 7)
    assert edge_cycles(torch.zeros(2, 0, 0), 5).shape == (2, 0, 0)
