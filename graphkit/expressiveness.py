"""The door to expressiveness: `python -m graphkit.expressiveness model=sswl+`, which pairs of graphs a network separates.

It checks the request, hands over to `graphkit.separation` and prints. Importing it, `--help` and a wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

import graphkit
from graphkit.cli import Answer, door
from graphkit.conf.arguments import split
from graphkit.conf.expressiveness import FLAGS, Expressiveness, check_expressiveness, expressiveness_settings, help_page
from graphkit.paths import require_working_folder


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 it failed, 2 the request is wrong, 130 interrupted.
    """
    return door(_answer, argv, "interrupted; with protocol=brec the same command goes on")


def _answer(argv: Sequence[str]) -> Answer:
    """What a command line gets on stdout."""
    command = split(argv, FLAGS, expressiveness_settings())
    if "--help" in command.flags:
        return Answer(help_page())
    if "--version" in command.flags:
        return Answer(f"graphkit {graphkit.__version__}\n")
    request = check_expressiveness(command.assignments, command.mistakes)
    require_working_folder()
    with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints, stdout carries the answer alone
        return Answer(_table(request))


def _table(request: Expressiveness) -> str:
    from graphkit.separation.answer import separation_table  # torch, which a wrong request need not wait for

    table = separation_table(request)
    return {"text": table.text, "json": table.json, "csv": table.csv}[request.format]()


if __name__ == "__main__":
    sys.exit(main())
