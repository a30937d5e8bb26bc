"""The settings of `python -m graphkit.claim` and `python -m graphkit.verify`, the check of a request, and their help pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from graphkit.conf.arguments import Assignment
from graphkit.conf.listing import aligned, render, section, settings_rows
from graphkit.conf.request import OPTIONS, OWN_FILES, read_known
from graphkit.conf.setting import Setting, count, setting, settings_table
from graphkit.errors import RequestError

FLAGS = {"--help": "this page", "--version": "the version"}
CLAIM = "claim"
EXPORTS = (CLAIM, "model-card", "ogb", "bibtex")

R = TypeVar("R", "Claiming", "Verifying")


@dataclass(frozen=True, kw_only=True)
class Claiming:
    """A request for a claim, or for a text about a run.

    Attributes:
        places: Where the run's data lies now, by dotted key.
    """

    places: Mapping[str, str]
    run: str | None = setting(None, "the folder of a finished run", path=True)
    out: str | None = setting(None, "file to write; texts also go to stdout", path=True)
    export: str = setting(
        CLAIM,
        "claim: a zip file that graphkit.verify scores again; model-card: Markdown with the public metadata of results "
        "(model-index); ogb: a CSV line with what OGB's leaderboards ask for; bibtex: the method's paper",
        choices=EXPORTS,
    )


@dataclass(frozen=True, kw_only=True)
class Verifying:
    """A request to score a claim again.

    Attributes:
        places: Where the user's own copy of the data lies, by dotted key.
    """

    places: Mapping[str, str]
    claim: str | None = setting(None, "the file of a claim", path=True)
    retrain: int = count(0, "seeds that are trained again, the first ones", high=100_000)
    device: str = setting("auto", "where they are trained", choices=("auto", "cpu", "cuda"))
    format: str = setting("text", "what stdout gets", choices=("text", "json"))


def claim_settings() -> dict[str, Setting]:
    """The settings of a claim by key; where data lies is said as for a run."""
    return {**settings_table(Claiming), **_places()}


def verify_settings() -> dict[str, Setting]:
    """The settings of a verification by key, likewise."""
    return {**settings_table(Verifying), **_places()}


def _places() -> dict[str, Setting]:
    return {key: OPTIONS[key] for key in ("data.root", *OWN_FILES)}


def check_claiming(assignments: Sequence[Assignment], mistakes: Iterable[str] = ()) -> Claiming:
    """Check a request for a claim as a whole.

    Args:
        assignments: What was given, in order.
        mistakes: Mistakes found before, reported with the others.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    found = list(mistakes)
    request = _checked(Claiming, claim_settings(), assignments, found)
    if request.run is None:
        found.append("give run=FOLDER, the folder of a finished run")
    if request.export == CLAIM and request.out is None:
        found.append("give out=FILE, the claim to write")
    if request.export != CLAIM and request.places:
        found.append(f"{', '.join(request.places)}: export={request.export} reads no data, leave it out")
    return _sound(request, found)


def check_verifying(assignments: Sequence[Assignment], mistakes: Iterable[str] = ()) -> Verifying:
    """Check a request to score a claim again, as `check_claiming` does.

    Args:
        assignments: What was given, in order.
        mistakes: Mistakes found before, reported with the others.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    found = list(mistakes)
    request = _checked(Verifying, verify_settings(), assignments, found)
    if request.claim is None:
        found.append("give claim=FILE, a claim that graphkit.claim wrote")
    return _sound(request, found)


def _checked(kind: type[R], known: Mapping[str, Setting], assignments: Sequence[Assignment], found: list[str]) -> R:
    """A request of what can be read; the others are mistakes."""
    read = read_known(assignments, known, found)
    values: dict[str, Any] = {key: value for key, value in read.items() if value is not None}
    own = {field.name for field in fields(kind)} & values.keys()
    return kind(places={key: value for key, value in values.items() if key in OPTIONS}, **{key: values[key] for key in own})


def _sound(request: R, found: Sequence[str]) -> R:
    if found:
        raise RequestError("\n".join(dict.fromkeys(found)))
    return request


def claim_help() -> str:
    """What `python -m graphkit.claim --help` prints."""
    examples = [
        ("run=runs/FOLDER out=claim.zip", "a result that checks itself"),
        ("run=runs/FOLDER export=model-card out=README.md", "a model card with the run's results"),
        ("run=runs/FOLDER export=ogb", "a line for OGB's leaderboards"),
        ("run=runs/FOLDER export=bibtex", "the method's paper"),
    ]
    return render(
        "usage: python -m graphkit.claim run=FOLDER out=FILE [KEY=VALUE ...]\n",
        "Pack the result of a finished run with all that is needed to score it again: settings, digests of data and splits, "
        "predictions of every seed, environment, definition of the metrics. The same run gives the same bytes; no path of this "
        "machine, no name of a node, user or item and no weight is in it.\n",
        section("settings", settings_rows(claim_settings())),
        section("flags", aligned(FLAGS.items())),
        section("examples", aligned(examples)),
        "Exit status: 0 success, 1 it failed, 2 the request is wrong, 130 interrupted.",
    )


def verify_help() -> str:
    """What `python -m graphkit.verify --help` prints."""
    examples = [
        ("claim=claim.zip", "score it again from the catalog's data"),
        ("claim=claim.zip data.root=/data", "the same, with data elsewhere"),
        ("claim=claim.zip data.edges=edges.csv", "of a run on own files: your copy of them"),
        ("claim=claim.zip retrain=1", "also train its first seed again"),
    ]
    return render(
        "usage: python -m graphkit.verify claim=FILE [KEY=VALUE ...]\n",
        "Score a claim again from its predictions and your own copy of the data, with the same splits and metrics. It shows "
        "that the figures are those of the predictions; that the predictions are those of the settings only retrain= shows.\n",
        section("settings", settings_rows(verify_settings())),
        section("flags", aligned(FLAGS.items())),
        section("examples", aligned(examples)),
        "Exit status: 0 the claim holds, 1 it does not: a number, a file, a split or the data differs; 2 the request is wrong "
        "or the file is no claim, 130 interrupted.",
    )
