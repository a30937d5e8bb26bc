"""Mowst against dense algebra, and a test per pitfall of the public code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from graphkit.conf.catalog import MODELS
from graphkit.models.node.base import NodeView
from graphkit.models.node.mowst import Mowst, dispersion
from graphkit.run import run
from graphkit.sparse import CSR, as_csr
from graphkit.tasks.build import model_maker
from tests.layers.oracle import messy_graph

WIDTH, CLASSES = 6, 3


def model_of(backbone="gcn", **settings):
    """A model in evaluation mode and what it may know of a small graph."""
    edge_index, n = messy_graph()
    torch.manual_seed(0)
    chosen = MODELS["node"]["mowst"].settings_on(backbone)(weak_channels=5, gate_channels=4, **settings)
    model = model_maker("node", chosen)(in_channels=WIDTH, out_channels=CLASSES, num_nodes=n).double().eval()
    assert isinstance(model, Mowst)
    x = torch.rand(n, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = torch.where(torch.arange(n) % 3 == 0, -1, torch.arange(n) % CLASSES)
    return model, NodeView(x, as_csr(edge_index, n), y)


def confidence(model, view):
    """The gate by loops, from the perceptron's logits."""
    weak, gate = perceptron(model, view), model.gate
    found = []
    for v, z in enumerate(weak.detach()):
        p = [float(e) for e in (z - z.max()).exp()]
        p = torch.tensor([e / sum(p) for e in p], dtype=torch.float64)
        onehot = torch.eye(CLASSES, dtype=torch.float64)[0]
        spread = [p.var(correction=0) / onehot.var(correction=0), 1 + (p * p.log()).sum() / np.log(CLASSES)]
        h = gate.spread.weight @ torch.stack(spread) + gate.spread.bias
        h = h if gate.features is None else h + gate.features.weight @ view.x[v]
        found.append(1 / (1 + (-(gate.out.weight @ h.clamp(min=0) + gate.out.bias)).exp()))
    return torch.cat(found)


def perceptron(model, view):
    hidden, head = model.weak.hidden[0], model.weak.head
    return (view.x @ hidden.weight.t() + hidden.bias).clamp(min=0) @ head.weight.t() + head.bias


def strong(model, view):
    """Two dense convolutions and a linear map."""
    adj = view.adj
    a = torch.zeros(adj.shape, dtype=torch.float64)
    a[adj.row, adj.col] = adj.weights(torch.float64)
    a = a + torch.diag((a.diagonal() == 0).double())
    a = a * a.sum(1).rsqrt()[:, None] * a.sum(1).rsqrt()
    h = view.x
    for conv in model.backbone.network.hidden:
        h = (a @ h @ conv.lin.weight.t() + conv.bias).clamp(min=0)
    return h @ model.head.weight.t() + model.head.bias


@pytest.mark.parametrize(
    ("training", "mixture", "features"),
    [("joint", "probabilities", False), ("joint", "logits", True), ("alternating", "probabilities", True)],
)
def test_answers_and_losses_equal_dense_algebra(training, mixture, features):
    model, view = model_of(training=training, mixture=mixture, gate_features=features)
    weak, other, c = perceptron(model, view), strong(model, view), confidence(model, view)[:, None]
    p = (c * weak + (1 - c) * other).softmax(1) if mixture == "logits" else c * weak.softmax(1) + (1 - c) * other.softmax(1)
    torch.testing.assert_close(model(view.x, view.adj).softmax(1), p, rtol=0, atol=1e-10)
    nodes, y = view.nodes, view.y[view.nodes]
    rows = torch.arange(len(nodes))
    each = -p[nodes].log()[rows, y]
    if training == "alternating":
        of = [-(z[nodes].softmax(1).log())[rows, y] for z in (weak, other)]
        each = c[nodes, 0] * of[0] + (1 - c[nodes, 0]) * of[1]
    loss = model.training_loss(view, nodes)
    torch.testing.assert_close(loss, each.mean(), rtol=0, atol=1e-10)
    parameters = [parameter for name, parameter in model.named_parameters() if not name.startswith("gate")]
    ours = torch.autograd.grad(loss, parameters, retain_graph=True)
    theirs = torch.autograd.grad(each.mean(), parameters)
    # No gradient goes through what the oracle's gate reads, and none may go through ours.
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
    assert all(one.abs().sum() > 0 for one in torch.autograd.grad(model.training_loss(view, nodes), model.gate.parameters()))


