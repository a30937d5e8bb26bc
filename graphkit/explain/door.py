"""The door to explanations: `python -m graphkit.explain run=runs/FOLDER node=17`, and from Python `explain(...)`.

It checks the request, hands over to the explainer that the task's row names, and writes. Importing it, `--help` and a wrong
request need no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import graphkit
from graphkit.cli import Answer, door, tell
from graphkit.conf.arguments import Assignment, split
from graphkit.conf.catalog import TASKS
from graphkit.conf.explain import (
    FLAGS,
    Explaining,
    check_explaining,
    explain_settings,
    help_page,
    require_askable,
)
from graphkit.errors import RequestError, RunError, shown, shown_path
from graphkit.explain.explanation import Explanation
from graphkit.paths import expanded, require_working_folder
from graphkit.tasks.experiment import stored_request

if TYPE_CHECKING:
    from graphkit.explain.explainer import Explainer

_LONGEST_FILE = 60


def explain(run: str | os.PathLike[str], **asked: Any) -> Explanation:
    """Explain a prediction of a finished run.

        explanation = explain("runs/node-cora-gcn-...", node=17)
        print(explanation.sentence)
        Path("why.html").write_text(explanation.to_html())

    Args:
        run: The run folder.
        **asked: What is explained, as on the command line: `node=`, `graph=`, `pair="u,v"`, or `user=` and `item=`; further
            settings likewise, such as `seed=` and `top=`, and for one with a dot in its name a mapping, `data={"root": ...}`.

    Returns:
        The explanation, with `to_html()`, `to_text()`, `to_json()` and plain values.

    Raises:
        RequestError: The request is wrong, or asks for several.
        CheckpointError: A file of the run, or its data, is missing or was changed.
    """
    found = explain_all(run, **asked)
    if len(found) != 1:
        raise RequestError(f"{len(found)} explanations were asked for: explain() gives one, explain_all() a list")
    return found[0]


def explain_all(run: str | os.PathLike[str], **asked: Any) -> list[Explanation]:
    """Explain several predictions of a finished run, as `explain` does one.

    Args:
        run: The run folder.
        **asked: As for `explain`; several things are a list, `node=[17, 18]`, or one text, `node="17,18"`.

    Raises:
        RequestError: The request is wrong.
        CheckpointError: A file of the run, or its data, is missing or was changed.
    """
    places = asked.pop("data", {})
    values = {"run": run, **asked, **{f"data.{key}": value for key, value in places.items()}}
    settings = explain_settings()
    assignments = [
        Assignment(key, _as_text(value) if key in settings and settings[key].kind is str else value)
        for key, value in values.items()
        if value is not None
    ]
    return _explained(check_explaining(assignments))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 the answer failed, 2 the request is wrong, 130 interrupted.
    """
    return door(_answer, argv, "interrupted")


def _answer(argv: Sequence[str]) -> Answer:
    """What a command line gets on stdout."""
    command = split(argv, FLAGS, explain_settings())
    if "--help" in command.flags:
        return Answer(help_page())
    if "--version" in command.flags:
        return Answer(f"graphkit {graphkit.__version__}\n")
    request = check_explaining(command.assignments, command.mistakes)
    require_working_folder()
    with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints, stdout carries the answer alone
        path = _place(request)
        explanations = _explained(request)
        from graphkit.training.digests import age_note

        if note := age_note(expanded(str(request.run), "run")):
            tell(f"note: {note}")
        content = _written_as(request.format, explanations)
    if path is None:
        return Answer(content)
    _write(path, content)
    sentences = [shown(one.sentence, 2_000) for one in explanations]
    return Answer("\n".join([*sentences, f"wrote {shown_path(path)}"]) + "\n", str(path))


def _explained(request: Explaining) -> list[Explanation]:
    """The explanations that were asked for, each with what other seeds say."""
    folder = expanded(str(request.run), "run")
    stored = stored_request(folder, "run", request.places)
    require_askable(stored.task, request.asked, str(folder))
    from graphkit.explain.explainer import compared, is_same_data
    from graphkit.serving.opened import open_seed, other_seeds
    from graphkit.training.artifacts import finished_seed
    from graphkit.training.runtime import torch_errors

    def explainer(seed: int) -> Explainer:
        made: Explainer = resolve_name(TASKS[stored.task].explain)(open_seed(folder, stored, seed, request.device))
        return made

    with torch_errors():
        seed = finished_seed(folder, request.seed)
        own = explainer(seed)
        samples = own.find(request.asked)
        found = [own.explain(sample, request.top) for sample in samples]
        others = {}
        for other in list(other_seeds(folder, seed))[: request.other_seeds]:
            asked = explainer(other)
            if not is_same_data(own, asked):
                tell(f"note: seed {other} drew other data and is not compared")
                break
            others[other] = [asked.explain(sample, request.top, with_receipt=False) for sample in samples]
    return [compared(one, {other: said[place] for other, said in others.items()}) for place, one in enumerate(found)]


def _written_as(format: str, explanations: Sequence[Explanation]) -> str:
    if format == "html":
        from graphkit.explain.page import html_page

        return html_page(explanations)
    if format == "text":
        from graphkit.explain.text import text_page

        return text_page(explanations)
    if len(explanations) == 1:
        return explanations[0].to_json()
    return json.dumps([one.to_dict() for one in explanations], indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _place(request: Explaining) -> Path | None:
    """The file to write; None: stdout. RequestError if it must not, or cannot, be written."""
    folder = expanded(str(request.run), "run")
    if request.out is not None:
        from graphkit.serving.files import check_out

        path = expanded(request.out, "out")
        check_out(path, folder)
        return path
    return folder / "explain" / f"{_file_name(request.asked)}.html" if request.format == "html" else None


def _file_name(asked: Mapping[str, str]) -> str:
    """A name for the page that any file system takes; a digest tells apart what had to be changed."""
    wanted = "-".join(f"{key}-{value}" for key, value in asked.items())
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", wanted)[:_LONGEST_FILE]
    return plain if plain == wanted else f"{plain}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"


def _write(path: Path, content: str) -> None:
    from graphkit.training.files import write_atomic

    try:
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, content.encode())
    except OSError as error:
        raise RunError(f"cannot write {path} ({error.strerror}): name another file with out=") from error


def _as_text(value: Any) -> Any:
    """A name, or several, as it would be typed; what is no name stays for the check."""
    if isinstance(value, list | tuple):
        return ",".join(_quoted(str(one)) for one in value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if set(name) & set(',"') else name
