"""The settings of `python -m graphkit.sweep`, the check of a request, and its help page. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from graphkit.conf.arguments import Assignment
from graphkit.conf.catalog import BACKBONE, CHOICES, TASKS
from graphkit.conf.listing import aligned, render, section, settings_rows
from graphkit.conf.ranges import Range, is_range, read_range
from graphkit.conf.request import DatasetRow, Request, check, read_values
from graphkit.conf.setting import Setting, count, setting, settings_table, show
from graphkit.conf.transforms import NONE
from graphkit.errors import RequestError, shown

FLAGS = {"--help": "this page", "--version": "the version"}
WITH_RESUME = ("resume", "trials", "final_seeds", "storage", "format", "progress")
"""What may be said beside `resume=`."""

_DATABASE = "postgresql://user@host/name"
_MOST_COMBINATIONS = 1_000_000
"""Of a larger finite space no permutation is held; it is sampled as if it had no end."""
_SEARCHED = ("task", "model", "transform", "train")
"""Sections whose settings can be searched; `precision` can, too."""
_OF_RECIPES = ("task.", "model.", "train.", "precision")
_ALIKE = (*CHOICES, BACKBONE, "task.metric", "task.protocol", "task.target")
"""What decides which settings there are, and what the validation metric is of: never searched."""


@dataclass(frozen=True)
class Sweep:
    """How a sweep searches, and where it is kept."""

    trials: int = count(30, "runs to try; of a finite space at most as many as it has combinations", low=1, high=100_000)
    sampler: str = setting(
        "auto",
        "grid: combinations in random order, none twice, of finite ranges; tpe: tree-structured Parzen estimators, learn "
        "from the trials before; random; auto: grid where all ranges are finite, else tpe",
        choices=("auto", "grid", "tpe", "random"),
    )
    sweep_seed: int = setting(
        0, "of the sampler: a trial's settings follow from it, the trial's number and the trials before", low=0, high=2**32 - 1
    )
    final_seeds: int = count(0, "seeds, from `seed` on, that the winner is run with at the end; 0: its own run", high=100_000)
    storage: str | None = setting(
        None, "Optuna's storage of finished trials, such as postgresql://...; default: a SQLite file in the sweep's folder"
    )
    out: str = setting("runs", "folder that receives the sweep's own folder", path=True)
    resume: str | None = setting(
        None, "folder of a sweep to go on with, also beside other processes that work on it; trials= may be more", path=True
    )
    progress: bool = setting(True, "a line on stderr per trial, and progress of the runs")
    format: str = setting("text", "what stdout gets at the end", choices=("text", "json"))


@dataclass(frozen=True)
class SweepRequest:
    """A checked request for a sweep.

    Attributes:
        sweep: How to search; `resume` is None.
        fixed: What all runs share: names and settings that were given.
        ranges: What is searched, by dotted key.
    """

    sweep: Sweep
    fixed: Request
    ranges: Mapping[str, Range]

    @property
    def combinations(self) -> int:
        """How many combinations there are; 0 where a range has no end."""
        return math.prod(len(one.values) for one in self.ranges.values())

    @property
    def sampler(self) -> str:
        """The sampler that `sampler=` asks for: `grid`, `tpe` or `random`."""
        if self.sweep.sampler != "auto":
            return self.sweep.sampler
        return "grid" if 0 < self.combinations <= _MOST_COMBINATIONS else "tpe"

    @property
    def total(self) -> int:
        """How many trials there are."""
        return min(self.sweep.trials, self.combinations) if self.sampler == "grid" else self.sweep.trials

    def of_trial(self, values: Mapping[str, Any], datasets: Mapping[str, DatasetRow], **further: Any) -> Request:
        """The request for the run of a trial.

        Args:
            values: The settings that are searched, by dotted key.
            datasets: The data sets by name.
            **further: Settings of the run besides, such as `out`.

        Raises:
            RequestError: If the settings do not go together.
        """
        said = {**_names(self.fixed), **self.fixed.values, **values, **further}
        return check([Assignment(key, value) for key, value in said.items()], datasets)


def _names(request: Request) -> dict[str, str]:
    """The choices of a request."""
    return {
        "task": request.task, "dataset": request.dataset, "model": request.model, "transform": request.transform
    }  # fmt: skip


def sweep_settings() -> dict[str, Setting]:
    """The settings of a sweep itself, by key."""
    return settings_table(Sweep)


def read_sweep(assignments: Sequence[Assignment], mistakes: list[str]) -> tuple[Sweep, set[str], list[Assignment]]:
    """What is said of the sweep itself, and of its runs.

    Args:
        assignments: What was given, in order.
        mistakes: Gets a line per mistake.

    Returns:
        The settings of the sweep, the keys of those that were given, and all other assignments.
    """
    known = sweep_settings()
    values = read_values([given for given in assignments if given.key in known], known, mistakes)
    rest = [given for given in assignments if given.key not in known]
    if values.get("resume") is not None:
        others = dict.fromkeys([key for key in values if key not in WITH_RESUME] + [given.key for given in rest])
        if others:
            mistakes.append(f"resume= takes every setting from that sweep: leave out {', '.join(map(shown, others))}")
    storage = values.get("storage") or _DATABASE
    if "://" not in storage or storage.startswith("redis"):
        mistakes.append(f"storage={shown(storage)}: expected the address of a database, such as {_DATABASE}")
    return Sweep(**values), set(values), rest


def check_sweep(
    assignments: Sequence[Assignment], datasets: Mapping[str, DatasetRow], mistakes: Iterable[str] = ()
) -> SweepRequest:
    """Check a request for a new sweep as a whole.

    Args:
        assignments: What was given, in order.
        datasets: The data sets by name.
        mistakes: Mistakes found before, reported with the others.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    found = list(mistakes)
    sweep, _, rest = read_sweep(assignments, found)
    searched = [given for given in rest if _is_searched(given)]
    plain = [given for given in rest if given not in searched]
    found += [
        f"{given.key}={shown(str(given.value))}: a sweep has one, since trials must be alike in it; run a sweep for each"
        for given in plain
        if given.key in _ALIKE and is_range(given.value)
    ]
    if found:
        raise RequestError("\n".join(dict.fromkeys(found)))
    fixed = check(plain, datasets)
    known = fixed.settings()
    if unknown := [Assignment(given.key, None) for given in searched if given.key not in known]:
        check([*plain, *unknown], datasets)  # which says what was meant
    ranges: dict[str, Range] = {}
    for given in searched:
        try:
            one = read_range(given.value, known[given.key])
        except ValueError as error:
            found.append(f"{given.key}={shown(str(given.value))}: {error}")
            continue
        if given.key in fixed.values or ranges.setdefault(given.key, one) != one:
            found.append(f"{given.key} is given twice: leave one out")
    if not searched:
        ranges = _declared(known, fixed)
        if not ranges:
            found.append(f"model={fixed.model} declares no ranges to search: give one, as train.lr=interval(1e-4,1e-1)")
    found += _contradictions(sweep, ranges)
    if found:
        raise RequestError("\n".join(dict.fromkeys(found)))
    request = SweepRequest(sweep, fixed, ranges)
    request.of_trial({key: one.example for key, one in ranges.items()}, datasets)
    return request


