import json
from pathlib import Path

import pytest
import yaml

from benchmarks.reproduce import judge as judging
from benchmarks.reproduce.__main__ import Places, main
from benchmarks.reproduce.judge import AGREES, DISAGREES, UNPUBLISHED
from benchmarks.reproduce.table import load_table
from benchmarks.reproduce.view import NOT_RUN, OUTDATED
from graphkit import run as door
from graphkit.errors import RequestError
from graphkit.run import run
from graphkit.training import runner
from graphkit.training.history import History
from graphkit.verify import verify
from tests.training.test_digests import reseal

NCN = {"model.hidden_channels": 8, "train.epochs": 3, "train.batch_size": 16}
TRAINED = {"task": "link", "dataset": "karate", "model": "ncn", "seeds": 2, "metric": "roc-auc", "overrides": NCN}
COUNTED = {"task": "link", "dataset": "karate", "model": "cn", "seeds": 1, "metric": "roc-auc"}
BROAD = {"mean": 50.0, "std": 50.0, "n": 10, "source": "a paper"}
NARROW = {"mean": 50.0, "std": 0.01, "n": 10, "source": "another paper"}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.chdir(tmp_path)
    for name in ("tables", "results"):
        (tmp_path / name).mkdir()
    found = Places(tmp_path / "tables", tmp_path / "results", tmp_path / "runs/reproduce")
    write_table(found, {**TRAINED, "published": BROAD, "note": "a remark"}, COUNTED)
    return found


def write_table(places: Places, *rows: dict) -> None:
    (places.tables / "tiny.yaml").write_text(yaml.safe_dump({"title": "A tiny table", "rows": list(rows)}, sort_keys=False))


def record(places: Places, model: str) -> dict:
    return json.loads((places.results / f"tiny/link-karate-{model}.json").read_text())


def readme(places: Places) -> str:
    return (places.results / "tiny/README.md").read_text()


def folders(places: Places, model: str) -> list[Path]:
    return sorted((places.runs / f"tiny/link-karate-{model}").glob("*/"))


def forbid_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **settings: object) -> None:
        raise AssertionError("nothing may run here")

    monkeypatch.setattr(door, "run", refuse)


# --------------------------------------------------------------------------------------------------------------- running


