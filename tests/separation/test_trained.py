"""BREC's protocol: the statistic against its formula, verdicts on two pairs, and going on after an interrupt."""

import json

import numpy as np
import pytest
import torch

from graphkit import expressiveness
from graphkit.data.generated.pairs import generated_pairs
from graphkit.errors import RequestError
from graphkit.separation import trained as module
from graphkit.separation.collection import Collection
from graphkit.separation.networks import NETWORKS
from graphkit.separation.trained import Results, Training, train_pair

QUICK = Training(width=16, layers=3, epochs=6, lr=3e-3, stop_loss=0.05)
PAIRS = [pair for pair in generated_pairs() if pair.name in ("decalin-bicyclopentyl", "fuerer-k4")]


def test_the_threshold_is_the_published_one():
    assert round(Training().threshold, 2) == 72.34


def test_the_statistic_is_hotelling_s_without_its_factor():
    source = np.random.default_rng(0)
    outputs = torch.tensor(source.normal(size=(64, 16)))
    outputs[1::2] += torch.linspace(0.1, 2, 16)

    def model(bags):
        return outputs[bags : bags + 16]

    difference = (outputs[0::2] - outputs[1::2]).numpy()
    mean = difference.mean(0)
    centered = difference - mean
    covariance = centered.T @ centered / 31
    expected = mean @ np.linalg.solve(covariance, mean)
    assert np.isclose(module._statistic(model, [0, 16, 32, 48]), expected)


def test_a_pair_that_the_network_can_separate_and_one_that_it_cannot():
    collection = Collection(PAIRS)
    found = [train_pair(NETWORKS["sswl+"], collection, places, QUICK, 0) for places in collection.places.tolist()]
    assert found[0]["separated"] and found[0]["reliable"] and found[0]["statistic"] > QUICK.threshold
    assert not found[1]["separated"] and found[1]["epochs"] == QUICK.epochs
    assert train_pair(NETWORKS["sswl+"], collection, collection.places[0].tolist(), QUICK, 0) == found[0]


def test_training_separates_the_outputs():
    collection = Collection(PAIRS[:1])
    losses = [
        train_pair(NETWORKS["sswl"], collection, [0, 1], Training(layers=3, lr=3e-3, epochs=epochs, stop_loss=0.0), 1)["loss"]
        for epochs in (1, 8)
    ]
    assert losses[1] < 0.8 * losses[0]


def counted(monkeypatch):
    trained = []

    def train(network, collection, places, how, seed):
        trained.append((*places, seed))
        row = {"statistic": 100.0 if places[0] == 0 else 1.0, "reliability": 2.0, "separated": places[0] == 0, "reliable": True}
        return row | {"loss": 0.1, "epochs": 3}

    monkeypatch.setattr(module, "train_pair", train)
    return trained


def ask(path, *more):
    arguments = ["model=swl", "protocol=brec", "only=decalin-bicyclopentyl,fuerer-k4", f"out={path}", "format=json"]
    return expressiveness.main([*arguments, *more])


def test_results_are_kept_and_gone_on_from(tmp_path, monkeypatch, capsys):
    trained, path = counted(monkeypatch), tmp_path / "kept.jsonl"
    assert ask(path, "seeds=2") == 0
    first = json.loads(capsys.readouterr().out)
    assert trained == [(0, 1, 0), (0, 1, 1), (2, 3, 0), (2, 3, 1)]
    assert first["columns"][0]["separated"]["all"] == 1 and first["protocol"] == "brec"
    verdict = first["table"][0]["verdicts"]["swl"]
    assert (verdict["separated"], verdict["statistic"], verdict["unreliable"]) == (True, 100.0, 0)
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 5 and json.loads(lines[0])["settings"]["epochs"] == 20
    path.write_bytes(b"".join(lines[:3]) + lines[3][:20])  # killed while it wrote
    trained.clear()
    assert ask(path, "seeds=2") == 0
    assert trained == [(2, 3, 0), (2, 3, 1)] and json.loads(capsys.readouterr().out) == first
    trained.clear()
    assert ask(path, "seeds=3") == 0 and trained == [(0, 1, 2), (2, 3, 2)]
    assert len(path.read_bytes().splitlines()) == 7
    trained.clear()
    assert ask(path, "seed=2", "seeds=2") == 0 and trained == [(0, 1, 3), (2, 3, 3)]


def test_results_are_those_of_the_graphs_and_not_of_their_names(tmp_path, monkeypatch):
    trained, graphs = counted(monkeypatch), tmp_path / "mine.g6"
    asked = ["model=swl", "protocol=brec", f"pairs={graphs}", f"out={tmp_path / 'kept.jsonl'}"]
    for text in ("C~\nC]\n", "C~\nC]\n", "C~\nCr\n"):
        graphs.write_text(text)
        assert expressiveness.main(asked) == 0
    assert len(trained) == 2


def test_results_of_other_settings_are_not_mixed(tmp_path, monkeypatch, capsys):
    trained, path = counted(monkeypatch), tmp_path / "kept.jsonl"
    assert ask(path) == 0
    capsys.readouterr()
    assert ask(path, "lr=0.01") == 2
    assert "line 1: results of model=swl under other settings: give another file" in capsys.readouterr().err
    arguments = ["model=gin", "protocol=brec", "only=fuerer-k4", f"out={path}", "lr=0.01"]
    assert expressiveness.main(arguments) == 0 and trained[-1] == (0, 1, 0)  # another network may
    path.write_text("pair,category\n")
    with pytest.raises(RequestError, match=r"line 1: no result of this command"):
        Results(path, {"model": "swl"})


def test_unreliable_runs_do_not_count(tmp_path, monkeypatch, capsys):
    counted(monkeypatch)
    whole = module.train_pair
    monkeypatch.setattr(module, "train_pair", lambda *given: whole(*given) | {"reliable": False})
    assert ask(tmp_path / "kept.jsonl") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["columns"][0]["separated"]["all"] == 0
    assert [row["verdicts"]["swl"]["unreliable"] for row in found["table"]] == [1, 1]
