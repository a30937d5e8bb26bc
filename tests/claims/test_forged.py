"""Each way of lying in a claim is found, and told in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from graphkit.data import load
from graphkit.training.artifacts import config_digest
from graphkit.verify import main, verify
from tests.claims.conftest import RUNS
from tests.claims.forging import array, edit, findings, forged, npy, packed, unpacked


def _mostly_turned(values: np.ndarray) -> np.ndarray:
    """Rows in reverse, but for the first quarter, so that no share of hits stays by chance."""
    return np.concatenate([values[: len(values) // 4], values[len(values) // 4 :, ::-1]])


@pytest.mark.parametrize("task", RUNS)
def test_a_changed_prediction(task: str, claims, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Whoever lists digests again still has predictions that give another figure."""
    name = json.loads(unpacked(claims[task])["metric.json"])["computed_from"][-1]

    def change(files):
        values = array(files[f"seed-1/{name}.npy"])
        files[f"seed-1/{name}.npy"] = npy(_mostly_turned(values) if values.ndim == 2 else values - 100)

    plain = unpacked(claims[task])
    change(plain)
    told = findings(packed(plain, tmp_path / "plain.zip"))
    assert told.startswith(f"seed-1/{name}.npy was changed: its SHA-256 is not the one in claim.json\n")
    path = forged(claims[task], change, tmp_path / "forged.zip")
    told = findings(path)
    assert "was changed" not in told and "seed 1: " in told and "seed 0: " not in told and "is claimed as" in told
    assert main([f"claim={path}"]) == 1
    page = capsys.readouterr().out
    assert "does not hold: seed 1: " in page and "the claim holds" not in page


@pytest.mark.parametrize("task", RUNS)
def test_a_figure_typed_by_hand(task: str, claims, tmp_path: Path):
    metric = next(iter(json.loads(unpacked(claims[task])["result.json"])["metrics"]["test"]))

    def type_seed(raw):
        figure = raw["metrics"]["test"][metric]
        figure["per_seed"][1] += 0.5
        figure["mean"] += 0.25
        figure["std"] = float(np.std(figure["per_seed"], ddof=1))

    told = findings(forged(claims[task], lambda files: edit(files, "result.json", type_seed), tmp_path / "seed.zip"))
    assert f"seed 1: test {metric} is claimed as" in told and f"the mean over seeds: test {metric} is claimed as" in told

    def type_mean(raw):
        raw["metrics"]["test"][metric]["mean"] += 0.01

    told = findings(forged(claims[task], lambda files: edit(files, "result.json", type_mean), tmp_path / "mean.zip"))
    assert f"result.json: the mean of test {metric} is not that of its seeds" in told and "seed 1: " not in told


def test_a_figure_left_out(claims, tmp_path: Path):
    def change(raw):
        for part in raw["metrics"].values():
            part.pop("mrr")

    told = findings(forged(claims["link"], lambda files: edit(files, "result.json", change), tmp_path / "forged.zip"))
    assert "result.json: mrr is left out of result.json" in told


@pytest.mark.parametrize("task", ["link", "node", "graph"])
def test_a_swapped_split(task: str, claims, tmp_path: Path):
    """Validation in the place of test, or one seed's split for another's: the data tells the splits."""

    def swap_parts(data):
        one = data["seeds"]["1"]
        one["valid"], one["test"] = one["test"], one["valid"]

    told = findings(forged(claims[task], lambda files: edit(files, "data.json", swap_parts), tmp_path / "parts.zip"))
    assert "seed 1: the test split is not what the run had" in told and "seed 0" not in told

    def swap_seeds(data):
        data["seeds"]["0"], data["seeds"]["1"] = data["seeds"]["1"], data["seeds"]["0"]

    if task != "node":  # the club has one split for all seeds
        told = findings(forged(claims[task], lambda files: edit(files, "data.json", swap_seeds), tmp_path / "seeds.zip"))
        assert "seed 0: the train split" in told and "seed 1: the test split" in told

    def forget(data):
        del data["seeds"]["1"]

    told = findings(forged(claims[task], lambda files: edit(files, "data.json", forget), tmp_path / "none.zip"))
    assert "seed 1: data.json has no digests of its data and splits" in told


