"""Committed results, `benchmarks/results/TABLE/ROW.json`: a run's result.json with the row, the command, and warnings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import graphkit
from benchmarks.reproduce.table import Row
from graphkit.conf.settings import show
from graphkit.errors import RequestError
from graphkit.training.artifacts import config_digest, significant
from graphkit.training.files import write_atomic
from graphkit.training.result import RunResult


@dataclass(frozen=True)
class Record:
    """A result as committed.

    Attributes:
        command: The command line that gives the run.
        warnings: What a reader must know about how the numbers came about, e.g. uncommitted changes.
        settings: The settings that decided the numbers.
        environment: Versions, device and commit.
        result: What the run found.
    """

    command: str
    warnings: tuple[str, ...]
    settings: dict[str, Any]
    environment: dict[str, Any]
    result: RunResult

    @property
    def epochs(self) -> int:
        """How many epochs the run was to be trained for at most."""
        return int(self.settings["train"]["epochs"])


def record_path(results: Path, table: str, row: Row) -> Path:
    """Where a row's result lies."""
    return results / table / f"{row.name}.json"


def read_record(path: Path) -> Record | None:
    """A committed result, None where there is none.

    Raises:
        RequestError: If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        result = RunResult.from_json(json.dumps(raw), path.parent)
        return Record(raw["command"], tuple(raw["warnings"]), raw["settings"], raw["environment"], result)
    except (ValueError, TypeError, KeyError) as error:
        raise RequestError(f"{path} is damaged: remove it and run the row again") from error


def write_record(path: Path, row: Row, folder: Path) -> None:
    """Write a row's result from its finished run; one that is recorded already is left as it is.

    Args:
        path: See `record_path`.
        row: The row.
        folder: The run folder.
    """
    finished = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    if _holds(path, {"command": command(row), **finished}):
        return
    record = {"row": row.name, "command": command(row), "warnings": _warnings(finished, folder, row.config), **finished}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(record, indent=2, allow_nan=False) + "\n").encode())


def _holds(path: Path, fields: dict[str, Any]) -> bool:
    """Whether a JSON file holds these fields; one that is missing or damaged does not."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(before, dict) and all(before.get(key) == value for key, value in fields.items())


def command(row: Row) -> str:
    """The command line of a row's run."""
    own = {"task": row.task, "dataset": row.dataset, "model": row.model, "seeds": row.seeds, **row.overrides}
    return shlex.join(["python", "-m", "graphkit.run", *(f"{key}={show(value)}" for key, value in own.items())])


def differences(stored: Mapping[str, Any], config: dict[str, Any]) -> list[str]:
    """The settings that decide numbers in which an earlier run differs from `config`.

    A setting that the earlier run did not know yet is no difference: its default is what the code did before.
    """
    before, now = _flat(significant(dict(stored))), _flat(significant(config))
    return [
        f"{key}={show(value)} (the row: {show(now[key]) if key in now else 'no such setting'})"
        for key, value in before.items()
        if key not in now or now[key] != value
    ]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def _warnings(finished: dict[str, Any], folder: Path, config: dict[str, Any]) -> list[str]:
    from graphkit.training.environment import git_state

    warnings = []
    git = finished["environment"]["git"]
    now = git_state(Path(graphkit.__file__).resolve().parent)
    if git is None:
        warnings.append("not run from a git checkout: the commit is unknown")
    elif git["dirty"]:
        warnings.append(f"run with uncommitted changes to commit {git['commit'][:10]}")
    if git is not None and now is not None and git["commit"] != now["commit"]:
        warnings.append(f"run at commit {git['commit'][:10]}, recorded at commit {now['commit'][:10]}")
    begun = {(other.get("git") or {}).get("commit") for other in _earlier(folder)} - {(git or {}).get("commit")}
    warnings += [
        f"begun at {f'commit {other[:10]}' if other else 'an unknown commit'} and resumed" for other in sorted(begun, key=str)
    ]
    if finished["config_digest"] != config_digest(config):
        new = _flat(significant(config)).keys() - _flat(finished["settings"]).keys()
        warnings.append(f"run before there was a setting {', '.join(sorted(new))}")
    return warnings


def _earlier(folder: Path) -> list[dict[str, Any]]:
    """The environments that a resumed run had before its last one."""
    earlier: list[dict[str, Any]] = json.loads((folder / "env.json").read_text(encoding="utf-8")).get("earlier", [])
    return earlier
