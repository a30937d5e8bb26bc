"""Cliques against networkx's, which lists them one by one; components against a search from every node."""

from __future__ import annotations

import itertools

import networkx as nx
import pytest
import torch
from torch import Tensor

from graphkit.sparse import CSR
from graphkit.sparse.graph_measures import clique_pairs, cliques, connected_components
from tests.layers.oracle import messy_graph


def counted(edge_index: Tensor, n: int, size: int) -> Tensor:
    graph = nx.Graph(edge_index.t().tolist())
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    graph.add_nodes_from(range(n))
    found = torch.zeros(n, n, dtype=torch.float64)
    for clique in nx.enumerate_all_cliques(graph):
        if len(clique) == size:
            for i, j in itertools.product(clique, repeat=2):
                found[i, j] += 1
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_pairs_in_cliques_equal_those_of_a_list_of_cliques(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    for edge_index, n in (messy_graph(), (torch.randint(14, (2, 70), generator=generator), 15)):
        expected = counted(edge_index, n, size)
        whole = clique_pairs(CSR.from_edge_index(edge_index, n), size)
        assert torch.equal(whole.to_dense(), expected) and whole.nnz == int((expected > 0).sum())
        assert whole.symmetric and torch.equal(whole.t().to_dense(), expected)
        with monkeypatch.context() as patch:  # blocks of a node or two
            patch.setattr(cliques, "_BLOCK", 2)
            assert torch.equal(clique_pairs(CSR.from_edge_index(edge_index, n), size).to_dense(), expected)


def test_graphs_without_cliques_and_wrong_sizes() -> None:
    empty = CSR.from_edge_index(torch.empty(2, 0, dtype=torch.long), 3)
    assert [clique_pairs(empty, size).nnz for size in (1, 2, 3)] == [3, 0, 0]
    assert clique_pairs(CSR.from_edge_index(torch.empty(2, 0, dtype=torch.long), 0), 2).shape == (0, 0)
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        clique_pairs(empty, 0)


def test_absent_entries_do_not_count() -> None:
    adj = CSR.from_edge_index(torch.tensor([[0, 1, 2], [1, 2, 0]]), 3)
    assert clique_pairs(adj, 3).nnz == 9 and clique_pairs(adj.without(torch.tensor([0])), 3).nnz == 0
    assert connected_components(adj.without(torch.tensor([0, 1]))).unique().numel() == 2


def test_components() -> None:
    edge_index, n = messy_graph()
    edge_index = edge_index[:, :7]
    graph = nx.Graph(edge_index.t().tolist())
    graph.add_nodes_from(range(n))
    found = connected_components(CSR.from_edge_index(edge_index, n))
    groups = {frozenset((found == label).nonzero().view(-1).tolist()) for label in range(int(found.max()) + 1)}
    assert groups == {frozenset(part) for part in nx.connected_components(graph)}
    with pytest.raises(ValueError, match="components need a square operator"):
        connected_components(CSR.from_edge_index(edge_index, (n, n + 1)))
