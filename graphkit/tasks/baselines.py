"""The simplest predictor of each task, judged on a run's own split by the metrics of the run. No model is computed again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from graphkit.data.dataset import InteractionData, LinkData
from graphkit.metrics.pairs import link_metric
from graphkit.metrics.ranking import ranking_metrics
from graphkit.metrics.registry import parse, told_by_model
from graphkit.models.link.heuristics import CommonNeighbors
from graphkit.sparse import CSR
from graphkit.tasks.operators import weighted_operator
from graphkit.training.report import Baseline
from graphkit.training.result import Metrics

MOST_STEPS = 1_000_000_000
"""Neighbors that common neighbors may walk over, a few seconds; for more pairs they are not counted."""
_CPU = torch.device("cpu")


def constant(
    task: str,
    kind: str,
    y: Tensor,
    splits: Mapping[str, Tensor],
    *,
    reported: Mapping[str, Sequence[str]],
    num_targets: int,
    target_names: Sequence[str] = (),
) -> Baseline:
    """The same prediction for everything: the majority of the training targets, of numbers their mean.

    Args:
        task: The task, `node`, `graph` or `image`.
        kind: What is predicted: `classes`, `labels` or `numbers`.
        y: Classes [N]; labels or numbers [N, T], NaN where not known.
        splits: Ids of `train` and of the splits that are judged, all labeled.
        reported: The metrics of each judged split.
        num_targets: Number of classes, labels or numbers.
        target_names: Names of the numbers, for metrics of one of them.
    """
    seen = y[splits["train"]]
    if kind == "classes":
        scores = F.one_hot(seen.bincount(minlength=num_targets).argmax(), num_targets).float()
    elif kind == "labels":
        scores = (seen.nanmean(dim=0) > 0.5).float() * 2 - 1
    else:
        scores = seen.nanmean(dim=0)
    metrics: Metrics = {}
    for split, names in reported.items():
        ids = splits[split]
        metrics[split] = {}
        for name in names:
            if told_by_model(name):
                continue
            metric, rows, known = parse(name, task), scores.expand(len(ids), -1), y[ids]
            if metric.target:
                column = target_names.index(metric.target)
                rows, known = rows[:, column : column + 1], known[:, column : column + 1]
            value = metric(rows, known)
            if math.isfinite(value):  # of a number that no training graph knows there is no mean
                metrics[split][name] = value
    name = {"classes": "majority class", "labels": "majority labels", "numbers": "training mean"}[kind]
    return Baseline(name, metrics, f"{name.capitalize()}: the same prediction for all, on the split of the first seed.")


Scores = dict[str, tuple[Tensor, Tensor]]
"""Scores of the positives and of the negatives of each split."""


@torch.no_grad()
def common_neighbors(dataset: LinkData, splits: Sequence[str], most: int = MOST_STEPS) -> tuple[Scores, str]:
    """The number of common neighbors of all held-out pairs, in the graph that the run sees.

    Args:
        dataset: The graph and its pairs.
        splits: The splits that are judged.
        most: Neighbors that may be walked over: for more nothing is counted.

    Returns:
        The scores; or none, with a sentence on why.
    """
    adjacent = dict.fromkeys(splits, weighted_operator(dataset.graph, _CPU))
    if dataset.test_graph is not None:
        adjacent["test"] = weighted_operator(dataset.test_graph, _CPU)
    pairs = {split: (dataset.splits[split].positive, dataset.splits[split].negative) for split in splits}
    steps = sum(
        int(adjacent[split].degree()[part].sum()) for split, parts in pairs.items() for part in parts if part is not None
    )
    if steps > most:
        return (
            {},
            f"Common neighbors as a baseline are left out: {steps:,} neighbors of all pairs take longer than a few seconds.",
        )
    model, scores = CommonNeighbors(), Scores()
    for split, (positive, negative) in pairs.items():
        assert negative is not None  # the task refuses a split without
        adj = adjacent[split]
        nodes = model.encode(None, adj)
        positives, negatives = (model.head(*model.pair_features(nodes, adj, part)) for part in (positive, negative))
        scores[split] = positives, by_positive(dataset, split, negatives)
    return scores, ""


def by_positive(dataset: LinkData, split: str, scores: Tensor) -> Tensor:
    """Scores of negatives as metrics take them: [Q], or [P, Q] where each positive has its own."""
    pairs = dataset.splits[split]
    return scores.view(pairs.positive.size(1), -1) if pairs.own_negatives else scores


def of_links(scores: Scores, why_not: str, reported: Mapping[str, Sequence[str]]) -> Baseline:
    """The metrics of common neighbors.

    Args:
        scores: What `common_neighbors` gave.
        why_not: Its sentence where it gave none.
        reported: The metrics of each judged split.
    """
    metrics = {split: {name: link_metric(name, *scores[split]) for name in reported[split]} for split in scores}
    return Baseline("common neighbors", metrics, why_not or "Common neighbors: on the split of the first seed.")


@dataclass(frozen=True)
class Judged:
    """A split of interactions as it is judged.

    Attributes:
        users: Users that count [U].
        relevant: What they took, users x items.
        seen: What they had been seen with, which is not ranked, users x items.
        popularity: Training users of each item [I].
    """

    users: Tensor
    relevant: CSR
    seen: CSR
    popularity: Tensor

    @classmethod
    def of(cls, dataset: InteractionData, split: str, users: Tensor, trained: Sequence[str]) -> Judged:
        """The split as the run judges it.

        Args:
            dataset: Who took what.
            split: The split, `valid` or `test`.
            users: The users that count, as predictions.npz names them.
            trained: The splits that were trained on.
        """
        known = ("train", "valid") if split == "test" else trained
        shape = dataset.num_users, dataset.num_items

        def matrix(*names: str) -> CSR:
            pairs = torch.cat([dataset.splits[name] for name in names], dim=1)
            return CSR.from_edge_index(pairs.flip(0), shape, duplicates="first")

        popularity = matrix(*trained).col.long().bincount(minlength=shape[1])
        return cls(users, matrix(split), matrix(*known), popularity)


def most_popular(judged: Judged, k: int) -> Tensor:
    """The k most popular items of each user that the user has not been seen with; of equally popular ones the lower.

    With the ranks r_0 < r_1 < ... of a user's seen items in the order of popularity, r_i - i unseen items come before the i-th
    seen one; the j-th unseen item therefore has the rank j + |{i : r_i - i <= j}|. No score is computed.

    Args:
        judged: Users, what they had been seen with, and how popular items are.
        k: Items wanted, at most the number of all items.

    Returns:
        Items [U, k], best first; -1 where no item is left.
    """
    order = judged.popularity.argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    items, row = len(order), judged.seen.row
    ranks = (row * items + rank[judged.seen.col]).sort().values  # by user, then by rank
    before = judged.seen.degree().long().cumsum(0) - judged.seen.degree().long()
    free = ranks - row * items - (torch.arange(len(ranks)) - before[row])  # row is ascending, as ranks are by user
    width = items + 1
    wanted = judged.users.view(-1, 1) * width + torch.arange(k)
    passed = torch.searchsorted(row * width + free, wanted, right=True) - before[judged.users].view(-1, 1)
    place = torch.arange(k) + passed
    return torch.where(place < items, order[place.clamp(max=items - 1)], -1)


def of_popularity(judged: Mapping[str, Judged], lists: Mapping[str, Tensor], reported: Mapping[str, Sequence[str]]) -> Baseline:
    """The metrics of the most popular items.

    Args:
        judged: The splits that are judged.
        lists: Of each what `most_popular` gave.
        reported: The metrics of each split.
    """
    metrics = {
        split: ranking_metrics(reported[split], lists[split], part.users, part.relevant) for split, part in judged.items()
    }
    return Baseline("most popular", metrics, "Most popular: the same items for all users, on the split of the first seed.")
