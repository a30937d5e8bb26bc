"""The door to claims: `python -m graphkit.claim run=runs/FOLDER out=claim.zip`, and from Python `claim(run, out)`.

A claim is a result that checks itself, see `graphkit.verify`. Importing this, `--help` and a wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import graphkit
from graphkit.cli import Answer, door
from graphkit.conf.arguments import Assignment, split
from graphkit.conf.claim import CLAIM, FLAGS, Claiming, check_claiming, claim_help, claim_settings
from graphkit.errors import RunError, shown_path
from graphkit.paths import expanded, require_working_folder
from graphkit.tasks.experiment import given_places, stored_request

if TYPE_CHECKING:
    from graphkit.claims.pack import Packed
    from graphkit.data.own.memory import InMemory


def claim(
    run: str | os.PathLike[str], out: str | os.PathLike[str], *, root: str | None = None, data: Mapping[str, Any] | None = None
) -> Path:
    """Write the claim of a finished run.

        claim("runs/link-ogbl-ddi-ncn-...", "claim.zip")

    Args:
        run: The run folder.
        out: The file to write.
        root: Data folder, where it is not the one the run was trained with.
        data: The run's own files where they lie elsewhere now, by setting, e.g. `{"edges": "moved.csv"}`; or, of a run on
            data in memory, the same.

    Returns:
        The file. `graphkit.verify.verify` scores it again.

    Raises:
        RequestError: If no claim can be made of the run, or data is not available.
        CheckpointError: If the run has not finished, or a file of it, or its data, is missing or was changed.
        RunError: If the file cannot be written.
    """
    places, memory = given_places(root, data or {})
    asked = [Assignment(key, value) for key, value in {"run": run, "out": out, **places}.items() if value is not None]
    return _packed(check_claiming(asked), memory).path


def export(run: str | os.PathLike[str], kind: str) -> str:
    """A text about a finished run.

    Args:
        run: The run folder.
        kind: `model-card`, `ogb` or `bibtex`.

    Raises:
        RequestError: If the run has no such text.
        CheckpointError: If the run has not finished, or was changed.
    """
    return _text(check_claiming([Assignment("run", run), Assignment("export", kind), Assignment("out", "-")]))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 it failed, 2 the request is wrong, 130 interrupted.
    """
    return door(_answer, argv, "interrupted")


def _answer(argv: Sequence[str]) -> Answer:
    """What a command line gets on stdout."""
    command = split(argv, FLAGS, claim_settings())
    if "--help" in command.flags:
        return Answer(claim_help())
    if "--version" in command.flags:
        return Answer(f"graphkit {graphkit.__version__}\n")
    request = check_claiming(command.assignments, command.mistakes)
    require_working_folder()
    if request.export == CLAIM:
        with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints, stdout carries the answer alone
            packed = _packed(request, {})
        seeds = f"{len(packed.seeds)} seed{'s' if len(packed.seeds) > 1 else ''}"
        size = f"{packed.path.stat().st_size:,} bytes"
        told = f"wrote {shown_path(packed.path)}: {seeds}, {size}\nclaim {packed.digest}\n"
        return Answer(told, str(packed.path))
    text = _text(request)
    if request.out is None:
        return Answer(text)
    path = _place(request)
    from graphkit.training.files import write_atomic

    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise RunError(f"cannot write {path} ({error.strerror}): name another file with out=") from error
    return Answer(f"wrote {shown_path(path)}\n", str(path))


def _packed(request: Claiming, memory: Mapping[str, InMemory]) -> Packed:
    folder = expanded(str(request.run), "run")
    stored = stored_request(folder, "run", request.places)
    out = _place(request)
    from graphkit.claims.pack import pack

    return pack(folder, stored, out, memory)


def _text(request: Claiming) -> str:
    from graphkit.claims.exports import export_text

    return export_text(expanded(str(request.run), "run"), request.export)


def _place(request: Claiming) -> Path:
    """The file to write; RequestError if it must not, or cannot, be written."""
    from graphkit.serving.files import check_out

    path = expanded(str(request.out), "out")
    check_out(path, expanded(str(request.run), "run"))
    return path


if __name__ == "__main__":
    sys.exit(main())
