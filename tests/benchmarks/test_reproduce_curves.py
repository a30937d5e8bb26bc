"""Rows of several metrics, learning curves, figures of the last epoch, and runs that are cut short."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from benchmarks.reproduce.__main__ import Places, main
from benchmarks.reproduce.curve import curve_of_run
from benchmarks.reproduce.judge import AGREES, DISAGREES
from benchmarks.reproduce.table import load_table
from benchmarks.reproduce.view import OUTDATED
from graphkit.errors import CheckpointError, RequestError
from graphkit.training.result import RunResult

FAR = {"mean": 99.0, "std": None, "n": 1, "source": "a paper"}
ROW = {
    "task": "recommend",
    "dataset": "planted-interactions",
    "model": "bpr-mf",
    "seeds": 2,
    "metric": "recall@20",
    "published": FAR,
    "further": {"ndcg@20": None, "hit@20": {**FAR, "mean": 50.0}},
    "tolerance": 49.0,
    "last_epoch": True,
    "curve": True,
    "overrides": {
        "task.protocol": "lightgcn", "model.hidden_channels": 4, "model.embedding_penalty": 10.0, "train.lr": 0.1,
        "train.epochs": 4, "train.batch_size": 2048, "train.eval_every": 2,  # test falls from epoch 2 to 4 for a seed
    },
    "note": "a wide distance",
}  # fmt: skip
NAME = "planted-interactions-bpr-mf"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.chdir(tmp_path)
    for name in ("tables", "results"):
        (tmp_path / name).mkdir()
    found = Places(tmp_path / "tables", tmp_path / "results", tmp_path / "runs/reproduce")
    write_table(found, ROW)
    return found


def write_table(places: Places, row: dict, **more: str) -> None:
    (places.tables / "tiny.yaml").write_text(yaml.safe_dump({"title": "A tiny table", "rows": [row], **more}, sort_keys=False))


def recorded(places: Places) -> dict:
    return json.loads((places.results / f"tiny/recommend-{NAME}.json").read_text())


def curve_lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_two_metrics_a_curve_and_the_last_epoch(places: Places, capsys: pytest.CaptureFixture[str]):
    assert main(["tiny", "--write"], places) == 1  # recall@20 is further than 49 from 99
    printed = capsys.readouterr().out
    (folder,) = (places.runs / f"tiny/recommend-{NAME}").iterdir()
    curve = curve_lines(places.results / f"tiny/{NAME}-curve.csv")
    assert list(curve[0]) == ["seed", "epoch", "loss", "test/recall@20", "test/ndcg@20", "test/hit@20"]
    evaluated = [line for line in curve_lines(folder / "metrics.csv") if line["test/recall@20"]]
    assert curve == [{name: line[name] for name in curve[0]} for line in evaluated]
    assert [(line["seed"], line["epoch"]) for line in curve] == [("0", "2"), ("0", "4"), ("1", "2"), ("1", "4")]

    page = (places.results / "tiny/README.md").read_text()
    for metric, paper, agreement in (("recall@20", "99.00", DISAGREES), ("ndcg@20", "", ""), ("hit@20", "50.00", AGREES)):
        mean = sum(float(line[f"test/{metric}"]) for line in curve if line["epoch"] == "4") / 2
        line = next(line for line in page.splitlines() if f"| bpr-mf | {metric} | {paper} | {mean:.2f} ± " in line)
        assert line.endswith("| last epoch |") and f"| {agreement}" in line
        assert not agreement or f"{agreement} (distance 49)" in line
        assert f"{mean:.2f} ± " in printed
    assert f"[{NAME}-curve.csv]({NAME}-curve.csv); last point of seed 0, epoch 4, test: recall@20 " in page
    assert "where a row names a distance" in page and page.count("planted-interactions/bpr-mf: a wide distance") == 1
    assert page.count(": a paper\n") == 1

    assert main(["tiny", "--check"], places) == 0
    path = places.results / f"tiny/{NAME}-curve.csv"
    text = path.read_text()
    best = recorded(places)["metrics"]["test"]["recall@20"]["per_seed"][0]
    path.write_text(text.replace(repr(best), repr(best + 1)))
    assert main(["tiny", "--check"], places) == 1
    assert "curve.csv is missing or of another run than" in capsys.readouterr().err
    path.unlink()
    assert main(["tiny", "--render"], places) == 0
    assert OUTDATED in (places.results / "tiny/README.md").read_text()  # the figures of the last epoch are gone
    path.write_text("seed,epoch\n")
    assert main(["tiny", "--check"], places) == 2
    path.with_name("other-curve.csv").write_text(text)
    path.write_text(text)
    capsys.readouterr()
    assert main(["tiny", "--check"], places) == 1
    assert "error: other-curve.csv belongs to no row\n" in capsys.readouterr().err


def test_a_shortened_run_is_recorded_with_its_epochs_and_not_judged(places: Places, capsys: pytest.CaptureFixture[str]):
    assert main(["tiny", "--epochs", "2", "--write"], places) == 0
    assert capsys.readouterr().out.count("incomplete:") == 3  # the terminal wraps the rest
    assert recorded(places)["settings"]["train"]["epochs"] == 2 and "train.epochs=2" in recorded(places)["command"]
    page = (places.results / "tiny/README.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| planted-interactions | ")]
    assert len(rows) == 3 and all("| incomplete: 2 of 4 epochs |" in line for line in rows)
    assert main(["tiny", "--check"], places) == 0
    assert main(["tiny", "--set", "train.epochs=1", "--write"], places) == 0
    assert (printed := capsys.readouterr()).out.count("incomplete:") == 3 and "a trial" in printed.err

    assert main(["tiny", "--write"], places) == 1
    whole = recorded(places)
    assert whole["settings"]["train"]["epochs"] == 4
    assert "incomplete" not in (places.results / "tiny/README.md").read_text()
    assert main(["tiny", "--epochs", "2", "--write"], places) == 0
    assert "not recorded, since a run of 4 epochs is" in capsys.readouterr().err
    assert recorded(places) == whole
    assert main(["tiny", "--epochs", "4", "--write"], places) == 1  # no shorter than the row


def test_epochs_must_be_some(places: Places, capsys: pytest.CaptureFixture[str]):
    assert main(["tiny", "--epochs", "0", "--set", "train.epochs=1", "--write"], places) == 2
    assert [line.split(":")[1] for line in capsys.readouterr().err.splitlines()] == [" --epochs 0", " --set train.epochs="]


def test_the_last_epoch_is_not_the_best(places: Places, tmp_path: Path):
    (row,) = load_table(places.tables, "tiny").rows
    header = "seed,epoch,loss,seconds,eval_seconds,valid/recall@20,test/recall@20,test/ndcg@20,test/hit@20,test/precision@20"
    lines = ["0,1,0.5,1.0,1.0,8,30,3,3,3", "0,2,0.4,1.0,1.0,,,,,", "0,3,0.3,1.0,1.0,7,20,2,2,2"]
    (tmp_path / "metrics.csv").write_text("\n".join([header, *lines]) + "\n")
    curve = curve_of_run(tmp_path, row)
    assert curve.text == "seed,epoch,loss,test/recall@20,test/ndcg@20,test/hit@20\n0,1,0.5,30,3,3\n0,3,0.3,20,2,2\n"
    best = {"mean": 30.0, "std": None, "per_seed": [30.0]}
    others = {"metric": "recall@20", "num_parameters": 0, "paper": None, "peak_memory_mb": 0.0, "folder": tmp_path}
    result = RunResult("recommend", "x", "y", metrics={"valid": {"recall@20": best}, "test": {"recall@20": best}}, seeds=(0,),
                       best_epochs=(1,), seconds=1.0, epoch_seconds=None, steps_per_second=None, **others)  # fmt: skip
    last = curve.at_last_epoch(result).metrics
    assert {name: value["mean"] for name, value in last["test"].items()} == {"recall@20": 20.0, "ndcg@20": 2.0, "hit@20": 2.0}
    (tmp_path / "metrics.csv").write_text(header + "\n")
    with pytest.raises(CheckpointError, match=r"metrics\.csv is missing or damaged"):
        curve_of_run(tmp_path, row)


def test_the_page_says_where_the_epoch_comes_from(places: Places):
    write_table(places, ROW, selection="at an\nepoch")
    assert main(["tiny", "--render"], places) == 0
    assert "over the seeds at an epoch. " in (places.results / "tiny/README.md").read_text()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"further": {"recall@20": None}}, "metric 'recall@20' is none of"),
        ({"further": {"mrr": None}}, "metric 'mrr' is none of recall@20"),
        ({"further": []}, "further: expected dict"),
        ({"further": {"ndcg@20": {"mean": 1.0}}}, "published takes from: recipe and n, or mean"),
        ({"note": ""}, "a tolerance, at least 0, goes with"),
        ({"exact": True}, "a tolerance, at least 0, goes with"),
        ({"published": {**FAR, "std": 1.0}}, "a tolerance, at least 0, goes with"),
        ({"tolerance": "wide"}, "tolerance: expected float"),
        ({"curve": False}, "last_epoch needs curve: true"),
    ],
)
def test_mistakes_in_a_row(places: Places, change: dict, says: str):
    write_table(places, {**ROW, **change})
    with pytest.raises(RequestError) as caught:
        load_table(places.tables, "tiny")
    assert says in str(caught.value)


def test_a_second_figure_without_a_deviation_needs_a_rule_too(places: Places):
    row = {key: value for key, value in ROW.items() if key != "tolerance"}
    write_table(places, {**row, "published": {**FAR, "std": 1.0}})
    with pytest.raises(RequestError, match="can only be judged as exact: true or with a tolerance"):
        load_table(places.tables, "tiny")
