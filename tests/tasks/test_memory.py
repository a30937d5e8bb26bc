"""What would not fit in memory is refused before it is built."""

from pathlib import Path

import pytest
import torch

from graphkit.conf.catalog import MODELS
from graphkit.errors import RequestError, RunError
from graphkit.run import dry_run, main
from graphkit.tasks import memory
from graphkit.tasks.build import model_maker
from graphkit.tasks.memory import available_memory, require_memory_for

SIZES = {"in_channels": 20, "out_channels": 4, "num_nodes": 30, "num_users": 30, "num_items": 40, "size": (8, 8)}


def refuse_after(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: size)


@pytest.mark.parametrize(("task", "model"), [(task, model) for task, models in MODELS.items() for model in models])
def test_every_model_is_counted_before_it_takes_memory(task: str, model: str, monkeypatch: pytest.MonkeyPatch):
    make_model = model_maker(task, MODELS[task][model].settings())
    torch.manual_seed(0)
    before = torch.get_rng_state()
    needed = 4 * sum(parameter.numel() for parameter in make_model(**SIZES).parameters())
    torch.set_rng_state(before)
    refuse_after(monkeypatch, needed)
    require_memory_for(make_model.outline(**SIZES))
    assert torch.equal(torch.get_rng_state(), before)
    if needed:
        refuse_after(monkeypatch, needed - 1)
        with pytest.raises(RequestError, match=rf"the model with its {needed // 4:,} parameters needs .* GB of memory"):
            require_memory_for(make_model.outline(**SIZES))


def test_a_model_of_petabytes_is_refused_at_once():
    model = {"name": "gae", "hidden_channels": 2**20, "num_layers": 100, "conv": "gcn"}
    with pytest.raises(
        RequestError, match=r"parameters needs \d{3},\d{3}\.\d GB of memory, and .* GB are free: lower its width"
    ):
        dry_run("link", "karate", model, recipe="none")


def test_batches_of_many_negatives_are_refused():
    with pytest.raises(RequestError, match=r"a batch of triples needs .* lower train.batch_size or task.num_negatives"):
        dry_run({"name": "recommend", "num_negatives": 100_000}, model={"name": "lightgcn", "hidden_channels": 4096})


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    free = available_memory()
    assert free is None or free > 1_000_000
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.stat").write_text("anon 700\ninactive_file 200\nactive_file 50\n")
    assert available_memory() == 4250  # pages of files are given back when they are needed
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory() != 4250


def test_memory_that_nothing_tells_of_refuses_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    memory.require_memory(10**30, "this", "do that")


@pytest.mark.parametrize("flags", [[], ["--dry-run"]])
def test_memory_that_runs_out_outside_training_is_a_sentence(flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys):
    def full(*arguments: object, **settings: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("graphkit.data.load", full, raising=False)
    assert main(["dataset=karate", *flags]) == RunError.exit_code
    assert capsys.readouterr().err.startswith("error: out of memory: lower ")
