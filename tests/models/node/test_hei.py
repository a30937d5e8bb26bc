"""HEI: patterns and penalty against loops and autograd, who moves in which stage, and the defect of the public penalty."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from graphkit.conf.catalog import MODELS
from graphkit.models.node.base import NodeView
from graphkit.models.node.hei import HEI, invariance_penalty, neighborhood_pattern
from graphkit.sparse import CSR, as_csr, sparse_features
from graphkit.tasks.build import model_maker
from tests.layers.oracle import messy_graph

WIDTH, CLASSES = 6, 3


def model_of(backbone="gcn", **settings):
    edge_index, n = messy_graph()
    torch.manual_seed(0)
    chosen = MODELS["node"]["hei"].settings_on(backbone)(**settings)
    model = model_maker("node", chosen)(in_channels=WIDTH, out_channels=CLASSES, num_nodes=n).double().eval()
    assert isinstance(model, HEI)
    x = torch.rand(n, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = torch.where(torch.arange(n) % 3 == 0, -1, torch.arange(n) % CLASSES)
    view = NodeView(x, as_csr(edge_index, n), y)
    model.fit(view)
    return model, view


def test_neighborhood_pattern_equals_a_loop():
    _, view = model_of()
    x = torch.where(view.x < 0.9, 0.0, view.x)
    expected = []
    for v in range(len(x)):
        near = view.adj.col[view.adj.rowptr[v] : view.adj.rowptr[v + 1]].tolist()
        expected.append(sum(float((x[v] - x[u]).norm()) for u in near) / len(near) if near else 0.0)
    for given in (x, sparse_features(x)):
        torch.testing.assert_close(
            neighborhood_pattern(given, view.adj), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-7
        )


def draw():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    weights = torch.rand(7, 3, dtype=torch.float64, generator=generator)
    return logits, torch.tensor([0, 1, 2, 3, 0, 1, 2]), weights


def by_autograd(logits, y, weights):
    """The definition: a scale of the logits, and its derivative per environment."""
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    losses = F.cross_entropy(scale * logits, y, reduction="none")
    total = torch.zeros((), dtype=torch.float64)
    for e in range(weights.size(1)):
        total = total + torch.autograd.grad((weights[:, e] * losses).mean(), scale, create_graph=True)[0] ** 2
    return total


def test_the_penalty_is_the_derivative_by_a_scale_of_logits():
    logits, y, weights = draw()
    ours, theirs = invariance_penalty(logits, y, weights), by_autograd(logits, y, weights)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    a, b = (torch.autograd.grad(one, logits)[0] for one in (ours, theirs))
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_the_penalty_is_not_the_squared_loss():
    """The public code scales log-probabilities under a linear loss: its penalty is the squared loss of each environment."""
    logits, y, weights = draw()
    scaled = F.nll_loss(logits.log_softmax(1), y, reduction="none")
    defect = (weights * scaled[:, None]).mean(0).square().sum()
    assert not torch.allclose(invariance_penalty(logits, y, weights), defect, rtol=0.2)


def test_the_environments_learn_first_and_then_hold():
    model, view = model_of(infer_epochs=5, penalty=3.0, environments=3)
    infer, invariant = model.stages(view, lambda *_: torch.zeros(()), lr=0.1, head_lr=None)
    assert (infer.epochs, infer.selects, invariant.epochs, invariant.selects) == (5, False, None, True)
    moves = [{id(p) for group in stage.groups for p in group["params"]} for stage in (infer, invariant)]
    own = {id(p) for p in model.inference.parameters()}
    assert own <= moves[0] and not own & moves[1] and moves[0] - own == moves[1]
    # The first stage: the model descends the plain loss, the environments ascend the penalty.
    assert infer.step is not None
    infer.step(model, view.nodes, lambda loss: loss.backward())
    y = view.y[view.nodes]
    logits = model(view.x, view.adj)[view.nodes]
    head = torch.autograd.grad(F.cross_entropy(logits, y), model.head.weight)[0]
    torch.testing.assert_close(model.head.weight.grad, head)
    rising = invariance_penalty(logits.detach(), y, model.environments_of(view.nodes))
    first = model.inference[0].weight
    torch.testing.assert_close(first.grad, -torch.autograd.grad(rising, first)[0])
    # The second: (loss + 3 penalty) / 4, and nothing reaches the environments.
    shares = model.environments_of(view.nodes).detach()
    expected = (F.cross_entropy(logits, y) + 3 * by_autograd(logits, y, shares)) / 4
    loss = model.training_loss(view, view.nodes)
    torch.testing.assert_close(loss, expected)
    assert torch.autograd.grad(loss, first, allow_unused=True) == (None,)
    assert shares.shape == (len(view.nodes), 3)


def test_patterns_are_standardized_by_training_nodes():
    model, view = model_of()
    z = model._pattern[view.nodes]
    torch.testing.assert_close((z.mean(), z.std(correction=0)), (torch.zeros(()).double(), torch.ones(()).double()))


@pytest.mark.parametrize("backbone", ["gcn", "linkx", "adpa"])
def test_any_backbone_and_permutation_equivariance(backbone):
    model, view = model_of(backbone)
    assert model(view.x, view.adj).shape == (len(view.y), CLASSES)
    if backbone == "linkx":  # bound to its nodes
        return
    order = torch.randperm(len(view.y), generator=torch.Generator().manual_seed(0))
    moved = CSR.from_edge_index(order.argsort()[view.adj.edge_index()], len(order), view.adj.weights(torch.float64))
    torch.testing.assert_close(model(view.x[order], moved), model(view.x, view.adj)[order], rtol=0, atol=1e-10)
    torch.testing.assert_close(neighborhood_pattern(view.x[order], moved), neighborhood_pattern(view.x, view.adj)[order])
