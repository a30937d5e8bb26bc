"""A whole run: seeds one after the other, the run folder, resume. The door calls `train_run`."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from graphkit.errors import CheckpointError, Interrupted, RunError
from graphkit.training.artifacts import config_digest, create_folder, read_config, read_result, write_result
from graphkit.training.checkpoint import load_checkpoint, load_weights, save_checkpoint, save_weights
from graphkit.training.environment import environment, peak_memory_mb, record_environment
from graphkit.training.files import exclusive, remove_leftovers, storage_errors, write_arrays
from graphkit.training.history import History
from graphkit.training.loop import Trainer
from graphkit.training.progress import Reporter
from graphkit.training.protocol import Task
from graphkit.training.report import write_report
from graphkit.training.result import RunResult, summarize
from graphkit.training.runtime import (
    interruptible,
    make_fabric,
    process_state,
    resolve_device,
    resolve_precision,
    seed_everything,
)
from graphkit.training.tensorboard import EventWriter, require_tensorboard

MIN_CHECKPOINT_SECONDS = 5.0
"""Epochs shorter than this share a checkpoint: making a write durable costs more than a small epoch."""

State = dict[str, Any]


def train_run(
    config: dict[str, Any],
    make_task: Callable[[int], Task],
    *,
    paper: dict[str, Any] | None = None,
    protocol: str = "",
    folder: Path | None = None,
    notes: Sequence[str] = (),
) -> RunResult:
    """Train and evaluate every seed of a run, and leave its folder.

    Args:
        config: The resolved settings, as `graphkit.conf.schema.Run` declares them, in plain containers.
        make_task: Gives the task of a seed, on the device of `resolve_device(config["device"])`; global generators are
            seeded before it is called.
        paper: Published figures, see `RunResult.paper`.
        protocol: One or two sentences: what is trained on, what is held out.
        folder: The run folder to resume; None starts a new one under `config["out"]`. A finished run is only reported.
        notes: Further plain sentences for the report.

    Returns:
        The result, also written to result.json. Numbers are bit for bit those of a run that was never interrupted (on the CPU,
        with the same number of threads on the same machine).

    Raises:
        RequestError: If the device, the output folder or TensorBoard is not to be had.
        CheckpointError: If the folder cannot be resumed.
        RunError: If a loss is not finite, memory or disk runs out.
        Interrupted: After SIGINT or SIGTERM; the last checkpoint is whole.
    """
    if folder is not None:
        folder = Path(folder)
        if config_digest(read_config(folder)) != config_digest(config):
            raise CheckpointError(f"{folder} was run with other settings: resume takes all of them from the run, so give none")
        result = read_result(folder, config)
        if result is not None:
            return result
    device = resolve_device(config["device"], config["precision"])
    if config["tensorboard"]:
        require_tensorboard()
    if folder is None:
        folder = create_folder(config)
    with exclusive(folder), storage_errors(folder):
        try:
            with interruptible(), process_state(config["threads"], config["deterministic"], device), _torch_errors():
                run = _Run(config, make_task, folder, device, paper, protocol, tuple(notes))
                return run.complete()
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; continue with resume={folder}") from None


class _Run:
    """The seeds of one run, each from its checkpoint or from the start."""

    def __init__(
        self,
        config: dict[str, Any],
        make_task: Callable[[int], Task],
        folder: Path,
        device: torch.device,
        paper: dict[str, Any] | None,
        protocol: str,
        notes: tuple[str, ...],
    ) -> None:
        self._config, self._make_task, self._folder, self._device = config, make_task, folder, device
        self._precision, note = resolve_precision(config["precision"], device)
        if note is not None and config["progress"]:
            print(f"note: {note}", file=sys.stderr)
        self._paper, self._protocol, self._notes = paper, protocol, notes if note is None else (*notes, note)
        self._digest = config_digest(config)
        self._fabric = make_fabric(device, self._precision)
        self._seeds = tuple(range(config["seed"], config["seed"] + config["seeds"]))
        self._reporter = Reporter(config["progress"], config["seeds"], config["train"]["epochs"])

    def complete(self) -> RunResult:
        """Train what is left, then write report.html and, as the sign of completion, result.json."""
        remove_leftovers(self._folder)
        surroundings = environment(self._device, self._precision)
        record_environment(self._folder / "env.json", surroundings)
        with self._reporter:
            states = [self._seed(position, seed) for position, seed in enumerate(self._seeds)]
        history = History(self._folder / "metrics.csv", tuple(states[0]["columns"]))
        trained = [row["seconds"] for row in history.rows() if row["loss"] is not None]
        epoch_seconds = statistics.median(value for value in trained if value is not None) if trained else None
        outcomes = [state["outcome"] for state in states]
        result = RunResult(
            task=self._config["task"]["name"],
            dataset=self._config["dataset"],
            model=self._config["model"]["name"],
            metric=states[0]["metric"],
            metrics=summarize([outcome["metrics"] for outcome in outcomes]),
            seeds=self._seeds,
            best_epochs=tuple(outcome["best_epoch"] for outcome in outcomes),
            num_parameters=outcomes[0]["num_parameters"],
            paper=self._paper,
            seconds=sum(outcome["seconds"] for outcome in outcomes),
            epoch_seconds=epoch_seconds,
            steps_per_second=outcomes[0]["num_batches"] / epoch_seconds if epoch_seconds else None,
            peak_memory_mb=max(outcome["peak_memory_mb"] for outcome in outcomes),
            folder=self._folder,
            protocol=self._protocol,
            notes=self._notes,
        )
        write_report(result, self._config, surroundings, history.rows())
        write_result(result, self._config, surroundings)
        return result

    def _seed(self, position: int, seed: int) -> State:
        """Bring one seed to its end; its last checkpoint then holds the outcome."""
        folder = self._folder / f"seed-{seed}"
        folder.mkdir(exist_ok=True)
        path = folder / "last.ckpt"
        state = self._load(path, seed) if path.exists() else None
        if state is not None and state["outcome"] is not None:
            return state
        self._reporter.phase(f"seed {seed}: preparing data and model")
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        seed_everything(seed)
        task = self._make_task(seed)
        seed_everything(seed)  # so that weights do not depend on what reading the data consumed
        train = self._config["train"]
        trainer = Trainer(task, train, self._fabric, seed, lambda epoch, done: self._reporter.step(position, epoch, done))
        columns = tuple(f"{split}/{metric}" for split in ("valid", "test") for metric in task.metrics)
        history = History(self._folder / "metrics.csv", columns)
        if state is None:
            history.rewind(seed, -1)
        else:
            trainer.load_state(state)
        after = trainer.progress.epoch if state else -1
        latest = trainer.progress.best_metrics.get("valid", {}).get(task.metric)
        saved = time.monotonic()
        with self._events(seed, after) as events:
            while not trainer.finished:
                epoch = trainer.advance()
                history.append(seed, epoch.number, epoch.loss, epoch.seconds, epoch.eval_seconds, epoch.metrics)
                if events:
                    events.add(epoch)
                latest = epoch.metrics["valid"][task.metric] if epoch.metrics else latest
                spent = epoch.seconds + epoch.eval_seconds
                self._reporter.epoch(position, seed, epoch.number, spent, epoch.loss, task.metric, latest)
                due = epoch.number % train["checkpoint_every"] == 0 and time.monotonic() - saved >= MIN_CHECKPOINT_SECONDS
                if due or trainer.finished:
                    state = self._save(path, seed, task, trainer, history, columns)
                    saved = time.monotonic()
        assert state is not None  # the last epoch was saved
        return self._conclude(path, seed, task, trainer, state)

    def _save(self, path: Path, seed: int, task: Task, trainer: Trainer, history: History, columns: tuple[str, ...]) -> State:
        history.sync()  # the checkpoint vouches for these lines
        state = {
            **trainer.state(),
            "config": self._digest,
            "seed": seed,
            "metric": task.metric,
            "columns": list(columns),
            "history": history.digest(seed),
            "outcome": None,
        }
        save_checkpoint(path, state)
        return state

    def _load(self, path: Path, seed: int) -> State:
        """A seed's checkpoint, with metrics.csv rewound to it."""
        state = load_checkpoint(path)
        if (state["config"], state["seed"]) != (self._digest, seed):
            raise CheckpointError(f"{path} belongs to another run: remove it and resume to train that seed from the start")
        history = History(self._folder / "metrics.csv", tuple(state["columns"]))
        history.rewind(seed, state["progress"]["epoch"])
        if history.digest(seed) != state["history"]:
            advice = f"remove {path} and resume to train that seed from the start"
            raise CheckpointError(f"{self._folder / 'metrics.csv'} lacks or changed lines of seed {seed}: {advice}")
        return state

    def _conclude(self, path: Path, seed: int, task: Task, trainer: Trainer, state: State) -> State:
        """Save the selected weights, read them back, and evaluate what the file holds."""
        began = time.perf_counter()
        self._reporter.phase(f"seed {seed}: evaluating the selected epoch")
        best_epoch = trainer.progress.best_epoch
        note = {"task": self._config["task"]["name"], "dataset": self._config["dataset"], "seed": str(seed),
                "model": self._config["model"]["name"], "epoch": str(best_epoch), "config": self._digest}  # fmt: skip
        weights = path.with_name("best.safetensors")
        save_weights(weights, trainer.best_weights, note)
        load_weights(weights, trainer.model)
        metrics = trainer.evaluate()
        with trainer.evaluating():
            predictions = task.predictions(trainer.model)
        write_arrays(path.with_name("predictions.npz"), predictions)
        outcome = {
            "best_epoch": best_epoch,
            "metrics": metrics,
            "num_parameters": trainer.num_parameters,
            "num_batches": task.num_batches,
            "seconds": trainer.progress.seconds + time.perf_counter() - began,
            "peak_memory_mb": peak_memory_mb(self._device),
        }
        state = {**state, "outcome": outcome}
        save_checkpoint(path, state)
        return state

    @contextlib.contextmanager
    def _events(self, seed: int, after: int) -> Iterator[EventWriter | None]:
        if not self._config["tensorboard"]:
            yield None
            return
        events = EventWriter(self._folder / "tensorboard" / f"seed-{seed}", after)
        try:
            yield events
        finally:
            events.close()


@contextlib.contextmanager
def _torch_errors() -> Iterator[None]:
    """Say in one sentence what torch says in many: memory that ran out, an operation that cannot repeat."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in text:
            raise RunError("out of memory: lower train.batch_size, train.eval_batch_size or task.micro_batch") from error
        if "does not have a deterministic implementation" in text:
            operation = text.split(" does not have", 1)[0]
            raise RunError(
                f"{operation} gives results that depend on timing on this device: set deterministic=false"
            ) from error
        raise
