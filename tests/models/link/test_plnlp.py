"""PLNLP as a whole against dense algebra in float64, and its loss against a loop over positives and their negatives."""

from __future__ import annotations

import pytest
import torch

from graphkit.conf.models.link import GAEModel, PLNLPModel
from graphkit.conf.schema import LinkTask
from graphkit.models.link.plnlp import PLNLP, SAGEEncoder
from graphkit.sparse import CSR
from tests.models.link.dense import NODES, assert_same, graph
from tests.tasks.links import first_batch, make_task, new_model, planted


@pytest.mark.parametrize(("features", "num_layers", "head_layers"), [(6, 2, 2), (0, 3, 1)])
def test_equals_dense_oracle(features: int, num_layers: int, head_layers: int) -> None:
    torch.manual_seed(0)
    x, edges, adjacency, pairs = graph(features)
    model = PLNLP(features, NODES, hidden_channels=5, num_layers=num_layers, head_layers=head_layers).double().eval()
    mean = adjacency / adjacency.sum(1, keepdim=True).clamp(min=1)
    h = model.encoder.input.table if x is None else x
    for conv in model.encoder.convs:
        h = (mean @ h @ conv.lin_l.weight.t() + conv.lin_l.bias + h @ conv.lin_r.weight.t()).clamp(min=0)
    z = h[pairs[0]] * h[pairs[1]]
    for lin in model.score.lins:
        z = lin(z).clamp(min=0)
    assert_same(model(x, CSR.from_edge_index(edges, NODES), pairs), model.score.out(z).squeeze(1), list(model.parameters()))


@pytest.mark.parametrize("micro_batch", [0, 1, 7, 4096])
@pytest.mark.parametrize("negatives", [1, 3])
@pytest.mark.parametrize("model", [PLNLPModel(hidden_channels=8), GAEModel(hidden_channels=8)], ids=lambda model: model.name)
def test_loss_and_gradient_equal_a_loop(model, negatives: int, micro_batch: int) -> None:
    """Of the pairwise loss, and of the default with several negatives per positive, in blocks of any size."""
    task = make_task(planted(5), model, LinkTask(micro_batch=micro_batch, num_negatives=negatives), batch_size=16)
    net, batch = new_model(task).double().eval(), first_batch(task)
    assert batch.negative.shape == (2, 16 * negatives)
    loss = task.step(net, batch, lambda one: one.backward())
    found = [parameter.grad for parameter in net.parameters()]
    adj = task._adj.without(batch.entries, mirror=True)
    positive, negative = (net(task._x, adj, pairs) for pairs in (batch.positive, batch.negative))
    terms = []
    for k in range(16):
        mine = [negative[k * negatives + other] for other in range(negatives)]
        if model.name == "plnlp":
            terms += [(1 - (positive[k] - one)) ** 2 for one in mine]
        else:
            terms += [-positive[k].sigmoid().log(), *(-(1 - one.sigmoid()).log() / negatives for one in mine)]
    expected = sum(terms) / 16
    torch.testing.assert_close(loss, expected.detach(), rtol=0, atol=1e-9)
    for a, b in zip(found, torch.autograd.grad(expected, list(net.parameters())), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_dropout_acts_before_the_head_and_in_it_in_training_only() -> None:
    torch.manual_seed(0)
    x, edges, _, pairs = graph()
    adj, model = CSR.from_edge_index(edges, NODES), PLNLP(6, NODES, hidden_channels=8, dropout=0.5).double()
    nodes = model.eval().encode(x, adj)
    features = model.pair_features(nodes, adj, pairs)
    assert torch.equal(model.head(*features), model.head(*features))
    model.train()
    assert not torch.equal(model.head(*features), model.head(*features))
    assert not torch.equal(model.encode(x, adj)[0], nodes[0])
    with torch.no_grad():
        model.score.lins[0].weight.copy_(torch.eye(8))
        model.score.lins[0].bias.zero_()
        model.score.out.weight.fill_(1.0)
        model.score.out.bias.zero_()
        ones = torch.ones(4000, 8, dtype=torch.float64)
        assert abs(float(model.head(ones).mean()) - 8.0) < 0.2  # each of 8 entries kept twice with 1/2, and then 4
        assert float((model.head(ones) > 0).double().mean()) < 1.0


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="num_layers must be at least 1"):
        SAGEEncoder(3, NODES, 4, num_layers=0)
