"""The settings of `python -m graphkit.predict`, the check of a request, and its help page. No torch.

What a run can be asked is said by the row of its task (`TaskEntry.questions`); a request is checked once against all tasks that
know its question, and again when the task of the run is known.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from graphkit.conf.arguments import Assignment
from graphkit.conf.catalog import TASKS
from graphkit.conf.entries import Question
from graphkit.conf.listing import aligned, render, section, settings_rows
from graphkit.conf.request import OPTIONS, OWN_FILES, read_known
from graphkit.conf.setting import Setting, count, setting, settings_table
from graphkit.errors import RequestError, shown

FLAGS = {"--help": "this page", "--version": "the version"}

TABLES = ("edges", "features")
"""Settings whose values are tables, beside questions that are."""
_OF_INDEX = ("index_kind", "index_effort", "index_sample")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A request for predictions.

    Attributes:
        question: What is asked, a key of `TaskEntry.questions`.
        asked: Its value.
        places: Where the run's data lies now, by dotted key.
        given: The keys that were given.
        tables: Rows that stand in the place of files, by key, of a request that was served.
        served: Whether a server asks, which reads and writes no file.
    """

    question: str
    asked: str
    places: Mapping[str, str]
    given: frozenset[str] = frozenset()
    tables: Mapping[str, Any] = field(default_factory=dict)
    served: bool = False
    run: str = setting(None, "the folder of a finished run")
    out: str | None = setting(None, "file to write, of the kind that the question names")
    top: int = count(20, "entries of a list", low=1)
    seen: str = setting(
        "hide",
        "what is known already: hide leaves it out, show does not. Of a user the items of the run's training graph (held-out "
        "validation and test items are in no training graph and are ranked); of a node its links of all splits; of pairs those "
        "of the training graph, which hide refuses, since their scores are no predictions",
        choices=("hide", "show"),
    )
    edges: str | None = setting(
        None,
        "new edges of the run's graph, a table of source and target (with new=: graph, source, target); models that know nodes "
        "by their features or neighbors alone take them, others refuse",
    )
    features: str | None = setting(
        None,
        "new nodes of the run's graph, a table in the form of data.features, which edges= may name (with new=: graph, node, "
        "numbers); scaled by the run's training nodes",
    )
    calibrate: str = setting(
        "none",
        "temperature: probabilities with a temperature fitted on validation, and the calibration error before and after",
        choices=("none", "temperature"),
    )
    seed: int | None = setting(None, "the seed whose weights answer; default: the best by validation", low=0, high=2**33)
    index: str = setting(
        "exact",
        "exact: all items are scored; faiss: an approximate index of inner products, whose recall against exact is reported",
        choices=("exact", "faiss"),
    )
    index_kind: str = setting("hnsw", "with index=faiss: a graph of items, or lists of similar items", choices=("hnsw", "ivf"))
    index_effort: int = setting(
        64,
        "with index=faiss: candidates kept during a search (hnsw) or lists visited (ivf); more finds more, slower",
        low=1,
        high=2**20,
    )
    index_sample: int = count(1000, "with index=faiss: users on whom its recall is measured", low=1)
    device: str = setting("auto", "where to compute", choices=("auto", "cpu", "cuda"))
    format: str = setting("text", "what stdout gets; csv where the answer itself goes there", choices=("text", "json", "csv"))


def questions() -> dict[str, dict[str, Question]]:
    """What can be asked, by key, and of which tasks."""
    found: dict[str, dict[str, Question]] = {}
    for task, entry in TASKS.items():
        for key, question in entry.questions.items():
            found.setdefault(key, {})[task] = question
    return found


@functools.cache
def _own_settings() -> Mapping[str, Setting]:
    """Those that no task adds to; a server needs them for every request."""
    return settings_table(Prediction)


def prediction_settings() -> dict[str, Setting]:
    """The settings by key; where data lies is said as for a run, e.g. `data.root`."""
    own = dict(_own_settings())
    asked = {}
    for key, tasks in questions().items():
        meaning = "; ".join(f"{question.meaning} (task={task})" for task, question in tasks.items())
        open_ended = any(not question.choices for question in tasks.values())
        choices = () if open_ended else tuple(dict.fromkeys(one for question in tasks.values() for one in question.choices))
        asked[key] = Setting(key, str, True, None, meaning, choices=choices)
    return {"run": own.pop("run"), **asked, **own, **{key: OPTIONS[key] for key in ("data.root", *OWN_FILES)}}


