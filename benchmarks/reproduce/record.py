"""Committed results, `benchmarks/results/TABLE/ROW.json`: a run's result.json with the row, the command, and warnings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import graphkit
from benchmarks.reproduce.table import Row
from graphkit.conf.setting import show
from graphkit.errors import RequestError
from graphkit.training.artifacts import config_digest, significant
from graphkit.training.files import write_atomic
from graphkit.training.result import Metrics, RunResult
from graphkit.training.streams import RANDOM_STREAMS


@dataclass(frozen=True)
class Rerun:
    """One seed of a recorded row, run again later.

    Attributes:
        seed: The seed.
        commit: The commit of the code that ran.
        device: Where it ran.
        same: Whether it gave what the record's code gives: the recorded figures, or, on another device, what the recorded
            commit gives there.
        metrics: What it gave.
    """

    seed: int
    commit: str
    device: str
    same: bool
    metrics: Metrics


@dataclass(frozen=True)
class Record:
    """A result as committed.

    Attributes:
        command: The command line that gives the run.
        warnings: What a reader must know about how the numbers came about, e.g. uncommitted changes.
        settings: The settings that decided the numbers.
        environment: Versions, device and commit.
        result: What the run found.
        rerun: The last time that a seed was run again, None if never.
    """

    command: str
    warnings: tuple[str, ...]
    settings: dict[str, Any]
    environment: dict[str, Any]
    result: RunResult
    rerun: Rerun | None = None

    @property
    def commit(self) -> str | None:
        """The commit of the code that ran, None where it is not known."""
        git = self.environment["git"]
        return git["commit"] if git else None

    @property
    def outdated_streams(self) -> bool:
        """Whether it is of other random streams; of a record from before they had a version that is not known."""
        return bool(self.environment.get("random_streams", RANDOM_STREAMS) != RANDOM_STREAMS)

    @property
    def stale(self) -> bool:
        """Whether the present code is known to give other figures."""
        return self.outdated_streams or (self.rerun is not None and not self.rerun.same)

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
        rerun = Rerun(**raw["rerun"]) if raw.get("rerun") else None
        return Record(raw["command"], tuple(raw["warnings"]), raw["settings"], raw["environment"], result, rerun)
    except (ValueError, TypeError, KeyError) as error:
        raise RequestError(f"{path} is damaged: remove it and run the row again") from error


def new_record(path: Path, row: Row, folder: Path) -> bytes | None:
    """A row's record of its finished run; None where just that run is recorded already.

    Args:
        path: See `record_path`.
        row: The row.
        folder: The run folder.
    """
    finished = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    if _holds(path, {"command": command(row), **finished}):
        return None
    return _text({"row": row.name, "command": command(row), "warnings": _warnings(finished, folder, row.config), **finished})


def write_rerun(path: Path, rerun: Rerun) -> None:
    """Keep in a row's record how a rerun of one seed compared; its figures stay as they are."""
    write_atomic(path, _text({**json.loads(path.read_text(encoding="utf-8")), "rerun": asdict(rerun)}))


def is_recorded(path: Path, folder: Path) -> bool:
    """Whether a row's record was taken from this finished run, however its command is spelled now."""
    return _holds(path, json.loads((folder / "result.json").read_text(encoding="utf-8")))


def _text(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()


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

    A setting that the earlier run did not know yet is no difference: its default is what the code did before, or recipes and
    rows state what that was.
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
