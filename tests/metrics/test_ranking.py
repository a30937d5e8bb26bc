import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.errors import RequestError, RunError
from graphkit.sparse import CSR
from graphkit.tasks import ranking
from graphkit.tasks.ranking import check_metric, rank_items, ranking_metrics

NAMES = ("recall@1", "recall@3", "ndcg@3", "ndcg@5", "precision@3", "precision@5", "hit@1", "hit@5")


def matrix(rows, num_cols):
    pairs = [(column, row) for row, columns in enumerate(rows) for column in columns]
    edges = torch.tensor(pairs).T if pairs else torch.empty(2, 0, dtype=torch.long)
    return CSR.from_edge_index(edges, (len(rows), num_cols))


def loop_metric(name, scores, seen, relevant):
    """By the definitions alone: mask, sort, count; one user after the other."""
    kind, k = name.split("@")
    k, values = int(k), []
    for own, masked, wanted in zip(scores, seen, relevant, strict=True):
        if not wanted:
            continue
        masked_scores = [-math.inf if item in masked else score for item, score in enumerate(own)]
        top = sorted(range(len(own)), key=lambda item: (-masked_scores[item], item))[:k]
        hits = [int(item in wanted and item not in masked) for item in top]
        dcg = sum(hit / math.log2(rank + 2) for rank, hit in enumerate(hits))
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(wanted))))
        values.append(
            {"recall": sum(hits) / len(wanted), "precision": sum(hits) / k, "hit": max(hits), "ndcg": dcg / ideal}[kind]
        )
    return 100 * sum(values) / len(values)


def random_rows(source, users, items, share):
    return [[i for i in range(items) if torch.rand((), generator=source) < share] for _ in range(users)]


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
    results = ranking_metrics(["precision@4", "recall@4"], top, torch.arange(2), matrix([[1], [1]], 2))
    assert results == {"precision@4": 25.0, "recall@4": 100.0}


def test_what_cannot_be_ranked():
    with pytest.raises(RunError, match="NaN: lower train.lr"):
        rank_items(lambda some: torch.full((len(some), 3), math.nan), torch.arange(2), 3, 2)
    with pytest.raises(ValueError, match="no user has a relevant item"):
        ranking_metrics(["hit@1"], torch.zeros(1, 1, dtype=torch.long), torch.tensor([0]), matrix([[]], 3))
    with pytest.raises(ValueError, match="up to K = 5 need"):
        ranking_metrics(["hit@5"], torch.zeros(1, 1, dtype=torch.long), torch.tensor([0]), matrix([[1]], 3))


@pytest.mark.parametrize("name", ["recall@20", "ndcg@1", "precision@10", "hit@3"])
def test_known_names(name):
    assert check_metric(name) == int(name.split("@")[1])


@pytest.mark.parametrize("name", ["recall", "recall@", "recall@0", "ndcg@x", "hits@20", "hit@2.5", "mrr", "@5", ""])
def test_unknown_names(name):
    with pytest.raises(RequestError, match="choose one of recall@K"):
        check_metric(name)