def test_rows_are_run_recorded_and_then_only_read(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert main(["tiny", "--write"], places) == 0
    printed = capsys.readouterr()
    (folder,) = folders(places, "ncn")
    finished, ours = json.loads((folder / "result.json").read_text()), record(places, "ncn")
    assert {key: value for key, value in ours.items() if key not in ("row", "command", "warnings")} == finished
    assert ours["row"] == "link-karate-ncn" and ours["seeds"] == [0, 1] and ours["seconds"] > 0
    assert {"device", "versions", "git"} <= set(ours["environment"])
    given = "model.hidden_channels=8 train.epochs=3 train.batch_size=16"
    assert ours["command"] == f"python -m graphkit.run task=link dataset=karate model=ncn seeds=2 {given}"

    test = ours["metrics"]["test"]["roc-auc"]
    shown = f"{test['mean']:.2f} ± {test['std']:.2f}"
    page = readme(places)
    cells = ["karate", "ncn", "roc-auc", "50.00 ± 50.00", shown, "2 / 10", f"{test['mean'] - 50:+.2f}", AGREES]
    assert f"| {' | '.join(cells)} |" in page
    assert shown in printed.out and AGREES in printed.out and UNPUBLISHED in printed.out
    assert "karate/ncn: a remark" in printed.out and "- karate/ncn: a remark" in page
    assert "[1/2] karate/ncn\n" in printed.err and "[2/2] karate/cn" in printed.err

    files = {path: path.read_bytes() for path in sorted(places.results.rglob("*.*"))}
    forbid_running(monkeypatch)
    assert main(["tiny", "--write"], places) == 0
    assert {path: path.read_bytes() for path in sorted(places.results.rglob("*.*"))} == files
    assert "from here about" in capsys.readouterr().err


def test_the_numbers_are_those_of_the_recorded_command(places: Places):
    assert main(["tiny", "--only", "karate/ncn", "--write"], places) == 0
    arguments = record(places, "ncn")["command"].split()[3:]
    assert run(overrides=arguments).metrics == record(places, "ncn")["metrics"]
    assert not (places.results / "tiny/link-karate-cn.json").exists()
    assert f"| karate | cn | roc-auc |  |  | 1 / - |  | {NOT_RUN} |" in readme(places)


def test_an_interrupted_row_is_resumed(places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(runner, "MIN_CHECKPOINT_SECONDS", 0.0)
    append, calls = History.append, []

    def stop_in_the_second_seed(history: History, *line: object) -> None:
        calls.append(line[:2])
        if len(calls) == 5:  # of three epochs a seed
            raise KeyboardInterrupt
        append(history, *line)

    monkeypatch.setattr(History, "append", stop_in_the_second_seed)
    assert main(["tiny", "--only", "karate/ncn", "--write"], places) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    (folder,) = folders(places, "ncn")
    assert not (folder / "result.json").exists() and not (places.results / "tiny").exists()

    before = len(calls)
    assert main(["tiny", "--only", "karate/ncn", "--write"], places) == 0
    assert folders(places, "ncn") == [folder]
    assert 0 < len(calls) - before < before  # what was done is not done again
    unbroken = run(overrides=record(places, "ncn")["command"].split()[3:])
    assert unbroken.metrics == record(places, "ncn")["metrics"]


def test_disagreement_and_a_wider_tolerance(places: Places, capsys: pytest.CaptureFixture[str]):
    write_table(places, {**TRAINED, "published": NARROW, "note": "why it differs"})
    assert main(["tiny", "--write"], places) == 1
    assert DISAGREES in (printed := capsys.readouterr().out) and "karate/ncn: why it differs" in printed
    assert main(["tiny", "--tolerance-std", "10000", "--write"], places) == 0
    assert "within 10000 of" in capsys.readouterr().out
    assert f"| {DISAGREES} |" in readme(places) and f"within {judging.TOLERANCE_STD:g} of" in readme(places)


def test_a_row_whose_data_is_missing_is_named_and_the_others_run(places: Places, capsys: pytest.CaptureFixture[str]):
    own = {**COUNTED, "dataset": "custom", "overrides": {"data.edges": "absent.csv"}, "metric": "hits@20"}
    write_table(places, own, COUNTED)
    assert main(["tiny", "--write"], places) == 1
    printed = capsys.readouterr()
    assert "error: custom/cn: " in printed.err and "absent.csv" in printed.err
    assert "failed" in printed.out and record(places, "cn")["dataset"] == "karate"
    assert "Traceback" not in printed.err


def test_trials_are_not_recorded(places: Places, capsys: pytest.CaptureFixture[str]):
    assert main(["tiny", "--only", "karate/ncn", "--seeds", "1", "--write"], places) == 0
    assert "1 / 10" in (printed := capsys.readouterr()).out and "not recorded" in printed.err
    assert main(["tiny", "--only", "karate/ncn", "--set", "train.epochs=1", "model.hidden_channels=4", "--write"], places) == 0
    assert not any(places.results.iterdir())
    assert [
        json.loads((path / "result.json").read_text())["settings"]["train"]["epochs"] for path in folders(places, "ncn")
    ] == [3, 1]
    assert main(["tiny", "--only", "karate/ncn", "--seeds", "2", "--set", "data.root=elsewhere", "--write"], places) == 0
    assert record(places, "ncn")["seeds"] == [0, 1]  # the row's own settings after all


# ------------------------------------------------------------------------------------------------------------------ --from


def test_a_run_from_elsewhere_is_taken(places: Places, monkeypatch: pytest.MonkeyPatch):
    result = run("link", "karate", "ncn", overrides=[f"{key}={value}" for key, value in NCN.items()], seeds=2)
    forbid_running(monkeypatch)
    assert main(["tiny", "--only", "karate/ncn", "--from", str(result.folder), "--write"], places) == 0
    assert record(places, "ncn")["metrics"] == result.metrics
    assert not places.runs.exists()


def test_a_run_of_other_settings_is_refused(places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = run(
        "link", "karate", "ncn", overrides=["train.epochs=1", "train.batch_size=16", "model.hidden_channels=8", "seeds=2"]
    )
    node = run("node", "karate", "mlp", train={"epochs": 1})
    assert main(["tiny", "--from", str(other.folder), str(node.folder), "nothing", "--write"], places) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"error: --from {other.folder} has other settings than karate/ncn: train.epochs=1 (the row: 3)"
    assert lines[1] == f"error: --from {node.folder}: no chosen row is node-karate-mlp"
    assert lines[2].startswith("error: --from nothing is no run folder") and len(lines) == 3
    assert not places.runs.exists()


def test_a_run_from_before_a_setting_existed_is_taken_with_a_warning(places: Places):
    result = run("link", "karate", "cn")
    path = result.folder / "result.json"
    old = json.loads(path.read_text())
    del old["settings"]["task"]["micro_batch"]
    config = yaml.safe_load((result.folder / "config.yaml").read_text())
    del config["task"]["micro_batch"]
    from graphkit.training.artifacts import config_digest

    path.write_text(json.dumps({**old, "config_digest": config_digest(config)}))
    (result.folder / "config.yaml").write_text(yaml.safe_dump(config))
    (result.folder / "digests.json").unlink()  # a run of that time has none
    assert main(["tiny", "--only", "karate/cn", "--from", str(result.folder), "--write"], places) == 0
    assert "run before there was a setting task.micro_batch" in record(places, "cn")["warnings"]
    assert main(["tiny", "--check"], places) == 0
    path.unlink()
    assert main(["tiny", "--only", "karate/cn", "--from", str(result.folder), "--write"], places) == 2


def test_where_a_run_came_from_is_warned_about(places: Places, capsys: pytest.CaptureFixture[str]):
    result = run("link", "karate", "cn")
    path = result.folder / "result.json"
    raw = json.loads(path.read_text())
    raw["environment"]["git"] = {"commit": "a" * 40, "dirty": True}
    path.write_text(json.dumps(raw))
    reseal(result.folder, "result.json")
    environment = json.loads((result.folder / "env.json").read_text())
    before = {**environment, "git": {"commit": "b" * 40, "dirty": False}}
    (result.folder / "env.json").write_text(json.dumps({**environment, "earlier": [before]}))
    assert main(["tiny", "--only", "karate/cn", "--from", str(result.folder), "--write"], places) == 0
    warnings = record(places, "cn")["warnings"]
    assert warnings[0] == "run with uncommitted changes to commit aaaaaaaaaa"
    assert "begun at commit bbbbbbbbbb and resumed" in warnings
    assert all(f"- karate/cn: {warning}" in readme(places) for warning in warnings)
    assert f"warning: karate/cn: {warnings[0]}" in capsys.readouterr().err


# ----------------------------------------------------------------------------------------------------------------- --check


def test_check_finds_what_was_changed_by_hand(places: Places, capsys: pytest.CaptureFixture[str]):
    assert main(["tiny", "--check"], places) == 1  # no page yet
    assert main(["tiny", "--only", "karate/cn", "--write"], places) == 0
    assert main(["tiny", "--check"], places) == 0
    page, path = places.results / "tiny/README.md", places.results / "tiny/link-karate-cn.json"
    capsys.readouterr()

    page.write_text(page.read_text() + "better\n")
    assert main(["tiny", "--check"], places) == 1
    assert "README.md is not what the JSON files give" in capsys.readouterr().err
    assert main(["tiny", "--render"], places) == 0
    assert main(["tiny", "--check"], places) == 0

    changed = record(places, "cn")
    changed["metrics"]["test"]["roc-auc"]["mean"] += 1
    path.write_text(json.dumps(changed))
    assert main(["tiny", "--check"], places) == 1

    (places.results / "tiny/link-karate-old.json").write_text("{}")
    capsys.readouterr()
    assert main(["tiny", "--check"], places) == 1
    assert "error: link-karate-old.json belongs to no row\n" in capsys.readouterr().err

    path.write_text(path.read_text()[:100])
    assert main(["tiny", "--check"], places) == 2
    assert "is damaged: remove it and run the row again" in capsys.readouterr().err


def test_results_of_other_settings_than_the_row_s_are_not_passed_off(places: Places, capsys: pytest.CaptureFixture[str]):
    assert main(["tiny", "--only", "karate/cn", "--write"], places) == 0
    write_table(places, {**COUNTED, "overrides": {"train.eval_batch_size": 8}, "published": BROAD})
    capsys.readouterr()
    assert main(["tiny", "--check"], places) == 1
    assert "was run with train.eval_batch_size=65536 (the row: 8)" in capsys.readouterr().err
    assert main(["tiny", "--render"], places) == 0
    assert OUTDATED in readme(places) and AGREES not in readme(places).split("##")[0].split("---")[-1]
    assert main(["tiny", "--write"], places) == 0
    assert record(places, "cn")["settings"]["train"]["eval_batch_size"] == 8
    assert main(["tiny", "--check"], places) == 0


# ---------------------------------------------------------------------------------------------------------- wrong requests


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tinny"], ["no table 'tinny': did you mean tiny?"]),
        (
            ["tiny", "--only", "karate/nc", "x"],
            ["--only karate/nc: did you mean karate/ncn?", "--only x: the rows of tiny are karate/ncn"],
        ),
        (["tiny", "--set", "out=x", "foo"], ["foo: expected key=value", "--set out=: it is the table's to say"]),
        (["tiny", "--set", "train.epoch=3"], ["karate/ncn: unknown key 'train.epoch': did you mean train.epochs?"]),
        (["tiny", "--seeds", "0"], ["karate/ncn: seeds=0: expected an integer from 1 to 100000"]),
        (["tiny", "--tolerance-std", "-1"], ["--tolerance-std -1: expected a number of at least 0"]),
    ],
)
def test_wrong_requests(places: Places, capsys: pytest.CaptureFixture[str], arguments: list[str], says: list[str]):
    assert main(arguments, places) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(says)
    assert all(line.startswith(f"error: {text}") for line, text in zip(lines, says, strict=True))
    assert not places.runs.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"modle": "cn"}, "row 1: unknown key 'modle': did you mean model?"),
        ({"model": "nnc"}, "karate/nnc: model=nnc: did you mean ncn?"),
        ({"seeds": "ten"}, "seeds=ten: expected an integer"),
        ({"metric": "hits@20"}, "metric 'hits@20' is none of roc-auc"),
        ({"overrides": {"train.epoch": 1}}, "did you mean train.epochs?"),
        ({"overrides": {"seeds": 1}}, "overrides: seeds is a key of the row"),
        ({"overrides": "x"}, "overrides: expected dict"),
        ({"comparable": False, "published": BROAD}, "needs a published figure, and a note"),
        ({"published": {**BROAD, "std": None}}, "can only be judged as exact: true"),
        ({"published": {**BROAD, "std": "0.1"}}, "as decimal numbers"),
        ({"published": {"mean": 1.0}}, "published takes from: recipe and n, or mean"),
        ({"published": {"from": "recipe", "n": 10}}, "a recipe link-karate-cn with a paper"),
    ],
)
def test_mistakes_in_a_table(places: Places, change: dict, says: str):
    write_table(places, {**COUNTED, **change})
    with pytest.raises(RequestError) as caught:
        load_table(places.tables, "tiny")
    assert says in str(caught.value) and str(caught.value).startswith("tiny.yaml, row 1: ")


