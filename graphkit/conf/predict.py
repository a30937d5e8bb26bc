"""The settings of `python -m graphkit.predict`, the check of a request, and its help page. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphkit.conf.arguments import Assignment
from graphkit.conf.listing import aligned, render, section, settings_rows
from graphkit.conf.request import read_values
from graphkit.conf.setting import Setting, count, nearest_key, setting, settings_table
from graphkit.errors import RequestError, shown

FLAGS = {"--help": "this page", "--version": "the version"}
QUESTIONS = ("user", "items", "users", "export")
"""What is asked: one of them is given."""

_SUFFIXES = {"users": (".csv", ".parquet"), "export": (".npz", ".parquet")}
_OTHER_TASKS = {"node": "nodes", "pair": "pairs"}


@dataclass(frozen=True)
class Prediction:
    """A request for predictions."""

    run: str | None = setting(None, "the folder of a finished run of task=recommend")
    user: str | None = setting(None, "the best items for a user; several users: user=a,b,c, names with commas in double quotes")
    items: str | None = setting(None, "the best items for a new user known by these items, items=x,y,z; nothing is retrained")
    users: str | None = setting(None, "lists of many users, written to out=: all, or a text file with a user a line")
    export: str | None = setting(
        None, "embeddings: those of all users and items with their names, written to out=", choices=("embeddings",)
    )
    out: str | None = setting(None, "file to write: .csv or .parquet with users=, .npz or .parquet with export=")
    top: int = count(20, "items in a list", low=1)
    seen: str = setting(
        "hide",
        "items that the user has in the run's training graph: hide leaves them out, show ranks them like all others; held-out "
        "validation and test items are in no training graph and are ranked",
        choices=("hide", "show"),
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
    root: str | None = setting(None, "data folder, where it is not the one the run was trained with")
    interactions: str | None = setting(None, "the run's own interactions file, where it lies elsewhere now")
    device: str = setting("auto", "where to compute", choices=("auto", "cpu", "cuda"))
    format: str = setting("text", "what stdout gets; csv with user= or items= alone", choices=("text", "json", "csv"))


def prediction_settings() -> dict[str, Setting]:
    """The settings by key; two are named as in a run: `data.root` and `data.interactions`."""
    return {key: one for key, one in settings_table(Prediction).items() if key not in ("root", "interactions")} | {
        f"data.{key}": settings_table(Prediction, "data.")[f"data.{key}"] for key in ("root", "interactions")
    }


def check_prediction(assignments: Sequence[Assignment], mistakes: Iterable[str] = ()) -> Prediction:
    """Check a request as a whole.

    Args:
        assignments: What was given, in order.
        mistakes: Mistakes found before, reported with the others.

    Returns:
        The request, its `run` given and exactly one of `QUESTIONS`.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    known = prediction_settings()
    found = list(mistakes)
    found += [_unknown(key, known) for key in dict.fromkeys(given.key for given in assignments) if key not in known]
    values = read_values([given for given in assignments if given.key in known], known, found)
    request = Prediction(**{key.removeprefix("data."): value for key, value in values.items()})
    if found:
        raise RequestError("\n".join(dict.fromkeys(found)))
    found = _contradictions(request, set(values))
    if found:
        raise RequestError("\n".join(found))
    return request


def _unknown(key: str, known: dict[str, Setting]) -> str:
    if key in _OTHER_TASKS:
        return (
            f"{key}=: predict serves task=recommend so far; scores of the {_OTHER_TASKS[key]} of other runs are in the run's "
            "seed-K/predictions.npz"
        )
    close = nearest_key(key, known)
    return f"unknown key '{shown(key)}'" + (f": did you mean {close}?" if close else "; see --help")


def _contradictions(request: Prediction, given: set[str]) -> list[str]:
    found = []
    if request.run is None:
        found.append("give run=FOLDER, the folder of a finished run of task=recommend")
    asked = [name for name in QUESTIONS if getattr(request, name) is not None]
    if len(asked) != 1:
        several = f", not {' and '.join(f'{name}=' for name in asked)} together" if asked else ""
        found.append(f"give one of user=NAME, items=A,B,C, users=all out=FILE, export=embeddings out=FILE{several}")
        return found
    (question,) = asked
    suffixes = _SUFFIXES.get(question, ())
    if not suffixes and request.out is not None:
        found.append("out=: goes with users= or export=, leave it out")
    if suffixes and (request.out is None or Path(request.out).suffix not in suffixes):
        typed = "" if request.out is None else f", not {shown(request.out)}"
        found.append(f"{question}=: give out=FILE that ends in {' or '.join(suffixes)}{typed}")
    if suffixes and request.format == "csv":
        found.append(f"format=csv: {question}= writes to out= and only reports on stdout, as text or json")
    idle = {"top", "seen", "index", "index_kind", "index_effort", "index_sample"} if question == "export" else set()
    if request.index == "exact":
        idle |= {"index_kind", "index_effort", "index_sample"}
    reason = "export= takes none" if question == "export" else "goes with index=faiss"
    found += [f"{key}=: {reason}, leave it out" for key in prediction_settings() if key in idle & given]
    return found


def help_page() -> str:
    """What `python -m graphkit.predict --help` prints."""
    settings = prediction_settings()
    examples = [
        ("run=runs/FOLDER user=42", "the best 20 items for a user"),
        ("run=runs/FOLDER items=7,19 top=5", "for a new user who took items 7 and 19"),
        ("run=runs/FOLDER users=all out=top.csv", "for all users, into a file"),
        ("run=runs/FOLDER user=42 index=faiss", "through an approximate index"),
    ]
    asked = {key: settings[key] for key in ("run", *QUESTIONS)}
    return render(
        "usage: python -m graphkit.predict run=FOLDER [KEY=VALUE ...]\n",
        "Answer from the weights of a finished recommendation run. Users and items go by the names that the data has, else by "
        "their numbers, from 0 on.\n",
        section("what is asked: run= and one of the others", settings_rows(asked)),
        section("how", settings_rows({key: one for key, one in settings.items() if key not in asked})),
        section("flags", aligned(FLAGS.items())),
        section("examples", aligned(examples)),
        "Results go to stdout, notes to stderr; format=json or csv for scripts.",
        "index=faiss needs the extra `ann`, .parquet the extra `parquet`.",
        "Exit status: 0 success, 1 the answer failed, 2 the request is wrong, 130 interrupted.",
    )