def test_permutation_equivariance():
    model, view = model_of(gate_features=True)
    order = torch.randperm(len(view.y), generator=torch.Generator().manual_seed(0))
    moved = CSR.from_edge_index(order.argsort()[view.adj.edge_index()], len(order), view.adj.weights(torch.float64))
    torch.testing.assert_close(model(view.x[order], moved), model(view.x, view.adj)[order], rtol=0, atol=1e-10)


def test_dispersion_is_zero_of_equal_and_one_of_sure_predictions():
    torch.testing.assert_close(
        dispersion(torch.tensor([[3.0, 3.0, 3.0], [0.0, 900.0, 0.0]])),
        torch.tensor([[0.0, 0.0], [1.0, 1.0]]),
        atol=1e-6,
        rtol=0,
    )


@pytest.mark.parametrize(
    "change",
    [{"gate_features": True}, {"mixture": "logits"}, {"training": "alternating"}, {"residual": "identity"}, {"dropout": 0.4}],
    ids=str,
)
def test_every_flag_acts(change):
    """Pitfall 1: flags of the public code are read by `~`, and bitwise not of a truth value is always true."""
    plain, view = model_of()
    model, _ = model_of(**change)
    for one in (plain, model):
        one.train("dropout" in change)
        torch.manual_seed(0)
    same = {key: value for key, value in plain.state_dict().items() if key in model.state_dict()}
    model.load_state_dict(same, strict=False)
    torch.manual_seed(1)
    before = plain.training_loss(view, view.nodes)
    torch.manual_seed(1)
    assert not torch.allclose(model.training_loss(view, view.nodes), before)


def test_validation_selects_and_training_nodes_do_not(tmp_path):
    """Pitfall 2: the public code's validation loss is of the training nodes. Here both turns are selected by validation."""
    model, view = model_of(training="alternating", turns=2, turn_epochs=7, warm_epochs=3)
    stages = model.stages(view, lambda *_: torch.zeros(()), lr=0.1, head_lr=0.2)
    assert [(stage.name, stage.epochs, stage.selects) for stage in stages] == [
        ("experts", 3, False), *[("weak", 7, True), ("strong", 7, True)] * 2,
    ]  # fmt: skip
    moving = [{id(p) for group in stage.groups for p in group["params"]} for stage in stages[1:3]]
    names = [{name.split(".")[0] for name, p in model.named_parameters() if id(p) in one} for one in moving]
    assert names == [{"weak", "gate"}, {"backbone", "head"}]
    assert {group["lr"] for group in stages[1].groups} == {0.1, 0.2}


def test_the_gate_reads_the_same_in_training_and_evaluation():
    """Pitfall 3: at test the public code takes the softmax of a softmax, and its gate another input than in training."""
    model, view = model_of(weak_dropout=0.0, dropout=0.0)
    loss = model.train().training_loss(view, view.nodes)
    logits = model.eval()(view.x, view.adj)[view.nodes]
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits, view.y[view.nodes]), rtol=0, atol=1e-12)
    twice = dispersion(model.weak(view.x).softmax(1))
    assert not torch.allclose(twice, dispersion(model.weak(view.x)))


def test_the_selected_epoch_has_its_gate(tmp_path):
    """Pitfall 4: the public code restores the experts of the best epoch and keeps the last gate. Pitfall 5: a command runs."""
    model = {"name": "mowst", "training": "alternating", "turns": 1, "turn_epochs": 4, "warm_epochs": 2, "hidden_channels": 8}
    result = run(
        "node",
        "karate",
        model=model,
        train={"epochs": 1, "lr": 0.05},
        device="cpu",
        threads=1,
        out=str(tmp_path),
        recipe="none",
    )
    folder = result.folder / "seed-0"
    stored, weights = np.load(folder / "predictions.npz"), load_file(folder / "best.safetensors")
    assert any(key.startswith("gate.") for key in weights)
    c = stored["confidence"]
    assert c.shape == (34,) and ((c > 0) & (c < 1)).all()