def test_another_version_of_the_data(own: Path, own_edges: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = tmp_path / "edges.csv"
    other.write_text(own_edges.read_text().rsplit("\n", 2)[0] + "\n")
    assert main([f"claim={own}", f"data.edges={other}", "format=json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["holds"] and all(one["scored"] is None for one in found["scores"])
    first = found["findings"][0]
    assert first.startswith("data.edges: the file is not the one that the run read (edges.csv): it has SHA-256 ")
    assert any("seed 0: the test split is not what the run had" in one for one in found["findings"])

    def newer(data):
        data["record"]["published"] = {"karate.txt": "0" * 64}
        data["record"]["sizes"]["nodes"] = 41

    told = findings(
        forged(own, lambda files: edit(files, "data.json", newer), tmp_path / "newer.zip"), data={"edges": own_edges}
    )
    assert "has another file karate.txt than the run was made on" in told
    assert "data set 'custom' has 40 nodes, the run was made on 41" in told


def test_a_seed_left_out(claims, tmp_path: Path):
    def drop(files):
        for name in [name for name in files if name.startswith("seed-1/")]:
            del files[name]

        def shorten(raw):
            raw["seeds"], raw["best_epochs"] = raw["seeds"][:1], raw["best_epochs"][:1]
            for part in raw["metrics"].values():
                for figure in part.values():
                    figure["per_seed"] = figure["per_seed"][:1]
                    figure["mean"], figure["std"] = figure["per_seed"][0], None

        edit(files, "result.json", shorten)

    assert findings(forged(claims["node"], drop, tmp_path / "forged.zip")) == "seed 1 is left out: the run had seeds 0 to 1"

    def more(raw):
        raw["settings"]["seeds"] = 100
        raw["config_digest"] = config_digest(raw["settings"])

    told = findings(forged(claims["node"], lambda files: edit(files, "result.json", more), tmp_path / "more.zip")).splitlines()
    assert told[0] == "seed 2 is left out: the run had seeds 0 to 99" and told[10:] == ["88 further seeds are left out"]

    def predictions_alone(files):
        del files["seed-1/logits.npy"]

    told = findings(forged(claims["node"], predictions_alone, tmp_path / "alone.zip"))
    assert told == "seed 1: the claim holds no predictions of it"
    files = unpacked(claims["node"])
    predictions_alone(files)
    assert findings(packed(files, tmp_path / "plain.zip")).startswith("seed-1/logits.npy is missing, and claim.json lists it")


def test_other_settings(claims, tmp_path: Path):
    """Settings that were typed have another digest; with that typed, too, only training again tells them."""

    def type_settings(raw):
        raw["settings"]["train"]["lr"] = 0.5

    told = findings(forged(claims["node"], lambda files: edit(files, "result.json", type_settings), tmp_path / "lr.zip"))
    assert told == "result.json: its settings are not those of the run (their digest is another one)"

    def type_both(raw):
        type_settings(raw)
        raw["config_digest"] = config_digest(raw["settings"])

    path = forged(claims["node"], lambda files: edit(files, "result.json", type_both), tmp_path / "both.zip")
    assert verify(path).holds
    assert "seed 0 trained again: it predicts another logits than the claim holds" in findings(path, retrain=1)

    def other_model(raw):
        raw["model"] = "gcn"

    told = findings(forged(claims["node"], lambda files: edit(files, "result.json", other_model), tmp_path / "model.zip"))
    assert "result.json: it is of node-karate-gcn, its settings are not" in told

    def other_metric(raw):
        raw["metric"] = "mrr"

    told = findings(forged(claims["link"], lambda files: edit(files, "result.json", other_metric), tmp_path / "selected.zip"))
    assert "result.json: its epochs are selected by mrr, these settings select by" in told


def test_another_definition_of_the_metric(claims, tmp_path: Path):
    def change(raw):
        raw["metrics"]["recall@20"]["k"] = 50

    path = forged(claims["recommend"], lambda files: edit(files, "metric.json", change), tmp_path / "forged.zip")
    assert findings(path) == "metric.json: the metrics are defined otherwise than this graphkit computes them"


def test_lists_that_no_ranking_gives(claims, tmp_path: Path):
    """A list of one relevant item again and again, or of training items, would score well."""

    def first_again(files):
        lists = array(files["seed-0/test_items.npy"])
        lists[:, 1] = lists[:, 0]
        files["seed-0/test_items.npy"] = npy(lists)

    told = findings(forged(claims["recommend"], first_again, tmp_path / "twice.zip"))
    assert told.endswith("seed 0: its predictions do not fit the data (test_items has an item twice in a list)")

    def training(files):
        train = load("planted-interactions", task="recommend", seed=0).splits
        user = int(train["test"][0].min())
        lists = array(files["seed-0/test_items.npy"])
        lists[0, 0] = int(train["train"][1][train["train"][0] == user][0])
        files["seed-0/test_items.npy"] = npy(lists)

    told = findings(forged(claims["recommend"], training, tmp_path / "seen.zip"))
    assert "test_items has an item that the user has been seen with" in told

    def beyond(files):
        files["seed-0/test_items.npy"] = npy(array(files["seed-0/test_items.npy"]) + 10_000)

    assert "an item that there is not" in findings(forged(claims["recommend"], beyond, tmp_path / "beyond.zip"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((3, 2), np.float32), "logits has shape [3, 2], the data gives [34, 2]"),
        (np.full((34, 2), np.nan, np.float32), "logits holds something else than numbers"),
        (np.zeros((34, 2), np.int64), "logits holds something else than numbers"),
    ],
)
def test_predictions_that_fit_no_data(values: np.ndarray, told: str, claims, tmp_path: Path):
    def change(files):
        files["seed-1/logits.npy"] = npy(values)

    assert (
        findings(forged(claims["node"], change, tmp_path / "forged.zip"))
        == f"seed 1: its predictions do not fit the data ({told})"
    )
