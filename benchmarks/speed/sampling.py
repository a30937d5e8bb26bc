"""An epoch of triples, user-uniform with rejected positives, against the loop that the reference code falls back to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.speed import interactions
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from graphkit.sparse import CSR, TripleSampler

_SIGMAS = 6.0
_CHECKED = (
    "both give the same number of triples; each positive is a training interaction and no negative is one; users, positives "
    f"and negatives come as often as expected (Pearson's statistic of their counts within {_SIGMAS:g} standard deviations)"
)

Array = NDArray[np.int64]


def contests(options: Options) -> Iterator[Contest]:
    """As many triples as there are training interactions, on all sides."""
    dataset = interactions.gowalla(options)
    pairs = interactions.training_pairs(dataset)
    num_users, num_items = int(dataset.graph.num_users), int(dataset.graph.num_items)
    taken = CSR.from_edge_index(pairs.flip(0), (num_users, num_items))
    sampler = TripleSampler(taken, "user-uniform")
    count, generator, random = len(sampler), torch.Generator().manual_seed(0), np.random.RandomState(0)
    by_user = items_by_user(pairs)

    def ours() -> Results:
        (triples,) = sampler.epoch(generator)
        return facts(triples.users, triples.positives, triples.negatives.flatten(), pairs, num_items)

    def peer() -> Results:
        triples = torch.from_numpy(python_loop(by_user, num_items, count, random))
        return facts(*triples.unbind(1), pairs, num_items)

    work = Work(
        "24 bytes a triple written and 8 an interaction read, at the copy rate", bytes=24.0 * count + 8.0 * pairs.size(1)
    )
    label = f"{dataset.name}, {count:,} triples, user-uniform"
    sides = (
        Side("graphkit", lambda: next(sampler.epoch(generator)), ours),
        Side("Python loop", lambda: python_loop(by_user, num_items, count, random), peer),
    )
    yield Contest([Case(label, *sides, work, tolerance=0.0, checked=_CHECKED)])


def items_by_user(pairs: Tensor) -> dict[int, Array]:
    """The items of each user who has some."""
    order = pairs[0].argsort(stable=True)
    users, counts = pairs[0].unique(return_counts=True)
    parts = pairs[1][order].split(counts.tolist())
    return {user: part.numpy() for user, part in zip(users.tolist(), parts, strict=True)}


def python_loop(by_user: dict[int, Array], num_items: int, count: int, random: np.random.RandomState) -> Array:
    """Triples [count, 3] (user, item taken, item not taken) in random order, one after the other.

    A uniform user, one of the user's items, and items until one is none of the user's.
    """
    active, triples = list(by_user), []
    for place in random.randint(0, len(active), count):
        user = active[place]
        known = by_user[user]
        positive = known[random.randint(0, len(known))]
        negative = random.randint(0, num_items)
        while negative in known:
            negative = random.randint(0, num_items)
        triples.append([user, positive, negative])
    return np.array(triples)[random.permutation(count)]


def facts(users: Tensor, positives: Tensor, negatives: Tensor, pairs: Tensor, num_items: int) -> Results:
    """What must hold of triples [B] each, for these training interactions (user, item) [2, P].

    Returns:
        Number of triples; positives without an interaction; negatives with one; for users, positives and negatives one where
        their counts are as expected, else zero.
    """
    known = (pairs[0] * num_items + pairs[1]).sort().values
    chosen = users * num_items + positives
    wrong = (~torch.isin(chosen, known)).sum(), torch.isin(users * num_items + negatives, known).sum()
    degree = pairs[0].bincount().double()
    active = degree > 0
    user_chance = active.double() / active.sum()
    pair_chance = (user_chance / degree)[known // num_items]
    free = torch.where(active, user_chance / (num_items - degree), 0.0)  # of each item that the user has not taken
    taken = torch.zeros(num_items, dtype=torch.float64).index_add_(0, pairs[1], free[pairs[0]])
    place = torch.searchsorted(known, chosen).clamp_(max=known.numel() - 1)
    fits = [
        _as_expected(users.bincount(minlength=degree.numel()), user_chance),
        _as_expected(place.bincount(minlength=known.numel()), pair_chance),
        _as_expected(negatives.bincount(minlength=num_items), free.sum() - taken),
    ]
    return {"triples": torch.tensor([users.numel()]), "wrong": torch.stack(wrong), "as expected": torch.tensor(fits)}


def _as_expected(counts: Tensor, chance: Tensor) -> bool:
    """Whether Pearson's statistic of multinomial counts lies within so many standard deviations of its mean.

    With n draws over k cells of chance p it has mean k - 1 and variance 2 (k - 1) + (sum 1 / p - k^2 - 2 k + 2) / n.
    """
    possible = chance > 1e-15
    if bool(counts[~possible].any()):
        return False
    counts, chance = counts[possible].double(), chance[possible]
    n, k = float(counts.sum()), counts.numel()
    statistic = float(((counts - n * chance).square() / (n * chance)).sum())
    variance = 2 * (k - 1) + (float(chance.reciprocal().sum()) - k * k - 2 * k + 2) / n
    return abs(statistic - (k - 1)) <= _SIGMAS * variance**0.5
