"""The command `graphkit`, also `python -m graphkit`: `graphkit run task=link dataset=cora`, `graphkit predict run=...`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import graphkit
from graphkit.cli import Answer, door
from graphkit.errors import RequestError, shown
from graphkit.nearest import did_you_mean

COMMANDS = {
    "run": "train and evaluate a model: graphkit run task=link dataset=cora",
    "sweep": "tune settings by validation: graphkit sweep task=node dataset=cora model=gcn trials=30",
    "compare": "is one run better than another, seed by seed: graphkit compare runs/A runs/B",
    "predict": "answer from a finished run: graphkit predict run=runs/FOLDER user=42",
    "serve": "answer from a finished run over HTTP: graphkit serve run=runs/FOLDER port=8000",
    "explain": "why a finished run decided as it did: graphkit explain run=runs/FOLDER node=17",
    "claim": "a result that checks itself: graphkit claim run=runs/FOLDER out=claim.zip",
    "verify": "score a claim again: graphkit verify claim=claim.zip",
    "expressiveness": "which pairs of graphs a network separates: graphkit expressiveness model=sswl+",
}
"""Each is a module of its own, `python -m graphkit.run`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status of the command; 2 where there is no such command.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in COMMANDS:
        status: int = importlib.import_module(f"graphkit.{arguments[0]}").main(arguments[1:])
        return status
    return door(_answer, arguments, "interrupted")


def _answer(argv: Sequence[str]) -> Answer:
    if argv and argv[0] == "--version":
        return Answer(f"graphkit {graphkit.__version__}\n")
    if argv and argv[0] not in ("-h", "--help"):
        hint = did_you_mean(argv[0], COMMANDS) or f": expected one of {', '.join(COMMANDS)}"
        raise RequestError(f"unknown command '{shown(argv[0])}'{hint}")
    rows = [f"  {name:16}{meaning}" for name, meaning in COMMANDS.items()]
    return Answer("\n".join(["usage: graphkit COMMAND ...\n", *rows, "\ngraphkit COMMAND --help tells the rest."]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
