"""A process that works on a sweep: claims trials, carries them out, and at the end reports the winner."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from graphkit.conf.arguments import flatten
from graphkit.conf.compose import compose, with_recipe_file
from graphkit.conf.recipe import recipe_text
from graphkit.conf.request import OWN_FILES
from graphkit.conf.sweep import SweepRequest, command, exactly, require_validation, tuned_settings
from graphkit.data.catalog import DATASETS
from graphkit.errors import CheckpointError, DataError, Interrupted, RequestError, RunError
from graphkit.metrics.registry import decimals
from graphkit.paths import expanded
from graphkit.sweeps.page import write_page
from graphkit.sweeps.record import RESULT, Record, held, run_folder
from graphkit.sweeps.sampling import importances, propose
from graphkit.sweeps.trial import SweepResult, Trial, best_of
from graphkit.tasks.execute import execute, judged
from graphkit.tasks.experiment import stored_request
from graphkit.training.artifacts import read_config
from graphkit.training.files import storage_errors, write_atomic
from graphkit.training.result import RunResult
from graphkit.training.runtime import interruptible
from graphkit.training.table import as_text, write_table

Hear = Callable[[str], None]


def begin(request: SweepRequest, hear: Hear) -> Record:
    """Begin a sweep: what is wrong with its data or device shows before it has a folder.

    Args:
        request: The checked request.
        hear: Is told what the recipe and the data have to tell.

    Raises:
        RequestError: If the sweep cannot be begun.
    """
    request = _settled(request)
    resolved = compose(request.fixed)
    require_validation(request.fixed.task, getattr(resolved.run.task, "protocol", None))
    for note in resolved.notes:
        hear(note)
    return Record.create(expanded(request.sweep.out, "out"), request, judged(resolved, hear))


def _settled(request: SweepRequest) -> SweepRequest:
    """The request with what it names by place: files at their absolute paths, the settings of recipe=FILE in its stead."""
    fixed = request.fixed
    if (recipe := fixed.values.get("recipe", "auto")) not in ("auto", "none"):
        fixed = with_recipe_file(fixed, recipe)[0]
    places = {key: expanded(fixed.values[key], key) for key in ("data.root", *OWN_FILES) if fixed.values.get(key) is not None}
    if pipes := [key for key, path in places.items() if path.is_fifo()]:
        raise RequestError(f"{pipes[0]}={places[pipes[0]]} is a pipe, which gives its content once to many trials: give a file")
    values = {**fixed.values, **{key: str(path.absolute()) for key, path in places.items()}}
    return replace(request, fixed=replace(fixed, values=values))


def work(record: Record, hear: Hear, progress: bool) -> SweepResult | None:
    """Carry out what nobody else does, then report.

    Args:
        record: The sweep.
        hear: Is told of every trial.
        progress: Whether runs show their progress.

    Returns:
        The result; None where the last trials run in other processes, the last of which reports.

    Raises:
        RunError: If all trials failed, or the disk is full.
        Interrupted: After SIGINT, SIGTERM or SIGHUP; the sweep can be resumed.
    """
    try:
        with interruptible(), storage_errors(record.folder):
            return _Worker(record, hear, progress).complete()
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(f"interrupted; continue with resume={record.folder}") from None


class _Worker:
    def __init__(self, record: Record, hear: Hear, progress: bool) -> None:
        self._record, self._request, self._metric = record, record.request, record.metric
        self._tell, self._progress = hear, progress

    def complete(self) -> SweepResult | None:
        """Claim trials until none is left, then report if none runs elsewhere."""
        while self._carry_out_one():
            pass
        trials = self._trials()
        if len(trials) < self._request.total:
            left = self._request.total - len(trials)
            self._tell(f"the last {left} of {self._request.total} trials run in other processes, of which the last one reports")
            return None
        with held(self._record.folder) as mine:
            if not mine:
                self._tell("all trials have finished; another process writes the report")
                return None
            return self._report(trials)

    def _trials(self) -> list[Trial]:
        return [trial for trial in self._record.finished() if trial.number < self._request.total]

    def _carry_out_one(self) -> bool:
        """Carry out the first trial that is free; whether there was one."""
        finished = {trial.number for trial in self._record.finished()}
        for number in range(self._request.total):
            if number in finished:
                continue
            with self._record.claimed(number) as place:
                if place is not None:
                    trial = self._carry_out(number, place)
                    self._record.add(trial)
                    self._say(trial)
                    return True
        return False

    def _carry_out(self, number: int, place: Path) -> Trial:
        """The outcome of a trial, which goes on where it was begun before."""
        values = self._record.settings(place)
        if values is None:
            values = propose(self._request, number, self._record.finished(), metric=self._metric)
            self._record.begin(place, values)
        try:
            result = self._run(place, values)
        except (DataError, CheckpointError):
            raise
        except (RunError, RequestError) as error:
            if isinstance(error.__cause__, OSError):  # the disk, which fails the next trial as well
                raise
            return Trial(number, values, None, error=str(error), folder=self._relative(run_folder(place)))
        if result.metric != self._metric:
            raise RunError(f"trial {number} selects by {result.metric}, the sweep by {self._metric}: start the sweep again")
        valid = result.metrics["valid"][self._metric]
        return Trial(
            number,
            values,
            valid["mean"],
            tuple(valid["per_seed"]),
            result.seconds,
            result.num_parameters,
            self._relative(result.folder),
        )

    def _run(self, place: Path, values: Mapping[str, Any], **further: Any) -> RunResult:
        """The run in a folder that holds one: begun, gone on with, or only read."""
        begun = run_folder(place)
        if begun is None:
            resolved = compose(self._request.of_trial(values, DATASETS, out=str(place), progress=self._progress, **further))
        else:
            resolved = compose(stored_request(begun, said={"resume": str(begun), "progress": self._progress}))
        return execute(resolved)

    def _relative(self, folder: Path | None) -> str:
        return "" if folder is None else folder.resolve().relative_to(self._record.folder.resolve()).as_posix()

    def _say(self, trial: Trial) -> None:
        trials = self._trials()
        values = ", ".join(f"{key}={exactly(value)}" for key, value in trial.values.items())
        if trial.valid is None:
            outcome = f"failed ({trial.error})"
        else:
            best, digits = best_of(trials, self._metric), decimals(self._metric)
            outcome = f"valid {self._metric} {trial.valid:.{digits}f}"
            outcome += f" (best {best.valid:.{digits}f}, trial {best.number})" if best and best.valid is not None else ""
        self._tell(f"trial {trial.number}, {len(trials)} of {self._request.total} done: {outcome}; {values}")

    def _report(self, trials: list[Trial]) -> SweepResult:
        """Run the winner over its final seeds if there are any, and write what is found."""
        best = best_of(trials, self._metric)
        if best is None:
            raise RunError(f"all {len(trials)} trials failed, the first one so: {trials[0].error}")
        record, request = self._record, self._request
        seeds = request.sweep.final_seeds
        if seeds in (0, len(best.per_seed)):
            result = self._run((record.folder / best.folder).parent, best.values)
        else:
            place = record.folder / f"final-{seeds}-of-{best.number}"
            place.mkdir(exist_ok=True)
            result = self._run(place, best.values, seeds=seeds)
        line = shlex.join(command(request, {**best.values, **({"seeds": seeds} if seeds else {})}))
        config = {given.key: given.value for given in flatten(read_config(result.folder))}
        comment = f"Trial {best.number} of {len(trials)}, chosen by validation {self._metric}: task={request.fixed.task} "
        comment += f"dataset={request.fixed.dataset} model={request.fixed.model}"
        recipe = record.folder / "recipe.yaml"
        write_atomic(recipe, recipe_text(tuned_settings(request, config), comment).encode())
        ranges = {key: one.text for key, one in request.ranges.items()}
        shares = importances(trials, request, metric=self._metric)
        found = SweepResult(
            record.folder, self._metric, request.sampler, ranges, tuple(trials), best.number, line, recipe, shares, result
        )
        self._write_trials(trials)
        write_page(found)
        write_atomic(record.folder / RESULT, found.to_json().encode())  # last: the sign of completion
        return found

    def _write_trials(self, trials: list[Trial]) -> None:
        rows = [asdict(trial) for trial in trials]
        texts = {key: [exactly(trial.values[key]) for trial in trials] for key in self._request.ranges}
        valid = {f"valid {self._metric}": ["" if trial.valid is None else repr(trial.valid) for trial in trials]}
        kept = {key: [str(row[key]) for row in rows] for key in ("seconds", "parameters", "folder", "error")}
        columns = {"number": [str(trial.number) for trial in trials], **texts, **valid, **kept}
        write_table(self._record.folder / "trials.csv", {key: as_text(column) for key, column in columns.items()})
