"""Ten-fold splits of graphs: which graphs a fold tests, and which it validates on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from graphkit.data.splits.nodes import split_classes
from graphkit.data.splits.shares import Shares
from graphkit.errors import DataError

FOLDS = 10


def stratified_folds(y: Tensor, num_folds: int = FOLDS, seed: int = 0) -> list[Tensor]:
    """Test graphs of each fold, with the shares of the classes as equal as can be.

    Args:
        y: Classes [G]; targets of another form [G, T] are dealt out at random.
        num_folds: Number of folds K, at least 2.
        seed: Shuffles the graphs of each class.

    Returns:
        Sorted graph ids of each fold; every graph is in one of them.

    Raises:
        DataError: If there are fewer graphs than folds.

    Source:
        scikit-learn's `StratifiedKFold(10, shuffle=True, random_state=0)`, as in the code of "How Powerful are Graph Neural
        Networks?", ICLR 2019, and its `KFold` where no class has a graph for each fold. The same folds, without scikit-learn,
        which takes longer to import than a small collection takes to train on.
    """
    num_graphs = y.size(0)
    if num_graphs < num_folds:
        raise DataError(f"{num_graphs} graphs are too few for {num_folds} folds: give more graphs")
    random = np.random.RandomState(seed)
    if y.dim() > 1 or int(y.bincount().max()) < num_folds:
        order = random.permutation(num_graphs)
        return [torch.from_numpy(np.sort(part)) for part in np.array_split(order, num_folds)]
    labels = y.numpy()
    values, first = np.unique(labels, return_index=True)
    values = values[first.argsort()]  # scikit-learn numbers classes as they appear
    ordered = np.repeat(np.arange(len(values)), [(labels == value).sum() for value in values])
    fold = np.empty(num_graphs, dtype=np.int64)
    for place, value in enumerate(values):
        deal = np.arange(num_folds).repeat([(ordered[start::num_folds] == place).sum() for start in range(num_folds)])
        random.shuffle(deal)
        fold[labels == value] = deal
    return [torch.from_numpy(np.flatnonzero(fold == number)) for number in range(num_folds)]


def nested_split(folds: Sequence[Tensor], number: int, num_graphs: int) -> dict[str, Tensor]:
    """One fold is test, the next one validation, all other graphs are training.

    Over all numbers each graph of a fold is once test and once validation.

    Args:
        folds: Graph ids of each fold, at least three folds, disjoint; a graph in none is always training.
        number: Number of the test fold, from 0.
        num_graphs: Number of graphs G.
    """
    valid, test = folds[(number + 1) % len(folds)], folds[number]
    return {"train": all_but(torch.cat([valid, test]), num_graphs), "valid": valid, "test": test}


def all_but(graphs: Tensor, num_graphs: int) -> Tensor:
    """The other graphs, in ascending order."""
    kept = torch.ones(num_graphs, dtype=torch.bool)
    kept[graphs] = False
    return kept.nonzero().view(-1)


def split_graphs(y: Tensor, shares: Shares, generator: torch.Generator) -> dict[str, Tensor]:
    """Split graphs at random, class by class where there are classes.

    Of n graphs (of a class) floor(shares[1] n) go to validation, floor(shares[2] n) to test, the rest to training.

    Args:
        y: Classes [G], or targets of another form [G, T].
        shares: Shares of training, validation and test; they sum to 1.
        generator: Source of randomness.

    Returns:
        Sorted graph ids of `train`, `valid` and `test`.

    Raises:
        DataError: If a split would be empty.
    """
    labels = y if y.dim() == 1 else torch.zeros(y.size(0), dtype=torch.long)
    splits = split_classes(labels, shares, generator)
    for name, graphs in splits.items():
        if graphs.numel() == 0:
            raise DataError(f"too few graphs: the {name} split would be empty; give more graphs or other shares")
    return splits
