"""X-Node: what its contexts add, that no label leaks, its stages, and reasons that add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from graphkit.conf.catalog import MODELS
from graphkit.conf.schema import NodeTask, Train
from graphkit.data import load
from graphkit.errors import Interrupted
from graphkit.layers import ContextReasoner
from graphkit.layers.context.registry import CONTEXTS
from graphkit.models.node.base import NodeView
from graphkit.models.node.x_node import XNode
from graphkit.run import run
from graphkit.sparse import CSR, as_csr, sparse_features
from graphkit.tasks.build import model_maker
from graphkit.tasks.node import NodeClassification
from graphkit.training import runner
from tests.layers.oracle import messy_graph
from tests.training.compare import assert_same_run

BACKBONES = sorted(MODELS["node"]["x-node"].backbones)
WIDTH, CLASSES = 6, 3


def view(num_nodes, edge_index, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(num_nodes, WIDTH, dtype=dtype, generator=generator)
    y = torch.where(torch.arange(num_nodes) % 3 == 0, -1, torch.arange(num_nodes) % CLASSES)
    return NodeView(torch.where(x < 0.5, 0.0, x), as_csr(edge_index, num_nodes), y)


def model_of(backbone="gcn", *, drawn=True, **settings):
    """A fitted model in evaluation mode, injection not at its zeros unless asked."""
    edge_index, n = messy_graph()
    torch.manual_seed(0)
    chosen = MODELS["node"]["x-node"].settings_on(backbone)(**settings)
    model = model_maker("node", chosen)(in_channels=WIDTH, out_channels=CLASSES, num_nodes=n).double().eval()
    assert isinstance(model, XNode) and isinstance(model.reasoner, ContextReasoner)
    seen = view(n, edge_index)
    model.fit(seen)
    for gate in model.reasoner.gates if drawn else ():
        torch.nn.init.normal_(gate)
    return model, seen


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_takes_contexts(backbone):
    model, seen = model_of(backbone, injection="late", contexts="all")
    h = model.backbone.embed(seen.x, seen.adj)
    decoder = model.reasoner.decoders[0]
    late = h + model.reasoner.gates[0] * (model.reasoner(model.context()) @ decoder.weight.t() + decoder.bias)
    torch.testing.assert_close(model(seen.x, seen.adj), model.head(late), rtol=0, atol=1e-10)
    loss = model.training_loss(seen, seen.nodes)
    gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    names = [name for name, _ in model.named_parameters()]
    dead = {name for name, one in zip(names, gradients, strict=True) if one is None}
    assert not any(name.startswith("reasoner") or name.startswith("head") for name in dead)
    places = len(model.backbone.layer_channels)
    if not places:
        with pytest.raises(ValueError, match="no layers between which"):
            model_of(backbone, injection="between")
        return
    model, seen = model_of(backbone, injection="between")
    assert len(model.reasoner.gates) == places and model.backbone.after_layer is None
    before = model(seen.x, seen.adj)
    for place, gate in enumerate(model.reasoner.gates):
        kept = gate.detach().clone()
        torch.nn.init.zeros_(gate)
        assert not torch.allclose(model(seen.x, seen.adj), before), f"nothing is added after layer {place}"
        with torch.no_grad():
            gate.copy_(kept)


@pytest.mark.parametrize("injection", ["none", "late", "between"])
def test_it_starts_as_the_network_without_contexts(injection):
    model, seen = model_of(drawn=False, injection=injection)
    expected = model.head(model.backbone.embed(seen.x, seen.adj))
    assert torch.equal(model(seen.x, seen.adj), expected)


def test_between_equals_a_dense_network():
    """Two GCN layers with what contexts add after each, and a linear head; values and gradients."""
    model, seen = model_of(injection="between")
    n = seen.x.size(0)
    a = torch.zeros(n, n, dtype=torch.float64)
    for (target, source), weight in zip(
        zip(seen.adj.row.tolist(), seen.adj.col.tolist(), strict=True), seen.adj.weights(torch.float64).tolist(), strict=True
    ):
        a[target, source] = weight
    a = a + torch.diag((a.diagonal() == 0).double())
    a = a * a.sum(1).rsqrt()[:, None] * a.sum(1).rsqrt()
    e, h = model.reasoner(model.context()), seen.x
    for place, layer in enumerate(model.backbone.network.hidden):
        decoder = model.reasoner.decoders[place]
        h = (a @ h @ layer.lin.weight.t() + layer.bias).clamp(min=0.0)
        h = h + model.reasoner.gates[place] * (e @ decoder.weight.t() + decoder.bias)
    expected, actual = model.head(h), model(seen.x, seen.adj)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)
    parameters = [*model.reasoner.encoder.parameters(), *model.reasoner.gates, *model.backbone.network.hidden.parameters()]
    probe = torch.linspace(-1, 1, expected.numel()).double().sin().view_as(expected)
    ours = torch.autograd.grad((actual * probe).sum(), parameters)
    torch.testing.assert_close(ours, torch.autograd.grad((expected * probe).sum(), parameters), rtol=0, atol=1e-9)


def test_the_loss_is_cross_entropy_and_reconstruction():
    model, seen = model_of(reconstruction=0.7)
    nodes = seen.nodes[:4]
    logits = model(seen.x, seen.adj)
    h, e = model.backbone.embed(seen.x, seen.adj), model.reasoner(model.context())
    decoded = e @ model.reasoner.decoders[0].weight.t() + model.reasoner.decoders[0].bias
    log = [logits[i] - logits[i].exp().sum().log() for i in nodes.tolist()]
    expected = -sum(row[seen.y[i]] for row, i in zip(log, nodes.tolist(), strict=True)) / 4
    rebuilt = sum(float((a - b).detach().square().sum()) for a, b in zip(decoded, h, strict=True)) / h.numel()
    torch.testing.assert_close(model.training_loss(seen, nodes), expected + 0.7 * rebuilt, rtol=0, atol=1e-10)
    body = list(model.backbone.parameters())
    alone = F.cross_entropy(logits[nodes], seen.y[nodes])
    torch.testing.assert_close(
        torch.autograd.grad(model.training_loss(seen, nodes), body, allow_unused=True),
        torch.autograd.grad(alone, body, allow_unused=True),
        rtol=0,
        atol=1e-12,
    )


def test_without_injection_contexts_explain_and_do_not_decide():
    model, seen = model_of(injection="none")
    before = model(seen.x, seen.adj)
    with torch.no_grad():
        model.context.table.normal_()
    assert torch.equal(model(seen.x, seen.adj), before)
    reasons = model.reasons(seen.x, seen.adj, 3)
    assert [one.effect for one in reasons.readings] == [0.0] * 6 and reasons.gain == 0.0


@pytest.mark.usefixtures("unchecked_shapes")
def test_copies_of_the_graph_may_be_scored_as_one():
    model, seen = model_of(injection="between")
    n, edges = seen.x.size(0), seen.adj.edge_index()
    both = torch.cat([edges, edges[:, :7] + n], dim=1)
    alone = [model(seen.x, CSR.from_edge_index(part, n)) for part in (edges, edges[:, :7])]
    found = model(seen.x.repeat(2, 1), CSR.from_edge_index(both, 2 * n))
    torch.testing.assert_close(found, torch.cat(alone), rtol=0, atol=1e-10)
    with pytest.raises(ValueError, match=r"contexts are those of 11 nodes, got a graph of 12; make a new model"):
        model(torch.cat([seen.x, seen.x[:1]]), CSR.from_edge_index(edges, n + 1))


def test_features_may_be_sparse():
    model, seen = model_of(contexts="all")
    sparse = replace(seen, x=sparse_features(seen.x, density=1.0))
    model.take_first_pass(seen)
    dense, expected = model.context.table.clone(), model(seen.x, seen.adj)
    model.fit(seen)
    model.take_first_pass(sparse)
    torch.testing.assert_close(model.context.table, dense, rtol=0, atol=1e-6)
    torch.testing.assert_close(model(sparse.x, seen.adj), expected, rtol=0, atol=1e-5)


# --------------------------------------------------------------------------------------------------------- labels


def task_of(dataset, **settings):
    chosen = MODELS["node"]["x-node"].settings_on("gcn")(hidden_channels=8, first_epochs=2, **settings)
    return NodeClassification(dataset, NodeTask(), model_maker("node", chosen), Train(epochs=2), torch.device("cpu"))


def trained(dataset):
    """What a model with all contexts predicts, is given and has learned after a few steps of all stages."""
    task = task_of(dataset, contexts="all")
    torch.manual_seed(0)
    model = task.build_model()
    for stage in task.stages(model):
        optimizer = torch.optim.Adam(stage.groups) if stage.groups else None
        model.train()
        for _ in range(2 if optimizer else 0):
            for batch in task.batches(torch.Generator()):
                optimizer.zero_grad()
                task.step(model, batch, lambda loss: loss.backward())
                optimizer.step()
        if stage.after_epoch:
            stage.after_epoch(1)
    model.eval()
    return model, task.predictions(model)


def test_no_label_outside_of_training_changes_an_input_or_a_prediction():
    dataset = load("digits", task="node")
    y = dataset.graph.y.clone()
    held_out = torch.cat([dataset.splits["valid"], dataset.splits["test"]])
    y[held_out] = (y[held_out] + 1 + held_out) % 10
    flipped = replace(dataset, graph=replace(dataset.graph, y=y))
    (model, predictions), (other, others) = trained(dataset), trained(flipped)
    assert not bool(model.context.raw[:, -2].isnan().any())  # a first pass took place
    assert model.state_dict().keys() == other.state_dict().keys()
    for name, value in model.state_dict().items():
        assert torch.equal(value.nan_to_num(-7.0), other.state_dict()[name].nan_to_num(-7.0)), name
    assert (predictions["logits"] == others["logits"]).all()
    node = int(held_out[0])
    given = []
    for each, data in ((model, dataset), (other, flipped)):
        each.reasons(data.graph.x, data.graph.edge_index, node, rewrite=lambda facts: given.append(facts) or "")
    assert given[0] == given[1]  # nothing that could be told to a language model depends on such a label
    y[dataset.splits["train"]] = (y[dataset.splits["train"]] + 1) % 10
    (changed, _) = trained(replace(dataset, graph=replace(dataset.graph, y=y.roll(1))))
    assert not torch.equal(changed.context.table, model.context.table)  # the test would notice


# ------------------------------------------------------------------------------------------------------ first pass


def test_contexts_of_a_first_pass_are_those_of_the_model_as_it_was():
    model, seen = model_of(contexts="all")
    assert bool(model.context.raw[:, -2:].isnan().all())
    stages = model.train().stages(seen, lambda *_: None, lr=0.1, head_lr=None)
    assert [(stage.name, stage.epochs, stage.selects) for stage in stages] == [
        ("first pass", 100, False),
        ("contexts", 1, False),
        ("train", None, True),
    ]
    model.eval()
    predicted = model(seen.x, seen.adj).argmax(1)
    model.train()
    stages[1].after_epoch(1)
    assert model.training
    graph = {frozenset(edge) for edge in seen.adj.edge_index().t().tolist() if edge[0] != edge[1]}
    for i in range(seen.x.size(0)):
        near = [j for j in range(seen.x.size(0)) if frozenset((i, j)) in graph]
        same = [bool(predicted[i] == predicted[j]) for j in near]
        expected = sum(same) / len(same) if same else float("nan")
        assert float(model.context.raw[i, -1]) == pytest.approx(expected, nan_ok=True)
    assert not bool(model.context.raw[:, -2].isnan().any())
    without, _ = model_of()
    assert [stage.name for stage in without.stages(seen, lambda *_: None, lr=0.1, head_lr=None)] == ["train"]


def test_a_run_with_a_first_pass_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """Interrupted after the contexts were computed, which the resumed run must not do again."""
    monkeypatch.setattr(runner, "MIN_CHECKPOINT_SECONDS", 0.0)
    contexts = "degree+feature-saliency+predicted-agreement"
    model = {"name": "x-node", "contexts": contexts, "hidden_channels": 8, "first_epochs": 3}
    options = {"device": "cpu", "threads": 1, "progress": False, "train": {"epochs": 4}}
    whole = run("node", "karate", model, out=str(tmp_path / "whole"), **options)
    steps, loss = [], XNode.training_loss

    def interrupted(self, seen, nodes):
        steps.append(nodes)
        if len(steps) == 6:  # three of the first pass, two with contexts
            raise KeyboardInterrupt
        return loss(self, seen, nodes)

    with monkeypatch.context() as patch, pytest.raises(Interrupted) as caught:
        patch.setattr(XNode, "training_loss", interrupted)
        run("node", "karate", model, out=str(tmp_path / "part"), **options)
    looks = []
    monkeypatch.setattr(XNode, "take_first_pass", lambda self, seen: looks.append(self))
    again = run(resume=str(caught.value).split("resume=", 1)[1], progress=False)
    assert looks == []
    assert_same_run(again.folder, whole.folder)


# ---------------------------------------------------------------------------------------------------------- reasons


@pytest.mark.parametrize("injection", ["late", "between"])
@pytest.mark.parametrize("node", [3, 10])
def test_effects_are_integrated_gradients_and_add_up(node, injection):
    model, seen = model_of(injection=injection, contexts="all")
    reasons = model.reasons(seen.x, seen.adj, node, target=1, steps=200)
    own = model.context().clone()

    def score(row):
        rows = [row if i == node else own[i] for i in range(len(own))]
        return model.head(model._decisive(seen.x, seen.adj, model.reasoner(torch.stack(rows)))[0])[node, 1]

    effects = dict.fromkeys(model.context.contexts, 0.0)
    for k in range(200):
        row = ((k + 0.5) / 200 * own[node]).requires_grad_()
        (gradient,) = torch.autograd.grad(score(row), row)
        for column, context in enumerate(model.context.columns):
            effects[model.context.contexts[context]] += float(own[node, column] * gradient[column]) / 200
    assert [one.name for one in reasons.readings] == list(CONTEXTS)
    assert [one.effect for one in reasons.readings] == pytest.approx(list(effects.values()), abs=1e-10)
    gain = float((score(own[node]) - score(torch.zeros_like(own[node]))).detach())
    assert reasons.gain == pytest.approx(gain, abs=1e-10)
    assert abs(reasons.remainder) < 0.02 * max(abs(gain), 0.1)
    assert sum(one.effect for one in reasons.readings) + reasons.remainder == pytest.approx(gain)


def test_reasons_are_of_the_prediction_and_in_words():
    model, seen = model_of()
    node = 4
    predicted = int(model(seen.x, seen.adj)[node].argmax())
    reasons = model.train().reasons(seen.x, seen.adj, node)
    assert model.training  # as it was
    assert reasons == model.reasons(seen.x, seen.adj, node, target=predicted)
    strongest = max(reasons.readings, key=lambda one: abs(one.effect))
    assert f"the score of class {predicted} by" in reasons.text and strongest.name in reasons.text
    assert "cats" in model.reasons(seen.x, seen.adj, node, prediction="cats").text
    assert model.reasons(seen.x, seen.adj, node, rewrite=lambda facts: facts["prediction"]).text == f"class {predicted}"
    assert all(one.grad is None for one in model.parameters())


def test_r_squared_compares_with_the_backbone_s_embedding():
    model, seen = model_of()
    h = model.backbone.embed(seen.x, seen.adj)
    with torch.no_grad():
        model.reasoner.decoders[0].weight.zero_()
        model.reasoner.decoders[0].bias.copy_(h.mean(0))
    assert model.r_squared(seen.x, seen.adj) == pytest.approx(0.0, abs=1e-10)
    nodes = torch.tensor([1, 2, 5])
    missed = (h[nodes] - h.mean(0)).square().sum() / (h[nodes] - h[nodes].mean(0)).square().sum()
    assert model.r_squared(seen.x, seen.adj, nodes) == pytest.approx(1.0 - float(missed.detach()))


def test_what_contexts_rebuild_is_told_of_some_nodes():
    model, seen = model_of(injection="late")
    nodes = torch.tensor([0, 4, 7, 8])
    with torch.no_grad():
        h = model.backbone.embed(seen.x, seen.adj)[nodes]
        missed = (h - model.reasoner.decode(model.reasoner(model.context()))[nodes]).square().sum()
    expected = 1 - float(missed / (h - h.mean(0)).square().sum())
    assert model.measure(seen, {"test": nodes}) == {"test": {"r-squared": pytest.approx(expected)}}


def test_a_run_keeps_its_contexts_and_reports_how_much_they_rebuild(tmp_path):
    result = run("node", "karate", {"name": "x-node"}, train={"epochs": 2}, out=str(tmp_path), device="cpu", progress=False)
    with np.load(result.folder / "seed-0" / "predictions.npz") as stored:
        contexts, share = stored["contexts"], float(stored["context_r_squared"])
    assert contexts.shape == (34, 6) and contexts[0, 0] == 16.0  # of whom the club's first member knew
    weights = load_file(result.folder / "seed-0" / "best.safetensors")
    torch.testing.assert_close(weights["context.raw"], torch.from_numpy(contexts), rtol=0, atol=0, equal_nan=True)
    rebuilt = result.metrics["test"]["r-squared"]["per_seed"]
    assert rebuilt[0] <= 1.0 and f"{rebuilt[0]:.4f}" in (result.folder / "report.html").read_text(encoding="utf-8")
    assert share <= 1.0 and f"R\u00b2 = {share:.3f}" in (result.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"injection": "early"}, "injection must be one of none, late, between"),
        ({"contexts": "degree+size"}, "there is no context 'size'"),
        ({"reconstruction": -1.0}, "reconstruction must be at least 0"),
        ({"first_epochs": 0}, "first_epochs must be at least 1"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        model_of(**settings)
