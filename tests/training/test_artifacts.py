import functools
import json
import math
import random
import re
import statistics
import subprocess
import sys
import threading
from datetime import datetime
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from graphkit.errors import RequestError
from graphkit.training import environment, runner, runtime
from graphkit.training.artifacts import config_digest, create_folder, read_config, read_result
from graphkit.training.progress import Reporter
from graphkit.training.result import RunResult, summarize
from graphkit.training.runner import train_run
from tests.training.fakes import Heuristic, Regression, Scripted, config


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    settings = config(tmp_path_factory.mktemp("runs"), seeds=3, seed=5)
    paper = {"source": "Table <2>", "test": {"fit": {"mean": -1.0, "std": 0.25}}}
    return train_run(settings, Regression, paper=paper, protocol="Rows 0 to 23 train.", notes=("recipe: none",))


def test_mean_and_unbiased_deviation(result):
    figures = result.metrics["test"]["fit"]
    values = figures["per_seed"]
    assert len(set(values)) == 3
    mean = sum(values) / 3
    assert figures["mean"] == pytest.approx(mean)
    assert figures["std"] == pytest.approx(math.sqrt(sum((value - mean) ** 2 for value in values) / 2))
    assert result.seeds == (5, 6, 7)


def test_one_seed_has_no_deviation():
    assert summarize([{"test": {"a": 3.0}}]) == {"test": {"a": {"mean": 3.0, "std": None, "per_seed": [3.0]}}}


def test_a_seed_gives_the_same_alone_and_among_others(result, tmp_path):
    alone = train_run(config(tmp_path, seed=6), Regression)
    assert alone.metrics["test"]["fit"]["per_seed"] == result.metrics["test"]["fit"]["per_seed"][1:2]


def test_result_round_trips(result):
    assert RunResult.from_json(result.to_json()) == result
    assert read_result(result.folder) == result
    assert result.published("test", "fit") == {"mean": -1.0, "std": 0.25}
    assert result.published("valid", "fit") is None
    with pytest.raises(ValueError, match="no 'task'"):
        RunResult.from_json("{}")


def test_the_folder_holds_what_was_promised(result):
    folder = result.folder
    assert re.fullmatch(r"fake-numbers-linear-\d{8}-\d{6}", folder.name)
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    seeds = {f"seed-{seed}/{name}" for seed in (5, 6, 7) for name in ("best.safetensors", "last.ckpt", "predictions.npz")}
    assert names == {"config.yaml", "digests.json", "env.json", "metrics.csv", "result.json", "report.html"} | seeds
    with np.load(folder / "seed-5" / "predictions.npz", allow_pickle=False) as arrays:
        assert arrays["scores"].shape == (40,)


def test_predictions_are_those_of_the_selected_weights(tmp_path):
    task = Scripted(valid=[1.0, 5.0, 3.0])
    result = train_run(config(tmp_path, train={"epochs": 3}), lambda seed: task)
    with np.load(result.folder / "seed-0" / "predictions.npz") as arrays:
        assert arrays["weight"].round() == [[2.0]]