def test_all_mistakes_of_a_table_at_once(places: Places):
    write_table(places, {"task": "link"}, COUNTED, COUNTED)
    with pytest.raises(RequestError) as caught:
        load_table(places.tables, "tiny")
    assert len(str(caught.value).splitlines()) == 5
    assert str(caught.value).endswith("tiny.yaml, row 3: karate/cn: stands in the table twice")


@pytest.mark.parametrize("text", ["rows: [", "title: x", "- 1", "title: x\nrows: []"])
def test_a_table_that_is_none(places: Places, text: str):
    (places.tables / "tiny.yaml").write_text(text)
    assert main(["tiny", "--list"], places) == 2


def test_results_that_cannot_be_written(places: Places, capsys: pytest.CaptureFixture[str]):
    (places.results / "tiny").write_text("in the way")
    assert main(["tiny", "--only", "karate/cn", "--write"], places) == 1
    assert "error: cannot use " in (printed := capsys.readouterr().err) and "Traceback" not in printed


def test_finished_rows_become_claims(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert main(["tiny", "--only", "karate/cn"], places) == 0
    forbid_running(monkeypatch)
    capsys.readouterr()
    assert main(["tiny", "--claims", "claims/here"], places) == 0
    told = capsys.readouterr()
    assert told.out == "" and told.err == "karate/ncn: no finished run\nkarate/cn: claims/here/link-karate-cn.zip\n"
    assert [path.name for path in (tmp_path / "claims/here").iterdir()] == ["link-karate-cn.zip"]
    assert verify("claims/here/link-karate-cn.zip").holds
    assert not list(places.results.rglob("*.json"))
    (folder,) = folders(places, "cn")
    (folder / "seed-0/predictions.npz").unlink()
    assert main(["tiny", "--claims", "claims"], places) == 1
    assert "error: karate/cn: " in capsys.readouterr().err
    Path("file").write_text("")
    assert main(["tiny", "--claims", "file"], places) == 2
    assert "--claims file: cannot be made" in capsys.readouterr().err
