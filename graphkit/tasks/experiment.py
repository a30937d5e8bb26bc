"""From settings to the task of a seed, and from a run folder back to its settings: what all doors share."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from graphkit.conf.arguments import flatten
from graphkit.conf.catalog import TASKS
from graphkit.conf.request import OWN_FILES, Request, check
from graphkit.conf.transforms import NONE
from graphkit.data.catalog import DATASETS
from graphkit.data.record import RECORD, DataRecord, names_files
from graphkit.errors import CheckpointError, RequestError

if TYPE_CHECKING:
    from graphkit.conf.schema import Run
    from graphkit.data.dataset import Dataset
    from graphkit.data.own.memory import InMemory
    from graphkit.models.transforms.base import Changed
    from graphkit.training.protocol import AnyTask
    from graphkit.training.report import Additions
    from graphkit.training.result import OverSeeds, RunResult


def stored_request(folder: Path, key: str = "resume", said: Mapping[str, Any] | None = None) -> Request:
    """The request that a run folder was started with, every setting given. Needs no torch.

    Data lies where the run found it, whatever the present working directory is, unless `said` points elsewhere; a pipe that
    the run read is no place to go back to. A setting newer than the run has its default, or what the run did.

    Args:
        folder: The run folder.
        key: The setting that names it, for messages.
        said: Settings given beside the run, by dotted key; they win.

    Raises:
        CheckpointError: If there is no such run, or its config.yaml is damaged or of another version.
        RequestError: If `said` points to a file that the run did not read.
    """
    from graphkit.training.artifacts import read_config  # NumPy, which --help need not wait for

    stored = read_config(folder, key)
    try:
        return completed(stored, str(folder), lambda: _places(read_record(folder)), said)
    except StoredError as error:
        lines = [f"{folder / 'config.yaml'}: {line}" for line in str(error).splitlines()]
        raise CheckpointError("\n".join(lines)) from error


def given_places(root: str | None, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, InMemory]]:
    """Where a run's data lies now, by dotted key, and what of it is in memory, by setting.

    Args:
        root: Data folder; None: that of the run.
        data: Own files by setting, e.g. `{"edges": "moved.csv"}`, or the same in memory.

    Raises:
        RequestError: If data in memory is of no kind that is known.
    """
    given = dict(data)
    memory: dict[str, InMemory] = {}
    if not all(isinstance(part, str | os.PathLike | None) for part in given.values()):
        from graphkit.data.own.memory import take  # NumPy, which a wrong request need not wait for

        given, memory = take(given)
    return {"data.root": root, **{f"data.{key}": part for key, part in given.items()}}, memory


class StoredError(RequestError):
    """Settings that were stored are none of this version."""


def completed(
    stored: Mapping[str, Any],
    name: str,
    places: Callable[[], Mapping[str, Any]] = dict,
    said: Mapping[str, Any] | None = None,
) -> Request:
    """The request of stored settings, every setting given; one newer than these has its default, or what the run did.

    Args:
        stored: The settings, nested as config.yaml has them.
        name: What they are of, for messages.
        places: Gives where data lies; asked once the settings are known to be good.
        said: Settings given beside, by dotted key; they win.

    Raises:
        StoredError: If a setting is unknown or has no such value.
        RequestError: If `said` points to a file that the run did not read.
    """
    try:
        request = check(flatten(stored), DATASETS, stored=True)
    except RequestError as error:
        raise StoredError(str(error)) from error
    said = {key: value for key, value in (said or {}).items() if value is not None}
    needless = [key for key in OWN_FILES if key in said and request.values.get(key) is None]
    if needless:
        raise RequestError("\n".join(f"{key}: {name} was run without it, leave it out" for key in needless))
    defaults = {key: setting.default for key, setting in request.settings().items()}
    values = {**defaults, **_unsaid(request.values), **request.values, **places(), **said}
    return Request(request.task, request.dataset, request.model, values, request.transform)


def _unsaid(stored: Mapping[str, Any]) -> dict[str, str]:
    """Settings that are newer than a run, where their default is not what the run did."""
    timed = stored.get("data.time_column") is not None and "data.time_split" not in stored
    return {"data.time_split": "user"} if timed else {}


def read_record(folder: Path) -> DataRecord | None:
    """What a run was made on; None for a folder that was made before that was kept. Needs no torch.

    Raises:
        CheckpointError: If data.json is missing or was changed.
    """
    from graphkit.training.artifacts import read_own

    data = read_own(folder, RECORD)
    try:
        return None if data is None else DataRecord.from_json(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder / RECORD} was written by another version of graphkit: start the run again") from error


def _places(record: DataRecord | None) -> dict[str, str | None]:
    """Where a run found its data."""
    if record is None:
        return {}
    files = {f"data.{key}": None if source.pipe else source.path for key, source in record.files.items()}
    return {"data.root": record.root, **files}


class Experiment:
    """Gives the task of a seed, as `graphkit.training.runner.train_run` wants it; imports torch when it is made.

    Args:
        settings: The settings of the run.
        folder: The folder of a run that goes on, or is asked: its data must be those that it was made on.
        memory: Data in memory that stands in the place of own files, by setting.

    Raises:
        RequestError: If the device is not available.
        CheckpointError: If the folder's data.json is missing or was changed.
    """

    def __init__(self, settings: Run, folder: Path | None = None, memory: Mapping[str, InMemory] | None = None) -> None:
        from graphkit.data.own.files import OwnFiles
        from graphkit.training.runtime import interruptible, resolve_device

        self.settings, self._folder = settings, folder
        self._known = None if folder is None else read_record(folder)
        self._own_files = OwnFiles(self._known.files if self._known else None, memory)
        self.device = resolve_device(settings.device, settings.precision)
        loading = interruptible()(self._load)  # a download that is stopped by SIGTERM leaves nothing behind, too
        self._loaded = functools.lru_cache(maxsize=1)(loading)
        self.dataset = functools.lru_cache(maxsize=1)(self._changed)
        self._changes: dict[int, Changed] = {}
        self._ready: tuple[int, AnyTask] | None = None

    def _load(self, seed: int) -> Dataset:
        from graphkit.data import load

        data, chosen = self.settings.data, self.settings.task
        for key, source in self._known.files.items() if self._known else ():
            if getattr(data, key) is None:
                if source.path:
                    reason = f"the run read it from {source.typed}, a pipe, which gives its content once"
                    raise CheckpointError(f"data.{key}: {reason}: give the same content again with data.{key}=FILE")
                reason = f"the run read it from memory ({source.typed.removeprefix('memory: ')})"
                raise CheckpointError(f"data.{key}: {reason}: give the same in Python, run(resume=..., data=...)")
        dataset = load(
            self.settings.dataset,
            task=chosen.name,
            seed=seed,
            own_files=self._own_files,
            protocol=chosen.protocol if TASKS[chosen.name].splits_by_protocol else "auto",
            **vars(data),
        )
        if self._known is not None:
            self._known.require_same(self.record(dataset))
        return dataset

    def _changed(self, seed: int) -> Dataset:
        """The data of a seed, its graph as `transform=` leaves it."""
        if self.settings.transform.name == NONE:
            return self._loaded(seed)
        from graphkit.tasks.transform import changed

        return changed(self._loaded(seed), self._change(seed))

    def _change(self, seed: int) -> Changed:
        """What becomes of the graph of a seed: as the run folder has it, else made now and remembered."""
        from graphkit.tasks.transform import change, file_name, from_bytes
        from graphkit.training.artifacts import read_own

        if seed not in self._changes:
            name = file_name(seed)
            stored = None if self._folder is None else read_own(self._folder, name)
            made = change(self.settings.transform, self._loaded(seed), seed) if stored is None else from_bytes(stored, name)
            self._changes[seed] = made
        return self._changes[seed]

    def record(self, dataset: Dataset) -> DataRecord:
        """What was read of a data set that was loaded, as data.json tells it."""
        from graphkit.data.loading import data_root

        root = self.settings.data.root
        named = None if root is None else str(data_root(root))
        return DataRecord.of(dataset, DATASETS[dataset.name], named, self._own_files.sources)

    def files(self) -> dict[str, bytes]:
        """What a new run folder keeps of its data, by file name.

        data.json, the names of nodes, classes, users, items, and the graph of every seed that `transform=` has changed.
        """
        dataset = self._loaded(self.settings.seed)
        files = {RECORD: self.record(dataset).to_json(), **names_files(dataset)}
        if self.settings.transform.name == NONE:
            return files
        from graphkit.tasks.transform import file_name, to_bytes

        seeds = range(self.settings.seed, self.settings.seed + self.settings.seeds)
        return files | {file_name(seed): to_bytes(self._change(seed)) for seed in seeds}

    @property
    def data_files(self) -> tuple[Path, ...]:
        """The files that were read: the user's own, and those of a data set that has a name."""
        from graphkit.data.loading import data_root

        published = [data_root(self.settings.data.root) / file.path for file in DATASETS[self.settings.dataset].files]
        return (*(Path(source.path) for source in self._own_files.sources.values() if source.path), *published)

    def over_seeds(self) -> OverSeeds | None:
        """How the epochs of all seeds make the result; None where it is each seed's selected epoch."""
        target = TASKS[self.settings.task.name].over_seeds
        made: OverSeeds | None = resolve_name(target)(self.settings.task) if target else None
        return made

    def additions(self, result: RunResult) -> Additions:
        """What the task adds to the report, made of the first seed's data and predictions, and commands that go on.

        Args:
            result: What the run found.
        """
        import numpy as np

        from graphkit.data.own.memory import PREFIX
        from graphkit.tasks.commands import next_steps, run_command
        from graphkit.tasks.report_parts import Finished, TaskReport
        from graphkit.training.report import Additions

        settings, made = self.settings, TaskReport(())
        if target := TASKS[settings.task.name].report:
            with np.load(result.folder / f"seed-{settings.seed}" / "predictions.npz", allow_pickle=False) as stored:
                made = resolve_name(target)(self.dataset(settings.seed), dict(stored), Finished(settings, result))
        steps = next_steps(result, made.samples, epochs=settings.train.epochs)
        sources = self._own_files.sources.values()
        is_typed = not any(source.pipe or source.typed.startswith(PREFIX) for source in sources)
        return Additions(made.sections, made.baseline, run_command(settings) if is_typed else "", steps)

    def prepare(self, seed: int) -> AnyTask:
        """The task of a seed, as the run will get it: the next call for that seed hands over the same one.

        It is made in the random state in which `train_run` makes tasks.
        """
        from graphkit.training.runtime import seed_everything

        seed_everything(seed)
        task = self(seed)
        self._ready = seed, task
        return task

    def __call__(self, seed: int) -> AnyTask:
        """The task of a seed, on the run's device."""
        from graphkit.tasks.build import build_task

        ready, self._ready = self._ready, None
        if ready is not None and ready[0] == seed:
            return ready[1]
        settings, dataset = self.settings, self.dataset(seed)
        if settings.transform.name == NONE:
            return build_task(settings.task.name, dataset, settings.task, settings.model, settings.train, self.device)
        from graphkit.tasks.transform import around

        return build_task(
            settings.task.name,
            dataset,
            settings.task,
            settings.model,
            settings.train,
            self.device,
            lambda make_model: around(settings.transform, make_model, self._loaded(seed), self.device),
        )
