"""Leaks of link prediction: pairs that are scored against the edges, negatives and features that a model sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from graphkit.data.leaks.report import Finding, LeakReport, named, some

IN_GRAPH = "supervision edges in the message graph"
REVERSED = "reversed duplicates"
COPIES = "multi-edges left after target removal"
IN_TWO = "pairs in two splits"
NEGATIVES = "positives among negatives"
IN_FEATURES = "held-out edges readable from features"


@dataclass(frozen=True)
class ScoredPairs:
    """What is scored in a split, and the graph that messages pass along meanwhile.

    Attributes:
        edge_index: The message graph [2, E], as it is stored.
        positive: Positive pairs [2, P].
        negative: Negative pairs [2, Q]; None: they are drawn later.
    """

    edge_index: Tensor
    positive: Tensor
    negative: Tensor | None = None


class _Keys:
    """Pairs as numbers, with order and without (unless edges have a direction), and which are in a list of pairs.

    A list is sorted once, which is remembered as long as the search lasts: the splits may share a graph of many edges.
    """

    def __init__(self, num_nodes: int, directed: bool) -> None:
        self.num_nodes, self.directed = num_nodes, directed
        self._sorted: dict[tuple[int, bool], tuple[Tensor, Tensor]] = {}  # the list, too: no other one gets its id

    def of(self, pairs: Tensor, exact: bool = False) -> Tensor:
        """Their numbers [P]; `exact`: the order of the two counts, whatever the edges are."""
        first, second = pairs.unbind(0)
        if not (exact or self.directed):
            first, second = torch.minimum(first, second), torch.maximum(first, second)
        return first * self.num_nodes + second

    def among(self, pairs: Tensor, known: Tensor, exact: bool = False) -> Tensor:
        """Which pairs [P] are in a list of pairs."""
        place = id(known), exact
        if place not in self._sorted:
            self._sorted[place] = known, self.of(known, exact).unique()
        wanted, found = self.of(pairs, exact), self._sorted[place][1]
        if not found.numel():
            return torch.zeros_like(wanted, dtype=torch.bool)
        return found[torch.searchsorted(found, wanted).clamp(max=found.numel() - 1)] == wanted


def check_pairs(
    splits: Mapping[str, ScoredPairs],
    num_nodes: int,
    *,
    names: Sequence[str] = (),
    x: Tensor | None = None,
    directed: bool = False,
) -> LeakReport:
    """Look for leaks between the pairs of splits.

    Training pairs may all be edges of the graph they are scored on, as in most code for link prediction: that is noted, since
    the model must not see them meanwhile. Where only some of them are, copies were left when the others were taken out.

    Args:
        splits: By name, in the order of training, validation, test; `train` is the one that is learned from.
        num_nodes: Number of nodes N.
        names: Names of the nodes in index order; empty: they go by number.
        x: Features [N, F]; None: there are none.
        directed: Whether (u, v) and (v, u) are two things; else the one gives away the other.
    """
    search = _Search(splits, _Keys(num_nodes, directed), named(names))
    findings = [*search.edges(), *search.overlaps(), *search.negatives()]
    skipped = {}
    if x is None or tuple(x.shape) != (num_nodes, num_nodes):
        skipped[IN_FEATURES] = "features are no matrix of nodes by nodes"
    else:
        findings += search.features(x)
    looked_for = (IN_GRAPH, REVERSED, COPIES, IN_TWO, NEGATIVES, IN_FEATURES)
    kinds = tuple(kind for kind in looked_for if kind not in skipped and not (directed and kind == REVERSED))
    return LeakReport(kinds, tuple(findings), tuple(search.notes()), skipped)


class _Search:
    def __init__(self, splits: Mapping[str, ScoredPairs], keys: _Keys, name: Callable[[int], str]) -> None:
        self.splits, self.keys, self.name = splits, keys, name

    def edges(self) -> Iterator[Finding]:
        """Positives that are edges of the graph they are scored on."""
        for split, scored in self.splits.items():
            here, reverse = self._present(scored)
            total = scored.positive.size(1)
            if split != "train":
                what = f"of {total:,} {split} pairs are edges of the message graph that they are scored on"
                yield from self._pairs(IN_GRAPH, scored.positive[:, here], what)
                yield from self._pairs(REVERSED, scored.positive[:, reverse], f"{what}, from the second node to the first")
            elif bool((here | reverse).all()):
                again = self._stored_again(scored)
                what = f"of {total:,} training pairs are stored more than once in one direction in the message graph: to take "
                yield from self._pairs(COPIES, scored.positive[:, again], f"{what}one copy out leaves the others")
            else:
                what = f"of {total:,} training pairs are still edges of the message graph, from which the others were taken out"
                yield from self._pairs(COPIES, scored.positive[:, here], what)
                yield from self._pairs(REVERSED, scored.positive[:, reverse], f"{what}, from the second node to the first")

    def notes(self) -> Iterator[str]:
        """What has to be known of a graph that holds its own training pairs."""
        train = self.splits.get("train")
        if train is not None and train.positive.size(1):
            here, reverse = self._present(train)
            if bool((here | reverse).all()):
                yield (
                    f"all {train.positive.size(1):,} training pairs are edges of the message graph: leave those of a batch out "
                    "while they are scored (task.target_link_removal=true; PyG's disjoint_train_ratio=)"
                )
        for one, other in combinations(self.splits, 2):
            first, second = self.splits[one].negative, self.splits[other].negative
            if first is not None and second is not None and "train" not in (one, other):
                shared = int(self.keys.among(first, second).sum())
                if shared:
                    yield f"{shared:,} of {first.size(1):,} {one} negatives are {other} negatives, too"

    def overlaps(self) -> Iterator[Finding]:
        """Positives of two splits that are the same pair."""
        for one, other in combinations(self.splits, 2):
            first, second = self.splits[one].positive, self.splits[other].positive
            same = self.keys.among(second, first, exact=True)
            reverse = self.keys.among(second, first) & ~same
            what = f"of {second.size(1):,} {other} pairs are {one} pairs"
            yield from self._pairs(IN_TWO, second[:, same], f"{what}, too")
            yield from self._pairs(REVERSED, second[:, reverse], f"{what} with the two nodes exchanged")

    def negatives(self) -> Iterator[Finding]:
        """Negatives that are positives of a split, or edges of a message graph."""
        for split, scored in self.splits.items():
            if scored.negative is None:
                continue
            total = scored.negative.size(1)
            free = torch.ones(total, dtype=torch.bool)
            for other, known in self.splits.items():
                wrong = self.keys.among(scored.negative, known.positive) & free
                free &= ~wrong
                what = f"of {total:,} {split} negatives are {other} positives"
                yield from self._pairs(NEGATIVES, scored.negative[:, wrong], what)
            graphs = [self.keys.among(scored.negative, known.edge_index) for known in self.splits.values()]
            wrong = torch.stack(graphs).any(dim=0) & free
            yield from self._pairs(
                NEGATIVES, scored.negative[:, wrong], f"of {total:,} {split} negatives are edges of a message graph"
            )

    def features(self, x: Tensor) -> Iterator[Finding]:
        """Held-out edges whose cell of the features is filled, where no cell of a negative is."""
        for split, scored in self.splits.items():
            if split == "train" or scored.negative is None:
                continue
            filled = [
                (x[pairs[0], pairs[1]] != 0) | (x[pairs[1], pairs[0]] != 0) for pairs in (scored.positive, scored.negative)
            ]
            positive, negative = (float(part.double().mean()) if part.numel() else 0.0 for part in filled)
            if positive > 0.5 + negative:
                what = f"of {scored.positive.size(1):,} {split} pairs (u, v) have column v filled in the features of u"
                yield from self._pairs(IN_FEATURES, scored.positive[:, filled[0]], what)

    def _present(self, scored: ScoredPairs) -> tuple[Tensor, Tensor]:
        """Which positives are edges of the graph, and which others are the other way around."""
        here = self.keys.among(scored.positive, scored.edge_index, exact=True)
        if self.keys.directed:
            return here, torch.zeros_like(here)
        return here, self.keys.among(scored.positive, scored.edge_index) & ~here

    def _stored_again(self, scored: ScoredPairs) -> Tensor:
        """Which positives have an edge that is stored several times, in either direction unless edges have one."""
        keys = self.keys.of(scored.edge_index, exact=True)
        found, counts = torch.unique(keys, return_counts=True)
        again = found[counts > 1]
        repeated = torch.stack([again // self.keys.num_nodes, again % self.keys.num_nodes])
        return self.keys.among(scored.positive, repeated)

    def _pairs(self, kind: str, found: Tensor, what: str) -> Iterator[Finding]:
        if found.size(1):
            yield Finding(kind, f"{found.size(1):,} {what}", found.size(1), some(found, self.name))
