"""The settings of `python -m graphkit.serve`, the check of what a client asks, and the help page. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from graphkit.conf.arguments import Assignment
from graphkit.conf.catalog import TASKS
from graphkit.conf.entries import Question
from graphkit.conf.listing import aligned, render, section, settings_rows
from graphkit.conf.predict import TABLES, Prediction, check_prediction, prediction_settings, require_askable
from graphkit.conf.request import OPTIONS, OWN_FILES, read_known
from graphkit.conf.setting import Setting, count, nearest_key, setting, settings_table
from graphkit.errors import RequestError, shown

FLAGS = {"--help": "this page", "--version": "the version"}
MOST_NODES = 100_000
"""Nodes of a new graph that a request may ask for without naming them."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A request for a server.

    Attributes:
        places: Where the run's data lies now, by dotted key.
    """

    places: Mapping[str, str]
    run: str = setting(None, "the folder of a finished run")
    host: str = setting("127.0.0.1", "the address to listen on; 0.0.0.0 lets other machines ask")
    port: int = setting(8000, "the port; 0 takes a free one, which is told", low=0, high=65_535)
    seed: int | None = setting(None, "the seed whose weights answer; default: the best by validation", low=0, high=2**33)
    device: str = setting("auto", "where to compute", choices=("auto", "cpu", "cuda"))
    max_bytes: int = count(1_000_000, "bytes of a request's body; larger ones are refused", low=1, high=2**31)
    body_seconds: int = count(10, "seconds in which a body must have come", low=1, high=3600)
    stop_seconds: int = count(30, "seconds for which a stopping server waits for its last answers", low=1, high=3600)
    max_batch: int = count(64, "requests that are answered together at most", low=1, high=100_000)
    max_waiting: int = count(1000, "requests that may wait; more are refused with status 503", low=1, high=10**6)


def serve_settings() -> dict[str, Setting]:
    """The settings by key; where data lies is said as for a run, e.g. `data.root`."""
    return {**settings_table(Serving), **{key: OPTIONS[key] for key in ("data.root", *OWN_FILES)}}


def check_serving(assignments: Sequence[Assignment], mistakes: Iterable[str] = ()) -> Serving:
    """Check a request as a whole.

    Args:
        assignments: What was given, in order.
        mistakes: Mistakes found before, reported with the others.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    known, found = serve_settings(), list(mistakes)
    values = read_known(assignments, known, found)
    given = {key: value for key, value in values.items() if value is not None}
    if "run" not in given:
        found.append("give run=FOLDER, the folder of a finished run")
    if found:
        raise RequestError("\n".join(dict.fromkeys(found)))
    own = {one.name for one in fields(Serving)}
    return Serving(
        places={key: value for key, value in given.items() if key in OPTIONS},
        **{key: value for key, value in given.items() if key in own},
    )


def served_questions(task: str) -> dict[str, Question]:
    """What a server answers of a task: the questions whose answer may go to stdout."""
    return {key: question for key, question in TASKS[task].questions.items() if not question.files or question.printed}


def served_settings(task: str, question: str) -> dict[str, Setting]:
    """What a client may say beside a question. An index is built for a run, not for a request, and stays with `predict`."""
    table = prediction_settings()
    return {key: table[key] for key in TASKS[task].questions[question].takes if not key.startswith("index")}


def check_asked(task: str, run: str, body: object) -> Prediction:
    """Check what a client asks, by the rules of `check_prediction`.

    Args:
        task: The task of the run.
        run: What the run is called.
        body: The JSON that was sent: an object with the keys of `graphkit.predict`. Names may be a list; what is a file there
            is its rows here.

    Returns:
        The request, its tables in memory.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    questions = served_questions(task)
    if not isinstance(body, Mapping):
        raise RequestError(f"send a JSON object, such as {{{_example(questions)}}}")
    asked = [key for key in questions if key in body]
    if len(asked) != 1:
        raise RequestError(f"give one of {', '.join(questions)} in a JSON object" + (", not several" if asked else ""))
    question, takes = questions[asked[0]], served_settings(task, asked[0])
    found = []
    for key in body:
        if key != asked[0] and key not in takes:
            close = nearest_key(str(key), {asked[0]: prediction_settings()[asked[0]], **takes})
            more = f": did you mean {close}?" if close else f": beside {asked[0]} there are {', '.join(takes) or 'none'}"
            found.append(f"unknown key '{shown(str(key))}'{more}")
    tables: dict[str, Any] = {}
    assignments = [Assignment("run", run)]
    for key, value in body.items():
        if (key == asked[0] and question.table) or key in TABLES:
            if not isinstance(value, list) or not value or not all(isinstance(row, list | dict) for row in value):
                found.append(f"{shown(str(key))}: expected a list of rows; the server reads no files")
            tables[key] = value
            value = "(rows)"
        elif key == asked[0]:
            value = names_text(value)
        assignments.append(Assignment(str(key), value))
    found += _too_large(tables.get("new"))
    if found:
        raise RequestError("\n".join(found))
    request = check_prediction(assignments)
    require_askable(task, request, run)
    return replace(request, tables=tables, served=True)


def names_text(value: object) -> object:
    """A list of names as the text that names them; a number as text."""
    if isinstance(value, list) and value and all(isinstance(one, str | int) and not isinstance(one, bool) for one in value):
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="").writerow(value)
        return text.getvalue()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _too_large(graphs: Any) -> list[str]:
    """A few bytes may ask for a graph of any number of nodes."""
    sizes = [row.get("num_nodes", 0) for row in graphs if isinstance(row, Mapping)] if isinstance(graphs, list) else []
    ends = [end for row in graphs or () if isinstance(row, Mapping) for end in _numbers(row.get("edges"))]
    largest = max([size for size in sizes if isinstance(size, int)] + ends, default=0)
    return [f"new: {largest:,} nodes, and the server takes {MOST_NODES:,} a graph"] if largest > MOST_NODES else []


def _numbers(edges: Any) -> list[int]:
    rows = [row for row in edges if isinstance(row, list)] if isinstance(edges, list) else []
    return [end for row in rows for end in row if isinstance(end, int)]


def _example(questions: Mapping[str, Question]) -> str:
    return f'"{next(iter(questions))}": ...'


def help_page() -> str:
    """What `python -m graphkit.serve --help` prints."""
    return render(
        "usage: python -m graphkit.serve run=FOLDER [KEY=VALUE ...]\n",
        "Answer over HTTP from the weights of a finished run: POST /predict with a JSON object of the keys that "
        'graphkit.predict has, such as {"user": "7", "top": 3}. GET /docs shows them, /openapi.json describes them, /health '
        "and /metrics tell how the server is.\n",
        section("settings", settings_rows(serve_settings())),
        section("flags", aligned(FLAGS.items())),
        "It needs the extra `serve`, knows no users and no encryption, and by default listens to this machine alone.",
        "SIGTERM and Ctrl-C stop it when what was asked is answered.",
        "Exit status: 0 stopped, 1 it failed, 2 the request is wrong.",
    )
