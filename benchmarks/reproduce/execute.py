"""Bring a row to its finished run: read one that there is, resume an unfinished one, or start it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.reproduce.record import differences, is_recorded
from benchmarks.reproduce.table import Row
from graphkit.conf.arguments import Assignment
from graphkit.errors import CheckpointError, RequestError
from graphkit.training.artifacts import config_digest, read_config, read_result


def finish(row: Row, extra: Sequence[Assignment], out: Path, given: Path | None = None, stale: Path | None = None) -> Path:
    """Make a row's run finished.

    Args:
        row: The row.
        extra: Settings that win over the row's.
        out: The folder that holds the row's run folders; the run may lie there already.
        given: A run folder elsewhere that `assign` found to be the row's.
        stale: The row's record where that is stale: the run that it was made of is not taken again.

    Returns:
        The folder of the finished run.

    Raises:
        GraphkitError: As `graphkit.run.run`.
    """
    from graphkit.run import run

    request, config = row.request(extra), row.config_with(extra)
    folder = given or find(row, out, config, stale)
    if folder is not None:
        if read_result(folder) is not None:
            return folder
        allowed = {key: value for key, value in request.values.items() if key in ("data.root", "progress", "tensorboard")}
        return run(**{"progress": True, **allowed, "resume": str(folder)}).folder
    values: dict[str, Any] = {"progress": True, **request.values, "out": str(out)}
    return run(request.task, request.dataset, request.model, **values).folder


def find(row: Row, out: Path, config: dict[str, Any], stale: Path | None = None) -> Path | None:
    """The run with exactly these settings: a finished one, else the latest unfinished one.

    Args:
        row: The row.
        out: The folder that holds the row's run folders.
        config: The settings.
        stale: As for `finish`.
    """
    digest, unfinished = config_digest(config), None
    for path in sorted(out.glob("*/config.yaml")):
        try:
            if config_digest(read_config(path.parent)) != digest:
                continue
            if read_result(path.parent, config) is not None:
                if stale is not None and is_recorded(stale, path.parent):
                    continue
                return path.parent
        except CheckpointError:  # damaged, so it is no run that could be read or resumed; it stays as it is
            continue
        unfinished = path.parent
    return unfinished


def assign(folders: Sequence[Path], rows: Sequence[Row], extra: Sequence[Assignment]) -> dict[str, Path]:
    """Tell which row each given run folder belongs to.

    Returns:
        Run folders by the row's name.

    Raises:
        RequestError: If a folder is the run of no row; the message says in what it differs.
    """
    found: dict[str, Path] = {}
    mistakes = []
    for folder in folders:
        try:
            stored = read_config(folder)
            finished = read_result(folder, stored) is not None
        except CheckpointError as error:
            mistakes.append(f"--from {error}")
            continue
        names = (stored["task"].get("name"), stored.get("dataset"), stored["model"].get("name"))
        likely = [row for row in rows if (row.task, row.dataset, row.model) == names]
        if not likely:
            mistakes.append(f"--from {folder}: no chosen row is {'-'.join(map(str, names))}")
            continue
        row = min(likely, key=lambda row: len(differences(stored, row.config_with(extra))))
        config = row.config_with(extra)
        others = differences(stored, config)
        if others:
            mistakes.append(f"--from {folder} has other settings than {row.label}: {', '.join(others)}")
        elif not finished and config_digest(stored) != config_digest(config):
            mistakes.append(f"--from {folder} is unfinished, and the code has settings that it does not know: start it again")
        else:
            found[row.name] = folder
    if mistakes:
        raise RequestError("\n".join(mistakes))
    return found
