"""The settings of `python -m graphkit.explain`, the check of a request, and its help page. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from graphkit.conf.arguments import Assignment
from graphkit.conf.catalog import TASKS
from graphkit.conf.listing import aligned, render, section, settings_rows
from graphkit.conf.request import OPTIONS, OWN_FILES, read_known
from graphkit.conf.setting import Setting, count, setting, settings_table
from graphkit.errors import RequestError

FLAGS = {"--help": "this page", "--version": "the version"}
_MOST_REASONS = 1_000
_MOST_SEEDS = 100


@dataclass(frozen=True, kw_only=True)
class Explaining:
    """A request for explanations.

    Attributes:
        asked: What is to be explained, by the settings that the task's row in the catalog names, e.g. `{"node": "17"}`.
        places: Where the run's data lies now, by dotted key.
    """

    asked: Mapping[str, str]
    places: Mapping[str, str]
    run: str | None = setting(None, "the folder of a finished run", path=True)
    seed: int | None = setting(None, "the seed that is explained; default: the best by validation", low=0, high=2**33)
    top: int = count(10, "reasons that get a line of their own; the others are summed up", low=1, high=_MOST_REASONS)
    other_seeds: int = count(2, "other seeds of the run that are asked for their reasons, too", high=_MOST_SEEDS)
    format: str = setting("html", "html: a page in a file; json, text: on stdout, or in out=", choices=("html", "json", "text"))
    out: str | None = setting(None, "file to write; default of pages: explain/NAME.html in the run folder", path=True)
    device: str = setting("auto", "where to compute", choices=("auto", "cpu", "cuda"))


def questions() -> dict[str, str]:
    """The settings that name what is explained, with their meaning."""
    return {
        key: f"{meaning} (task={task})" for task, entry in TASKS.items() if entry.explain for key, meaning in entry.asks.items()
    }


def explain_settings() -> dict[str, Setting]:
    """All settings by key; where data lies is said as for a run, e.g. `data.root`."""
    own = settings_table(Explaining)
    asked = {key: Setting(key, str, True, None, meaning) for key, meaning in questions().items()}
    return {"run": own.pop("run"), **asked, **own, **{key: OPTIONS[key] for key in ("data.root", *OWN_FILES)}}


def check_explaining(assignments: Sequence[Assignment], mistakes: Iterable[str] = ()) -> Explaining:
    """Check a request as a whole.

    Args:
        assignments: What was given, in order.
        mistakes: Mistakes found before, reported with the others.

    Returns:
        The request, its `run` given and everything asked that goes together.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    known = explain_settings()
    found = list(mistakes)
    values = read_known(assignments, known, found)
    values = {key: value for key, value in values.items() if value is not None}
    asked = {key: values[key] for key in questions() if key in values}
    if values.get("run") is None:
        found.append("give run=FOLDER, the folder of a finished run")
    found += _asked_mistakes(asked)
    if found:
        raise RequestError("\n".join(dict.fromkeys(found)))
    own = {field.name for field in fields(Explaining)} - {"asked", "places"}
    return Explaining(
        asked=asked,
        places={key: value for key, value in values.items() if key in OPTIONS},
        **{key: value for key, value in values.items() if key in own},
    )


def require_askable(task: str, asked: Mapping[str, str], run: str) -> None:
    """RequestError if runs of the task cannot be asked this.

    Args:
        task: The task of the run.
        asked: What is to be explained.
        run: What the run is called in the message.
    """
    entry = TASKS[task]
    if not entry.explain:
        explained = ", ".join(f"task={name}" for name, other in TASKS.items() if other.explain)
        raise RequestError(f"{run} is a run of task={task}, and explain serves {explained} so far")
    if asked.keys() != entry.asks.keys():
        raise RequestError(f"{run} is a run of task={task}: give {_together(entry.asks)}, not {_together(asked)}")


def _asked_mistakes(asked: Mapping[str, str]) -> list[str]:
    groups = [tuple(entry.asks) for entry in TASKS.values() if entry.explain]
    if any(set(group) == asked.keys() for group in groups):
        return []
    partly = [group for group in groups if asked and asked.keys() < set(group)]
    if partly:
        return [f"give {_together(partly[0])} together"]
    several = f", not {_together(asked)}" if asked else ""
    return [f"give one of {'; '.join(map(_together, groups))}{several}"]


def _together(keys: Iterable[str]) -> str:
    return " and ".join(f"{key}=" for key in keys)


def help_page() -> str:
    """What `python -m graphkit.explain --help` prints."""
    settings = explain_settings()
    examples = [
        ("run=runs/FOLDER node=17", "why a node has its class"),
        ("run=runs/FOLDER node=17,18,19", "several, with an index"),
        ("run=runs/FOLDER user=42 item=7", "why an item is recommended to a user"),
        ("run=runs/FOLDER pair=3,8 format=text", "why two nodes are linked, in the terminal"),
    ]
    asked = {key: settings[key] for key in ("run", *questions())}
    return render(
        "usage: python -m graphkit.explain run=FOLDER [KEY=VALUE ...]\n",
        "Explain a decision of a finished run: reasons that add up to its score, what happens when they are removed, and what "
        "other seeds say. Nodes, graphs, users and items go by the names that the data has, else by their numbers, from 0 "
        "on.\n",
        section("what is explained: run= and what its task can be asked", settings_rows(asked)),
        section("how", settings_rows({key: one for key, one in settings.items() if key not in asked})),
        section("flags", aligned(FLAGS.items())),
        section("examples", aligned(examples)),
        "Results go to stdout, notes to stderr; format=json for scripts.",
        "Exit status: 0 success, 1 the answer failed, 2 the request is wrong, 130 interrupted.",
    )