def _is_searched(given: Assignment) -> bool:
    """Whether an assignment is a range of a setting that can be searched."""
    section = given.key.partition(".")[0] if "." in given.key else ""
    return (section in _SEARCHED or given.key == "precision") and given.key not in _ALIKE and is_range(given.value)


def _declared(known: Mapping[str, Setting], fixed: Request) -> dict[str, Range]:
    """The declared ranges of the model and of training, where the model declares any; without what was given."""
    free = {key: one for key, one in known.items() if one.search and key not in fixed.values}
    if not any(key.startswith("model.") for key in free):
        return {}
    return {key: read_range(one.search, one) for key, one in free.items()}


def _contradictions(sweep: Sweep, ranges: Mapping[str, Range]) -> list[str]:
    endless = [key for key, one in ranges.items() if not one.values]
    if sweep.sampler == "grid" and endless:
        return [f"sampler=grid: {endless[0]}={ranges[endless[0]].text} has no end, give values or range(start,stop,step)"]
    if sweep.sampler == "grid" and math.prod(len(one.values) for one in ranges.values()) > _MOST_COMBINATIONS:
        return [f"sampler=grid: more than {_MOST_COMBINATIONS:,} combinations, take sampler=tpe"]
    return []


def require_validation(task: str, protocol: str | None) -> None:
    """RequestError where a protocol has no validation that a sweep could select by.

    Args:
        task: A key of `TASKS`.
        protocol: The value of `task.protocol`; None where the task has no such setting.
    """
    if protocol in TASKS[task].without_validation:
        raise RequestError(
            f"task.protocol={protocol} has no validation split, so that a sweep would tune on test: choose another protocol"
        )


