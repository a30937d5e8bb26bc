"""The reasoner against its equations, written out entry by entry; which loss reaches what; R^2."""

import pytest
import torch

from graphkit import testing
from graphkit.layers import ContextReasoner, DirectionalConv, GATConv, GCNConv, SAGEConv, SheafDiffusion
from graphkit.layers.context.reasoner import r_squared
from tests.layers.oracle import assert_same


def made(**arguments):
    torch.manual_seed(0)
    reasoner = ContextReasoner(5, 3, 4, **{"hidden_channels": 6, "injected": (4, 2), **arguments}).double()
    for layer in reasoner.injection:
        torch.nn.init.normal_(layer.weight)
    return reasoner


def drawn(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_hand(reasoner, context):
    """e, entry by entry."""
    first, second = reasoner.encoder
    rows = []
    for c in context:
        inner = [(first.weight[i] * c).sum() + first.bias[i] for i in range(6)]
        inner = [torch.where(v > 0, v, torch.zeros_like(v)) for v in inner]
        rows.append(torch.stack([sum(second.weight[o, i] * inner[i] for i in range(6)) + second.bias[o] for o in range(3)]))
    return torch.stack(rows)


def test_explanation_equals_an_oracle():
    reasoner, context = made(), drawn(7, 5).requires_grad_()
    assert isinstance(reasoner, ContextReasoner)
    assert_same(reasoner(context), by_hand(reasoner, context), [context, *reasoner.encoder.parameters()])


def test_decoder_and_injection_equal_an_oracle():
    reasoner, e, h = made(), drawn(7, 3).requires_grad_(), drawn(7, 4, seed=2).requires_grad_()
    weight, bias = reasoner.decoder.weight, reasoner.decoder.bias
    decoded = torch.stack(
        [torch.stack([sum(weight[o, k] * row[k] for k in range(3)) + bias[o] for o in range(4)]) for row in e]
    )
    assert_same(reasoner.decode(e), decoded, [e, weight, bias])
    injection, added = reasoner.injection[0].weight, []
    for state, row in zip(h, e, strict=True):
        added.append(torch.stack([state[o] + sum(injection[o, k] * row[k] for k in range(3)) for o in range(4)]))
    assert_same(reasoner.inject(h, e, 0), torch.stack(added), [h, e, injection])
    decoded = e @ weight.t() + bias  # as it has just been found to be
    squares = [(decoded[i, o] - h[i, o]) ** 2 for i in range(7) for o in range(4)]
    loss = reasoner.reconstruction(e, h)
    torch.testing.assert_close(loss, sum(squares) / 28, rtol=0, atol=1e-12)
    gradient = torch.autograd.grad(loss, [e, weight, h], allow_unused=True)
    assert gradient[2] is None  # the embedding is explained, not bent to be explicable
    torch.testing.assert_close(gradient[:2], torch.autograd.grad(sum(squares) / 28, [e, weight]), rtol=0, atol=1e-12)


def test_a_network_starts_as_it_would_without_contexts():
    reasoner = ContextReasoner(5, 3, 4, injected=(4,))
    h = drawn(7, 4).float()
    assert torch.equal(reasoner.inject(h, reasoner(drawn(7, 5).float()), 0), h)
    h = reasoner.inject(h, reasoner(drawn(7, 5).float()), 0)
    h.sin().sum().backward()
    assert reasoner.injection[0].weight.grad.count_nonzero() > 0  # yet learns


CONVS = {
    "gcn": lambda: GCNConv(4, 4),
    "gat": lambda: GATConv(4, 4),
    "sage": lambda: SAGEConv(4, 4),
    "sheaf": lambda: SheafDiffusion(4, 2),
    "directed": lambda: DirectionalConv(4, 4),
}


@pytest.mark.parametrize("name", sorted(CONVS))
def test_goes_between_any_convolutions(name):
    torch.manual_seed(0)
    reasoner, convs = made(injected=(4, 4)), [CONVS[name]().double() for _ in range(2)]
    graph = testing.random_graph(4, dtype=torch.float64)
    context = drawn(graph.num_nodes, 5).requires_grad_()
    e = reasoner(context)
    h = graph.x
    for place, conv in enumerate(convs):
        h = reasoner.inject(conv(h, graph.edge_index).relu(), e, place)
    gradient = torch.autograd.grad(h.sin().sum(), [context, *convs[0].parameters()])
    assert all(bool(one.isfinite().all()) for one in gradient) and bool(gradient[0].count_nonzero())


def test_dropout_acts_in_training_alone():
    reasoner, context = made(dropout=0.5), drawn(7, 5)
    assert not torch.equal(reasoner(context), reasoner(context))
    assert torch.equal(reasoner.eval()(context), reasoner(context))


def test_r_squared_is_the_rebuilt_share_of_the_variance():
    h = drawn(9, 3)
    mean = h.mean(0).expand_as(h)
    assert r_squared(h, h) == 1.0 and r_squared(mean, h) == pytest.approx(0.0)
    half = 0.5 * h + 0.5 * mean
    spread = sum(float((row - h.mean(0)).square().sum()) for row in h)
    missed = sum(float((row - other).square().sum()) for row, other in zip(h, half, strict=True))
    assert r_squared(half, h) == pytest.approx(1.0 - missed / spread) == pytest.approx(0.75)
    assert r_squared(-h, h) < 0.0 and r_squared(torch.ones(4, 2), torch.ones(4, 2)) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dropout": 1.0}, "dropout must lie in"),
        ({"hidden_channels": 0}, "hidden_channels must be at least 1"),
        ({"injected": (4, 0)}, r"injected\[1\] must be at least 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ContextReasoner(5, 3, 4, **arguments)
