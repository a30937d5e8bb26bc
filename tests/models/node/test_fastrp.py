"""FastRP with logistic regression: the regression's optimum, classes without a training node, the random matrix."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from graphkit.models.node.base import NodeView
from graphkit.models.node.fastrp import FastRPModel, walk_weights
from graphkit.sparse import as_csr
from graphkit.sparse.graph_measures import fast_random_projection, random_projection
from tests.layers.oracle import messy_graph


def fitted(classes, num_classes, **settings):
    edge_index, n = messy_graph()
    torch.manual_seed(0)
    model = FastRPModel(num_classes, channels=4, **settings).double()
    y = torch.where(torch.arange(n) % 4 == 0, -1, torch.tensor(classes)[torch.arange(n) % len(classes)])
    view = NodeView(torch.rand(n, 2), as_csr(edge_index, n), y)
    model.fit(view)
    return model, view


@pytest.mark.parametrize(("classes", "num_classes"), [([0, 1, 2], 3), ([0, 3, 1], 4), ([1, 2], 3)])
def test_the_head_is_the_optimum_of_the_penalized_loss(classes, num_classes):
    model, view = fitted(classes, num_classes, c=0.7)
    logits = model(view.x, view.adj)
    assert set(logits[:, classes].argmax(1).tolist()) <= set(range(len(classes)))
    absent = [c for c in range(num_classes) if c not in classes]
    assert float(logits.softmax(1)[:, absent].sum()) == 0.0
    u = fast_random_projection(
        view.adj, random_projection(len(view.y), 4, seed=int(model.seed)).double(), weights=(0, 0, 1, 4), exponent=-0.5
    )
    torch.testing.assert_close(model.embed(view.x, view.adj), u)
    weight, bias = model.head.weight[classes].clone().requires_grad_(), model.head.bias[classes].clone().requires_grad_()
    y = torch.tensor([classes.index(c) for c in view.y[view.nodes].tolist()])
    loss = 0.7 * F.cross_entropy(u[view.nodes] @ weight.t() + bias, y, reduction="sum")
    loss = loss + weight.square().sum() / 2 if len(classes) > 2 else loss + (weight[1] - weight[0]).square().sum() / 2
    slopes = torch.autograd.grad(loss, (weight, bias))
    assert max(float(slope.abs().max()) for slope in slopes) < 1e-2 * len(y)


def test_it_embeds_a_graph_once_and_belongs_to_its_seed():
    model, view = fitted([0, 1, 2], 3)
    assert model.hidden(view.x, view.adj) is model.hidden(view.x, view.adj)
    other, _ = fitted([0, 1, 2], 3)
    assert torch.equal(other.seed, model.seed) and torch.equal(other(view.x, view.adj), model(view.x, view.adj))
    other.seed += 1
    assert not torch.equal(other.hidden(view.x, view.adj), model.hidden(view.x, view.adj))
    assert model.stages(view, lambda *_: torch.zeros(()), lr=0.1, head_lr=None) == () and not FastRPModel.trained


def test_walks():
    assert walk_weights("0,1.5,-2") == (0.0, 1.5, -2.0)
    for text in ("", "0,0", "1;2", "1,nan"):
        with pytest.raises(ValueError, match="numbers with commas between"):
            walk_weights(text)
