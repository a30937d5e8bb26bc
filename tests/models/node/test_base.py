"""What every node model promises: logits are its head on what `embed` gives, whatever head that is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from graphkit.conf.catalog import MODELS
from graphkit.conf.models.node import AIRModel, DirGNNModel, GATModel, GCNModel, LINKXModel, MLPModel, SAGEModel, SheafModel
from graphkit.models.node.base import NodeModel
from graphkit.sparse import as_csr, sparse_features
from graphkit.tasks.build import model_maker
from tests.layers.oracle import messy_graph

WIDTH, CLASSES = 6, 3
CASES = {
    **{name: entry.settings() for name, entry in MODELS["node"].items()},
    "gcn, one layer": GCNModel(num_layers=1),
    "gcn, linear head": GCNModel(linear_head=True, pre_linear=True, hidden_channels=5, norm="layer", residual="identity"),
    "sage, one layer": SAGEModel(num_layers=1),
    "gat, three layers": GATModel(num_layers=3, hidden_channels=16, residual="linear"),
    "mlp, one layer": MLPModel(num_layers=1),
    "linkx, one layer": LINKXModel(num_layers=1, hidden_channels=4),
    "dir-gnn, none": DirGNNModel(jumping_knowledge="none", num_layers=3, hidden_channels=4),
    "dir-gnn, one layer": DirGNNModel(jumping_knowledge="none", num_layers=1),
    "dir-gnn, cat": DirGNNModel(jumping_knowledge="cat", num_layers=3, hidden_channels=4, normalize=True),
    "air, appnp": AIRModel(base="appnp", num_hops=2),
    "air, gcn": AIRModel(base="gcn", num_hops=3, hidden_channels=4),
    "sheaf, five": SheafModel(maps="general", low_pass=True, high_pass=True, second_linear=True, hidden_channels=4),
}
FEATURES_ALONE = ("gcn, one layer", "sage, one layer", "mlp, one layer", "dir-gnn, one layer")
"""Models that are their head, which is given the features."""


def model_of(case: str, num_nodes: int) -> NodeModel:
    settings: Any = CASES[case]
    torch.manual_seed(0)
    return model_maker("node", settings)(in_channels=WIDTH, out_channels=CLASSES, num_nodes=num_nodes).double().eval()


def features(num_nodes: int) -> torch.Tensor:
    """Mostly zeros, not all of them one."""
    x = torch.rand(num_nodes, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return torch.where(x < 0.8, 0.0, x)


@pytest.mark.parametrize("case", CASES)
def test_logits_are_the_head_on_the_embedding(case: str) -> None:
    edge_index, n = messy_graph()
    x, model = features(n), model_of(case, n)
    h = model.embed(x, edge_index)
    assert h.shape == (n, model.embedding_channels) and torch.equal(h, x) == (case in FEATURES_ALONE)
    expected = model.head(h, as_csr(edge_index, n)) if model.head_takes_graph else model.head(h)
    torch.testing.assert_close(model(x, edge_index), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(model.embed(sparse_features(x, density=1.0), edge_index), h, rtol=0, atol=1e-12)
    model.train()
    torch.manual_seed(3)
    h = model.embed(x, edge_index)
    expected = model.head(h, as_csr(edge_index, n)) if model.head_takes_graph else model.head(h)
    torch.manual_seed(3)
    torch.testing.assert_close(model(x, edge_index), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_another_head_takes_the_place_of_the_last_layer(case: str) -> None:
    edge_index, n = messy_graph()
    x, model = features(n), model_of(case, n)
    h, old = model.embed(x, edge_index), list(model.head.parameters())
    head = nn.Bilinear(model.embedding_channels, model.embedding_channels, 2, bias=False).double()
    model.replace_head(Squares(head))
    assert model.head.inner is head
    assert not {id(one) for one in old} & {id(one) for one in model.parameters()}
    expected = torch.einsum("ni,cij,nj->nc", h, head.weight, h)
    found = model(x, edge_index)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    body = [one for name, one in model.named_parameters() if "inner" not in name]
    assert bool(body) == (case not in FEATURES_ALONE)
    if not body:
        return
    gradients = [torch.autograd.grad(out.sin().sum(), body, allow_unused=True) for out in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-9)


class Squares(nn.Module):
    """A head that is no linear map of h."""

    def __init__(self, inner: nn.Bilinear) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return self.inner(h, h)


def test_the_trait_of_reading_edges_both_ways_is_said_by_the_class() -> None:
    said = {name: model_maker("node", entry.settings()).model_class.undirected for name, entry in MODELS["node"].items()}
    assert {name for name, undirected in said.items() if undirected} == {"sheaf", "polynsd", "dgmlp", "higcn"}


@pytest.mark.parametrize("case", MODELS["node"])
def test_a_model_reads_edges_both_ways_if_it_says_so(case: str) -> None:
    """Turning edges around changes nothing for it, nor for a model that sees no edge."""
    edge_index, n = messy_graph()
    edge_index = edge_index.unique(dim=1)
    x, model = features(n), model_of(case, n)
    same = torch.allclose(model(x, edge_index), model(x, edge_index.flip(0)), rtol=0, atol=1e-9)
    assert same == (model.undirected or case == "mlp")
