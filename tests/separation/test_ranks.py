"""Ranks of integers, rows and multisets, against dictionaries."""

from collections import Counter

import numpy as np
import pytest

from graphkit.separation import ranks as module
from graphkit.separation.ranks import rank_multisets, rank_rows, ranks
from tests.separation.oracle import same_partition


@pytest.mark.parametrize("spread", [1, 5, 10**6, 10**17])
def test_ranks_are_places_among_the_distinct_values(spread):
    source = np.random.default_rng(0)
    values = source.integers(-3, 4, 50) * spread
    distinct = sorted(set(values.tolist()))
    assert ranks(values).tolist() == [distinct.index(value) for value in values.tolist()]
    assert ranks(values[:0]).size == 0


def test_rows_keep_their_differences():
    source = np.random.default_rng(1)
    columns = [
        source.integers(0, 3, 60),
        source.integers(0, 2**31 - 1, 2)[source.integers(0, 2, 60)],
        source.integers(0, 2, 60),
    ]
    assert same_partition(rank_rows(columns).tolist(), list(zip(*(column.tolist() for column in columns), strict=True)))


@pytest.mark.parametrize("largest", [1, 3, 40, 2**31 - 3])
@pytest.mark.parametrize("sizes", ["ragged", "equal", "empty"])
def test_multisets_are_told_apart_and_no_order_counts(largest, sizes):
    source = np.random.default_rng(2)
    alphabet = source.integers(0, largest, 3, endpoint=True)
    lengths = {"ragged": source.integers(0, 9, 300), "equal": np.full(300, 4), "empty": np.zeros(3, dtype=int)}[sizes]
    ptr = np.concatenate([[0], lengths.cumsum()])
    values = alphabet[source.integers(0, 3, ptr[-1])]
    parts = [values[a:b] for a, b in zip(ptr[:-1], ptr[1:], strict=True)]
    theirs = [tuple(sorted(Counter(part.tolist()).items())) for part in parts]
    ours = rank_multisets(ptr, values)
    assert same_partition(ours.tolist(), theirs)
    assert ((ours == 0) == (lengths == 0)).all()
    shuffled = np.concatenate([source.permutation(part) for part in parts])
    assert (rank_multisets(ptr, shuffled) == ours).all()


def test_tables_and_sorts_rank_alike(monkeypatch):
    values = np.random.default_rng(3).integers(0, 90, 100)
    table = ranks(values)
    monkeypatch.setattr(module, "_TABLE", 0)
    assert (ranks(values) == table).all()
