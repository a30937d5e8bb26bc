"""What is left out is constant, and what is kept is not: judged by the metrics of the best and the worst possible scores."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.errors import RequestError
from graphkit.metrics.candidates import ClassCounts, ItemCounts, PairCounts
from graphkit.metrics.choice import choose
from graphkit.metrics.pairs import link_metric
from graphkit.metrics.ranking import count_items, ranking_metrics
from graphkit.metrics.registry import parse
from graphkit.tasks.ranking import rank_items
from tests.metrics.rankings import matrix

LINKS = ("hits@1", "hits@20", "hits@50", "mrr", "roc-auc")
MRR = ("mrr",)
FALLBACKS = {"link": MRR, "recommend": ("recall@10", "recall@5", "ndcg@20"), "node": ("accuracy",)}
RANKINGS = ("recall@20", "ndcg@20", "precision@20", "hit@20", "recall@3", "ndcg@1", "precision@3", "hit@3", "hit@1")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 60), st.integers(1, 70))
def test_flaws_of_link_metrics(positives: int, negatives: int, k: int) -> None:
    for name in (f"hits@{k}", "mrr", "roc-auc"):
        best = link_metric(name, torch.ones(positives), torch.zeros(negatives))
        worst = link_metric(name, torch.zeros(positives), torch.ones(negatives))
        assert bool(parse(name, "link").flaw(PairCounts(negatives))) == (best == worst)
        assert not parse(name, "link").flaw(PairCounts(negatives)) or best == 100


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 26), st.integers(1, 4))
def test_flaws_of_ranking_metrics(data: st.DataObject, items: int, users: int) -> None:
    """Users of whom all, some or none have few items left, and items that they have been seen with among the wanted."""
    subsets = st.lists(st.integers(0, items - 1), unique=True)
    seen = [data.draw(subsets) for _ in range(users)]
    wanted = [data.draw(subsets) for _ in range(users)]
    wanted[0] = wanted[0] or [0]
    relevant, hidden, everyone = matrix(wanted, items), matrix(seen, items), torch.arange(users)
    counts = count_items(relevant, hidden)
    for name in RANKINGS:
        found = []
        for sign in (1.0, -1.0):
            scores = sign * relevant.to_dense()
            top = rank_items(lambda some, scores=scores: scores[some], everyone, items, min(20, items), hidden)[1]
            found.append(ranking_metrics([name], top, everyone, relevant)[name])
        assert bool(parse(name, "recommend").flaw(counts)) == (found[0] == found[1]), (name, counts)


def test_a_metric_that_decides_for_some_users_alone_is_no_constant() -> None:
    recall = parse("recall@20", "recommend")
    assert recall.flaw(ItemCounts(((20, 3, 99), (7, 7, 1))))
    assert not recall.flaw(ItemCounts(((20, 3, 99), (21, 3, 1))))
    assert recall.weakness(ItemCounts(((20, 3, 99), (100, 3, 1)))) and not recall.weakness(
        ItemCounts(((20, 3, 1), (100, 3, 99)))
    )


def test_constant_metrics_are_left_out_and_named() -> None:
    choice = choose("link", "auto", "roc-auc", ("roc-auc", *LINKS), MRR, {"valid": PairCounts(12), "test": PairCounts(60)})
    assert choice.metric == "roc-auc" and list(choice.metrics) == ["roc-auc", "hits@1", "mrr"]
    assert choice.notes == (
        "hits@20 and hits@50 are left out: validation has 12 negatives, and with fewer than K every model scores 100.",
    )
    choice = choose("link", "mrr", "mrr", ("mrr", "hits@20"), MRR, {"valid": PairCounts(60), "test": PairCounts(12)})
    assert choice.notes == ("hits@20 is left out: test has 12 negatives, and with fewer than K every model scores 100.",)
    assert choose("link", "auto", "hits@20", LINKS, MRR, {"valid": PairCounts(50), "test": PairCounts(50)}).notes == ()


@pytest.mark.parametrize(
    ("task", "own", "counts", "metric", "reason"),
    [
        ("link", "hits@20", PairCounts(40), "hits@20", None),
        ("link", "hits@20", PairCounts(39), "mrr", ": validation has 39 negatives, of which K is more than half."),
        ("link", "hits@20", PairCounts(19), "mrr", "."),
        ("recommend", "recall@20", ItemCounts(((40, 2, 9), (10, 2, 8))), "recall@20", None),
        ("recommend", "recall@20", ItemCounts(((40, 2, 8), (20, 2, 9))), "recall@10",
         ": validation ranks 20 items for its median user, of which K is more than half."),
        ("recommend", "recall@20", ItemCounts(((10, 2, 9),)), "recall@5", "."),
        ("recommend", "recall@20", ItemCounts(((9, 2, 9),)), "ndcg@20", "."),
        ("recommend", "recall@20", ItemCounts(((2, 1, 9),)), "ndcg@20", "."),
        ("node", "roc-auc", ClassCounts(2, 2), "roc-auc", None),
        ("node", "roc-auc", ClassCounts(2, 1), "accuracy", "."),
        ("node", "roc-auc", ClassCounts(3, 3), "accuracy", "."),
    ],
)  # fmt: skip
def test_auto_takes_the_data_sets_own_metric_or_the_first_that_decides(task, own, counts, metric, reason) -> None:
    choice = choose(task, "auto", own, (own,), FALLBACKS[task], {"valid": counts, "test": counts})
    assert choice.metric == metric and metric in choice.metrics
    assert (reason is None) == (choice.metric == own)
    if reason:
        assert choice.notes[-1] == f"task.metric=auto selects by {metric} in place of {own}{reason}"
    assert all(note.endswith(".") for note in choice.notes)


def test_an_impossible_metric_is_refused_with_what_would_work() -> None:
    few = {"valid": PairCounts(12), "test": PairCounts(12)}
    with pytest.raises(RequestError) as caught:
        choose("link", "hits@20", "roc-auc", ("roc-auc", "hits@20", "hits@5"), MRR, few)
    assert str(caught.value) == (
        "task.metric=hits@20 cannot select an epoch: validation has 12 negatives, and with fewer than K every model scores "
        "100; choose roc-auc, mrr or hits@5"
    )
    assert choose("link", "hits@12", "roc-auc", ("roc-auc",), MRR, few).metric == "hits@12"  # weak, but asked for
    nothing = {"valid": ItemCounts(((3, 3, 5),)), "test": ItemCounts(((3, 3, 5),))}
    for asked in ("auto", "ndcg@20"):
        with pytest.raises(
            RequestError, match="no metric of task=recommend can tell two models apart: validation ranks at most 3"
        ):
            choose("recommend", asked, "recall@20", ("recall@20", "hit@20"), FALLBACKS["recommend"], nothing)
    with pytest.raises(RequestError, match="unknown metric 'f1'"):
        choose("link", "f1", "roc-auc", ("roc-auc",), MRR, few)
