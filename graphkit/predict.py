"""The door to finished runs: `python -m graphkit.predict run=runs/FOLDER user=42 top=20`, and from Python `load(...)`.

It checks the request, hands over to `graphkit.serving`, and prints. Importing it, `--help` and a wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import graphkit
from graphkit.cli import Answer, door, tell
from graphkit.conf.arguments import split
from graphkit.conf.catalog import TASKS
from graphkit.conf.listing import render
from graphkit.conf.predict import FLAGS, Prediction, check_prediction, help_page, prediction_settings
from graphkit.errors import RequestError, shown
from graphkit.paths import expanded, require_working_folder
from graphkit.tasks.experiment import stored_request

_LONGEST_NAME = 1_000

if TYPE_CHECKING:
    from graphkit.data.own.memory import InMemory
    from graphkit.serving.served import Ranked, Served

    Lists = list[tuple[str | None, list[Ranked]]]
    """Names of users with their lists; None for a new user."""


def load(
    run: str | os.PathLike[str],
    *,
    seed: int | None = None,
    device: str = "auto",
    root: str | None = None,
    interactions: Any = None,
) -> Served:
    """Open a finished recommendation run.

        served = load("runs/recommend-gowalla-lightgcn-...")
        served.top("42", k=20)
        served.fold_in(["7", "19"])
        served.embeddings()

    Args:
        run: The run folder.
        seed: The seed whose weights answer; default: the best by validation.
        device: `auto`, `cpu` or `cuda`.
        root: Data folder, where it is not the one the run was trained with.
        interactions: The run's own interactions file, where it lies elsewhere now; or, of a run on data in memory, the same.

    Returns:
        The run, see `graphkit.serving.served.Served`.

    Raises:
        RequestError: If the folder is no finished run of task=recommend, or device or data are not available.
        CheckpointError: If a file of the run, or its data, is missing or was changed.
    """
    from graphkit.training.artifacts import finished_seed

    folder = expanded(run, "run")
    memory: dict[str, InMemory] = {}
    if not isinstance(interactions, str | os.PathLike | None):
        from graphkit.data.own.memory import take

        taken, memory = take({"interactions": interactions})
        interactions = taken["interactions"]
    request = stored_request(folder, "run", {"data.root": root, "data.interactions": interactions})
    if not TASKS[request.task].serve:
        served = ", ".join(f"task={name}" for name, entry in TASKS.items() if entry.serve)
        raise RequestError(
            f"{folder} is a run of task={request.task}, and predict serves {served} so far: its scores are in "
            f"{folder / 'seed-K' / 'predictions.npz'}"
        )
    chosen = finished_seed(folder, seed)
    from graphkit.training.runtime import torch_errors

    with torch_errors():
        opened: Served = resolve_name(TASKS[request.task].serve)(folder, request, chosen, device, memory)
        return opened


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
    from graphkit.training.digests import age_note  # NumPy, which --help need not wait for

    with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints, stdout carries the answer alone
        served = load(
            str(request.run),
            seed=request.seed,
            device=request.device,
            root=request.root,
            interactions=request.interactions,
        )
        if note := age_note(expanded(str(request.run), "run")):
            tell(f"note: {note}")
        from graphkit.training.runtime import torch_errors

        with torch_errors():
            if request.out is not None:
                return _write(served, request, expanded(request.out, "out"))
            lists, facts = _lists(served, request), _facts(served, request)
    return _PAGES[request.format](lists, facts)


def _lists(served: Served, request: Prediction) -> Lists:
    """The lists of user= or items=."""
    if request.items is not None:
        items = served.items.split(request.items)
        _index(served, request)
        return [(None, served.fold_in(items, request.top, seen=request.seen))]
    users = served.users.split(str(request.user))
    served.users.find_all(users)  # a wrong name shows before an index is built
    _index(served, request)
    return [(user, served.top(user, request.top, seen=request.seen)) for user in users]


def _write(served: Served, request: Prediction, path: Path) -> str:
    """Write what users= or export= asks for, and say what was written."""
    from graphkit.serving.files import check_out, write_embeddings, write_rows

    listed = () if request.users in (None, "all") else (expanded(str(request.users), "users"),)
    check_out(path, expanded(str(request.run), "run"), (*served.data_files, *listed))
    facts: dict[str, Any] = {"out": str(path)}
    if request.export is not None:
        vectors = served.embeddings()
        users, items = vectors.users.cpu().numpy(), vectors.items.cpu().numpy()
        write_embeddings(path, users, items, served.users.array, served.items.array)
        facts |= {"users": len(users), "items": len(items), "channels": users.shape[1]}
        text = f"wrote embeddings of {len(users):,} users and {len(items):,} items, {users.shape[1]} channels, to {path}"
    else:
        asked = None if request.users == "all" else _read_users(expanded(str(request.users), "users"), served)
        _index(served, request)
        count = write_rows(path, served.rows(asked, request.top, seen=request.seen))
        people = len(served.users.array) if asked is None else len(asked)
        facts |= {"users": people, "rows": count}
        text = f"wrote the best {request.top} items of {people:,} users, {count:,} rows, to {path}"
    facts = _facts(served, request) | facts
    return json.dumps(facts, indent=2) + "\n" if request.format == "json" else "\n".join([text, *_recall_line(facts)]) + "\n"


def _read_users(path: Path, served: Served) -> list[int]:
    """The users of a text file, a name a line."""
    try:
        if path.exists() and not path.is_file():  # a pipe, or a device without end
            raise OSError(errno.EINVAL, "it is no ordinary file")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RequestError(f"users={path}: cannot read it ({reason}); give all, or a file with a user a line") from error
    users = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                users.append(served.users.find(line.strip()))
            except RequestError as error:
                raise RequestError(f"users={path}, line {number}: {error}") from error
    if not users:
        raise RequestError(f"users={path}: it is empty; give all, or a file with a user a line")
    return users


def _index(served: Served, request: Prediction) -> None:
    if request.index == "faiss":
        served.build_index(request.index_kind, request.index_effort)


def _facts(served: Served, request: Prediction) -> dict[str, Any]:
    """What answered, and how well an index did."""
    facts = {"run": request.run, "seed": served.seed, "seen": request.seen, "index": request.index}
    if served.index is None:
        return facts
    value, users = served.recall(request.top, sample=request.index_sample, seen=request.seen)
    return {**facts, "index_kind": request.index_kind, "recall": {"value": value, "top": request.top, "users": users}}


def _recall_line(facts: dict[str, Any]) -> list[str]:
    if "recall" not in facts:
        return []
    recall = facts["recall"]
    return [
        f"recall@{recall['top']} of the {facts['index_kind']} index against exact search: {recall['value']:.4f}, "
        f"over {recall['users']:,} users"
    ]


def _text(lists: Lists, facts: dict[str, Any]) -> str:
    from rich import box
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    for user, ranked in lists:
        parts.append(Text("new user" if user is None else f"user {shown(user)}", style="bold"))
        if not ranked:
            parts.append(Text("no item is left: seen=show ranks those that the user has\n"))
            continue
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("rank", justify="right")
        table.add_column("item", overflow="fold")
        table.add_column("score", justify="right")
        for rank, (item, score) in enumerate(ranked, start=1):
            table.add_row(str(rank), Text(shown(item, _LONGEST_NAME)), f"{score:.6g}")
        parts.append(table)
    return render(*parts, *_recall_line(facts))


def _json(lists: Lists, facts: dict[str, Any]) -> str:
    found = [
        {"user": user, "top": [{"item": item, "score": score if math.isfinite(score) else None} for item, score in ranked]}
        for user, ranked in lists
    ]
    return json.dumps({**facts, "lists": found}, indent=2, ensure_ascii=False) + "\n"


def _csv(lists: Lists, facts: dict[str, Any]) -> str:
    from graphkit.training.table import as_text, cells

    for line in _recall_line(facts):
        tell(line)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("user", "rank", "item", "score"))
    for user, ranked in lists:
        names = cells(as_text([item for item, _ in ranked]))
        whose = cells(as_text([user or ""]))[0]
        writer.writerows((whose, rank, name, one.score) for rank, (name, one) in enumerate(zip(names, ranked, strict=True), 1))
    return text.getvalue()


_PAGES = {"text": _text, "json": _json, "csv": _csv}


if __name__ == "__main__":
    sys.exit(main())
