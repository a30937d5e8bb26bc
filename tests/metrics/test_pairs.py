import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.errors import RequestError, RunError
from graphkit.metrics.pairs import hits_at_k, link_metric, mrr, roc_auc

SCORES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=30)  # few values: many ties


def loop_hits(positives, negatives, k):
    if len(negatives) < k:
        return 1.0
    kth = sorted(negatives, reverse=True)[k - 1]
    return sum(score > kth for score in positives) / len(positives)


def loop_mrr(positives, rows):
    total = 0.0
    for score, negatives in zip(positives, rows, strict=True):
        optimistic = 1 + sum(other > score for other in negatives)
        pessimistic = 1 + sum(other >= score for other in negatives)
        total += 2 / (optimistic + pessimistic)
    return total / len(positives)


def loop_auc(positives, negatives):
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    return wins / (len(positives) * len(negatives))


@settings(max_examples=100, deadline=None)
@given(SCORES, SCORES, st.integers(1, 35))
def test_equal_to_plain_loops(positives, negatives, k):
    pos, neg = torch.tensor(positives), torch.tensor(negatives)
    assert hits_at_k(pos, neg, k) == pytest.approx(loop_hits(positives, negatives, k), abs=1e-12)
    assert mrr(pos, neg) == pytest.approx(loop_mrr(positives, [negatives] * len(positives)), abs=1e-12)
    assert roc_auc(pos, neg) == pytest.approx(loop_auc(positives, negatives), abs=1e-12)
    own = torch.randint(-4, 5, (len(positives), 7), generator=torch.Generator().manual_seed(k)).float()
    assert mrr(pos, own) == pytest.approx(loop_mrr(positives, own.tolist()), abs=1e-12)


def test_a_tie_with_the_kth_negative_is_a_miss():
    pos, neg = torch.tensor([3.0, 2.0, 1.0]), torch.tensor([2.0, 5.0, 0.0])
    assert hits_at_k(pos, neg, 2) == pytest.approx(1 / 3)
    assert hits_at_k(pos, neg, 3) == 1.0
    assert hits_at_k(pos, neg, 4) == 1.0  # fewer than k negatives
    assert mrr(torch.tensor([1.0]), torch.ones(4)) == pytest.approx(1 / 3)  # ranks 1 and 5


def test_low_precision_scores_are_compared_exactly():
    pos, neg = torch.tensor([1.0, 3.0]).bfloat16(), torch.tensor([1.0, 2.0]).bfloat16()
    assert hits_at_k(pos, neg, 1) == 0.5
    assert mrr(pos, neg) == pytest.approx((1 / 2.5 + 1) / 2)
    assert roc_auc(pos, neg) == pytest.approx(2.5 / 4)


def test_by_name_in_percent():
    pos, neg = torch.tensor([3.0, 2.0, 1.0, 0.5]), torch.tensor([2.0, 5.0, 0.0])
    assert link_metric("hits@2", pos, neg) == 25.0
    assert link_metric("mrr", pos, neg) == pytest.approx(100 * loop_mrr(pos.tolist(), [neg.tolist()] * 4))
    assert link_metric("roc-auc", pos, neg) == pytest.approx(100 * loop_auc(pos.tolist(), neg.tolist()))


def test_wrong_arguments():
    some, nan = torch.tensor([1.0, 2.0]), torch.tensor([1.0, float("nan")])
    for metric in (mrr, roc_auc, lambda pos, neg: hits_at_k(pos, neg, 1)):
        with pytest.raises(ValueError, match="NaN"):
            metric(some, nan)
        with pytest.raises(ValueError, match="NaN"):
            metric(nan, some)
        with pytest.raises(ValueError, match="at least one positive"):
            metric(some[:0], some)
    with pytest.raises(ValueError, match="k must be at least 1"):
        hits_at_k(some, some, 0)
    with pytest.raises(ValueError, match="no negative"):
        roc_auc(some, some[:0])
    with pytest.raises(ValueError, match="2 positives need as many rows"):
        mrr(some, torch.ones(3, 4))
    with pytest.raises(RequestError, match="unknown metric 'accuracy' for task=link"):
        link_metric("accuracy", some, some)
    with pytest.raises(RunError, match="NaN: lower train.lr"):
        link_metric("mrr", some, nan)


@pytest.fixture
def evaluator(monkeypatch):
    """OGB's own evaluator, without the version check over the network that importing `ogb` starts."""
    monkeypatch.setitem(sys.modules, "outdated", None)  # importing it fails, and ogb then asks nobody
    pytest.importorskip("ogb", reason="needs the extra ogb")
    from ogb.linkproppred import Evaluator

    return Evaluator


def test_equal_to_ogbs_evaluator(evaluator):
    source = torch.Generator().manual_seed(0)
    for ties in (False, True):
        pos, neg = torch.randn(500, generator=source), torch.randn(300, generator=source)
        if ties:
            pos, neg = pos.mul(4).round(), neg.mul(4).round()
        theirs = evaluator("ogbl-ddi")
        for k in (1, 20, 50, 300, 301):
            theirs.K = k
            assert hits_at_k(pos, neg, k) == pytest.approx(
                theirs.eval({"y_pred_pos": pos, "y_pred_neg": neg})[f"hits@{k}"], abs=1e-6
            )
        rows = neg.view(-1, 60).repeat(100, 1)
        expected = evaluator("ogbl-citation2").eval({"y_pred_pos": pos, "y_pred_neg": rows})["mrr_list"].mean().item()
        assert mrr(pos, rows) == pytest.approx(expected, abs=1e-6)


@pytest.fixture(scope="module")
def ogb():
    """OGB's evaluator from its file alone: the package asks the network and imports PyG."""
    package = importlib.util.find_spec("ogb")
    if package is None or package.origin is None:
        pytest.skip("ogb is not installed")
    path = Path(package.origin).parent / "linkproppred" / "evaluate.py"
    spec = importlib.util.spec_from_file_location("ogb_evaluate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Evaluator


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_ogbs_evaluator_with_ties(ogb, seed):
    generator = torch.Generator().manual_seed(seed)
    pos, neg = (torch.randint(9, (size,), generator=generator).float() for size in (50, 45 + 40 * seed))
    for name, k in (("ogbl-ddi", 20), ("ogbl-collab", 50), ("ogbl-ppa", 100)):
        right = ogb(name).eval({"y_pred_pos": pos, "y_pred_neg": neg})[f"hits@{k}"]
        assert hits_at_k(pos, neg, k) == pytest.approx(right, abs=1e-12)
    own = torch.randint(9, (50, 30), generator=generator).float()
    right = ogb("ogbl-citation2").eval({"y_pred_pos": pos, "y_pred_neg": own})
    assert mrr(pos, own) == pytest.approx(float(right["mrr_list"].double().mean()), abs=1e-6)
    for k in (1, 3, 10):
        assert hits_at_k(pos, own, k) == pytest.approx(float(right[f"hits@{k}_list"].double().mean()), abs=1e-12)
