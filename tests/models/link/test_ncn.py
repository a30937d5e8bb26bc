"""NCN: the published parameter counts, and the whole model against a dense oracle."""

import pytest
import torch

from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.models.link.ncn import NCN
from graphkit.sparse import CSR

DDI = {
    "hidden_channels": 224,
    "conv": "puresum",
    "residual": True,
    "tail_activation": False,
    "two_layer_head": True,
    "dropout": 0.4,
    "head_dropout": 0.6,
}
PPA = {"hidden_channels": 64, "num_layers": 3, "conv": "gcn", "residual": True, "transform_pooled": False}
PLANETOID = {"hidden_channels": 256, "jumping_knowledge": True}


@pytest.mark.parametrize(
    ("settings", "in_channels", "num_nodes", "expected"),
    [
        (DDI, 0, 4267, 1_412_098),
        (PPA, 0, 57, 33_538),  # a table of 58 rows: one a species
        (PLANETOID, 1433, 2708, 764_163),
        ({**PLANETOID, "two_layer_head": True}, 3703, 3327, 1_411_587),
        (PLANETOID, 500, 19717, 525_315),
    ],
    ids=["ddi", "ppa", "cora", "citeseer", "pubmed"],
)
def test_published_parameter_counts(settings, in_channels, num_nodes, expected):
    model = NCN(in_channels, num_nodes, **settings)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def dense_adjacency(edge_index, n):
    adjacency = torch.zeros(n, n, dtype=torch.float64)
    adjacency[edge_index[1], edge_index[0]] = 1.0
    return adjacency


@pytest.mark.parametrize("conv", ["puregcn", "puresum", "puremean"])
def test_encoder_equals_dense_oracle(conv):
    torch.manual_seed(0)
    n = 20
    edge_index = torch.randint(n - 3, (2, 60))
    edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    edge_index = edge_index[:, edge_index[0] != edge_index[1]]
    model = NCN(6, n, hidden_channels=5, num_layers=2, conv=conv, residual=True, jumping_knowledge=True).double().eval()
    x = torch.randn(n, 6, dtype=torch.float64)
    a = dense_adjacency(edge_index, n)
    if conv == "puregcn":
        a = a + torch.eye(n, dtype=torch.float64)
        scale = a.sum(1).rsqrt()
        a = scale[:, None] * a * scale
    elif conv == "puremean":
        a = a / a.sum(1, keepdim=True).clamp(min=1)
    encoder = model.encoder
    h0 = x @ encoder.input[0].weight.t() + encoder.input[0].bias
    h1 = a @ h0 + h0
    h2 = a @ h1 + h1
    expected = encoder.jump[0] * h1 + encoder.jump[1] * h2
    found = encoder(x, CSR.from_edge_index(edge_index, n, duplicates="first"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_single_weighted_layer_is_activated_and_the_last_of_several_is_bare():
    torch.manual_seed(0)
    adj = CSR.from_edge_index(torch.tensor([[0, 1], [1, 0]]), 3)
    x = torch.randn(3, 4)
    one = NCN(4, 3, hidden_channels=6, num_layers=1, conv="gcn").eval().encoder(x, adj)
    two = NCN(4, 3, hidden_channels=6, num_layers=2, conv="gcn").eval().encoder(x, adj)
    assert (one >= 0).all()
    assert (two < 0).any()


def test_recipes_give_the_published_counts():
    """The recipe that `model=ncn` gets on ogbl-ddi builds the published model."""
    from graphkit.conf.arguments import split
    from graphkit.data.catalog import DATASETS
    from graphkit.tasks.make_model import arguments

    settings = compose(check(split(["task=link", "dataset=ogbl-ddi", "model=ncn"]).assignments, DATASETS)).run
    model = NCN(0, 4267, **arguments(settings.model))
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_412_098
    assert (settings.train.epochs, settings.train.batch_size) == (100, 24576)
