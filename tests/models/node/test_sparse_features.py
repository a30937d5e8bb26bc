"""Every model makes of sparse features what it makes of the same features as a dense tensor."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graphkit.conf.catalog import MODELS
from graphkit.conf.models.node import (
    ADPAModel,
    AIRModel,
    DirGNNModel,
    GATModel,
    GCNModel,
    LINKXModel,
    MLPModel,
    SAGEModel,
    SheafModel,
)
from graphkit.layers import Dropout, FeatureLinear
from graphkit.sparse import CSR, sparse_features
from graphkit.tasks.build import model_maker
from tests.layers.oracle import messy_graph

WIDE, NARROW = 40, 3  # wider and narrower than the hidden layers
CASES = {
    **{name: entry.settings() for name, entry in MODELS["node"].items()},
    "gcn, one layer": GCNModel(num_layers=1),
    "gcn, pre_linear": GCNModel(pre_linear=True, residual="linear", linear_head=True),
    "gcn, linear residual": GCNModel(residual="linear"),
    "mlp, identity residual": MLPModel(residual="identity", hidden_channels=WIDE),
    "sage, linear residual": SAGEModel(residual="linear", hidden_channels=8),
    "gat, one layer": GATModel(num_layers=1),
    "linkx, deep": LINKXModel(num_node_layers=2),
    "adpa, deep": ADPAModel(num_hops=3, num_layers=2, pattern_attention="node"),
    "adpa, one hop": ADPAModel(num_hops=1, decay=False),
    "dir-gnn, gcn": DirGNNModel(conv="gcn"),
    "dir-gnn, gat": DirGNNModel(conv="gat"),
    "dir-gnn, one layer": DirGNNModel(num_layers=1, jumping_knowledge="none"),
    "air, appnp": AIRModel(base="appnp"),
    "air, gcn": AIRModel(base="gcn", num_hops=2),
    "sheaf, general": SheafModel(maps="general", second_linear=True, stalk_dim=2),
}


def _model(case: str, width: int, num_nodes: int) -> nn.Module:
    settings: Any = CASES[case]
    torch.manual_seed(0)
    return model_maker("node", settings)(in_channels=width, out_channels=3, num_nodes=num_nodes)


def _bags(num_nodes: int, width: int) -> Tensor:
    """Mostly zeros; a row and a column of zeros among them."""
    x = torch.rand(num_nodes, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[x < 0.95] = 0.0
    x[2], x[:, 0] = 0.0, 0.0
    return x


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("case", CASES)
def test_sparse_features_give_what_dense_ones_give(case: str, width: int) -> None:
    edge_index, n = messy_graph()
    model = _model(case, width, n).double().eval()
    x = _bags(n, width)
    sparse = sparse_features(x, density=1.0)
    assert isinstance(sparse, CSR)
    found, gradients = [], []
    for features in (sparse, x):
        out = model(features, edge_index)
        found.append(out)
        gradients.append(torch.autograd.grad(out.sin().sum(), list(model.parameters()), allow_unused=True))
    torch.testing.assert_close(*found, rtol=0, atol=1e-12)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


HIDDEN_ALONE = ("dir-gnn", "adpa", "catgcn")  # what these drop


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith(HIDDEN_ALONE)])
def test_features_are_dropped_in_training_alone(case: str) -> None:
    edge_index, n = messy_graph()
    model = _model(case, WIDE, n)
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = 0.0
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0
    first = next(module for module in model.modules() if hasattr(module, "input_dropout") or type(module) is FeatureLinear)
    if isinstance(first, FeatureLinear):
        first.dropout = 0.9
    else:
        first.input_dropout.p = 0.9
    x = sparse_features(_bags(n, WIDE).float())
    outs = [model.train()(x, edge_index) for _ in range(2)]
    assert not torch.allclose(*outs)
    torch.testing.assert_close(*(model.eval()(x, edge_index) for _ in range(2)))