def test_config_and_environment(result):
    assert read_config(result.folder) == yaml.safe_load((result.folder / "config.yaml").read_text())
    env = json.loads((result.folder / "env.json").read_text())
    assert env["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {"python", "numpy", "torch-geometric", "graphkit"} <= env["versions"].keys()
    assert env["threads"] == 1
    assert env["device"]


def test_metrics_have_a_row_an_epoch(result):
    header, *lines = (result.folder / "metrics.csv").read_text().splitlines()
    assert header == "seed,epoch,loss,seconds,eval_seconds,valid/fit,valid/other,test/fit,test/other"
    assert [line.split(",")[:2] for line in lines] == [[str(seed), str(e)] for seed in (5, 6, 7) for e in range(1, 7)]
    best = max(float(line.split(",")[5]) for line in lines if line.startswith("6,"))
    assert best == result.metrics["valid"]["fit"]["per_seed"][1]
    seconds = [float(line.split(",")[3]) for line in lines]
    assert result.epoch_seconds == statistics.median(seconds)
    assert result.steps_per_second == pytest.approx(4 / result.epoch_seconds)
    assert result.peak_memory_mb > 50


def test_the_report_stands_alone(result):
    text = (result.folder / "report.html").read_text()
    assert not re.search(r"(src|href)=|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text
    assert "Rows 0 to 23 train." in text
    assert "recipe: none" in text
    assert "Table &lt;2&gt;" in text
    assert text.count("class='stroke'") == 2 * (2 * 3)  # loss and validation metric, a line a seed, each also in the legend
    assert (
        len(re.findall(r"<title>seed \d: \d", text)) == 3
        and len(re.findall(r"<title>seed \d, (?:valid|test): ", text)) == 2 * 3
    )
    figures = result.metrics["test"]["fit"]
    assert f"{figures['mean']:.2f} ± {figures['std']:.2f}" in text
    assert "-1.00 ± 0.25" in text
    assert f"{figures['mean'] + 1.0:+.2f}" in text
    assert "train.epochs" in text
    assert "versions.torch" in text

    class Balance(HTMLParser):
        open_tags: list[str] = []

        def handle_starttag(self, tag, attributes):
            if tag != "meta":
                self.open_tags.append(tag)

        def handle_startendtag(self, tag, attributes):
            pass

        def handle_endtag(self, tag):
            assert self.open_tags.pop() == tag

    page = Balance()
    page.feed(text)
    assert page.open_tags == []


def test_the_report_of_a_model_without_training(tmp_path):
    text = (train_run(config(tmp_path), lambda seed: Heuristic()).folder / "report.html").read_text()
    assert "<svg" not in text
    assert "41.50" in text


def test_runs_of_the_same_second_do_not_meet(tmp_path):
    now = datetime(2026, 1, 2, 3, 4, 5)
    folders = [create_folder(config(tmp_path), now) for _ in range(3)]
    assert [folder.name for folder in folders] == [f"fake-numbers-linear-20260102-030405{end}" for end in ("", "-2", "-3")]


def test_the_digest_knows_what_decides_the_numbers(tmp_path):
    base = config(tmp_path)
    same = {
        **base,
        "out": "elsewhere",
        "progress": True,
        "format": "json",
        "resume": "x",
        "data": {**base["data"], "root": "/d"},
    }
    assert config_digest(same) == config_digest(base)
    for change in (
        {"seed": 1},
        {"precision": "64-true"},
        {"train": {"lr": 0.1}},
        {"model": {"name": "linear", "dropout": 0.4}},
    ):
        assert config_digest(config(tmp_path, **change)) != config_digest(base)


def test_a_run_resumed_elsewhere_keeps_the_earlier_environment(tmp_path):
    path = tmp_path / "env.json"
    for device in ("a", "a", "b", "c"):
        environment.record_environment(path, {"device": device})
    assert json.loads(path.read_text()) == {"device": "c", "earlier": [{"device": "a"}, {"device": "b"}]}
    path.write_text("{")
    environment.record_environment(path, {"device": "d"})
    assert json.loads(path.read_text()) == {"device": "d"}


def test_git_state_is_that_of_a_checkout_that_tracks_the_package(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *identity, "-C", str(tmp_path), *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert environment.git_state(package) is None
    git("init", "-q")
    assert environment.git_state(package) is None  # untracked, as an installed package inside somebody's checkout is
    git("add", "package")
    git("commit", "-q", "-m", "one")
    assert environment.git_state(package) == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    (tmp_path / "results.json").write_text("{}")
    git("add", "results.json")
    assert environment.git_state(package)["dirty"] is False  # no file of the package
    (package / "__init__.py").write_text("x = 1\n")
    assert environment.git_state(package)["dirty"] is True


# ------------------------------------------------------------------------------------------------------- global state


def test_a_run_leaves_global_state_as_it_was(tmp_path):
    threads = torch.get_num_threads()
    inside = []

    def make(seed):
        inside.append(torch.get_num_threads())
        return Regression(seed)

    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    train_run(config(tmp_path, threads=threads + 1), make)
    assert inside == [threads + 1]
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected


def test_runs_in_a_thread_of_python(tmp_path):
    results = []
    thread = threading.Thread(target=lambda: results.append(train_run(config(tmp_path), Regression)))
    thread.start()
    thread.join()
    assert results[0].best_epochs


def test_random_states_round_trip():
    device = torch.device("cpu")
    runtime.seed_everything(2**40 + 1)
    np.random.randn()  # leaves a cached second value
    random.gauss(0, 1)
    states = runtime.random_states(device)
    expected = np.random.randn(), random.gauss(0, 1), torch.rand(1).item()
    np.random.randn()
    runtime.restore_random_states(states, device)
    assert (np.random.randn(), random.gauss(0, 1), torch.rand(1).item()) == expected


# ------------------------------------------------------------------------------------------------ progress, TensorBoard


class Terminal(StringIO):
    def isatty(self):
        return True


def report(stream, bars=True, every=0.0):
    with Reporter(bars, seeds=2, epochs=4, stream=stream, every=every) as reporter:
        reporter.phase("reading")
        for epoch in (1, 2):
            reporter.step(0, epoch, 0.5)
            reporter.epoch(0, 7, epoch, 10.0, 0.25, "hits@20", 71.724)
    return stream.getvalue()


def test_lines_where_there_is_no_terminal():
    lines = report(StringIO()).splitlines()
    assert lines == [
        "seed 7, epoch 1/4, loss 0.2500, valid hits@20 71.72, ETA 0:01:10",
        "seed 7, epoch 2/4, loss 0.2500, valid hits@20 71.72, ETA 0:01:00",
    ]
    assert report(StringIO(), every=30.0) == ""


def test_bars_on_a_terminal_only_when_wanted():
    shown = report(Terminal())
    assert "seed 7, epoch 2/4" in shown
    assert "ETA 0:01:00" in shown
    assert "\x1b[" in shown
    assert "\x1b[" not in report(Terminal(), bars=False)


def test_nothing_on_stdout(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runner, "Reporter", functools.partial(Reporter, every=0.0))
    train_run(config(tmp_path, progress=True), Regression)
    out, err = capsys.readouterr()
    assert out == ""
    assert "seed 0, epoch 6/6, loss" in err


def test_tensorboard_events(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = train_run(config(tmp_path, tensorboard=True), Regression)
    events = EventAccumulator(str(result.folder / "tensorboard" / "seed-0"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4, 5, 6]
    best = max(event.value for event in events.Scalars("valid/fit"))
    assert best == pytest.approx(result.metrics["valid"]["fit"]["mean"])


def test_tensorboard_that_is_missing_is_said_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"tensorboard=true needs the package tensorboard: pip install tensorboard"):
        train_run(config(tmp_path, tensorboard=True), Regression)
    assert list(tmp_path.iterdir()) == []


def test_reading_results_needs_no_torch():
    modules = "graphkit.training.result, graphkit.training.artifacts, graphkit.training.report"
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(runner.__file__).parents[2])
