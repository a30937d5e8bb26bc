"""The door to finished runs: `python -m graphkit.predict run=runs/FOLDER user=42 top=20`, and from Python `load(...)`.

It checks the request, hands over to `graphkit.serving`, and prints. What can be asked is said by the row of the run's task.
Importing it, `--help` and a wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

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
    require_served,
)
from graphkit.paths import expanded, require_working_folder
from graphkit.tasks.experiment import stored_request

if TYPE_CHECKING:
    from graphkit.data.own.memory import InMemory
    from graphkit.serving.replies import Reply


def load(
    run: str | os.PathLike[str],
    *,
    seed: int | None = None,
    device: str = "auto",
    root: str | None = None,
    interactions: Any = None,
    data: Mapping[str, Any] | None = None,
) -> Any:
    """Open a finished run.

        served = load("runs/recommend-gowalla-lightgcn-...")
        served.top("42", k=20)

        served = load("runs/link-custom-ncn-...")
        served.top("ada", k=5)
        served.score([("ada", "bob")])

        served = load("runs/node-custom-sage-...")
        served.predict(["ada", "bob"])
        served.with_nodes("new.csv", "new-edges.csv").calibrated().predict()

    Args:
        run: The run folder.
        seed: The seed whose weights answer; default: the best by validation.
        device: `auto`, `cpu` or `cuda`.
        root: Data folder, where it is not the one the run was trained with.
        interactions: The run's own interactions file, where it lies elsewhere now; or, of a run on data in memory, the same.
        data: Further own files likewise, by setting, e.g. `{"edges": "moved.csv"}`.

    Returns:
        The run: of recommendation a `graphkit.serving.served.Served`, of links a `graphkit.serving.pairs.ServedPairs`, of
        nodes, graphs and images a `graphkit.serving.samples.ServedSamples`.

    Raises:
        RequestError: If the folder is no finished run of a task that can be asked, or device or data are not available.
        CheckpointError: If a file of the run, or its data, is missing or was changed.
    """
    from graphkit.training.artifacts import finished_seed

    folder = expanded(run, "run")
    given = {**(data or {}), **({} if interactions is None else {"interactions": interactions})}
    memory: dict[str, InMemory] = {}
    if not all(isinstance(part, str | os.PathLike | None) for part in given.values()):
        from graphkit.data.own.memory import take

        given, memory = take(given)
    request = stored_request(folder, "run", {"data.root": root, **{f"data.{key}": part for key, part in given.items()}})
    require_served(request.task, folder)
    chosen = finished_seed(folder, seed)
    from graphkit.serving.opened import open_seed
    from graphkit.training.runtime import torch_errors

    with torch_errors():
        return resolve_name(TASKS[request.task].serve)(open_seed(folder, request, chosen, device, memory))


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
