import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

import graphkit
from graphkit import run as door
from graphkit.conf.recipe import Recipe
from graphkit.errors import CheckpointError, Interrupted, RequestError, RunError
from graphkit.run import main, run
from graphkit.training.result import RunResult, summarize

GCN = ["task=node", "dataset=karate", "model=gcn", "train.epochs=4"]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs where `out=runs` may be written."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only_run() -> Path:
    (folder,) = Path("runs").iterdir()
    return folder


def without_times(text: str) -> dict:
    """result.json but for what differs between two equal runs."""
    record = json.loads(text)
    for key in ("seconds", "epoch_seconds", "steps_per_second", "peak_memory_mb", "environment"):
        record.pop(key)
    return record


# --------------------------------------------------------------------------------------------------------------- asking


def test_asking_and_mistakes_need_no_torch_and_no_folder():
    code = """if True:
        import sys
        from graphkit.run import main
        requests = [["--help"], ["--list"], ["--list", "models"], ["--version"], ["epoch=3"], ["model=gcn"], ["resume=no"]]
        print([main(request) for request in requests], file=sys.stderr)
        print([name for name in sys.modules if name in ("torch", "torch_geometric", "lightning_fabric")], file=sys.stderr)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-2:] == ["[0, 0, 0, 0, 2, 2, 2]", "[]"]
    assert "Traceback" not in done.stderr
    assert not any(Path().iterdir())


def test_help_wins(capsys: pytest.CaptureFixture[str]):
    for arguments in (["--help"], ["-h"], ["foo", "epoch=3", "--help", "--list"]):
        assert main(arguments) == 0
        printed = capsys.readouterr()
        assert printed.out.startswith("usage: python -m graphkit.run") and not printed.err


def test_version(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"graphkit {graphkit.__version__}\n"


def test_list(capsys: pytest.CaptureFixture[str]):
    assert main(["--list", "datasets"]) == 0
    printed = capsys.readouterr()
    assert "dataset=ogbl-ddi\n" in printed.out and "model=" not in printed.out
    assert main(["--list", "modles"]) == 2
    assert capsys.readouterr().err == "error: --list modles: did you mean models?\n"
    assert main(["--list", "models", "task=node"]) == 2
    assert capsys.readouterr().err == "error: task=: --list takes no key=value, leave it out\n"


def test_mistakes_one_a_line(capsys: pytest.CaptureFixture[str]):
    assert main(["epoch=3", "dataset=ogbl-dii", "train.lr=x"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "error: dataset=ogbl-dii: did you mean ogbl-ddi?",
        "error: unknown key 'epoch': did you mean train.epochs?",
        "error: train.lr=x: expected a number",
    ]


def test_python_reports_the_same_mistakes():
    with pytest.raises(RequestError) as caught:
        run(dataset="ogbl-dii", train={"epoch": 3}, overrides=["train.lr=x", "foo", "--list"], epochs=2)
    assert sorted(str(caught.value).splitlines()) == [
        "--list: overrides take key=value",
        "dataset=ogbl-dii: did you mean ogbl-ddi?",
        "foo: expected key=value",
        "train.lr=x: expected a number",
        "unknown key 'epochs': did you mean train.epochs?",
        "unknown key 'train.epoch': did you mean train.epochs?",
    ]


@pytest.mark.parametrize("arguments", [["--help"], ["--list"]])
def test_a_reader_that_leaves_is_no_error(arguments: list[str]):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "graphkit.run", *arguments]
    process = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (process.returncode, process.stderr) == (0, "")


# -------------------------------------------------------------------------------------------------------------- running


@pytest.mark.parametrize("format", ["text", "json"])
def test_results_on_stdout_the_rest_on_stderr(format: str, capsys, monkeypatch: pytest.MonkeyPatch):
    paper = {"metric": "accuracy", "test": [81.5, 0.7], "source": "A paper"}
    recipe = Recipe("node-karate-gcn", {"train": {"lr": 0.02, "epochs": 4}}, paper)
    monkeypatch.setattr("graphkit.conf.compose.find_recipe", lambda *names: recipe)
    assert main([*GCN, "seeds=2", f"format={format}"]) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[0] == "note: settings of the recipe node-karate-gcn; recipe=none leaves them out"
    stored = (only_run() / "result.json").read_text()
    record = json.loads(stored)
    test = record["metrics"]["test"]["accuracy"]
    assert test["std"] == pytest.approx(np.std(test["per_seed"], ddof=1))
    if format == "json":
        assert printed.out == stored
        return
    assert re.search(r"metric +valid +test +paper test\n", printed.out)
    ours = f"{test['mean']:.2f} ± {test['std']:.2f}"
    assert re.search(rf"accuracy +\S+ ± \S+ +{re.escape(ours)} +81\.50 ± 0\.70\n", printed.out)
    assert "gcn on karate (task=node): seeds 0 to 1, mean ± unbiased standard deviation\n" in printed.out
    assert "\npaper: A paper\n" in printed.out
    assert printed.out.endswith(f"\nreport: {only_run() / 'report.html'}\n")
    assert (only_run() / "report.html").is_file()


def test_one_seed_has_no_deviation(capsys: pytest.CaptureFixture[str]):
    assert main(GCN) == 0
    printed = capsys.readouterr().out
    assert "±" not in printed and "paper" not in printed and "seed 0\n" in printed


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        ([*GCN, "seeds=2", "train.lr=0.1"],
         {"task": "node", "dataset": "karate", "train": {"epochs": 4}, "seeds": 2, "overrides": ["train.lr=0.1"]}),
        (["dataset=karate", "model=cn", "seeds=2"], {"task": "link", "dataset": "karate", "model": {"name": "cn"}, "seeds": 2}),
        (["dataset=karate", "model.hidden_channels=8", "train.epochs=2"],
         {"dataset": "karate", "model": {"name": "ncn", "hidden_channels": 8}, "train": {"epochs": 2}}),
    ],
    ids=["gcn", "cn", "ncn"],
)  # fmt: skip
def test_command_line_and_python_give_the_same(arguments: list[str], keywords: dict, capsys: pytest.CaptureFixture[str]):
    assert main([*arguments, "format=json", "out=shell"]) == 0
    typed = json.loads(capsys.readouterr().out)
    result = run(**keywords, out="python")
    assert capsys.readouterr() == ("", "")
    assert isinstance(result, RunResult)
    assert result.metrics == typed["metrics"]
    assert len(result.seeds) == keywords.get("seeds", 1)
    stored = (result.folder / "result.json").read_text()
    assert without_times(stored) == without_times(json.dumps(typed))


def test_settings_reach_the_run():
    result = run("node", "karate", {"name": "mlp", "hidden_channels": 5}, train={"epochs": 2}, seed=7, seeds=2, device="cpu")
    config = yaml.safe_load((result.folder / "config.yaml").read_text())
    assert (config["task"]["name"], config["dataset"], config["model"]["name"]) == ("node", "karate", "mlp")
    assert (config["model"]["hidden_channels"], config["train"]["epochs"], config["seed"], config["device"]) == (5, 2, 7, "cpu")
    assert result.seeds == (7, 8)
    assert result.num_parameters == 34 * 5 + 5 + 5 * 2 + 2
    assert result.folder.name.startswith("node-karate-mlp-")
    assert result.protocol.startswith("A fixed split of the members")


@pytest.mark.parametrize("asked", [{}, {"progress": True}, {"overrides": ["progress=true"]}])
def test_python_shows_progress_only_when_asked(asked: dict, monkeypatch: pytest.MonkeyPatch):
    seen = []
    monkeypatch.setattr(door, "execute", lambda resolved, tell=None, memory=None: seen.append(resolved.run.progress))
    run(dataset="karate", **asked)
    assert seen == [bool(asked)]


def test_what_the_task_refuses_leaves_no_run_folder(capsys: pytest.CaptureFixture[str]):
    assert main([*GCN, "task.metric=hits@20"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and "hits@20" in printed.err and printed.err.count("\n") == 1
    assert not Path("runs").exists()


def test_own_files(capsys: pytest.CaptureFixture[str]):
    rows = [(a, b) for a in range(8) for b in range(a + 1, 8) if (a + b) % 3]
    with Path("edges.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert main(["dataset=custom", "data.edges=edges.csv", "model=ra", "format=json"]) == 0
    assert json.loads(capsys.readouterr().out)["dataset"] == "custom"
    Path("edges.csv").write_text("0,1\n2\n")
    shutil.rmtree("runs")
    assert main(["dataset=custom", "data.edges=edges.csv", "model=ra"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and "edges.csv" in printed.err
    assert "Traceback" not in printed.err
    assert not Path("runs").exists()  # no folder of a run that could never start


# -------------------------------------------------------------------------------------------------------------- resume


def test_resume_of_a_finished_run_reports_it(capsys: pytest.CaptureFixture[str]):
    first = run("node", "karate", train={"epochs": 3}, seeds=2)
    assert main([f"resume={first.folder}", "format=json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == first.metrics
    assert only_run() == Path("runs") / first.folder.name
    assert run(resume=first.folder).metrics == first.metrics


def test_resume_of_an_unfinished_run_ends_where_the_unbroken_one_does():
    whole = run("node", "karate", train={"epochs": 6}, seeds=2)
    stored = (whole.folder / "result.json").read_text()
    (whole.folder / "result.json").unlink()
    shutil.rmtree(whole.folder / "seed-1")
    resumed = run(resume=str(whole.folder))
    assert resumed.metrics == whole.metrics
    assert without_times((whole.folder / "result.json").read_text()) == without_times(stored)


def test_resume_checks_the_stored_settings(capsys: pytest.CaptureFixture[str]):
    assert main(["resume=nowhere"]) == 2
    assert "nowhere is no run folder" in capsys.readouterr().err
    folder = run("node", "karate", train={"epochs": 1}).folder
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["train"]["epochs"] = "many"
    config["typo"] = 1
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert main([f"resume={folder}"]) == 2
    assert "config.yaml is truncated or was changed" in capsys.readouterr().err
    (folder / "digests.json").unlink()  # as folders were before there were digests
    assert main([f"resume={folder}"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: {folder / 'config.yaml'}: unknown key 'typo'; see --list",
        f"error: {folder / 'config.yaml'}: train.epochs=many: expected an integer",
    ]
    with pytest.raises(CheckpointError, match="expected an integer"):
        run(resume=folder)
    assert main([f"resume={folder}", "seeds=3"]) == 2
    assert "leave out seeds" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------------- dry run


def test_dry_run_says_what_would_be_done_and_writes_nothing(capsys: pytest.CaptureFixture[str]):
    assert main([*GCN, "--dry-run", "model.hidden_channels=8"]) == 0
    printed = capsys.readouterr()
    assert printed.err == "" and not any(Path().iterdir())
    settings, facts = yaml.safe_load_all(printed.out)
    assert settings["train"]["epochs"] == 4 and settings["model"]["hidden_channels"] == 8
    assert facts["recipe"] is None and facts["paper"] is None
    assert facts["parameters"] == 34 * 8 + 8 + 8 * 2 + 2
    assert facts["splits"] == {"train": 8, "valid": 10, "test": 16}
    assert (facts["metric"], facts["nodes"], facts["message_passing_edges"]) == ("accuracy", 34, 156)
    assert "A fixed split of the members" in facts["protocol"]
    assert facts["folder"] == "runs/node-karate-gcn-<stamp>"
    assert main([*GCN, "--dry-run", "model.hidden_channels=8", "format=json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record.pop("settings") == {**settings, "format": "json"}
    assert record == facts
    assert main([*GCN, "model.hidden_channels=8"]) == 0
    assert re.fullmatch(facts["folder"].replace("<stamp>", r"\d{8}-\d{6}"), str(only_run()))
    assert run(resume=only_run()).num_parameters == facts["parameters"]
    capsys.readouterr()
    assert main(["--dry-run", f"resume={only_run()}", "format=json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(only_run())


def test_dry_run_of_links(capsys: pytest.CaptureFixture[str]):
    assert main(["dataset=karate", "model=ncn", "model.hidden_channels=8", "--dry-run", "format=json"]) == 0
    record = json.loads(capsys.readouterr().out)
    splits = record["splits"]
    assert sum(part["positive"] for part in splits.values()) == 78
    assert record["message_passing_edges"] == 2 * splits["train"]["positive"]
    assert "negative" not in splits["train"] and splits["test"]["negative"] == splits["test"]["positive"]
    assert record["parameters"] > 34 * 8


# ---------------------------------------------------------------------------------------------------------- exit status


@pytest.mark.parametrize(
    ("error", "status"), [(RunError("disk is full"), 1), (CheckpointError("no run"), 2), (Interrupted("stopped"), 130)]
)
def test_deliberate_errors_are_one_sentence(error: Exception, status: int, capsys, monkeypatch: pytest.MonkeyPatch):
    def fail(resolved: object, tell: object) -> None:
        raise error

    monkeypatch.setattr(door, "execute", fail)
    assert main(GCN) == status
    assert capsys.readouterr().err == f"error: {error}\n"


def test_interrupt_before_training(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "execute", lambda resolved, tell: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with it ignored
    try:
        assert main(GCN) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "error: interrupted before training began\n"


def test_unexpected_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "execute", lambda resolved, tell: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(GCN)


def test_no_cuda(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main([*GCN, "device=cuda"]) == 2
    assert "device=cuda" in capsys.readouterr().err and not Path("runs").exists()


def test_what_libraries_print_does_not_reach_stdout(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    execute = door.execute

    def chatty(resolved: door.Resolved, tell: Callable[[str], None] | None = None) -> RunResult:
        print("hello from a library")
        return execute(resolved, tell)

    monkeypatch.setattr(door, "execute", chatty)
    assert main([*GCN, "format=json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) and "hello" in printed.err


def test_summary_is_what_the_table_shows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """The paper's deviation may be unknown, and it may report one split only."""
    result = RunResult(
        task="link", dataset="cora", model="ncn", metric="hits@100", seeds=(3, 4), best_epochs=(1, 2), num_parameters=1412098,
        metrics=summarize([{"valid": {"hits@100": 80.0, "mrr": 10.0}, "test": {"hits@100": 82.0, "mrr": 11.0}},
                           {"valid": {"hits@100": 82.0, "mrr": 12.0}, "test": {"hits@100": 86.0, "mrr": 13.0}}]),
        paper={"source": "A paper", "test": {"hits@100": {"mean": 89.05, "std": None}}}, seconds=12.34, epoch_seconds=1.0,
        steps_per_second=1.0, peak_memory_mb=1.0, folder=Path("runs/x"),
    )  # fmt: skip
    monkeypatch.setattr(door, "execute", lambda resolved, tell: result)
    assert main(GCN) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "metric valid test paper test" in lines
    assert "hits@100 81.00 ± 1.41 84.00 ± 2.83 89.05" in lines
    assert "mrr 11.00 ± 1.41 12.00 ± 1.41" in lines
    assert "epoch selected by valid hits@100; 1,412,098 parameters; 12.3 s" in lines
