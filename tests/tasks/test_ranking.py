import math

import pytest
import torch

from graphkit.errors import RunError
from graphkit.tasks import ranking
from graphkit.tasks.ranking import rank_items
from tests.metrics.rankings import matrix, random_rows


def test_blocks_change_nothing_of_inner_products():
    source = torch.Generator().manual_seed(0)
    user, item = torch.randn(100, 64, generator=source), torch.randn(500, 64, generator=source)
    seen = matrix(random_rows(source, 100, 500, 0.05), 500)
    shapes = []

    def scores(some):
        shapes.append(len(some))
        return user[some] @ item.T

    whole = rank_items(scores, torch.arange(100), 500, 20, seen)
    assert shapes == [100]
    for block in (1, 3, 17, 99):
        parts = rank_items(scores, torch.arange(100), 500, 20, seen, block)
        assert parts[1].equal(whole[1]) and parts[0].equal(whole[0])
    turned = torch.randperm(100, generator=source)
    assert rank_items(scores, turned, 500, 20, seen, 30)[1].equal(whole[1][turned])


def test_users_times_items_is_never_in_memory(monkeypatch):
    monkeypatch.setattr(ranking, "_SCORES", 2000)
    asked = []

    def scores(some):
        asked.append(len(some))
        return torch.zeros(len(some), 100)

    for block in (0, 10**6):
        asked.clear()
        rank_items(scores, torch.arange(70), 100, 3, None, block)
        assert asked == [20, 20, 20, 16]  # the last one is filled up


def test_fewer_items_than_asked_for():
    top = rank_items(lambda some: torch.zeros(len(some), 2), torch.arange(2), 2, 4, matrix([[0], []], 2))[1]
    assert top.tolist() == [[1, -1, -1, -1], [0, 1, -1, -1]]


def test_what_cannot_be_ranked():
    with pytest.raises(RunError, match="NaN: lower train.lr"):
        rank_items(lambda some: torch.full((len(some), 3), math.nan), torch.arange(2), 3, 2)
