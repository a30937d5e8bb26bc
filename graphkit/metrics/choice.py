"""Which metrics can tell two models apart on a data set, and which of them selects the epoch. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphkit.errors import RequestError
from graphkit.metrics.registry import Metric, in_words, parse

_WORDS = {"valid": "validation"}


@dataclass(frozen=True)
class Choice:
    """What a run is judged by.

    Attributes:
        metric: The one whose validation value selects the epoch.
        metrics: All that are reported, by name and in order, `metric` among them.
        notes: Sentences on what is left out, and on a metric that is not the data set's own.
    """

    metric: str
    metrics: dict[str, Metric]
    notes: tuple[str, ...]

    @property
    def lower_is_better(self) -> bool:
        """Whether the smallest value of the one that selects is the best."""
        return self.metrics[self.metric].kind.lower_is_better


def choose(
    task: str, asked: str, own: str, reported: Iterable[str], fallbacks: Sequence[str], counts: Mapping[str, Any]
) -> Choice:
    """Leave out metrics that are constant by construction, and find the one that selects the epoch.

    A metric is left out if every model gets the same value on any of the splits: on validation it selects nothing, on test it
    says nothing. `auto` takes the data set's own metric, or else the first of the fallbacks, that is not left out and
    not so weak on validation that random scores get more than half; if all are, the first that is not left out.

    Args:
        task: A task of the catalog.
        asked: `auto`, or the metric that the user wants to select by.
        own: The data set's own metric.
        reported: The metrics that the data set reports.
        fallbacks: Metrics that may take the place of its own, in this order.
        counts: For each evaluated split, `valid` first, the counts of `graphkit.metrics.candidates`.

    Raises:
        RequestError: If a name is unknown, the metric asked for cannot decide, or none can.
    """
    reported = tuple(reported)
    able_to_select = (own, *fallbacks, *reported) if asked == "auto" else (asked,)
    metrics = {name: parse(name, task) for name in (*able_to_select, own, *fallbacks, *reported)}
    flaws = {name: _flaw(metric, counts) for name, metric in metrics.items()}
    able = [name for name in able_to_select if not flaws[name]]
    if not able:
        raise RequestError(_impossible(task, asked, own, flaws))
    valid = next(iter(counts.values()))
    metric = next((name for name in able if not metrics[name].weakness(valid)), able[0])
    notes = [*_left_out(reported, flaws)]
    if asked == "auto" and metric != own:
        reason = "" if flaws[own] else f": validation {metrics[own].weakness(valid)}"
        notes.append(f"task.metric=auto selects by {metric} in place of {own}{reason}.")
    kept = {name: metrics[name] for name in (*reported, metric) if not flaws[name]}
    return Choice(metric, kept, tuple(notes))


def _impossible(task: str, asked: str, own: str, flaws: Mapping[str, str]) -> str:
    others = [name for name, flaw in flaws.items() if not flaw]
    if others:
        return f"task.metric={asked} cannot select an epoch: {flaws[asked]}; choose {in_words(others, 'or')}"
    return f"no metric of task={task} can tell two models apart: {flaws[own]}; give more data or another data.split"


def _flaw(metric: Metric, counts: Mapping[str, Any]) -> str:
    """The first split on which a metric is constant, and why; empty if there is none."""
    found = ((split, metric.flaw(part)) for split, part in counts.items())
    return next((f"{_WORDS.get(split, split)} {flaw}" for split, flaw in found if flaw), "")


def _left_out(reported: Iterable[str], flaws: Mapping[str, str]) -> Iterable[str]:
    """A sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for name in reported:
        reasons.setdefault(flaws[name], []).append(name)
    reasons.pop("", None)
    for reason, names in reasons.items():
        yield f"{in_words(names, 'and')} {'are' if len(names) > 1 else 'is'} left out: {reason}."
