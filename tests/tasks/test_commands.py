"""Commands on the page: they parse, and give the same settings again."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from graphkit.conf.arguments import split
from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS
from graphkit.tasks.commands import next_steps, run_command
from graphkit.tasks.report_parts import typed
from graphkit.training.result import RunResult, summarize

REQUESTS = [
    ["task=node", "dataset=karate"],
    ["task=node", "dataset=cora", "model=gcn", "train.lr=0.0123456789", "seeds=3", "recipe=none"],
    ["task=node", "dataset=cora", "model=gcn", "transform=teddy", "model.input_dropout=0.25"],
    ["task=node", "dataset=karate", "model=prototype", "model.backbone=sage", "model.per_class=3"],
    ["task=link", "dataset=custom", "data.edges=my edges.csv", "data.split=[0.123456,0.2,0.676544]", "train.weight_decay=1e-7"],
    ["task=recommend", "dataset=planted-interactions", "model=lightgcn", "task.metric=ndcg@20", "deterministic=false"],
]


@pytest.mark.parametrize("request_", REQUESTS, ids=" ".join)
def test_the_command_gives_the_same_settings(request_: list[str]):
    run = compose(check(split(request_).assignments, DATASETS)).run
    command = run_command(run)
    program, words = shlex.split(command)[:3], shlex.split(command)[3:]
    assert program == ["python", "-m", "graphkit.run"]
    assert compose(check(split(words).assignments, DATASETS)).run == run
    assert len(words) <= len(request_) + 3, command


def result(task: str, folder: Path) -> RunResult:
    (folder / "metrics.csv").write_text("seed,epoch,loss\n0,1,0.5\n0,20,0.4\n")
    return RunResult(
        task=task, dataset="d", model="m", metric="x", metrics=summarize([{"test": {"x": 1.0}}]), seeds=(0,), best_epochs=(1,),
        num_parameters=1, paper=None, seconds=1.0, epoch_seconds=1.0, steps_per_second=1.0, peak_memory_mb=0.0, folder=folder,
    )  # fmt: skip


def test_the_next_steps_are_those_that_the_task_has(tmp_path: Path):
    pair = {"pair": typed("a,b", 'c "d"'), "node": "a b"}
    steps = {step.what: shlex.split(step.command) for step in next_steps(result("link", tmp_path), pair, epochs=20)}
    assert steps["Why one prediction"][2:] == ["graphkit.explain", f"run={tmp_path}", 'pair="a,b","c ""d"""', "out=why.html"]
    assert steps["Predict"][2:] == ["graphkit.predict", f"run={tmp_path}", "node=a b", "top=10"]
    assert steps["More epochs"][2:] == ["graphkit.run", f"resume={tmp_path}", "train.epochs=40"]
    assert [step.what for step in next_steps(result("node", tmp_path), {"node": "1"}, epochs=20)] == [
        "Why one prediction", "More epochs",
    ]  # fmt: skip
    assert next_steps(result("node", tmp_path), {}, epochs=7) == []  # it was trained in stages
    (tmp_path / "metrics.csv").write_text("seed,epoch,loss\n0,0,\n")
    assert next_steps(replace(result("node", tmp_path)), {}, epochs=0) == []
