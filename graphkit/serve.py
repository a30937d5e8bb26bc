"""The door that answers over HTTP: `python -m graphkit.serve run=runs/FOLDER port=8000`.

It checks the request, takes the port, opens the run and hands over to `graphkit.serving.http`. Importing it, `--help` and a
wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import graphkit
from graphkit.cli import Answer, door, tell
from graphkit.conf.arguments import split
from graphkit.conf.catalog import TASKS
from graphkit.conf.predict import Prediction, require_served
from graphkit.conf.serve import FLAGS, check_serving, help_page, serve_settings
from graphkit.errors import RequestError
from graphkit.paths import expanded, require_working_folder
from graphkit.serving.load import load
from graphkit.tasks.experiment import stored_request

if TYPE_CHECKING:
    from graphkit.serving.replies import Reply


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 stopped by SIGTERM or Ctrl-C, 1 it failed, 2 the request is wrong, 130 interrupted while opening.
    """
    return door(lambda arguments: Answer(_answer(arguments)), argv, "interrupted")


def _answer(argv: Sequence[str]) -> str:
    """What a command line gets on stdout: nothing of a server, once it has stopped."""
    command = split(argv, FLAGS, serve_settings())
    if "--help" in command.flags:
        return help_page()
    if "--version" in command.flags:
        return f"graphkit {graphkit.__version__}\n"
    settings = check_serving(command.assignments, command.mistakes)
    require_working_folder()
    folder = expanded(settings.run, "run")
    request = stored_request(folder, "run", settings.places)
    require_served(request.task, folder)
    missing = [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise RequestError(f"serve needs the package {missing[0]}: install the extra with `pip install -e '.[serve]'`")
    from graphkit.serving.http.server import HttpServer, bound
    from graphkit.training.digests import age_note
    from graphkit.training.runtime import torch_errors

    with contextlib.redirect_stdout(sys.stderr), bound(settings.host, settings.port) as listening:
        places = {key.removeprefix("data."): place for key, place in settings.places.items()}
        served = load(settings.run, seed=settings.seed, device=settings.device, root=places.pop("root", None), data=places)
        if note := age_note(folder):
            tell(f"note: {note}")
        answer = resolve_name(TASKS[request.task].answer)

        def answered(asked: Prediction) -> Reply:
            with torch_errors():
                reply: Reply = answer(served, asked)
            return reply

        facts = {"run": settings.run, "task": request.task, "model": request.model, "seed": served.seed}
        HttpServer(listening, settings, task=request.task, facts=facts, answer=answered, split=served.split).run()
    return ""


if __name__ == "__main__":
    sys.exit(main())
