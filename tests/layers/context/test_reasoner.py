"""The reasoner against its equations, written out entry by entry; which loss reaches what; R^2."""

import pytest
import torch

from graphkit import testing
from graphkit.layers import ContextReasoner, DirectionalConv, GATConv, GCNConv, SAGEConv, SheafDiffusion
from graphkit.layers.context.reasoner import r_squared
from tests.layers.oracle import assert_same


def made(**arguments):
    torch.manual_seed(0)
    reasoner = ContextReasoner(5, 3, **{"decoded": (4, 2), "injected": 1, "hidden_channels": 6, **arguments}).double().eval()
    for gate in reasoner.gates:
        torch.nn.init.normal_(gate)
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
    inputs = [e, *reasoner.decoders.parameters()]
    decoded = []
    for layer in reasoner.decoders:
        rows = [[sum(w * v for w, v in zip(weight, row, strict=True)) for weight in layer.weight] for row in e]
        decoded.append(torch.stack([torch.stack(row) + layer.bias for row in rows]))
    assert_same(reasoner.decode(e, 0), decoded[0], inputs[:3])
    assert torch.equal(reasoner.decode(e), reasoner.decode(e, 1))
    rows = zip(h, decoded[0], strict=True)
    added = torch.stack([torch.stack([a[c] + reasoner.gates[0][c] * b[c] for c in range(4)]) for a, b in rows])
    torch.testing.assert_close(reasoner.inject(h, e, 0), added, rtol=0, atol=1e-12)


def test_the_reconstruction_is_learned_by_the_reasoner_alone():
    reasoner, e = made(), drawn(7, 3).requires_grad_()
    states = [drawn(7, 4, seed=2).requires_grad_(), drawn(7, 2, seed=3).requires_grad_()]
    expected = 0.0
    for layer, h in zip(reasoner.decoders, states, strict=True):
        errors = [((layer.weight @ row + layer.bias - target) ** 2).sum() for row, target in zip(e, h.detach(), strict=True)]
        expected = expected + sum(errors) / h.numel() / 2
    inputs = [e, *reasoner.decoders.parameters()]
    loss = reasoner.reconstruction(e, states)
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-12)
    ours = torch.autograd.grad(loss, [*inputs, *states], allow_unused=True)
    assert ours[-2] is None and ours[-1] is None  # a state is explained, not bent to be explicable
    torch.testing.assert_close(ours[:-2], torch.autograd.grad(expected, inputs), rtol=0, atol=1e-12)


def test_injection_trains_the_gate_and_not_the_reasoner():
    reasoner, e, h = made(), drawn(7, 3).requires_grad_(), drawn(7, 4, seed=2).requires_grad_()
    wanted = [e, h, reasoner.gates[0], reasoner.decoders[0].weight]
    probe = drawn(7, 4, seed=5)

    def gradients():
        return torch.autograd.grad((reasoner.inject(h, e, 0) * probe).sum(), wanted, allow_unused=True)

    asked = gradients()  # what an explanation asks for, in evaluation mode
    assert all(one is not None for one in asked)
    reasoner.train()
    trained = gradients()
    assert trained[0] is None and trained[3] is None
    torch.testing.assert_close(trained[1:3], asked[1:3], rtol=0, atol=0)


def test_a_network_starts_as_it_would_without_contexts():
    reasoner, h = ContextReasoner(5, 3, decoded=(4,), injected=1), drawn(7, 4).float()
    found = reasoner.inject(h, reasoner(drawn(7, 5).float()), 0)
    assert torch.equal(found, h)
    found.sin().sum().backward()
    assert reasoner.gates[0].grad.count_nonzero() == 4  # yet learns


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
    reasoner, convs = made(decoded=(4, 4), injected=2), [CONVS[name]().double() for _ in range(2)]
    graph = testing.random_graph(4, dtype=torch.float64)
    context = drawn(graph.num_nodes, 5).requires_grad_()
    e = reasoner(context)
    h = graph.x
    for place, conv in enumerate(convs):
        h = reasoner.inject(conv(h, graph.edge_index).relu(), e, place)
    gradient = torch.autograd.grad(h.sin().sum(), [context, *convs[0].parameters()])
    assert all(bool(one.isfinite().all()) for one in gradient) and bool(gradient[0].count_nonzero())


def test_dropout_acts_in_training_alone():
    reasoner, context = made(dropout=0.5).train(), drawn(7, 5)
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
        ({"decoded": (4, 0)}, r"decoded\[1\] must be at least 1"),
        ({"decoded": (), "injected": 0}, "states must be at least 1"),
        ({"injected": 3}, r"injected must lie in \[0, 2\]"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ContextReasoner(5, 3, **{"decoded": (4, 2), **arguments})
