"""Protocols of graph tasks: what is trained and judged on, and how the folds of published conventions make a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from torch import Tensor

from graphkit.conf.schema import Data, GraphTask, Train
from graphkit.data.graph_set import GraphSet
from graphkit.data.splits.folds import all_but, stratified_folds
from graphkit.errors import RequestError
from graphkit.metrics.registry import parse
from graphkit.training.result import Metrics, OverSeeds, Pooled

Row = Mapping[str, float | None]
"""A line of metrics.csv by column."""

LAST_EPOCHS = 10
_FIXED = ("seed", "epoch", "loss", "seconds", "eval_seconds")


@dataclass(frozen=True)
class Chosen:
    """The splits of a protocol.

    Attributes:
        splits: Graph ids of `train`, `valid` and `test`.
        statement: What is trained, selected and judged on, in plain sentences.
        last: Whether the last epoch stands, whatever its validation value.
    """

    splits: dict[str, Tensor]
    statement: str
    last: bool = False


def choose_splits(dataset: GraphSet, settings: GraphTask, train: Train) -> Chosen:
    """The splits of `task.protocol`.

    Args:
        dataset: The graphs, split as their own protocol says.
        settings: The task's settings.
        train: The loop's settings.

    Raises:
        RequestError: If the protocol does not go with the data or with the loop's settings.
    """
    protocol = settings.protocol
    shares = "/".join(f"{100 * share:g}" for share in dataset.shares)
    if protocol != "split" and any(abs(a - b) > 1e-6 for a, b in zip(dataset.shares, Data().split, strict=True)):
        raise RequestError(f"data.split={shares}: task.protocol={protocol} takes folds; for shares give task.protocol=split")
    if protocol == "nested":
        return Chosen(dataset.splits, dataset.protocol)
    if protocol == "split":
        if dataset.by_shares is None:
            raise RequestError(f"task.protocol=split: data set {dataset.name!r} has splits of its own, leave it out")
        sentence = f"Graphs are split at random in shares of {shares} (task.protocol=split), with a new draw for every seed"
        return Chosen(dataset.by_shares, f"{sentence}, {_INSTEAD} {dataset.protocol}")
    if dataset.num_folds < 2:
        raise RequestError(f"task.protocol={protocol}: data set {dataset.name!r} has a fixed split and no folds, leave it out")
    if train.patience:
        raise RequestError(f"task.protocol={protocol}: it needs all epochs of every fold, leave out train.patience")
    drawn = protocol == "gin"
    test = stratified_folds(dataset.graphs.y, dataset.num_folds)[dataset.fold] if drawn else dataset.splits["test"]
    splits = {"train": all_but(test, dataset.graphs.num_graphs), "valid": test, "test": test}
    return Chosen(splits, f"{_CONVENTIONS[protocol]} {_INSTEAD} {dataset.protocol}", last=protocol == "last10")


_INSTEAD = "in place of the data set's own protocol:"
_CONVENTIONS = {
    "gin": "SELECTED ON TEST: graphs are dealt to folds class by class; all but one fold are training, that one is validation "
    "and test, and one epoch is chosen for all folds, that of the best mean (task.protocol=gin, as the code of GIN, ESAN and "
    "SUN),",
    "last10": "All but one fold are training, that one is test; there is no validation, and a fold's figure is the mean of its "
    "last ten epochs (task.protocol=last10, as the code of SPEN),",
}


def over_seeds(settings: GraphTask) -> OverSeeds | None:
    """How the folds of a run make its result; None where each fold has its own selected epoch.

    Args:
        settings: The task's settings.
    """
    if settings.protocol == "gin":
        return best_common_epoch
    return partial(last_epochs, count=LAST_EPOCHS) if settings.protocol == "last10" else None


def best_common_epoch(metric: str, rows: Mapping[int, Sequence[Row]]) -> Pooled:
    r"""One epoch for all folds: that with the best mean over folds, of equal ones the first.

    .. math:: e^* = \arg\max_e \frac{1}{K} \sum_k v_k(e)

    Args:
        metric: The metric that selects.
        rows: The epochs of each seed, as metrics.csv has them.

    Source:
        "How Powerful are Graph Neural Networks?", ICLR 2019: the cross-validation accuracy averaged over the ten folds, at the
        epoch where it is best; the validation fold is the test fold.
    """
    evaluated = {seed: {_epoch(row): row for row in _evaluated(own, metric)} for seed, own in rows.items()}
    common = sorted(set.intersection(*map(set, evaluated.values())))
    sign = -1.0 if parse(metric, "graph").kind.lower_is_better else 1.0
    column = f"valid/{metric}"
    means = [sign * fmean(_value(own[epoch], column) for own in evaluated.values()) for epoch in common]
    best = common[means.index(max(means))]
    return Pooled(
        metrics=[_metrics([own[best]]) for own in evaluated.values()],
        epochs=(best,) * len(rows),
        selection=f"epoch {best} of all seeds, SELECTED ON TEST by mean {metric}",
        note=f"SELECTED ON TEST: the figures are those of epoch {best}, where mean test {metric} over the folds is best "
        "(task.protocol=gin), and no estimate for new graphs. Weights and predictions are those of each fold's own best epoch.",
    )


def last_epochs(metric: str, rows: Mapping[int, Sequence[Row]], count: int) -> Pooled:
    """The mean over the last evaluated epochs of each fold; nothing is selected.

    Args:
        metric: The metric of the run.
        rows: The epochs of each seed, as metrics.csv has them.
        count: How many epochs.

    Source:
        The code of "Subgraph Permutation Equivariant Networks", TMLR 2023: the mean test accuracy of the last ten epochs.
    """
    last = {seed: _evaluated(own, metric)[-count:] for seed, own in rows.items()}
    fewest = min(map(len, last.values()))
    return Pooled(
        metrics=[_metrics(own) for own in last.values()],
        epochs=tuple(_epoch(own[-1]) for own in last.values()),
        selection=f"mean of the last {fewest} evaluated epochs, none is selected",
        note=f"The figures are means over the last {fewest} evaluated epochs of each fold, without a validation set "
        "(task.protocol=last10). Weights and predictions are those of the last epoch.",
    )


def _evaluated(rows: Sequence[Row], metric: str) -> list[Row]:
    return [row for row in rows if row[f"valid/{metric}"] is not None]


def _epoch(row: Row) -> int:
    return int(_value(row, "epoch"))


def _value(row: Row, column: str) -> float:
    value = row[column]
    assert value is not None  # an evaluated epoch has all metrics
    return value


def _metrics(rows: Sequence[Row]) -> Metrics:
    """The mean of each metric over epochs."""
    metrics: Metrics = {}
    for column in rows[0].keys() - set(_FIXED):
        split, _, name = column.partition("/")
        metrics.setdefault(split, {})[name] = fmean(_value(row, column) for row in rows)
    return {split: {name: metrics[split][name] for name in sorted(metrics[split])} for split in ("valid", "test")}
