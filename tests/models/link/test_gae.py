"""GAE as a whole against dense algebra in float64."""

import pytest
import torch
import torch.nn.functional as F

from graphkit.models.link.gae import GAE
from graphkit.sparse import CSR
from tests.models.link import dense as small
from tests.models.link.dense import NODES, assert_same, gcn


def graph(num_nodes=20, seed=0):
    """An undirected graph without self-loops whose last three nodes are isolated, and pairs of nodes."""
    generator = torch.Generator().manual_seed(seed)
    dense = torch.rand(num_nodes, num_nodes, generator=generator, dtype=torch.float64).triu(1) > 0.7
    dense[-3:] = False
    dense[:, -3:] = False
    dense = (dense | dense.t()).double()
    return dense, dense.nonzero().t(), torch.randint(num_nodes, (2, 30), generator=generator)


def oracle(model, x, dense, pairs, residual):
    """Two rounds of D^-1/2 (A + I) D^-1/2 X on dense matrices, then the perceptron map by map."""
    looped = dense + torch.eye(dense.size(0), dtype=torch.float64)
    scale = looped.sum(1).rsqrt()
    operator = scale[:, None] * looped * scale
    h = x @ model.encoder.input[0].weight.t() + model.encoder.input[0].bias if x is not None else model.encoder.table[:-1]
    for _ in range(2):
        h = operator @ h + h if residual else operator @ h
    z = h[pairs[0]] * h[pairs[1]]
    for lin, act in zip(model.score.lins, model.score.acts, strict=True):
        z = F.layer_norm(z @ lin.weight.t() + lin.bias, (z.size(1),), act.weight, act.bias).clamp(min=0)
    return z @ model.score.out.weight[0] + model.score.out.bias


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("in_channels", [0, 6])
def test_equals_dense_oracle(in_channels, residual):
    torch.manual_seed(0)
    dense, edge_index, pairs = graph()
    model = GAE(in_channels, 20, hidden_channels=5, num_layers=2, residual=residual, dropout=0.5, head_dropout=0.5)
    model = model.double().eval()
    x = torch.randn(20, 6, dtype=torch.float64) if in_channels else None
    adj = CSR.from_edge_index(edge_index, 20)
    found = model(x, adj, pairs)
    expected = oracle(model, x, dense, pairs, residual)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    leaves = list(model.parameters())
    ours, theirs = (torch.autograd.grad(scores.sin().sum(), leaves) for scores in (found, expected))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


@pytest.mark.parametrize("head_layers", [1, 2, 4])
def test_parameter_count(head_layers):
    model = GAE(7, 20, hidden_channels=5, head_layers=head_layers)
    hidden = 5 * 5 + 5 + 2 * 5  # a linear map, its norm's scale and shift
    assert sum(parameter.numel() for parameter in model.parameters()) == (7 * 5 + 5) + (head_layers - 1) * hidden + 6


def test_settings_reach_their_place():
    model = GAE(
        7, 20, hidden_channels=8, conv="gcn", num_layers=2, encoder_norm=False, head_norm=False, dropout=0.1, head_dropout=0.2
    )
    assert model.encoder.afters[0].weight is None and model.encoder.afters[0].dropout == 0.1
    assert [(act.weight, act.dropout) for act in model.score.acts] == [(None, 0.2)] * 2


@pytest.mark.parametrize("features", [6, 0])
def test_reweighted_message_passing_equals_dense_algebra(features: int) -> None:
    """P, then P with every row's edges weighed up by the scores of the first embeddings; nothing flows back through these."""
    torch.manual_seed(0)
    x, edges, adjacency, pairs = small.graph(features)
    model = GAE(features, NODES, hidden_channels=8, num_layers=2, reweight=0.8, head_layers=2).double().eval()
    operator = gcn(adjacency)
    table = model.encoder.table
    first = table[:NODES] if x is None else x @ model.encoder.input[0].weight.t() + model.encoder.input[0].bias
    with torch.no_grad():
        h = operator @ operator @ first
        every = torch.cartesian_prod(torch.arange(NODES), torch.arange(NODES)).t()
        scores = model.score.head((operator @ h)[every[0]] * h[every[1]]).sigmoid().view(NODES, NODES)
        share = scores.masked_fill(operator == 0, -torch.inf).softmax(dim=1)
        weighted = operator + 0.8 * share * operator.sum(1, keepdim=True)
    h = weighted @ weighted @ first
    expected = model.score.head(h[pairs[0]] * h[pairs[1]])
    assert_same(model(x, CSR.from_edge_index(edges, NODES), pairs), expected, list(model.parameters()))


def test_reweighting_goes_with_one_convolution() -> None:
    with pytest.raises(ValueError, match=r"reweight=0.5 goes with conv=puregcn, not with gcn"):
        GAE(4, 5, reweight=0.5, conv="gcn")