def stored_values(request: SweepRequest) -> dict[str, Any]:
    """A request as plain values, which `from_stored` reads."""
    own = {field.name: getattr(request.sweep, field.name) for field in fields(Sweep)}
    kept = {key: value for key, value in own.items() if key not in ("out", "resume", "format", "progress")}
    return {
        "runs": {**_names(request.fixed), **request.fixed.values},
        "ranges": {key: one.text for key, one in request.ranges.items()},
        "sweep": kept,
    }


def from_stored(stored: Mapping[str, Any], datasets: Mapping[str, DatasetRow]) -> SweepRequest:
    """The request that `stored_values` gave.

    Raises:
        RequestError: If it is none of this version.
    """
    runs, ranges, own = stored["runs"], stored["ranges"], stored["sweep"]
    fixed = check([Assignment(key, value) for key, value in runs.items()], datasets, stored=True)
    known = fixed.settings()
    try:
        sweep = Sweep(**{key: sweep_settings()[key].check(value) for key, value in own.items()})
        return SweepRequest(sweep, fixed, {key: read_range(text, known[key]) for key, text in ranges.items()})
    except (KeyError, ValueError) as error:
        raise RequestError(f"a setting of the sweep is not known here ({error})") from error


def command(request: SweepRequest, values: Mapping[str, Any]) -> list[str]:
    """The command line of a run with the settings of a trial, word by word.

    Args:
        request: The sweep.
        values: The settings that were searched.
    """
    names = {key: value for key, value in _names(request.fixed).items() if (key, value) != ("transform", NONE)}
    said = {**names, **request.fixed.values, **values}
    return ["python", "-m", "graphkit.run", *(f"{key}={exactly(value)}" for key, value in said.items())]


def exactly(value: Any) -> str:
    """A value as one would type it, numbers with all digits."""
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(exactly, value)) + "]"
    return repr(value) if isinstance(value, float) else show(value)


def tuned_settings(request: SweepRequest, config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run that a recipe may hold, those that were searched or are not the defaults, by dotted key.

    Args:
        request: The sweep that it is a trial of.
        config: The run's own settings by dotted key.
    """
    known = request.fixed.settings()
    told = {key for key in known if key in request.ranges or config[key] != known[key].default}
    return {key: config[key] for key in known if key in told and key.startswith(_OF_RECIPES)}


def help_page() -> str:
    """What `python -m graphkit.sweep --help` prints."""
    ranges = [
        ("KEY=a,b,c", "values; also choice(a,b,c)"),
        ("KEY=range(1,5)", "1, 2, 3, 4; range(start,stop,step)"),
        ("KEY=interval(1e-4,1e-1)", "any number between; by magnitude where the declared range is, as of train.lr"),
        ("KEY=tag(log,interval(a,b))", "by magnitude; tag(linear,...): not"),
        ("KEY=search", "the range that the setting declares"),
    ]
    examples = [
        ("task=node dataset=cora model=gcn model.dropout=0.1,0.3,0.5 train.lr='interval(1e-4,1e-1)' trials=30", "two settings"),
        ("task=node dataset=cora model=gcn trials=50 final_seeds=10", "all ranges that GCN and training declare"),
        ("resume=runs/FOLDER", "go on, or help another process"),
    ]
    return render(
        "usage: python -m graphkit.sweep [KEY=VALUE ...]\n",
        "Tune settings of a run by its validation metric. Every trial is an ordinary run. The test metric is read once, at the "
        "end, of the winner alone. Settings that are no range are those of graphkit.run.\n",
        section("ranges", aligned(ranges)),
        section("the sweep", settings_rows(sweep_settings())),
        section("flags", aligned(FLAGS.items())),
        section("examples", aligned(examples)),
        "Without any range those are searched that the model's settings and train.lr, train.weight_decay declare.",
        "Results go to stdout, progress and notes to stderr; format=json for scripts.",
        "Exit status: 0 success, 1 it failed, 2 the request is wrong, 130 interrupted (resumable).",
    )
