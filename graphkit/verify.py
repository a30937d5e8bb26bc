"""The door to claims of others: `python -m graphkit.verify claim=claim.zip`, and from Python `verify(claim)`.

Importing it, `--help` and a wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import graphkit
from graphkit.cli import Answer, door
from graphkit.conf.arguments import Assignment, split
from graphkit.conf.claim import FLAGS, Verifying, check_verifying, verify_help, verify_settings
from graphkit.paths import expanded, require_working_folder
from graphkit.tasks.experiment import given_places

if TYPE_CHECKING:
    from graphkit.claims.report import Verification
    from graphkit.data.own.memory import InMemory


def verify(
    claim: str | os.PathLike[str],
    *,
    retrain: int = 0,
    device: str = "auto",
    root: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> Verification:
    """Score a claim again from its predictions and one's own copy of the data.

        assert verify("claim.zip").holds

    Args:
        claim: The file.
        retrain: Seeds that are trained again, the first ones.
        device: Where they are trained: `auto`, `cpu` or `cuda`.
        root: Data folder; default: $GRAPHKIT_DATA, else ~/.cache/graphkit.
        data: Of a run on own files, one's own copy of them by setting, e.g. `{"edges": "edges.csv"}`, or the same in memory.

    Returns:
        What came of it: `holds`, `findings`, and every figure in `scores`.

    Raises:
        RequestError: If there is no such file, or data is not available.
        ClaimError: If it is no claim.
    """
    places, memory = given_places(root, data or {})
    values = {"claim": claim, "retrain": retrain, "device": device, **places}
    return _verified(check_verifying([Assignment(key, value) for key, value in values.items() if value is not None]), memory)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 the claim holds, 1 it does not, 2 the request is wrong or the file is no claim, 130 interrupted.
    """
    return door(_answer, argv, "interrupted")


def _answer(argv: Sequence[str]) -> Answer:
    """What a command line gets on stdout."""
    command = split(argv, FLAGS, verify_settings())
    if "--help" in command.flags:
        return Answer(verify_help())
    if "--version" in command.flags:
        return Answer(f"graphkit {graphkit.__version__}\n")
    request = check_verifying(command.assignments, command.mistakes)
    require_working_folder()
    with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints, stdout carries the answer alone
        found = _verified(request, {})
    return Answer(found.to_json() if request.format == "json" else found.to_text(), status=int(not found.holds))


def _verified(request: Verifying, memory: Mapping[str, InMemory]) -> Verification:
    path = expanded(str(request.claim), "claim")
    from graphkit.claims.verification import verify_claim  # torch, which a wrong request need not wait for

    return verify_claim(path, request.places, memory, retrain=request.retrain, device=request.device)


if __name__ == "__main__":
    sys.exit(main())
