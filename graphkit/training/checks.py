"""Whether what was read back has the form of what a run writes, down to the types. Imports no torch.

A digest shows that a file is the one that was written. Folders made before there were digests have none, and a checksum can
be computed for any content: what is believed is looked at as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Test = Callable[[Any], bool]


def check_result(raw: Any) -> None:
    """Refuse what is no content of result.json.

    Args:
        raw: What the JSON text holds.

    Raises:
        ValueError: Naming the first field that is missing or of another form.
    """
    _require_fields(
        {"selection": "", "split": "", **raw} if isinstance(raw, dict) else raw, _RESULT
    )  # earlier results have none
    seeds, metrics = raw["seeds"], raw["metrics"]
    if not seeds or len(raw["best_epochs"]) != len(seeds):
        raise ValueError("wrong 'best_epochs'")
    if raw["metric"] not in metrics.get("valid", {}):
        raise ValueError("wrong 'metric'")
    figures = [figure for part in metrics.values() for figure in part.values()]
    if not all(_is_figure(figure) and len(figure["per_seed"]) == len(seeds) for figure in figures):
        raise ValueError("wrong 'metrics'")


def check_state(state: Any) -> None:
    """Refuse what is no state of a seed, tensors aside: those are compared with the model's and the optimizer's own.

    Args:
        state: What a checkpoint holds.

    Raises:
        ValueError: Naming the first field that is missing or of another form.
    """
    _require_fields({"schedule": None, **state} if isinstance(state, dict) else state, _STATE)  # earlier ones have none
    progress, outcome = state["progress"], state["outcome"]
    if not isinstance(progress, dict):
        raise ValueError("wrong 'progress'")
    _require_fields({**_LATER, **progress}, _PROGRESS)
    best = progress["best_epoch"]
    if best is not None and best > progress["epoch"]:
        raise ValueError("wrong 'progress'")
    if best is not None:
        _require_columns(progress["best_metrics"], state["columns"], "best_metrics")
    if outcome is not None:
        _require_fields(outcome, _OUTCOME)
        _require_columns(outcome["metrics"], state["columns"], "outcome")
        if outcome["best_epoch"] != best:
            raise ValueError("wrong 'outcome'")


def _require_fields(raw: Any, tests: Mapping[str, Test]) -> None:
    if not isinstance(raw, dict):
        raise ValueError("not an object")
    for name, test in tests.items():
        if name not in raw:
            raise ValueError(f"no {name!r}")
        if not test(raw[name]):
            raise ValueError(f"wrong {name!r}")


def _require_columns(metrics: Any, columns: list[str], name: str) -> None:
    """ValueError unless there is a number for each `split/metric` column."""
    if not _is_metrics(metrics) or not set(columns) <= {f"{split}/{one}" for split, part in metrics.items() for one in part}:
        raise ValueError(f"wrong {name!r}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_duration(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _or_none(test: Test) -> Test:
    return lambda value: value is None or test(value)


def _list_of(test: Test) -> Test:
    return lambda value: isinstance(value, list) and all(map(test, value))


def _object_of(test: Test) -> Test:
    return lambda value: isinstance(value, dict) and all(map(_is_text, value)) and all(map(test, value.values()))


def _is_figure(value: Any) -> bool:
    """Mean, deviation and values per seed of one metric."""
    tests = {"mean": _is_number, "std": _or_none(_is_duration), "per_seed": _list_of(_is_number)}
    return isinstance(value, dict) and all(name in value and test(value[name]) for name, test in tests.items())


def _is_published(value: Any) -> bool:
    """A paper's figures: a source, and mean and deviation of each metric of a split."""
    if not isinstance(value, dict) or not _is_text(value.get("source")):
        return False
    splits = [part for name, part in value.items() if name != "source" and isinstance(part, dict)]
    figures = [figure for part in splits for figure in part.values() if isinstance(figure, dict)]
    return all(_is_number(figure.get("mean")) and _or_none(_is_number)(figure.get("std")) for figure in figures)


def _any(value: Any) -> bool:
    return True


_is_metrics = _object_of(_object_of(lambda value: type(value) in (int, float)))
"""Metrics of one seed; those of a split that does not select may be undefined."""

_RESULT: dict[str, Test] = {
    **dict.fromkeys(("task", "dataset", "model", "metric", "protocol", "selection", "split"), _is_text),
    "metrics": _object_of(_object_of(_is_figure)),
    "seeds": _list_of(_is_count),
    "best_epochs": _list_of(_is_count),
    "num_parameters": _is_count,
    "paper": _or_none(_is_published),
    "seconds": _is_duration,
    "epoch_seconds": _or_none(_is_duration),
    "steps_per_second": _or_none(_is_duration),
    "peak_memory_mb": _is_duration,
    "notes": _list_of(_is_text),
    "config_digest": _is_text,
    "settings": _object_of(_any),
}
_STATE: dict[str, Test] = {
    "model": _object_of(_any),
    "best_model": _object_of(_any),
    "optimizer": _or_none(_object_of(_any)),
    "schedule": _or_none(_object_of(_any)),
    "precision": _object_of(_any),
    "generator": _any,
    "random": _object_of(_any),
    "progress": _object_of(_any),
    "config": _is_text,
    "seed": _is_count,
    "metric": _is_text,
    "columns": _list_of(_is_text),
    "history": _is_text,
    "outcome": _or_none(_object_of(_any)),
}
_PROGRESS: dict[str, Test] = {
    "epoch": _is_count,
    "best_epoch": _or_none(_is_count),
    "best_metrics": _object_of(_any),
    "evaluations_without_gain": _is_count,
    "seconds": _is_duration,
    "best_loss": _or_none(lambda value: type(value) in (int, float) and value == value),  # inf: no finite loss
    "stage": _is_count,
    "stage_epoch": _is_count,
}
_LATER = {"best_loss": None, "stage": 0, "stage_epoch": 0}
"""What checkpoints of earlier versions lack of it."""
_OUTCOME: dict[str, Test] = {
    "best_epoch": _is_count,
    "metrics": _is_metrics,
    "num_parameters": _is_count,
    "num_batches": _is_count,
    "seconds": _is_duration,
    "peak_memory_mb": _is_duration,
}
