"""What a claim says: a run's result with settings and environment, what it was made on, and how it is measured."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from graphkit.claims.archive import Archive
from graphkit.conf.request import OWN_FILES
from graphkit.data.record import DataRecord
from graphkit.errors import ClaimError, RequestError
from graphkit.metrics.registry import Metric, own_measure, parse
from graphkit.training.artifacts import config_digest, significant
from graphkit.training.checks import check_result
from graphkit.training.result import RunResult

_DIGEST = re.compile("[0-9a-f]{64}")

Parts = dict[str, str]
"""SHA-256 of what figures depend on besides predictions, by the names of `Task.parts`."""


@dataclass(frozen=True)
class Claim:
    """A claim as it is read.

    Attributes:
        archive: Its file.
        result: What is claimed.
        settings: The settings of the run, without places.
        stated_digest: `config_digest` of the settings, as result.json states it.
        environment: Versions, device and commit of the run.
        record: What the run was made on.
        parts: Of every seed, the digests of data and splits.
        metric: The definition of what is claimed.
    """

    archive: Archive
    result: RunResult
    settings: dict[str, Any]
    stated_digest: str
    environment: dict[str, Any]
    record: DataRecord
    parts: Mapping[int, Parts]
    metric: dict[str, Any]


def read_claim(path: Path) -> Claim:
    """Read a claim.

    Args:
        path: The file.

    Raises:
        RequestError: If there is no such file.
        ClaimError: If it is no claim.
    """
    archive = Archive(path)
    raw, data, metric = (archive.document(name) for name in ("result.json", "data.json", "metric.json"))
    try:
        check_result(raw)
        result = RunResult.from_json(json.dumps(raw), path)
        settings, environment = raw["settings"], raw.get("environment")
        if not all(isinstance(settings.get(key), dict) for key in ("task", "model", "train")):
            raise ValueError("no settings")
        if not isinstance(environment, dict) or not isinstance(metric, dict) or not isinstance(data, dict):
            raise ValueError("no environment, data or metric")
        record = DataRecord.from_json(json.dumps(data.get("record")).encode())
        parts = {int(seed): _parts(digests) for seed, digests in data["seeds"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ClaimError(f"{path} is no claim ({error}): ask for the file that graphkit.claim wrote") from error
    return Claim(archive, result, settings, raw["config_digest"], environment, record, parts, metric)


def _parts(raw: Any) -> Parts:
    if not isinstance(raw, dict) or not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in raw.values()):
        raise ValueError("wrong digests of data")
    return raw


def definition(names: Sequence[str], selects: str, task: str, computed_from: Sequence[str], splits: Any) -> dict[str, Any]:
    """How a run is measured, in plain values.

    Args:
        names: The metrics that it reports.
        selects: The one that selected the epoch.
        task: Its task.
        computed_from: The arrays that they are computed from.
        splits: Sizes of the splits, negatives among them.

    Raises:
        RequestError: If the task has no such metric.
    """
    metrics = {name: _metric(name, task).definition() for name in names}
    return {"selects": selects, "metrics": metrics, "computed_from": list(computed_from), "splits": splits}


def _metric(name: str, task: str) -> Metric:
    return own_measure(name, task) or parse(name, task)


def documents(
    result: RunResult, config: Mapping[str, Any], environment: Mapping[str, Any], record: DataRecord, folder: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What result.json and data.json of a claim hold: what the run's own hold, without this machine's paths.

    Args:
        result: The result.
        config: The settings of the run.
        environment: Its environment.
        record: What it was made on.
        folder: The run folder.

    Returns:
        The content of result.json, and the record that data.json has.
    """
    settings = significant(dict(config))
    named = {key.removeprefix("data.") for key in OWN_FILES}
    data = {key: PurePath(value).name if key in named and value else value for key, value in settings["data"].items()}
    files = {
        key: replace(source, typed=PurePath(source.typed).name, path="", pipe=False) for key, source in record.files.items()
    }
    places = [*(place for source in record.files.values() for place in (source.typed, source.path)), record.root]
    places += [str(folder), str(folder.absolute()), str(Path.home())]
    fields = {key: value for key, value in result.to_dict().items() if key != "folder"}
    raw = {**fields, "settings": {**settings, "data": data}, "environment": dict(environment)}
    raw = without_paths(raw, [place for place in places if place])
    return {**raw, "config_digest": config_digest(raw["settings"])}, asdict(replace(record, root=None, files=files))


def without_paths(value: Any, places: Sequence[str]) -> Any:
    """Plain values in which each of these paths is its last part alone."""
    if isinstance(value, dict):
        return {key: without_paths(one, places) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(one, places) for one in value]
    if isinstance(value, str):
        for place in sorted((place for place in places if os.sep in place.strip(os.sep)), key=len, reverse=True):
            value = value.replace(place, PurePath(place).name)
    return value


def differences(claimed: DataRecord, found: DataRecord) -> list[str]:
    """A sentence for each way in which the data at hand is not what the run was made on.

    Args:
        claimed: What the run was made on.
        found: What was read now.
    """
    told = []
    for key, source in claimed.files.items():
        other = found.files.get(key)
        if other is None or (other.size, other.sha256) != (source.size, source.sha256):
            read = "was not read" if other is None else f"has SHA-256 {other.sha256}, not {source.sha256}"
            told.append(f"data.{key}: the file is not the one that the run read ({source.typed}): it {read}")
    for path in sorted(claimed.published.keys() | found.published.keys()):
        if claimed.published.get(path) != found.published.get(path):
            told.append(
                f"data set {claimed.dataset!r}: this version of graphkit has another file {path} than the run was made on"
            )
    for what in sorted(claimed.sizes.keys() | found.sizes.keys()):
        if claimed.sizes.get(what) != found.sizes.get(what):
            sizes = f"{found.sizes.get(what, 0)} {what}, the run was made on {claimed.sizes.get(what, 0)}"
            told.append(f"data set {claimed.dataset!r} has {sizes}")
    return told


def require_own_files(claim: Claim, given: Mapping[str, Any]) -> None:
    """RequestError unless the user's own copy of each own file is named: a claim holds names and digests alone."""
    wanted = [key for key in OWN_FILES if claim.settings.get("data", {}).get(key.removeprefix("data.")) and key not in given]
    if wanted:
        files = {key: claim.record.files.get(key.removeprefix("data.")) for key in wanted}
        told = {key: f" ({file.typed}, {file.size:,} bytes)" if file else "" for key, file in files.items()}
        raise RequestError("\n".join(f"{key}: the run read a file{told[key]}, give your copy by {key}=FILE" for key in wanted))
