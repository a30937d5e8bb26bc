"""The run folder: its name, its config.yaml, result.json, and reading them back. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from graphkit.errors import CheckpointError, RequestError, RunError
from graphkit.training.files import read_regular, write_atomic
from graphkit.training.result import RunResult

_WITHOUT_EFFECT = ("format", "out", "progress", "resume", "tensorboard")


def significant(config: dict[str, Any]) -> dict[str, Any]:
    """The settings that decide the numbers: all but those of display and place (`out`, `data.root`, ...)."""
    kept = {key: value for key, value in config.items() if key not in _WITHOUT_EFFECT}
    if isinstance(kept.get("data"), dict):
        kept["data"] = {key: value for key, value in kept["data"].items() if key != "root"}
    return kept


def config_digest(config: dict[str, Any]) -> str:
    """SHA-256 of the settings that decide the numbers, in canonical JSON."""
    text = json.dumps(significant(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def create_folder(config: dict[str, Any], now: datetime | None = None) -> Path:
    """Make `<out>/<task>-<dataset>-<model>-<stamp>/` with its config.yaml; an earlier run is never touched.

    Raises:
        RequestError: If the folder cannot be written.
    """
    out = Path(config["out"])
    stamp = (now or datetime.now()).strftime("%Y%m%d-%H%M%S")
    name = f"{config['task']['name']}-{config['dataset']}-{config['model']['name']}-{stamp}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder = _first_free(out, name)
        write_atomic(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False).encode())
    except OSError as error:
        raise RequestError(f"cannot write to out={out} ({error.strerror}): choose another folder with out=...") from error
    return folder


def _first_free(out: Path, name: str) -> Path:
    for number in range(1, 10_000):
        folder = out / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise RunError(f"10,000 runs started in the same second under {out}: start again")


def read_config(folder: Path, key: str = "resume") -> dict[str, Any]:
    """The resolved configuration of a run folder, to resume it or to predict with it.

    Args:
        folder: The run folder.
        key: The setting that names it, for the message.

    Raises:
        CheckpointError: If there is no such run or its config.yaml cannot be read.
    """
    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(read_regular(path).decode())
    except FileNotFoundError:
        raise CheckpointError(f"{folder} is no run folder (it has no config.yaml): check {key}=...") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise CheckpointError(f"cannot read {path} ({_short(error)}): start the run again") from error
    if not isinstance(config, dict) or not all(isinstance(config.get(key), dict) for key in ("task", "model", "train")):
        raise CheckpointError(f"{path} is truncated or was changed: start the run again")
    return config


def write_result(result: RunResult, config: dict[str, Any], environment: dict[str, Any]) -> None:
    """Write result.json: the result without this machine's paths, the settings that decide it, and the environment."""
    fields = {key: value for key, value in result.to_dict().items() if key != "folder"}
    record = {
        **fields,
        "config_digest": config_digest(config),
        "settings": significant(config),
        "environment": environment,
    }
    write_atomic(result.folder / "result.json", (json.dumps(record, indent=2, allow_nan=False) + "\n").encode())


def read_result(folder: Path, config: dict[str, Any] | None = None) -> RunResult | None:
    """The result of a finished run, None if it has not finished.

    Args:
        folder: The run folder, wherever it lies now.
        config: Settings that the result must belong to; None: not compared.

    Raises:
        CheckpointError: If result.json is damaged or belongs to other settings.
    """
    path = folder / "result.json"
    if not path.exists():
        return None
    try:
        text = read_regular(path).decode()
        result, digest = RunResult.from_json(text, folder), json.loads(text).get("config_digest")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        advice = "remove it and resume, it is rebuilt from the checkpoints"
        raise CheckpointError(f"{path} is truncated or was changed ({_short(error)}): {advice}") from error
    if config is not None and digest != config_digest(config):
        raise CheckpointError(f"{path} belongs to other settings than config.yaml: start a new run")
    return result


def finished_seed(folder: Path, wanted: int | None = None) -> int:
    """The seed of a finished run whose weights are to be used.

    Args:
        folder: The run folder.
        wanted: A seed of the run; None: the best by validation, the first of equals.

    Raises:
        CheckpointError: If the run has not finished, has no such seed, or its weights are gone.
    """
    result = read_result(folder, read_config(folder))
    if result is None:
        raise CheckpointError(f"{folder} has no finished weights: let the run finish, or continue it with resume={folder}")
    if wanted is not None and wanted not in result.seeds:
        raise CheckpointError(f"seed={wanted}: {folder} has {', '.join(map(str, result.seeds))}")
    scores = result.metrics["valid"][result.metric]["per_seed"]
    seed = result.seeds[scores.index(max(scores))] if wanted is None else wanted
    if not weights_path(folder, seed).is_file():
        raise CheckpointError(f"{weights_path(folder, seed)} is missing: put it back, or start the run again")
    return seed


def weights_path(folder: Path, seed: int) -> Path:
    """Where the selected weights of a seed lie."""
    return folder / f"seed-{seed}" / "best.safetensors"


def _short(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error).splitlines()[0] if str(error) else type(error).__name__
