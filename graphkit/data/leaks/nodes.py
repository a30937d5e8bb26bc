"""Leaks of node classification: nodes that are in two splits, under one number or two, and labels that features tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from graphkit.data.leaks.report import Finding, LeakReport, named, some

LABELS = "labels readable from features"

_LEAST_NEIGHBORS = 2
_BY_CHANCE = 1e-3
"""A class that a column of features tells by chance is expected less often than so."""
_CELLS = 1 << 24
"""Features that are sorted at a time."""


def check_nodes(
    splits: Mapping[str, Tensor],
    num_nodes: int,
    edge_index: Tensor | None = None,
    *,
    x: Tensor | None = None,
    y: Tensor | None = None,
    names: Sequence[str] = (),
    class_names: Sequence[str] = (),
) -> LeakReport:
    """Look for leaks between the nodes of splits.

    Two nodes are duplicates where they have the same features, if there are features, and the same neighbors, at least two;
    where at least half of all nodes have features of their own, the same neighbors may also be few or none.

    A column of features tells a class where no other node's value lies between the least and the greatest of the class. Labels
    are readable where columns tell every class, and for none of them that could be chance.

    Args:
        splits: Node ids of `train`, `valid` and `test`.
        num_nodes: Number of nodes N.
        edge_index: The message graph [2, E]; None: there is none.
        x: Features [N, F].
        y: Classes [N], -1 where not known.
        names: Names of the nodes in index order; empty: they go by number.
        class_names: Names of the classes.
    """
    findings = list(overlaps(splits, "node", names))
    skipped = {}
    x = None if x is None or x.size(1) == 0 else x
    if x is None and edge_index is None:
        skipped[duplicates("node")] = "nodes have neither features nor edges"
    else:
        findings += _duplicates(splits, num_nodes, edge_index, x, names)
    if x is None or y is None or y.dim() != 1 or y.is_floating_point():
        skipped[LABELS] = "there are no features" if x is None else "nodes have no classes"
    else:
        findings += _readable(x, y, class_names)
    kinds = (in_two("node"), *(kind for kind in (duplicates("node"), LABELS) if kind not in skipped))
    return LeakReport(kinds, tuple(findings), (), skipped)


def in_two(what: str) -> str:
    """The kind of leak where the same thing is in two splits."""
    return f"{what}s in two splits"


def duplicates(what: str) -> str:
    """The kind of leak where two things that are alike are in two splits."""
    return f"duplicate {what}s across splits"


def overlaps(splits: Mapping[str, Tensor], what: str, names: Sequence[str] = ()) -> Iterator[Finding]:
    """Things that are in two splits.

    Args:
        splits: Their numbers in each split.
        what: What they are, e.g. `node`.
        names: Their names in index order; empty: they go by number.
    """
    for one, other in combinations(splits, 2):
        both = splits[other][torch.isin(splits[other], splits[one])].unique()
        if both.numel():
            sentence = f"{both.numel():,} of {splits[other].numel():,} {other} {what}s are {one} {what}s, too"
            yield Finding(in_two(what), sentence, both.numel(), some(both, named(names)))


def same_rows(x: Tensor) -> Tensor:
    """A number [N] for each row of a table [N, ...], the same for rows that are equal."""
    rows = np.ascontiguousarray((x + 0).flatten(1).cpu().numpy())  # -0 becomes 0
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    return torch.from_numpy(np.unique(whole, return_inverse=True)[1].astype(np.int64).ravel())


def copied(
    splits: Mapping[str, Tensor], group: Tensor, apart: Tensor, what: str, alike: str, names: Sequence[str] = ()
) -> Iterator[Finding]:
    """Things of a split that are like a thing of another.

    Args:
        splits: Their numbers in each split.
        group: A number [N] for each, the same for things that are alike.
        apart: Which of them [N] unlike things can be told from.
        what: What they are, e.g. `node`.
        alike: What is the same, e.g. `features`.
        names: Their names in index order; empty: they go by number.
    """
    for one, other in combinations(splits, 2):
        first, second = (splits[split][apart[splits[split]]] for split in (one, other))
        twin = torch.full((int(group.max()) + 1,), -1).index_copy(0, group[first], first)
        found = twin[group[second]]
        having = (found >= 0) & (found != second)
        if count := int(having.sum()):
            sentence = f"{count:,} of {splits[other].numel():,} {other} {what}s have the {alike} of a {one} {what}"
            pairs = torch.stack([second[having], found[having]])
            yield Finding(duplicates(what), sentence, count, some(pairs, named(names)))


def _duplicates(
    splits: Mapping[str, Tensor], num_nodes: int, edge_index: Tensor | None, x: Tensor | None, names: Sequence[str]
) -> Iterator[Finding]:
    parts, degree = [], torch.zeros(num_nodes, dtype=torch.int64)
    telling = torch.zeros(num_nodes, dtype=torch.bool)
    if x is not None:
        parts.append(same_rows(x))
        telling |= 2 * int(parts[0].max()) + 2 >= num_nodes
    if edge_index is not None:
        for source, target in (edge_index, edge_index.flip(0)):
            parts.append(_sums(source, target, num_nodes))
            degree += torch.bincount(target, minlength=num_nodes)
    group = torch.unique(torch.stack(parts, dim=1), dim=0, return_inverse=True)[1]
    alike = "features and neighbors" if len(parts) == 3 else "neighbors" if len(parts) == 2 else "features"
    yield from copied(splits, group, telling | (degree >= _LEAST_NEIGHBORS), "node", alike, names)


def _sums(source: Tensor, target: Tensor, num_nodes: int) -> Tensor:
    """A number [N] for the set of sources of each target; sets that differ have other ones, but for a chance of 2^-63."""
    generator = torch.Generator().manual_seed(0)
    marks = torch.randint(-(2**62), 2**62, (num_nodes,), generator=generator)
    return torch.zeros(num_nodes, dtype=torch.int64).index_add(0, target, marks[source])


def _readable(x: Tensor, y: Tensor, class_names: Sequence[str]) -> Iterator[Finding]:
    labeled = (y >= 0).nonzero().flatten()
    labels, counts = torch.unique(y[labeled], return_counts=True)
    place = torch.searchsorted(labels, y[labeled])
    total, width = labeled.numel(), x.size(1)
    if labels.numel() < 2:
        return
    column = torch.full((labels.numel(),), -1)
    step = max(1, _CELLS // total)
    for start in range(0, width, step):
        told = _intervals(x[labeled, start : start + step], place, labels.numel())
        first = torch.where(told.any(dim=1), told.int().argmax(dim=1) + start, -1)
        column = torch.where(column < 0, first, column)
    if bool((column < 0).any()):
        return
    if max(_by_chance(width, total, count) for count in counts.tolist()) >= _BY_CHANCE:
        return
    name = named(class_names)
    examples = tuple(f"{name(int(label))} by column {int(at) + 1}" for label, at in zip(labels[:3], column[:3], strict=True))
    sentence = f"single columns of features tell all {labels.numel()} classes of {total:,} labeled nodes apart"
    yield Finding(LABELS, sentence, labels.numel(), examples)


def _by_chance(width: int, total: int, count: int) -> float:
    """How many of `width` random columns give `count` of `total` nodes an interval, on average."""
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    return width * (total - count + 1) * math.exp(-ways)


def _intervals(x: Tensor, y: Tensor, num_classes: int) -> Tensor:
    """Which classes [C, F] have an interval of a column's values for themselves."""
    values, order = x.sort(dim=0)
    label = y[order]
    change = label[1:] != label[:-1]
    begins = torch.zeros(num_classes, x.size(1), dtype=torch.int64)
    begins.scatter_add_(0, label[:1], torch.ones_like(label[:1])).scatter_add_(0, label[1:], change.long())
    tied = change & (values[1:] == values[:-1])
    shared = torch.zeros(num_classes, x.size(1), dtype=torch.int64)
    for side in (label[1:], label[:-1]):
        shared.scatter_add_(0, side, tied.long())
    return (begins == 1) & (shared == 0)
