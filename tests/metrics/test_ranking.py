import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.errors import RequestError
from graphkit.metrics.ranking import count_items, ranking_metrics
from graphkit.tasks.ranking import rank_items
from tests.metrics.rankings import loop_metric, matrix, random_rows

NAMES = ("recall@1", "recall@3", "ndcg@3", "ndcg@5", "precision@3", "precision@5", "hit@1", "hit@5")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 25), st.integers(1, 12), st.booleans(), st.integers(0, 2**31), st.integers(1, 30))
def test_equal_to_plain_loops(users, items, ties, seed, block):
    source = torch.Generator().manual_seed(seed)
    scores = torch.randint(-2, 3, (users, items), generator=source).float()
    if not ties:
        scores = torch.randn(users, items, generator=source)
    seen = random_rows(source, users, items, 0.3)
    relevant = [[i for i in row if i not in seen[u]] for u, row in enumerate(random_rows(source, users, items, 0.3))]
    relevant[0], seen[0] = [items - 1], []
    everyone = torch.arange(users)
    best, top = rank_items(lambda some: scores[some], everyone, items, 5, matrix(seen, items), block)
    results = ranking_metrics(NAMES, top, everyone, matrix(relevant, items))
    assert list(results) == list(NAMES)
    for name, value in results.items():
        assert value == pytest.approx(loop_metric(name, scores.tolist(), seen, relevant), abs=1e-9), name
    for user, (own, its) in enumerate(zip(best.tolist(), top.tolist(), strict=True)):
        assert own == [scores[user, item].item() if item >= 0 else -math.inf for item in its]


def test_by_hand():
    relevant = matrix([[2, 4], [], [0]], 5)
    top = torch.tensor([[4, 0, 2], [1, 2, 3], [3, 4, -1]])
    results = ranking_metrics(("recall@2", "ndcg@2", "precision@3", "hit@3"), top, torch.arange(3), relevant)
    ndcg = 1 / (1 + 1 / math.log2(3))  # one of two at rank 1; user 1 does not count, user 2 finds nothing
    assert results == pytest.approx({"recall@2": 25.0, "ndcg@2": 50 * ndcg, "precision@3": 100 / 3, "hit@3": 50.0})


def test_users_in_any_order_and_some_only():
    relevant = matrix([[2, 4], [1], [0]], 5)
    top = torch.tensor([[0, 1], [4, 0]])
    assert ranking_metrics(["recall@2"], top, torch.tensor([2, 0]), relevant) == {"recall@2": 75.0}


def test_a_list_of_all_items_is_enough_for_any_k():
    top, relevant = torch.tensor([[1, -1], [0, 1]]), matrix([[1], [1]], 2)
    results = ranking_metrics(["precision@4", "recall@4", "ndcg@1000000000", "hit@3"], top, torch.arange(2), relevant)
    assert results == {"precision@4": 25.0, "recall@4": 100.0, "hit@3": 100.0,
                       "ndcg@1000000000": pytest.approx(50 * (1 + 1 / math.log2(3)))}  # fmt: skip


def test_what_cannot_be_judged():
    with pytest.raises(ValueError, match="no user has a relevant item"):
        ranking_metrics(["hit@1"], torch.zeros(1, 1, dtype=torch.long), torch.tensor([0]), matrix([[]], 3))
    with pytest.raises(ValueError, match="up to K = 3 need"):
        ranking_metrics(["hit@5"], torch.zeros(1, 1, dtype=torch.long), torch.tensor([0]), matrix([[1]], 3))
    with pytest.raises(RequestError, match="unknown metric 'mrr' for task=recommend"):
        ranking_metrics(["mrr"], torch.zeros(1, 1, dtype=torch.long), torch.tensor([0]), matrix([[1]], 3))


def test_counted_is_what_is_ranked():
    relevant = matrix([[2, 4], [], [0, 1], [1, 3]], 5)
    seen = matrix([[0], [1, 2], [1, 3], []], 5)  # user 2 has been seen with item 1, which is then found by no list
    assert sorted(count_items(relevant, seen).groups) == [(3, 1, 1), (4, 2, 1), (5, 2, 1)]
    again = matrix([[2, 4], [], [1], [1, 3]], 5), matrix([[0], [1, 2], [1, 3], [0]], 5)
    assert sorted(count_items(*again).groups) == [(3, 0, 1), (4, 2, 2)]
