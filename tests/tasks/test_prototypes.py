"""Prototype models through the real loop: what is kept is projected, nothing leaks, nothing is stale, what is held stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from graphkit.conf.catalog import MODELS
from graphkit.conf.schema import GraphTask, NodeTask, Train
from graphkit.data import load
from graphkit.data.dataset import NodeData
from graphkit.data.graph_set import GraphSet
from graphkit.errors import RequestError
from graphkit.models.node.base import NodeView
from graphkit.models.prototype_head import PrototypeHead
from graphkit.prototypes import explain, source_drift
from graphkit.run import run
from graphkit.tasks.build import model_maker
from graphkit.tasks.graph import GraphPrediction
from graphkit.tasks.node import NodeClassification
from graphkit.training.runner import train_run
from tests.tasks.test_node import planted
from tests.training.fakes import config

CPU = torch.device("cpu")
PHASES = {"warm_epochs": 2, "head_epochs": 2, "cycles": 2, "per_class": 2}
CASES = {
    "node": ("node", {"backbone": "gcn", "hidden_channels": 8, "norm": "batch"}),
    "neighborhood": ("node", {"backbone": "mlp", "hidden_channels": 8, "norm": "batch", "parts": "neighborhood"}),
    "nodes": ("graph", {"backbone": "gin", "hidden_channels": 8, "num_layers": 2}),
    "balls": ("graph", {"backbone": "gcn", "hidden_channels": 8, "num_layers": 2, "parts": "balls"}),
    "graph": ("graph", {"backbone": "deepsets", "hidden_channels": 8, "num_layers": 2, "parts": "graph"}),
}


def dataset_of(kind: str) -> Any:
    if kind == "node":
        return planted()
    dataset = load("planted-graphs", task="graph")
    return replace(dataset, splits={name: ids[:40] for name, ids in dataset.splits.items()})


def make_task(case: str, dataset: NodeData | GraphSet | None = None, **options: Any) -> Any:
    kind, given = CASES[case]
    given = {**PHASES, **given, **options}
    settings = MODELS[kind]["prototype"].settings_on(given["backbone"])(**given)
    maker = model_maker(kind, settings)
    data = dataset if dataset is not None else dataset_of(kind)
    if kind == "node":
        return NodeClassification(data, NodeTask(), maker, Train(), CPU)
    return GraphPrediction(data, GraphTask(), maker, Train(batch_size=16), CPU)


def train(task: Any, folder: Path) -> Path:
    """A run of seed 0, three epochs of joint training per cycle."""
    return train_run(config(folder, train={"epochs": 3, "lr": 0.05}), lambda seed: task).folder


def kept(task: Any, folder: Path) -> Any:
    """The model of the selected epoch."""
    torch.manual_seed(5)
    model = task.build_model()
    model.load_state_dict(load_file(folder / "seed-0" / "best.safetensors"))
    return model.eval()


@pytest.mark.parametrize("case", CASES)
def test_what_is_selected_is_projected_onto_training_parts(case: str, tmp_path: Path) -> None:
    task = make_task(case)
    selected: list[bool] = []
    evaluate = task.evaluate

    def watched(model: Any, *splits: Any) -> Any:
        selected.append(model.head.bank.is_projected(model.backbone))
        return evaluate(model, *splits)

    task.evaluate = watched
    model = kept(task, train(task, tmp_path))
    assert selected[:14] == [False, False, *[False, False, False, True, True, True] * 2]
    bank, view = model.head.bank, task.view(model)
    assert bank.is_projected(model.backbone)
    labels = view.y if case in ("node", "neighborhood") else torch.full((300,), -1).index_copy(0, view.graphs, view.y)
    assert (labels[bank.source[:, 0]] >= 0).all(), "no prototype is of a sample outside of training"
    assert bank.identity[torch.arange(len(bank.source)), labels[bank.source[:, 0]]].all()
    with torch.no_grad():
        parts = list(model._training_parts(view))
        assert (source_drift(bank, model.backbone, lambda: parts) < 1e-6).all()
        similar = torch.cat([bank(part).similarity for part in parts])
        ids = torch.cat([part.ref[:, 0, 0] for part in parts]).tolist()
    for number, source in enumerate(bank.source[:, 0].tolist()):
        assert similar[ids.index(source), number] >= similar[:, number].max() - 1e-6
        assert similar[ids.index(source), number] == pytest.approx(1.0, abs=1e-5)


def test_after_projection_nothing_is_more_similar_to_a_prototype_than_its_source(tmp_path: Path) -> None:
    """The whole model on real features: images of digits."""
    result = run(
        "node",
        "digits",
        {"name": "prototype", "backbone": "sage", "hidden_channels": 16, **PHASES},
        train={"epochs": 4},
        out=str(tmp_path),
        device="cpu",
        threads=1,
    )
    arrays = np.load(result.folder / "seed-0" / "predictions.npz")
    source, train_nodes = torch.from_numpy(arrays["prototype_source"]), torch.from_numpy(arrays["train_nodes"])
    dataset = load("digits", task="node")
    settings = MODELS["node"]["prototype"].settings_on("sage")(hidden_channels=16, **PHASES)
    task = NodeClassification(dataset, NodeTask(), model_maker("node", settings), Train(), CPU)
    model = kept(task, result.folder)
    view = task.view(model)
    with torch.no_grad():
        similar = model.head.bank(model.parts_of(view, torch.arange(dataset.graph.num_nodes))).similarity
    assert torch.isin(source[:, 0], train_nodes).all() and torch.equal(source, model.head.bank.source)
    at_source = similar[source[:, 0], torch.arange(len(source))]
    assert (at_source >= similar.max(dim=0).values - 1e-6).all()
    parts = model.parts_of(view, source[:1, 0])
    shown = explain(parts, 0, bank=model.head.bank, head=model.head.classifier, encoder=model.backbone)
    assert shown.is_projected and any(line.source == tuple(source[0].tolist()) for line in shown.predicted.lines)
    assert shown.predicted.logit == pytest.approx(float(arrays["logits"][source[0, 0]].max()), abs=1e-4)
    text = (result.folder / "report.html").read_text()
    assert "Prototypes of the first seed" in text and f"node {int(source[0, 0])}" in text


@pytest.mark.parametrize("case", ["node", "nodes"])
def test_labels_outside_of_training_and_validation_change_no_weight(case: str, tmp_path: Path) -> None:
    found = []
    for flips in (False, True):
        dataset = dataset_of(CASES[case][0])
        if flips:
            y = (dataset.graph if case == "node" else dataset.graphs).y
            test = dataset.splits["test"]
            y[test] = torch.where(y[test] >= 0, (y[test] + 1) % 2, y[test])
        found.append(load_file(train(make_task(case, dataset), tmp_path / str(flips)) / "seed-0" / "best.safetensors"))
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


@pytest.mark.parametrize("case", ["node", "nodes"])
def test_projected_prototypes_go_on_moving_and_the_head_phase_holds_all_but_the_classifier(case: str) -> None:
    """Optimizers made by the loop, stage by stage: the second round moves what the first projection wrote."""
    from graphkit.training.loop import Trainer
    from graphkit.training.protocol import LoopSettings
    from graphkit.training.runtime import make_fabric

    task = make_task(case)
    settings = LoopSettings(
        epochs=3,
        lr=0.05,
        weight_decay=1e-3,
        clip_norm=0.0,
        eval_every=1,
        patience=0,
        checkpoint_every=1,
        schedule="none",
        decay=0.5,
        decay_every=50,
    )
    torch.manual_seed(0)
    trainer = Trainer(task, settings, make_fabric(CPU, "32-true"), 0, lambda epoch, share: None)
    states = []
    while not trainer.finished:
        trainer.advance()
        states.append({name: value.clone() for name, value in trainer.model.state_dict().items()})
    changed = [{name for name in a if not torch.equal(a[name], b[name])} for a, b in zip(states, states[1:], strict=False)]
    # Epochs 1-2 warm, 3-5 joint, 6 project, 7-8 head, then joint 9-11, project 12, head 13-14; changed[i] is epoch i + 2.
    assert changed[0] == {"head.bank.weight"}
    assert {name for name in changed[2] if "backbone" in name and "weight" in name} and "head.bank.weight" in changed[2]
    assert all(name.startswith(("head.bank", "head.unprojected")) for name in changed[4])
    for epoch in (7, 8, 13, 14):
        assert changed[epoch - 2] == {"head.classifier.weight"}
    assert "head.bank.weight" in changed[9 - 2] and "head.bank.projected" in changed[9 - 2]


@pytest.mark.parametrize(
    ("classifier", "similarity"),
    [
        ("linear", "log-l2"),
        ("own-class", "cosine"),
        ("components", "rbf"),
        ("components", "relu-cosine"),
        ("distance", "negative-l2"),
    ],
)
def test_every_classifier_learns(classifier: str, similarity: str, tmp_path: Path) -> None:
    dataset = planted()
    task = make_task("node", dataset, classifier=classifier, similarity=similarity, norm="none", head_epochs=10)
    run_folder = train_run(config(tmp_path, train={"epochs": 40, "lr": 0.02}), lambda seed: task).folder
    valid = task.evaluate(kept(task, run_folder), ("valid",)).metrics["valid"]["accuracy"]
    largest = dataset.graph.y[dataset.splits["valid"]].clamp(min=0).bincount().max() / 15 * 100
    assert valid >= 80 > largest


def test_the_joint_phase_is_never_selected(tmp_path: Path) -> None:
    task = make_task("node")
    values = iter([99.0, 99.0, 99.0, 99.0, 99.0, 10.0, 20.0, 15.0, 99.0, 99.0, 99.0, 12.0, 19.0, 18.0])
    evaluate = task.evaluate

    def told(model: Any, *splits: Any) -> Any:
        found = evaluate(model, *splits)
        found.metrics["valid"]["accuracy"] = next(values, 20.0)
        return found

    task.evaluate = told
    folder = train(task, tmp_path)
    assert kept(task, folder).head.bank.projected and '"best_epochs": [\n    7\n  ]' in (folder / "result.json").read_text()


def test_classes_without_training_samples_have_no_prototype(tmp_path: Path) -> None:
    dataset = planted()
    y = dataset.graph.y
    train_nodes = dataset.splits["train"]
    dataset.splits["train"] = torch.cat([train_nodes[y[train_nodes] == 0], train_nodes[y[train_nodes] == 1][:1]])
    task = make_task("node", dataset)
    model = kept(task, train(task, tmp_path))
    assert model.head.bank.identity.sum(dim=0).tolist() == [2, 1, 0]
    with pytest.raises(
        RequestError, match=r"model=prototype: every class needs a prototype of its own, classes \[2\] have none"
    ):
        make_task("node", dataset, classifier="own-class").build_model()


def test_without_projection_prototypes_stay_and_nothing_claims_otherwise(tmp_path: Path) -> None:
    task = make_task("node", projects=False)
    folder = train(task, tmp_path)
    model = kept(task, folder)
    assert not model.head.bank.projected and (model.head.bank.source == -1).all()
    arrays = np.load(folder / "seed-0" / "predictions.npz")
    assert "prototype_contributions" in arrays and "prototype_source" not in arrays


@pytest.mark.parametrize("case", CASES)
def test_predictions_tell_what_projection_cost(case: str, tmp_path: Path) -> None:
    task = make_task(case)
    folder = train(task, tmp_path)
    model, arrays = kept(task, folder), dict(np.load(folder / "seed-0" / "predictions.npz"))
    scores = torch.from_numpy(arrays["logits"] if "logits" in arrays else arrays["scores"])
    head: PrototypeHead = model.head
    added = torch.from_numpy(arrays["prototype_contributions"]).double()
    torch.testing.assert_close(added.sum(dim=1), scores.max(dim=1).values.double(), rtol=0, atol=1e-4)
    for name, bank in (("before", head.unprojected.tensors()["bank.weight"]), ("after", head.bank.weight)):
        with torch.no_grad():
            other = kept(task, folder)
            other.head.bank.weight.copy_(bank)
            other.head.classifier.weight.copy_(head.unprojected.tensors()["classifier.weight"])
            expected = task._logits(other) if isinstance(task, NodeClassification) else task._scores(other, torch.arange(300))
        torch.testing.assert_close(torch.from_numpy(arrays[f"scores_{name}_projection"]), expected, rtol=0, atol=1e-5)
    assert arrays["prototype_nearest"].shape == (len(head.bank.source), 10)
    with torch.no_grad():
        parts = list(model._training_parts(task.view(model)))
    rows, owner = (torch.cat([part.rows[which] for part in parts]).double() for which in (0, 1))
    unit = [torch.nn.functional.normalize(one, dim=1) for one in (head.bank.weight.detach().double(), rows)]
    distance = (unit[0].unsqueeze(1) - unit[1]).norm(dim=2).masked_fill(rows.norm(dim=1) == 0, torch.inf)
    for line, found in zip(distance, arrays["prototype_nearest"].tolist(), strict=True):
        farthest = line.sort().values[9]
        assert set(owner[line < farthest - 1e-6, 0].long().tolist()) <= set(found)
        assert set(found) <= set(owner[line < farthest + 1e-6, 0].long().tolist())


def test_a_view_of_the_data_explains_any_node() -> None:
    task = make_task("neighborhood")
    torch.manual_seed(0)
    model = task.build_model().eval()
    view = task.view(model)
    unlabeled = NodeView(view.x, view.adj, torch.full_like(view.y, -1))
    with torch.no_grad():
        parts = model.parts_of(unlabeled, torch.tensor([5, 0]))
        found = model.head.classifier(model.head.bank(parts).similarity)
        torch.testing.assert_close(found, model(view.x, view.adj)[[5, 0]], rtol=0, atol=1e-5)
