"""A whole run: seeds one after the other, the run folder, resume. The door calls `train_run`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from graphkit.errors import CheckpointError, Interrupted, RunError
from graphkit.training.artifacts import (
    SEED_FILES,
    config_digest,
    create_folder,
    read_config,
    seed_folders,
    seed_is_whole,
    weights_path,
    write_result,
)
from graphkit.training.checkpoint import load_checkpoint, load_state, load_weights, save_checkpoint, save_weights
from graphkit.training.checks import check_state
from graphkit.training.digests import file_sha256
from graphkit.training.environment import environment, peak_memory_mb, record_environment
from graphkit.training.files import exclusive, remove_leftovers, storage_errors, write_arrays
from graphkit.training.history import History
from graphkit.training.loop import Trainer
from graphkit.training.outcome import run_result
from graphkit.training.progress import Reporter
from graphkit.training.protocol import AnyTask, LoopSettings
from graphkit.training.report import Additions, additions, write_report
from graphkit.training.result import OverSeeds, RunResult
from graphkit.training.resume import check_given, extend, finished_result, open_digests
from graphkit.training.runtime import (
    interruptible,
    make_fabric,
    process_state,
    resolve_device,
    resolve_precision,
    seed_everything,
    torch_errors,
)
from graphkit.training.table import write_table
from graphkit.training.tensorboard import EventWriter, require_tensorboard

MIN_CHECKPOINT_SECONDS = 5.0
"""Epochs shorter than this share a checkpoint: making a write durable costs more than a small epoch."""

_BEFORE_LAST = "before-last.ckpt"
"""The state before a last epoch that `train.eval_every` would not have evaluated: from there a longer run goes on."""

State = dict[str, Any]
Add = Callable[[RunResult], Additions]


def train_run(
    config: dict[str, Any],
    make_task: Callable[[int], AnyTask],
    *,
    paper: dict[str, Any] | None = None,
    protocol: str = "",
    split: str = "",
    folder: Path | None = None,
    notes: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    over_seeds: OverSeeds | None = None,
    add: Add = lambda result: Additions(),
    tell: Callable[[str], None] = lambda note: None,
) -> RunResult:
    """Train and evaluate every seed of a run, and leave its folder.

    Args:
        config: The resolved settings, as `graphkit.conf.schema.Run` declares them, in plain containers.
        make_task: Gives the task of a seed, on the device of `resolve_device(config["device"])`; global generators are
            seeded before it is called.
        paper: Published figures, see `RunResult.paper`.
        protocol: One or two sentences: what is trained on, what is held out.
        split: Name of the split, which stands beside every figure; empty where the data set's name fixes it.
        folder: The run folder to resume; None starts a new one under `config["out"]`. A finished run is only reported, unless
            `config` gives it more epochs; what a finished seed lacks is made again from its checkpoint.
        notes: Further plain sentences for the report.
        files: Files by name that a new folder keeps: what the run was given.
        over_seeds: Makes the result of the epochs of all seeds; None: it is each seed's selected epoch.
        add: Gives what the task adds to the report; if it fails, the report says so, and the result stands.
        tell: Hears what shows while the run goes on.

    Returns:
        The result, also written to result.json. Numbers are bit for bit those of a run that was never interrupted (on the CPU,
        with the same number of threads on the same machine).

    Raises:
        RequestError: If the device, the output folder or TensorBoard is not available.
        CheckpointError: If the folder cannot be resumed.
        RunError: If a loss is not finite, memory or disk runs out.
        Interrupted: After SIGINT, SIGTERM or SIGHUP; the last checkpoint is whole.
    """
    if folder is not None:
        folder = Path(folder)
        result = finished_result(folder, config)
        if result is not None:
            return result
    device = resolve_device(config["device"], config["precision"])
    if config["tensorboard"]:
        require_tensorboard()
    if folder is None:
        folder = create_folder(config, files=files)
    with exclusive(folder), storage_errors(folder):
        try:
            with interruptible(), process_state(config["threads"], config["deterministic"], device), torch_errors():
                run = _Run(config, make_task, folder, device, paper, protocol, split, tuple(notes), over_seeds, add, tell)
                return run.complete()
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; continue with resume={folder}") from None


class _Run:
    """The seeds of one run, each from its checkpoint or from the start."""

    def __init__(
        self,
        config: dict[str, Any],
        make_task: Callable[[int], AnyTask],
        folder: Path,
        device: torch.device,
        paper: dict[str, Any] | None,
        protocol: str,
        split: str,
        notes: tuple[str, ...],
        over_seeds: OverSeeds | None,
        add: Add,
        tell: Callable[[str], None],
    ) -> None:
        self._config, self._make_task, self._folder, self._device = config, make_task, folder, device
        self._over_seeds, self._add = over_seeds, add
        self._seeds = tuple(range(config["seed"], config["seed"] + config["seeds"]))
        self._digests = open_digests(folder)
        check_given(self._digests)
        self._precision, note = resolve_precision(config["precision"], device)
        self._tell = tell
        if note is not None:
            tell(note)
        self._paper, self._protocol, self._split = paper, protocol, split
        self._notes = notes if note is None else (*notes, note)
        self._fabric = make_fabric(device, self._precision)
        self._prepare()
        self._stored = read_config(folder)
        self._digest = config_digest(self._stored)
        self._reporter = Reporter(config["progress"], config["seeds"], config["train"]["epochs"])

    def _prepare(self) -> None:
        """Make a finished run that has something to do an unfinished one, once it is clear that it can go on."""
        self._refuse_other_seeds()
        epochs = self._config["train"]["epochs"]
        longer = epochs > read_config(self._folder)["train"]["epochs"]
        if longer:
            paths = {seed: self._folder / f"seed-{seed}" / "last.ckpt" for seed in self._seeds}
            origins = [(seed, *self._origin(path, seed)) for seed, path in paths.items() if path.exists()]
            for origin in origins[:1]:  # the settings of the others are the same
                self._require_going_on(*origin)
        (self._folder / "result.json").unlink(missing_ok=True)
        if longer:
            extend(self._folder, self._digests, epochs)

    def _require_going_on(self, seed: int, path: Path, state: State) -> None:
        """CheckpointError if a seed cannot get more epochs: nothing of the finished run is touched before that is known."""
        seed_everything(seed)
        task = self._make_task(seed)
        trainer = Trainer(task, LoopSettings.of(self._config["train"]), self._fabric, seed, lambda epoch, done: None)
        _require_same_metrics(seed, (task.metric, list(_columns(task))), state, None)
        if state["progress"]["epoch"] == 0 and trainer.num_stages:
            return  # it was evaluated without training and begins at the start
        if trainer.num_stages > 1:
            raise CheckpointError(f"{path}: a model that is trained in stages cannot get more epochs, start a new run")
        load_state(path, state, trainer)

    def complete(self) -> RunResult:
        """Train what is left, then write report.html and, as the sign of completion, result.json."""
        remove_leftovers(self._folder)
        surroundings = environment(self._device, self._precision)
        record_environment(self._folder / "env.json", surroundings)
        with self._reporter:
            states: list[State] = []
            for position, seed in enumerate(self._seeds):
                states.append(self._seed(position, seed, states[0] if states else None))
        history = History(self._folder / "metrics.csv", tuple(states[0]["columns"]))
        history.sort(self._seeds)
        result = run_result(
            self._config,
            self._folder,
            states,
            history,
            paper=self._paper,
            protocol=self._protocol,
            split=self._split,
            notes=self._notes,
            over_seeds=self._over_seeds,
            tell=self._tell,
        )
        added = additions(self._add, result, self._tell)
        write_report(result, self._stored, surroundings, history.rows(), added)
        write_result(result, self._stored, surroundings, self._digests)
        return result

    def _refuse_other_seeds(self) -> None:
        """CheckpointError if a seed was trained here that config.yaml does not name: its settings have been changed since."""
        trained = {path.name for path in seed_folders(self._folder)}
        if strange := sorted(trained - {f"seed-{seed}" for seed in self._seeds}):
            raise CheckpointError(
                f"{self._folder} holds {strange[0]}, a seed that its config.yaml does not name: put the run's own files back"
            )

    def _seed(self, position: int, seed: int, first: State | None) -> State:
        """Bring one seed to its end; its last checkpoint then holds the outcome. `first`: that of the first seed."""
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
        train = LoopSettings.of(self._config["train"])
        trainer = Trainer(task, train, self._fabric, seed, lambda epoch, done: self._reporter.step(position, epoch, done))
        self._reporter.lengthen(trainer.num_epochs, len(self._seeds))
        columns = _columns(task)
        _require_same_metrics(seed, (task.metric, list(columns)), state, first)
        history = History(self._folder / "metrics.csv", columns)
        if state is not None and state["progress"]["epoch"] == 0 and trainer.num_stages:
            state = None  # it was evaluated without training, which a run of these epochs does not do
        if state is None:
            history.rewind(seed, -1)
        else:
            load_state(path, state, trainer)
        after = trainer.progress.epoch if state else -1
        latest = trainer.progress.best_metrics.get("valid", {}).get(task.metric)
        saved = time.monotonic()
        with self._events(seed, after) as events:
            while not trainer.finished:
                if trainer.num_stages == 1 and trainer.progress.epoch + 1 == train.epochs and self._out_of_turn(train.epochs):
                    self._save(folder / _BEFORE_LAST, seed, trainer, history, columns)
                epoch = trainer.advance()
                history.append(seed, epoch.number, epoch.loss, epoch.seconds, epoch.eval_seconds, epoch.metrics)
                if events:
                    events.add(epoch)
                latest = epoch.metrics["valid"][task.metric] if epoch.metrics else latest
                spent = epoch.seconds + epoch.eval_seconds
                self._reporter.epoch(position, seed, epoch.number, spent, epoch.loss, task.metric, latest)
                due = epoch.number % train.checkpoint_every == 0 and time.monotonic() - saved >= MIN_CHECKPOINT_SECONDS
                if due or trainer.finished:
                    state = self._save(path, seed, trainer, history, columns)
                    saved = time.monotonic()
        assert state is not None  # the last epoch was saved
        return self._conclude(path, seed, task, trainer, state)

    def _out_of_turn(self, epoch: int) -> bool:
        """Whether an epoch is evaluated only if it is the last one."""
        return bool(epoch % self._config["train"]["eval_every"])

    def _save(self, path: Path, seed: int, trainer: Trainer, history: History, columns: tuple[str, ...]) -> State:
        history.sync()  # the checkpoint vouches for these lines
        state = {
            **trainer.state(),
            "config": self._digest,
            "seed": seed,
            "metric": trainer.task.metric,
            "columns": list(columns),
            "history": history.digest(seed),
            "outcome": None,
        }
        save_checkpoint(path, state)
        return state

    def _load(self, path: Path, seed: int) -> State:
        """A seed's checkpoint, with metrics.csv rewound to it.

        One of fewer epochs, or whose weights or predictions are missing, goes on without its outcome; first on the disk, since
        what belongs to an outcome must have the digests that are listed.
        """
        path, state = self._origin(path, seed)
        longer = self._digests.lengths[state["config"]] < self._config["train"]["epochs"]
        if state["outcome"] is not None and (longer or not seed_is_whole(self._folder, seed, self._digests)):
            state["outcome"] = None
            save_checkpoint(path, state)
        history = History(self._folder / "metrics.csv", tuple(state["columns"]))
        history.rewind(seed, state["progress"]["epoch"])
        if history.digest(seed) != state["history"]:
            advice = f"remove {path} and resume to train that seed from the start"
            raise CheckpointError(f"{self._folder / 'metrics.csv'} lacks or changed lines of seed {seed}: {advice}")
        return state

    def _origin(self, path: Path, seed: int) -> tuple[Path, State]:
        """The checkpoint from which a seed goes on: its last one, or the one before a last epoch evaluated out of turn."""
        state = self._read(path, seed)
        epochs, reached = self._digests.lengths[state["config"]], state["progress"]["epoch"]
        ended = 0 < epochs == reached and epochs < self._config["train"]["epochs"]
        if not ended or not self._out_of_turn(reached):
            return path, state
        before = path.with_name(_BEFORE_LAST)
        if not before.exists():
            reason = f"epoch {reached} was evaluated only because it was the last, and {before.name} is missing"
            raise CheckpointError(f"{path} cannot go on as a longer run would ({reason}): start a new run")
        return before, self._read(before, seed)

    def _read(self, path: Path, seed: int) -> State:
        """The state of a checkpoint that belongs to this run and has the form of one."""
        state = load_checkpoint(path)
        advice = "remove it and resume to train that seed from the start"
        try:
            check_state(state)
        except (ValueError, TypeError, RecursionError) as error:
            raise CheckpointError(f"{path} is no state of a run ({error}): {advice}") from error
        if state["config"] not in self._digests.lengths or state["seed"] != seed:
            raise CheckpointError(f"{path} belongs to another run: {advice}")
        if state["outcome"] is not None:
            self._digests.check(f"seed-{seed}/{path.name}", advice=advice)
        return state

    def _conclude(self, path: Path, seed: int, task: AnyTask, trainer: Trainer, state: State) -> State:
        """Save the selected weights, read them back, and evaluate what the file holds."""
        began = time.perf_counter()
        self._reporter.phase(f"seed {seed}: evaluating the selected epoch")
        best_epoch = trainer.progress.best_epoch
        note = {"task": self._config["task"]["name"], "dataset": self._config["dataset"], "seed": str(seed),
                "model": self._config["model"]["name"], "epoch": str(best_epoch), "config": self._digest}  # fmt: skip
        weights = weights_path(self._folder, seed)
        save_weights(weights, trainer.best_weights, note)
        load_weights(weights, trainer.model)
        metrics = trainer.evaluate().metrics
        with trainer.evaluating():
            predictions = task.predictions(trainer.model)
        write_arrays(path.with_name("predictions.npz"), predictions)
        if columns := task.table(predictions):
            write_table(path.with_name("predictions.csv"), columns)
        if not self._out_of_turn(trainer.progress.epoch):
            path.with_name(_BEFORE_LAST).unlink(missing_ok=True)  # of a shorter run
        outcome = {
            "best_epoch": best_epoch,
            "metrics": metrics,
            "num_parameters": trainer.num_parameters,
            "num_batches": task.num_batches,
            "seconds": trainer.progress.seconds + time.perf_counter() - began,
            "peak_memory_mb": peak_memory_mb(self._device),
        }
        state = {**state, "config": self._digest, "outcome": outcome}
        names = [f"seed-{seed}/{name}" for name in SEED_FILES]
        whole = {name: file_sha256(self._folder / name) for name in names}
        save_checkpoint(path, state, lambda digest: self._digests.record({**whole, f"seed-{seed}/{path.name}": digest}))
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


def _columns(task: AnyTask) -> tuple[str, ...]:
    """The columns of metrics.csv that hold metrics."""
    return tuple(f"{split}/{metric}" for split in ("valid", "test") for metric in task.metrics)


def _require_same_metrics(seed: int, judged: tuple[str, list[str]], state: State | None, first: State | None) -> None:
    """A checkpoint goes on with the metric that has selected so far, and one table holds all seeds."""
    metric = judged[0]
    if state is not None and (state["metric"], state["columns"]) != judged:
        raise CheckpointError(
            f"seed-{seed}/last.ckpt was written by a version of graphkit that selects by {state['metric']}; this one selects "
            f"by {metric} or reports other metrics: start the run again"
        )
    if first is not None and (first["metric"], first["columns"]) != judged:
        raise RunError(
            f"seed {seed} selects by {metric}, seed {first['seed']} by {first['metric']}, or they report other metrics, as "
            "their data differ in size: run them one by one, with seeds=1"
        )
