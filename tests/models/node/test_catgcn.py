from __future__ import annotations

import torch

from graphkit import testing
from graphkit.models.node.catgcn import CatGCN
from tests.layers.conv.test_catgcn import by_nodes
from tests.layers.oracle import assert_same, dense_operator, messy_graph


def test_equals_a_dense_forward() -> None:
    """Interactions inside every node, then propagation of the scores without parameters."""
    edge_index, n = messy_graph()
    model = CatGCN(6, 3, hidden_channels=4, num_layers=2, num_hops=2, probe=0.5, balance=0.4).double().eval()
    x = (torch.rand(n, 6) < 0.4).double()
    a = dense_operator(edge_index, n, None, "gcn")
    expected = a @ a @ by_nodes(model.interactions, x)
    assert_same(model(x, edge_index), expected, list(model.parameters()))


def test_keeps_the_properties_of_its_layers() -> None:
    testing.assert_permutation_equivariant(lambda: CatGCN(4, 3, hidden_channels=5))
    testing.assert_isolated_nodes(lambda: CatGCN(4, 3, hidden_channels=5))


def test_dropout_acts_only_in_training() -> None:
    edge_index, n = messy_graph()
    x, model = torch.ones(n, 4), CatGCN(4, 3, dropout=0.5)
    assert not torch.equal(model(x, edge_index), model(x, edge_index))
    assert torch.equal(model.eval()(x, edge_index), model(x, edge_index))
