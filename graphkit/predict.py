"""The door to finished runs: `python -m graphkit.predict run=runs/FOLDER user=42 top=20`, and from Python `load(...)`.

It checks the request, hands over to `graphkit.serving`, and prints. What can be asked is said by the row of the run's task.
Importing it, `--help` and a wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import graphkit
from graphkit.cli import Answer, door, tell
from graphkit.conf.arguments import split
from graphkit.conf.catalog import TASKS
from graphkit.conf.predict import (
    FLAGS,
    check_prediction,
    help_page,
    prediction_settings,
    require_askable,
)
from graphkit.paths import expanded, require_working_folder
from graphkit.serving.load import load as load
from graphkit.tasks.experiment import stored_request

if TYPE_CHECKING:
    from graphkit.serving.replies import Reply


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 the answer failed, 2 the request is wrong, 130 interrupted.
    """
    return door(lambda arguments: Answer(_answer(arguments)), argv, "interrupted")


def _answer(argv: Sequence[str]) -> str:
    """What a command line gets on stdout."""
    command = split(argv, FLAGS, prediction_settings())
    if "--help" in command.flags:
        return help_page()
    if "--version" in command.flags:
        return f"graphkit {graphkit.__version__}\n"
    request = check_prediction(command.assignments, command.mistakes)
    require_working_folder()
    folder = expanded(request.run, "run")
    task = stored_request(folder, "run", request.places).task
    require_askable(task, request, folder)
    from graphkit.training.digests import age_note  # NumPy, which --help need not wait for

    with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints, stdout carries the answer alone
        places = {key.removeprefix("data."): place for key, place in request.places.items()}
        served = load(request.run, seed=request.seed, device=request.device, root=places.pop("root", None), data=places)
        if note := age_note(folder):
            tell(f"note: {note}")
        from graphkit.training.runtime import torch_errors

        with torch_errors():
            reply: Reply = resolve_name(TASKS[task].answer)(served, request)
    return reply.page(request.format)


if __name__ == "__main__":
    sys.exit(main())
