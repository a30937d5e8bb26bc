"""What `transform=` does to a run: recorded, resumed, explained and refused."""

from __future__ import annotations

from dataclasses import fields, replace
from inspect import signature
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from graphkit import explain
from graphkit.conf.catalog import TASKS
from graphkit.conf.transforms import NONE, TRANSFORMS
from graphkit.data import load
from graphkit.errors import CheckpointError, Interrupted, RequestError
from graphkit.models.transforms.base import Changed, Transform
from graphkit.run import dry_run, run
from graphkit.tasks import transform
from graphkit.tasks.node import NodeClassification
from graphkit.training import runner
from tests.training.compare import assert_same_run

TEDDY = {"name": "teddy", "edges": 0.6, "weights": 0.5, "distill": 0.5, "dense_epochs": 2}
STABLE = {"name": "stable", "channels": 8, "epochs": 2, "neighbors": 2}
ACTING = sorted(set(TRANSFORMS) - {NONE})


def asked(tmp_path, chosen, **more):
    given = {"model": {"name": "gcn", "hidden_channels": 4}, "train": {"epochs": 3, "lr": 0.1}, "recipe": "none"}
    return {**given, "transform": chosen, "device": "cpu", "threads": 1, "out": str(tmp_path), **more}


@pytest.mark.parametrize("name", ACTING)
def test_settings_are_the_keyword_arguments_of_its_classes(name):
    entry = TRANSFORMS[name]
    targets = [resolve_name(target) for target in (entry.target, entry.around) if target]
    assert issubclass(targets[0], Transform)
    taken = {
        key: one.default
        for target in targets
        for key, one in signature(target).parameters.items()
        if one.kind is one.KEYWORD_ONLY
    }
    taken.pop("dense", None)  # the whole graph
    assert taken == {field.name: field.default for field in fields(entry.settings) if field.name != "name"}
    assert entry.settings().name == name and any(name in row.transforms for row in TASKS.values())
    assert entry.paper is not None


def test_a_changed_graph_goes_through_its_file():
    made = Changed(torch.tensor([[0, 1], [1, 0]]), "done", x=torch.rand(2, 3))
    read = transform.from_bytes(transform.to_bytes(made), "x.npz")
    assert torch.equal(read.edge_index, made.edge_index) and torch.equal(read.x, made.x)
    assert (read.told, read.edge_weight) == ("done", None)
    with pytest.raises(CheckpointError, match="another version"):
        transform.from_bytes(b"nothing", "x.npz")


@pytest.mark.parametrize("chosen", [TEDDY, STABLE], ids=ACTING[::-1])
def test_a_resumed_run_is_the_unbroken_one_on_the_graph_that_was_kept(chosen, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "MIN_CHECKPOINT_SECONDS", 0.0)
    whole = run("node", "karate", **asked(tmp_path / "a", chosen, seeds=2))
    assert any(f"transform={chosen['name']}:" in note for note in whole.notes)
    step, steps = NodeClassification.step, []

    def broken(self, *arguments):
        steps.append(1)
        if len(steps) == 5:
            raise KeyboardInterrupt
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(NodeClassification, "step", broken)
        with pytest.raises(Interrupted) as caught:
            run("node", "karate", **asked(tmp_path / "b", chosen, seeds=2))
    folder = Path(str(caught.value).split("resume=", 1)[1])
    with monkeypatch.context() as patch:  # it is read back, not made again
        patch.setattr(transform, "change", lambda *_: pytest.fail("made again"))
        run(resume=str(folder))
    assert_same_run(folder, whole.folder)
    weights = load_file(folder / "seed-0" / "best.safetensors")
    if chosen is TEDDY:
        found = torch.cat([value.flatten() for name, value in weights.items() if name != "teacher"])
        assert int((found != 0).sum()) <= -(-found.numel() // 2), "the selected weights are projected"
    with np.load(folder / "transform" / "seed-1.npz") as stored:
        before = load("karate", task="node", seed=1).graph.edge_index
        assert not np.array_equal(stored["edge_index"], before.numpy())
    (folder / "transform" / "seed-1.npz").write_bytes(b"another")
    with pytest.raises(CheckpointError, match=r"seed-1\.npz"):
        run(resume=str(folder))


def test_the_explanation_is_of_the_changed_graph(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("node", "karate", **asked(tmp_path, {**TEDDY, "distill": 0.0, "edges": 0.3}))
    monkeypatch.setattr(transform, "change", lambda *_: pytest.fail("made again"))
    assert explain.main([f"run={result.folder}", "node=5", "format=json"]) == 0


def test_a_dry_run_tells_of_the_changed_graph():
    before, after = (
        dry_run("node", "karate", transform=chosen) for chosen in ({"name": NONE}, {"name": "teddy", "edges": 0.5})
    )
    assert after["message_passing_edges"] == before["message_passing_edges"] // 2
    assert after["settings"]["transform"]["weights"] == 0.5 and before["settings"]["transform"] == {"name": NONE}


def test_what_is_refused():
    with pytest.raises(RequestError) as caught:
        dry_run("link", "karate", transform={"name": "teddy", "edges": 0.5}, overrides=["transform.channels=3"])
    assert "transform=teddy: it is for task=node, not for task=link" in str(caught.value)
    assert "transform.channels': a setting of transform=stable" in str(caught.value)
    with pytest.raises(RequestError, match="transform=stabel: did you mean stable"):
        dry_run("node", "karate", transform="stabel")
    with pytest.raises(RequestError, match="nothing of it is trained"):
        dry_run("node", "karate", model="fastrp", transform="teddy")
    data = load("karate", task="node")
    settings = TRANSFORMS["stable"].settings()
    with pytest.raises(RequestError, match="for undirected graphs"):
        transform.change(settings, replace(data, directed=True), 0)
    with pytest.raises(RequestError, match="there are none"):
        transform.change(settings, replace(data, graph=replace(data.graph, x=None)), 0)
