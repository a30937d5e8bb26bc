"""The run folder: its name, its config.yaml, result.json, and reading them back. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from graphkit.errors import CheckpointError, RequestError, RunError
from graphkit.metrics.registry import lower_is_better
from graphkit.training.checks import check_result
from graphkit.training.digests import DIGESTS, MARK, Digests, file_sha256, sha256
from graphkit.training.files import no_ordinary_file, read_whole, write_atomic
from graphkit.training.result import RunResult

SEED_FILES = ("best.safetensors", "predictions.npz")
"""What a finished seed leaves to be read back, in its folder."""
OF_SEED = (*SEED_FILES, "last.ckpt", "before-last.ckpt", "predictions.csv")
"""All files of a seed's folder."""

_FILES = ("config.yaml", DIGESTS, "data.json", "env.json", "metrics.csv", "report.html", "result.json")
_FOLDERS = ("names", "tensorboard", "transform")
_WITHOUT_EFFECT = ("format", "out", "progress", "resume", "tensorboard")
_SMALL = 1 << 20
_AGAIN = "remove it and resume, it is made again from the checkpoints"


class _Plain(yaml.SafeLoader):
    """YAML as a run writes it: without aliases, of which a few lines can stand for billions of values."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias")
        return super().compose_node(parent, index)


def significant(config: dict[str, Any]) -> dict[str, Any]:
    """The settings that decide the numbers: all but those of display and place (`out`, `data.root`, ...)."""
    kept = {key: value for key, value in config.items() if key not in _WITHOUT_EFFECT}
    if isinstance(kept.get("data"), dict):
        kept["data"] = {key: value for key, value in kept["data"].items() if key != "root"}
    return kept


def config_digest(config: dict[str, Any]) -> str:
    """SHA-256 of the settings that decide the numbers, in canonical JSON."""
    text = json.dumps(significant(config), sort_keys=True, separators=(",", ":"))
    return sha256(text.encode())


def create_folder(config: dict[str, Any], now: datetime | None = None, files: Mapping[str, bytes] | None = None) -> Path:
    """Make `<out>/<task>-<dataset>-<model>-<stamp>/` with its config.yaml; an earlier run is never touched.

    Args:
        config: The settings.
        now: The time that names the folder; None: the present.
        files: Further files by name: what the run was given.

    Raises:
        RequestError: If the folder cannot be written.
    """
    out = Path(config["out"])
    stamp = (now or datetime.now()).strftime("%Y%m%d-%H%M%S")
    name = f"{config['task']['name']}-{config['dataset']}-{config['model']['name']}-{stamp}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder = first_free(out, name)
        contents = {**(files or {}), "config.yaml": settings_text(config)}  # last: it is what makes the folder a run
        digests = Digests(folder, lengths={config_digest(config): config["train"]["epochs"]})
        digests.record({name: sha256(data) for name, data in contents.items()})
        for file, data in contents.items():
            (folder / file).parent.mkdir(exist_ok=True)
            write_atomic(folder / file, data)
    except OSError as error:
        raise RequestError(f"cannot write to out={out} ({error.strerror}): choose another folder with out=...") from error
    return folder


def first_free(out: Path, name: str) -> Path:
    """Make a folder of this name, or of the name with the first number that is free."""
    for number in range(1, 10_000):
        folder = out / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise RunError(f"10,000 runs started in the same second under {out}: start again")


def settings_text(config: dict[str, Any]) -> bytes:
    """The content of config.yaml."""
    return MARK + yaml.safe_dump(config, sort_keys=False).encode()


def read_config(folder: Path, key: str = "resume") -> dict[str, Any]:
    """The resolved configuration of a run folder, to resume it or to predict with it.

    Args:
        folder: The run folder.
        key: The setting that names it, for the message.

    Raises:
        CheckpointError: If there is no such run, its config.yaml cannot be read or was changed, or something else than a file
            lies where a run has one.
    """
    path = folder / "config.yaml"
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise CheckpointError(f"{key}={str(folder)!a}: the folder's name is not UTF-8, rename it") from None
    try:
        if not folder.is_dir():
            raise CheckpointError(f"{folder} is no run folder (it has no config.yaml): check {key}=...")
        _require_files(folder)
    except OSError as error:
        raise CheckpointError(f"cannot use {key}={folder} ({error.strerror}): name a run folder that can be read") from error
    try:
        data = read_whole(path, _SMALL)
    except FileNotFoundError:
        raise CheckpointError(f"{folder} is no run folder (it has no config.yaml): check {key}=...") from None
    digests = Digests.read(folder)
    if digests is not None:
        digests.check("config.yaml", data, "put it back, or start the run again")
    try:
        config = yaml.load(data.decode(), _Plain)
        json.dumps(config)
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise CheckpointError(f"cannot read {path} ({_short(error)}): start the run again") from error
    if not isinstance(config, dict) or not all(isinstance(config.get(key), dict) for key in ("task", "model", "train")):
        raise CheckpointError(f"{path} is truncated or was changed: start the run again")
    return config


def seed_folders(folder: Path) -> list[Path]:
    """What lies under the name of a seed's folder."""
    return sorted(place for place in folder.glob("seed-*") if place.name.removeprefix("seed-").isdecimal())


