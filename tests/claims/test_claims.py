"""Claims of every task: honest ones hold wherever the data lies, and each way of lying is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest

from graphkit.claim import claim
from graphkit.claim import main as claim_main
from graphkit.claims import again
from graphkit.claims.content import without_paths
from graphkit.claims.scores import Score
from graphkit.data import load
from graphkit.errors import CheckpointError, RequestError
from graphkit.run import run
from graphkit.training.artifacts import config_digest
from graphkit.verify import main, verify
from tests.claims.conftest import RUNS, SEEDS
from tests.claims.forging import array, edit, forged, npy, packed, unpacked
from tests.training.test_digests import make_old, reseal


def findings(path: Path, **asked) -> str:
    found = verify(path, **asked)
    assert not found.holds
    return "\n".join(found.findings)


def result_of(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


# --------------------------------------------------------------------------------------------------------------- honest


@pytest.mark.parametrize("task", RUNS)
def test_an_honest_claim_holds(task: str, runs, claims, tmp_path: Path):
    found = verify(claims[task])
    assert found.holds and not found.notes, found.findings
    metrics = result_of(runs[task])["metrics"]
    expected = {
        (split, name, of): value
        for split, part in metrics.items()
        for name, figure in part.items()
        for of, value in (("mean", figure["mean"]), ("std", figure["std"]), *enumerate(figure["per_seed"]))
    }
    assert {(one.split, one.metric, one.of): one.scored for one in found.scores} == expected  # the same bits
    assert all(one.difference == 0.0 for one in found.scores)
    assert claim(runs[task], tmp_path / "again.zip").read_bytes() == claims[task].read_bytes()


@pytest.mark.parametrize("task", RUNS)
def test_what_a_claim_holds(task: str, runs, claims, place: Path):
    files = unpacked(claims[task])
    assert not any(str(path).encode() in data for data in files.values() for path in (place, Path.home(), Path.cwd()))
    raw = json.loads(files["result.json"])
    assert raw["settings"]["train"]["epochs"] == RUNS[task]["train"]["epochs"] and raw["environment"]["versions"]["torch"]
    assert "folder" not in raw and "root" not in raw["settings"]["data"]
    measured = json.loads(files["metric.json"])
    assert measured["selects"] == raw["metric"] and measured["metrics"].keys() == raw["metrics"]["test"].keys()
    assert all(one["meaning"] and one["ties"] and one["direction"] for one in measured["metrics"].values())
    arrays = {name for name in files if name.endswith(".npy")}
    assert arrays == {f"seed-{seed}/{name}.npy" for seed in range(SEEDS) for name in measured["computed_from"]}
    assert sum(map(len, files.values())) < (runs[task] / "seed-0/predictions.npz").stat().st_size * SEEDS + 20_000


def test_the_arrays_give_the_figures_by_plain_loops(claims):
    """By hand: shares of nodes and graphs, pairs above the K-th negative, items of lists that were held out."""
    files = {task: unpacked(path) for task, path in claims.items()}
    claimed = {task: json.loads(one["result.json"])["metrics"]["test"] for task, one in files.items()}

    def of(task: str, name: str) -> np.ndarray:
        return array(files[task][f"seed-1/{name}.npy"])

    for task, name in (("node", "logits"), ("graph", "scores"), ("image", "scores")):
        data = load(RUNS[task]["dataset"], task=task, seed=1)
        y = {"node": lambda d: d.graph.y, "graph": lambda d: d.graphs.y, "image": lambda d: d.y}[task](data).tolist()
        right = [int(of(task, name)[one].argmax() == y[one]) for one in data.splits["test"].tolist()]
        assert claimed[task]["accuracy"]["per_seed"][1] == pytest.approx(100 * sum(right) / len(right))
    k = next(name for name in claimed["link"] if name.startswith("hits@"))
    negatives = sorted(of("link", "test_negative_scores").tolist(), reverse=True)
    hits = [score > negatives[int(k[5:]) - 1] for score in of("link", "test_positive_scores").tolist()]
    assert claimed["link"][k]["per_seed"][1] == pytest.approx(100 * sum(hits) / len(hits))
    wanted: dict[int, set[int]] = {}
    for user, item in load("planted-interactions", task="recommend", seed=1).splits["test"].T.tolist():
        wanted.setdefault(user, set()).add(item)
    shares = [
        len(wanted[u] & set(row[:20])) / len(wanted[u])
        for u, row in zip(sorted(wanted), of("recommend", "test_items").tolist(), strict=True)
    ]
    assert claimed["recommend"]["recall@20"]["per_seed"][1] == pytest.approx(100 * sum(shares) / len(shares))


def test_own_data_may_lie_anywhere(own: Path, own_edges: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    moved = Path(shutil.copy(own_edges, tmp_path / "elsewhere.csv"))
    assert verify(own, data={"edges": moved}).holds
    assert not any(b"secret folder" in data for data in unpacked(own).values())
    assert main([f"claim={own}"]) == 2
    told = capsys.readouterr().err
    assert "data.edges: the run read a file (edges.csv, " in told and told.count("\n") == 1
    assert main([f"claim={own}", f"data.edges={tmp_path / 'no.csv'}"]) == 2
    assert "cannot be read (No such file or directory)" in capsys.readouterr().err
    assert main([f"claim={own}", f"data.edges={moved}", f"data.labels={moved}"]) == 2
    assert "was run without it, leave it out" in capsys.readouterr().err


def test_data_in_memory(tmp_path: Path):
    frame = nx.to_pandas_edgelist(nx.karate_club_graph())[["source", "target"]]
    folder = run("link", model="aa", data=frame, device="cpu", out=str(tmp_path)).folder
    path = claim(folder, tmp_path / "claim.zip", data={"edges": frame})
    assert verify(path, data={"edges": frame}).holds
    assert "data.edges: the file is not the one" in findings(path, data={"edges": frame[:-1]})


@pytest.mark.data("Planetoid")
def test_a_published_data_set_may_lie_anywhere(data_root: Path, tmp_path: Path):
    here = {"root": str(data_root)}
    folder = run("node", "cora", "mlp", data=here, train={"epochs": 2}, device="cpu", out=str(tmp_path)).folder
    shutil.copytree(data_root / "Planetoid", tmp_path / "data" / "Planetoid")
    path = claim(folder, tmp_path / "claim.zip")
    assert verify(path, root=str(tmp_path / "data")).holds
    assert str(data_root).encode() not in b"".join(unpacked(path).values())


def test_a_changed_graph_changes_no_split(tmp_path: Path):
    folder = run("node", "karate", "gcn", transform="teddy", train={"epochs": 2}, device="cpu", out=str(tmp_path)).folder
    assert verify(claim(folder, tmp_path / "claim.zip")).holds


def test_the_model_s_own_figure_is_named(tmp_path: Path):
    model = {"name": "x-node", "first_epochs": 2}
    folder = run("node", "karate", model, train={"epochs": 2}, device="cpu", out=str(tmp_path)).folder
    found = verify(claim(folder, tmp_path / "claim.zip"))
    assert found.holds and found.notes == ("r-squared is the model's own figure: predictions do not give it, retrain=1 does",)


# --------------------------------------------------------------------------------------------------------------- forged


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

    def predictions_alone(files):
        del files["seed-1/logits.npy"]

    told = findings(forged(claims["node"], predictions_alone, tmp_path / "alone.zip"))
    assert "seed 1: the claim holds no predictions of it" in told and "logits is missing" in told
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


# -------------------------------------------------------------------------------------------------------- trained again


@pytest.mark.parametrize("task", ["link", "recommend"])
def test_trained_again_bit_for_bit(task: str, claims):
    found = verify(claims[task], retrain=1)
    assert found.holds and [one.seed for one in found.again] == [0] and found.again[0].exact
    assert all(score.difference == 0.0 for score in found.again[0].scores)
    assert "seed 0 trained again, compared bit for bit" in found.to_text()
    with pytest.raises(RequestError, match="has 2 seeds"):
        verify(claims[task], retrain=3)


def test_trained_again_on_another_machine(claims, tmp_path: Path):
    def elsewhere(raw):
        raw["environment"]["device"] = "another one"

    found = verify(forged(claims["node"], lambda files: edit(files, "result.json", elsewhere), tmp_path / "c.zip"), retrain=1)
    assert found.holds and not found.again[0].exact
    assert found.notes == (
        "seed 0 was trained again with another machine, versions or commit: other last digits are no finding",
    )


def test_the_spread():
    figure = {"mean": 80.0, "std": 1.0, "per_seed": [79.0, 81.0]}
    made = SimpleNamespace(result=SimpleNamespace(seeds=(0, 1), metrics={"test": {"accuracy": figure}}))
    within, beyond = (Score("test", "accuracy", 0, 79.0, value) for value in (82.9, 83.1))
    assert again._within_spread(made, 0, [within])[0] == []
    (told,) = again._within_spread(made, 0, [beyond])[0]
    assert told == (
        "seed 0 trained again: test accuracy is 83.1000, claimed 79.0000, more than 3 standard deviations of 1.0000 from the "
        "mean 80.0000"
    )
    figure |= {"std": None, "per_seed": [79.0]}
    made.result.seeds = (0,)
    found, notes = again._within_spread(made, 0, [beyond])
    assert found == [] and notes[-1] == "one seed has no spread: its figures, trained again, are told and not judged"


# ------------------------------------------------------------------------------------------------------- making a claim


def test_no_claim_of_a_changed_run(runs, tmp_path: Path):
    folder = Path(shutil.copytree(runs["node"], tmp_path / "run"))
    path = folder / "result.json"
    record = json.loads(path.read_text())
    record["metrics"]["test"]["accuracy"]["per_seed"][1] = 99.0
    path.write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="result.json is truncated or was changed"):
        claim(folder, tmp_path / "claim.zip")
    reseal(folder, "result.json")
    with pytest.raises(CheckpointError, match=r"gives another figure than result.json \(test accuracy: .*, not 99\)"):
        claim(folder, tmp_path / "claim.zip")
    path.unlink()
    with pytest.raises(CheckpointError, match="has no result: let the run finish"):
        claim(folder, tmp_path / "claim.zip")
    assert not (tmp_path / "claim.zip").exists()


def test_no_claim_without_what_it_needs(runs, tmp_path: Path):
    folder = Path(shutil.copytree(runs["node"], tmp_path / "run"))
    (folder / "seed-1" / "predictions.npz").unlink()
    with pytest.raises(CheckpointError, match="seed-1 lacks weights or predictions: make them again with resume="):
        claim(folder, tmp_path / "claim.zip")
    old = Path(shutil.copytree(runs["node"], tmp_path / "old"))
    make_old(old)
    with pytest.raises(CheckpointError, match="no claim can be made of it: run it again"):
        claim(old, tmp_path / "claim.zip")


def test_no_claim_of_pooled_epochs(tmp_path: Path):
    settings = {"task": {"name": "graph", "protocol": "last10"}, "dataset": "planted-graphs", "train": {"epochs": 1}}
    folder = run(**settings, seeds=1, device="cpu", out=str(tmp_path)).folder
    with pytest.raises(RequestError, match="its figures are of epochs of which no predictions are kept"):
        claim(folder, tmp_path / "claim.zip")


def test_the_door_tells_what_it_wrote(runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "c.zip"
    assert claim_main([f"run={runs['node']}", f"out={out}"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"wrote {out}: 2 seeds, {out.stat().st_size:,} bytes"
    assert second == f"claim {verify(out).claim.archive.digest}"
    for asked, told in [
        ([f"run={runs['node']}"], "give out=FILE"),
        (["out=x.zip"], "give run=FOLDER"),
        ([f"run={runs['node']}", "out=x", "exprt=ogb"], "unknown key 'exprt': did you mean export?"),
        ([f"run={runs['node']}", f"out={runs['node'] / 'config.yaml'}"], "that is a file of the run itself"),
        ([f"run={runs['node']}", f"out={tmp_path / 'no' / 'c.zip'}"], "there is no folder"),
        ([f"run={runs['node']}", "export=bibtex", "data.root=x"], "export=bibtex reads no data"),
    ]:
        assert claim_main(asked) == 2
        assert told in capsys.readouterr().err


def test_paths_become_names():
    assert without_paths({"a": ["read /data/x/e.csv, /data/x"]}, ["/data/x", "/data/x/e.csv"]) == {"a": ["read e.csv, x"]}
