"""Going on with a run: what must be the same, what is finished, and how a run gets more epochs. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from graphkit.errors import CheckpointError
from graphkit.training.artifacts import (
    OF_SEED,
    config_digest,
    read_config,
    read_result,
    seed_folders,
    seed_is_whole,
    settings_text,
    significant,
)
from graphkit.training.digests import Digests, file_sha256, sha256
from graphkit.training.files import write_atomic
from graphkit.training.result import RunResult

LOCATIONS = ("root", "edges", "features", "labels", "graphs", "images", "interactions")
"""Settings of `data` that say where data lies; what lies there is compared by content."""


def finished_result(folder: Path, config: dict[str, Any]) -> RunResult | None:
    """The result of a run that has nothing left to do, everything that it left looked at; None where there is work.

    Args:
        folder: The run folder.
        config: What the run is to be resumed with: its own settings, but for the places of data and for more epochs.

    Raises:
        CheckpointError: If the settings are others, or a file was changed.
    """
    stored = read_config(folder)
    _require_same(folder, stored, config)
    result, digests = read_result(folder, stored), Digests.read(folder)
    if result is None or config["train"]["epochs"] > stored["train"]["epochs"]:
        return None
    whole = [seed_is_whole(folder, seed, digests) for seed in result.seeds]
    if digests is not None:
        digests.check("metrics.csv")
        check_given(digests)
    return result if all(whole) else None


def check_given(digests: Digests) -> None:
    """Compare what the run was given, data.json, names and changed graphs, with its digests.

    Raises:
        CheckpointError: If a file is missing or was changed.
    """
    for name in digests.names:
        if name == "data.json" or name.startswith(("names/", "transform/")):
            digests.check(name)


def _require_same(folder: Path, stored: dict[str, Any], config: dict[str, Any]) -> None:
    """Other settings are refused, and fewer epochs; a setting that the run does not know has its default."""
    ours, theirs = _deciding(stored), _deciding(config)
    if any(theirs.get(key) != value for key, value in ours.items()):
        raise CheckpointError(f"{folder} was run with other settings: resume takes all of them from the run, so give none")
    epochs, before = config["train"]["epochs"], stored["train"]["epochs"]
    if epochs < before:
        raise CheckpointError(f"train.epochs={epochs}: {folder} has {before}, and resume= can only add to them: give more")
    if epochs > before and stored["train"].get("schedule") == "cosine":
        raise CheckpointError(
            f"train.epochs={epochs}: the learning rate of {folder} ends at {before} epochs (train.schedule=cosine), "
            "start a new run"
        )


def newer_note(folder: Path, config: dict[str, Any], unread: Collection[str] = ()) -> str | None:
    """A sentence on settings that came after a run was begun, whose defaults may not be what it did; None if it has all.

    Args:
        folder: The run folder, which has something left to do.
        config: What it is resumed with.
        unread: Settings by dotted key that mean nothing for the run.
    """
    ours = _deciding(read_config(folder))
    newer = {".".join(filter(None, key)): value for key, value in _deciding(config).items() if key not in ours}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in newer.items() if key not in unread}
    if not texts:
        return None
    said = ", ".join(f"{key}={text}" for key, text in texts.items())
    return (
        f"{folder} was begun by a version of graphkit without settings that now decide: what is left to train has their "
        f"defaults, {said}; where seeds must be alike, start the run again"
    )


def _deciding(config: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """What must be the same in a resumed run, by section and key."""
    kept = {}
    for section, value in significant(config).items():
        for key, leaf in value.items() if isinstance(value, dict) else [("", value)]:
            if not (section == "data" and key in LOCATIONS) and (section, key) != ("train", "epochs"):
                kept[section, key] = leaf
    return kept


def open_digests(folder: Path) -> Digests:
    """The digests of a run folder that is written to; a folder that was made before there were any gets them now."""
    digests = Digests.read(folder)
    if digests is not None:
        return digests
    config = read_config(folder)
    names = [
        "config.yaml",
        "metrics.csv",
        "result.json",
        *(f"{place.name}/{name}" for place in seed_folders(folder) for name in OF_SEED),
    ]
    digests = Digests(folder, lengths={config_digest(config): config["train"]["epochs"]})
    digests.record({name: file_sha256(folder / name) for name in names if (folder / name).is_file()})
    return digests


def extend(folder: Path, digests: Digests, epochs: int) -> None:
    """Give a run more epochs: it is unfinished again, and its config.yaml says so.

    A run that is killed in between has its earlier or its new settings, and no result: both can be resumed.
    """
    stored = read_config(folder)
    config = {**stored, "train": {**stored["train"], "epochs": epochs}}
    data = settings_text(config)
    for name in ("result.json", "report.html"):
        (folder / name).unlink(missing_ok=True)
    digests.lengths[config_digest(config)] = epochs
    digests.record({"config.yaml": sha256(data)}, beside=True)
    write_atomic(folder / "config.yaml", data)
    digests.record({"config.yaml": sha256(data)})
