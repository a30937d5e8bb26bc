"""What a door does with a checked request: run it, or tell what would be run. Importing it needs no torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphkit.conf.request import unread
from graphkit.tasks.experiment import Experiment

if TYPE_CHECKING:
    from graphkit.conf.compose import Resolved
    from graphkit.data.leaks.report import LeakReport
    from graphkit.data.own.memory import InMemory
    from graphkit.training.result import RunResult


def execute(
    resolved: Resolved, hear: Callable[[str], None] = lambda note: None, memory: Mapping[str, InMemory] | None = None
) -> RunResult:
    """Run what is asked, or go on with the run that is asked for.

    Args:
        resolved: The request with every setting.
        hear: Is told what the data, and later the run, has to tell.
        memory: Data in memory that stands in the place of own files, by setting.

    Raises:
        GraphkitError: If the run fails, see `graphkit.errors`.
    """
    from graphkit.training.digests import age_note
    from graphkit.training.resume import finished_result, newer_note
    from graphkit.training.runner import train_run

    settings = resolved.run
    folder = Path(settings.resume) if settings.resume else None
    experiment = Experiment(settings, folder, memory)
    notes = resolved.notes
    if folder is not None and (note := age_note(folder)):
        hear(note)
    with _process(experiment):
        if folder is not None and (result := finished_result(folder, resolved.config)) is not None:
            return result  # it needs no data
        if folder is not None and (note := newer_note(folder, resolved.config, unread(settings.task.name))):
            hear(note)
        task = experiment.prepare(settings.seed)  # what is wrong with the data shows before a run folder exists
        protocol, notes = task.protocol, (*notes, *task.notes)
        split = experiment.dataset(settings.seed).split
        for note in task.notes:
            hear(note)
        del task  # it is held no longer than it is trained
        return train_run(
            resolved.config,
            experiment,
            paper=resolved.paper,
            protocol=protocol,
            split=split,
            folder=folder,
            notes=notes,
            files=experiment.files() if folder is None else None,
            over_seeds=experiment.over_seeds(),
            add=experiment.additions,
            tell=hear,
        )


@contextlib.contextmanager
def _process(experiment: Experiment) -> Iterator[None]:
    """What a run needs of its process, from reading the data on: its own state, signals, and memory errors in a sentence."""
    from graphkit.training.runtime import interruptible, process_state, torch_errors

    settings = experiment.settings
    with interruptible(), process_state(settings.threads, settings.deterministic, experiment.device), torch_errors():
        yield


def preview(resolved: Resolved, memory: Mapping[str, InMemory] | None = None) -> dict[str, Any]:
    """What would be run, in plain values: the data is loaded and the model built, but nothing is trained or written.

    Args:
        resolved: The request with every setting.
        memory: Data in memory that stands in the place of own files, by setting.

    Raises:
        DataError: If the data cannot be loaded.
    """
    settings = resolved.run
    experiment = Experiment(settings, Path(settings.resume) if settings.resume else None, memory)
    with _process(experiment):
        task = experiment(settings.seed)
        parameters = sum(parameter.numel() for parameter in task.build_model().parameters())
    new = f"{settings.task.name}-{settings.dataset}-{settings.model.name}-<stamp>"
    return {
        "recipe": resolved.recipe.name if resolved.recipe else None,
        "paper": resolved.paper,
        "parameters": parameters,
        "device": str(experiment.device),
        "metric": task.metric,
        "metrics": list(task.metrics),
        **task.facts(),
        "batches_per_epoch": task.num_batches,
        "protocol": task.protocol,
        "notes": list(task.notes),
        "folder": settings.resume or str(Path(settings.out) / new),
    }


def judged(resolved: Resolved, hear: Callable[[str], None] = lambda note: None) -> str:
    """The validation metric that a run would be selected by: its data is loaded, but no model is built.

    Args:
        resolved: The request with every setting.
        hear: Is told what the data has to tell.

    Raises:
        RequestError: If the device is not available, or the metric cannot decide.
        DataError: If the data cannot be loaded.
    """
    experiment = Experiment(resolved.run)
    with _process(experiment):
        task = experiment.prepare(resolved.run.seed)
        for note in task.notes:
            hear(note)
        return task.metric


def drawn_splits(resolved: Resolved, seeds: Sequence[int]) -> list[tuple[str, dict[str, Any]]]:
    """Of the split of each of the seeds its digest, and the size of each part as `Dataset.facts` tells it.

    Args:
        resolved: The settings of a run, its folder as `resume`.
        seeds: Seeds of the run.

    Raises:
        DataError: If the data cannot be loaded.
        CheckpointError: If it is not what the run was made on.
    """
    from graphkit.data.splits.digest import split_digest

    settings = resolved.run
    experiment = Experiment(settings, Path(settings.resume) if settings.resume else None)
    with _process(experiment):
        tasks = ((experiment.prepare(seed), experiment.dataset(seed)) for seed in seeds)
        return [(split_digest(vars(dataset)["splits"]), dict(task.facts()["splits"])) for task, dataset in tasks]


def leaks(resolved: Resolved, memory: Mapping[str, InMemory] | None = None) -> dict[int, LeakReport]:
    """What leaks from training into evaluation in the data of each seed of a run; nothing is trained or written.

    Args:
        resolved: The request with every setting.
        memory: Data in memory that stands in the place of own files, by setting.

    Raises:
        DataError: If the data cannot be loaded.
    """
    settings = resolved.run
    experiment = Experiment(settings, Path(settings.resume) if settings.resume else None, memory)
    with _process(experiment):
        return {seed: experiment.dataset(seed).leaks() for seed in range(settings.seed, settings.seed + settings.seeds)}