def _require_files(folder: Path) -> None:
    """Nothing that a run reads or writes is a pipe, a device or a folder instead."""
    seeds = seed_folders(folder)
    for place in seeds:
        if not place.is_dir():
            raise CheckpointError(f"{place} is no folder: remove it and resume to train that seed from the start")
    for path in (folder / name for name in (*_FILES, *(f"{place.name}/{name}" for place in seeds for name in OF_SEED))):
        if path.exists() and not path.is_file():
            raise no_ordinary_file(path)


def is_own_file(folder: Path, path: Path) -> bool:
    """Whether a run keeps a file of its own under a path, links followed."""
    try:
        first, *_ = path.resolve().relative_to(folder.resolve()).parts
    except ValueError:
        return False
    return first in (*_FILES, *_FOLDERS) or first.startswith("seed-")


def read_own(folder: Path, name: str) -> bytes | None:
    """The content of a file that the run was given, compared with its digest; None if it was made without that file.

    Raises:
        CheckpointError: If it is missing or was changed.
    """
    digests = Digests.read(folder)
    if digests is None or not digests.holds(name):
        return None
    try:
        data = read_whole(folder / name)
    except FileNotFoundError:
        raise CheckpointError(f"{folder / name} is missing: put it back, or start the run again") from None
    digests.check(name, data)
    return data


def write_result(result: RunResult, config: dict[str, Any], environment: dict[str, Any], digests: Digests) -> None:
    """Write result.json: the result without this machine's paths, the settings that decide it, and the environment."""
    fields = {key: value for key, value in result.to_dict().items() if key != "folder"}
    record = {
        **fields,
        "config_digest": config_digest(config),
        "settings": significant(config),
        "environment": environment,
    }
    data = (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()
    digests.record({"metrics.csv": file_sha256(result.folder / "metrics.csv"), "result.json": sha256(data)})
    write_atomic(result.folder / "result.json", data)


def read_result(folder: Path, config: dict[str, Any] | None = None) -> RunResult | None:
    """The result of a finished run, None if it has not finished.

    Args:
        folder: The run folder, wherever it lies now.
        config: Settings that the result must belong to; None: not compared.

    Raises:
        CheckpointError: If result.json is damaged, was changed or belongs to other settings.
    """
    path = folder / "result.json"
    try:
        data = read_whole(path, _SMALL << 4)
    except FileNotFoundError:
        return None
    digests = Digests.read(folder)
    if digests is not None:
        digests.check("result.json", data, _AGAIN)
    try:
        raw = json.loads(data)
        check_result(raw)
        result = RunResult.from_json(data.decode(), folder)
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is truncated or was changed ({_short(error)}): {_AGAIN}") from error
    if config is not None and raw["config_digest"] != config_digest(config):
        raise CheckpointError(f"{path} belongs to other settings than config.yaml: start a new run")
    return result


def finished_seed(folder: Path, wanted: int | None = None) -> int:
    """The seed of a finished run whose weights are to be used.

    Args:
        folder: The run folder.
        wanted: A seed of the run; None: the best by validation, the first of equals.

    Raises:
        CheckpointError: If the run has not finished, has no such seed, or its weights are gone or were changed.
    """
    result = read_result(folder, read_config(folder))
    if result is None:
        raise CheckpointError(f"{folder} has no finished weights: let the run finish, or continue it with resume={folder}")
    if wanted is not None and wanted not in result.seeds:
        raise CheckpointError(f"seed={wanted}: {folder} has {', '.join(map(str, result.seeds))}")
    scores = result.metrics["valid"][result.metric]["per_seed"]
    best = min(scores) if lower_is_better(result.metric) else max(scores)
    seed = result.seeds[scores.index(best)] if wanted is None else wanted
    if not weights_path(folder, seed).is_file():
        raise CheckpointError(f"{weights_path(folder, seed)} is missing: put it back, or make it again with resume={folder}")
    seed_is_whole(folder, seed, Digests.read(folder))
    return seed


def seed_is_whole(folder: Path, seed: int, digests: Digests | None) -> bool:
    """Whether all that a finished seed left is there.

    Raises:
        CheckpointError: If it was changed.
    """
    names = [f"seed-{seed}/{name}" for name in SEED_FILES]
    present = [name for name in names if (folder / name).is_file()]
    if digests is not None:
        for name in present:
            digests.check(name, advice=_AGAIN)
    return present == names


def weights_path(folder: Path, seed: int) -> Path:
    """Where the selected weights of a seed lie."""
    return folder / f"seed-{seed}" / "best.safetensors"


def _short(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