def check_prediction(assignments: Sequence[Assignment], mistakes: Iterable[str] = ()) -> Prediction:
    """Check a request as a whole.

    Args:
        assignments: What was given, in order.
        mistakes: Mistakes found before, reported with the others.

    Returns:
        The request, its `run` given and one question asked that runs of some task answer so.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    known = prediction_settings()
    found = list(mistakes)
    values = read_known(assignments, known, found)
    if found:
        raise RequestError("\n".join(dict.fromkeys(found)))
    given = {key: value for key, value in values.items() if value is not None}
    asked = [key for key in questions() if key in given]
    if "run" not in given:
        found.append("give run=FOLDER, the folder of a finished run")
    if len(asked) != 1:
        several = f", not {' and '.join(f'{name}=' for name in asked)} together" if asked else ""
        found.append(f"give one of {'; '.join(_examples(task) for task in TASKS if TASKS[task].questions)}{several}")
    if found:
        raise RequestError("\n".join(found))
    own = {one.name for one in fields(Prediction)}
    request = Prediction(
        question=asked[0],
        asked=given[asked[0]],
        places={key: value for key, value in given.items() if key in OPTIONS},
        given=frozenset(values),
        **{key: value for key, value in given.items() if key in own},
    )
    by_task = [_contradictions(task, request) for task in questions()[asked[0]]]
    if all(by_task):
        raise RequestError("\n".join(by_task[0]))
    return request


def require_served(task: str, run: str | Path) -> None:
    """RequestError if runs of the task cannot be asked anything.

    Args:
        task: The task of the run.
        run: What the run is called in the message.
    """
    if not TASKS[task].serve:
        served = ", ".join(f"task={name}" for name, entry in TASKS.items() if entry.serve)
        raise RequestError(
            f"{run} is a run of task={task}, and predict serves {served} so far: its scores are in "
            f"{Path(run) / 'seed-K' / 'predictions.npz'}"
        )


def require_askable(task: str, request: Prediction, run: str | Path) -> None:
    """RequestError if runs of the task cannot be asked this, or not so.

    Args:
        task: The task of the run.
        request: What is asked.
        run: What the run is called in the message.
    """
    require_served(task, run)
    if request.question not in TASKS[task].questions:
        raise RequestError(f"{run} is a run of task={task}: give one of {_examples(task)}, not {request.question}=")
    if found := _contradictions(task, request):
        raise RequestError("\n".join(found))


def _examples(task: str) -> str:
    return f"{', '.join(question.example for question in TASKS[task].questions.values())} (task={task})"


def _contradictions(task: str, request: Prediction) -> list[str]:
    """What does not go together in a request to runs of a task."""
    asked, question, found = request.question, TASKS[task].questions[request.question], []
    if not question.files and request.out is not None:
        writing = " or ".join(f"{key}=" for key, other in TASKS[task].questions.items() if other.files)
        found.append(f"out=: goes with {writing}, leave it out")
    missing = request.out is None and not question.printed
    if question.files and (missing or (request.out is not None and Path(request.out).suffix not in question.files)):
        typed = "" if request.out is None else f", not {shown(request.out)}"
        found.append(f"{asked}=: give out=FILE that ends in {' or '.join(question.files)}{typed}")
    if question.files and (request.out is not None or missing) and request.format == "csv":
        found.append(f"format=csv: {asked}= writes to out= and only reports on stdout, as text or json")
    hows = [key for tasks in questions().values() for other in tasks.values() for key in other.takes]
    for key in dict.fromkeys(hows):
        if key in request.given and key not in question.takes:
            found.append(f"{key}=: {asked}= takes none, leave it out")
        elif key in request.given and key in _OF_INDEX and request.index == "exact":
            found.append(f"{key}=: goes with index=faiss, leave it out")
    return found


def help_page() -> str:
    """What `python -m graphkit.predict --help` prints."""
    settings = prediction_settings()
    examples = [
        ("run=runs/FOLDER user=42", "the best 20 items for a user"),
        ("run=runs/FOLDER items=7,19 top=5", "for a new user who took items 7 and 19"),
        ("run=runs/FOLDER users=all out=top.csv", "for all users, into a file"),
        ("run=runs/FOLDER user=42 index=faiss", "through an approximate index"),
        ("run=runs/FOLDER node=ada top=5", "the best 5 new links of a node"),
        ("run=runs/FOLDER pairs=pairs.csv", "how likely each pair of a table is linked"),
        ("run=runs/FOLDER nodes=ada,bob", "the classes of two nodes"),
        ("run=runs/FOLDER nodes=new features=new.csv edges=new-edges.csv", "those of new nodes"),
        ("run=runs/FOLDER new=graphs.jsonl out=found.csv", "of new graphs, into a file"),
    ]
    asked = {key: settings[key] for key in ("run", *questions())}
    return render(
        "usage: python -m graphkit.predict run=FOLDER [KEY=VALUE ...]\n",
        "Answer from the weights of a finished run. Users, items, nodes, graphs and images go by the names that the data has, "
        "else by their numbers, from 0 on.\n",
        section("what is asked: run= and one of the others", settings_rows(asked)),
        section("how", settings_rows({key: one for key, one in settings.items() if key not in asked})),
        section("flags", aligned(FLAGS.items())),
        section("examples", aligned(examples)),
        "Results go to stdout, notes to stderr; format=json or csv for scripts.",
        "index=faiss needs the extra `ann`, .parquet the extra `parquet`.",
        "Exit status: 0 success, 1 the answer failed, 2 the request is wrong, 130 interrupted.",
    )
