import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.sparse.csr import CSR
from graphkit.sparse.ranking import topk
from graphkit.sparse.ranking.topk import UnrankedScore, top_columns


def loop_top(scores, k, seen):
    """Plain sorting of one row: higher scores first, then lower columns."""
    order = sorted((-score, column) for column, score in enumerate(scores) if column not in seen)
    best = [(-score, column) for score, column in order[:k]]
    return best + [(-math.inf, -1)] * (k - len(best))


def seen_matrix(rows, num_cols):
    pairs = [(column, row) for row, columns in enumerate(rows) for column in columns]
    edges = torch.tensor(pairs).T if pairs else torch.empty(2, 0, dtype=torch.long)
    return CSR.from_edge_index(edges, (len(rows), num_cols))


@pytest.fixture(params=["walk", "sort"])
def many(request, monkeypatch):
    """Both ways to the same answer."""
    monkeypatch.setattr(topk, "_MANY", 10**6 if request.param == "walk" else 1)


FEW = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 1.0, 2.0, math.inf, -math.inf])  # many ties


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 150), st.integers(1, 30), st.integers(0, 2**31), st.booleans(), st.data())
def test_equal_to_sorting(columns, k, seed, wide, data):
    source = torch.Generator().manual_seed(seed)
    dtype = torch.float64 if wide else torch.float32
    if data.draw(st.booleans()):
        values = data.draw(st.lists(FEW, min_size=columns, max_size=columns))
        scores = torch.tensor([values, values[::-1], values[1:] + values[:1]], dtype=dtype)
    else:
        scores = torch.randn(3, columns, generator=source, dtype=dtype)
    seen = [[c for c in range(columns) if torch.rand((), generator=source) < share] for share in (0.0, 0.3, 1.0, 0.5)]
    rows = torch.tensor([1, 3, 2])
    for many in (1, 10**6):
        old, topk._MANY = topk._MANY, many
        try:
            best, where = top_columns(scores, k, seen_matrix(seen, columns), rows)
        finally:
            topk._MANY = old
        for i, row in enumerate(rows.tolist()):
            expected = loop_top(scores[i].tolist(), k, set(seen[row]))
            assert where[i].tolist() == [column for _, column in expected]
            assert best[i].tolist() == [score for score, _ in expected] and best.dtype == dtype


def test_minus_infinity_is_ranked_last_and_not_dropped(many):
    scores = torch.tensor([[-math.inf, 2.0, -math.inf, -math.inf, 1.0]])
    best, where = top_columns(scores, 6, seen_matrix([[2, 4]], 5))
    assert where.tolist() == [[1, 0, 3, -1, -1, -1]]
    assert best.tolist() == [[2.0, *[-math.inf] * 5]]
    assert top_columns(scores, 2, seen_matrix([[1, 2, 4]], 5))[1].tolist() == [[0, 3]]


def test_without_seen_entries(many):
    scores = torch.tensor([[1.0, 3.0, 3.0], [0.0, 0.0, 0.0]])
    best, where = top_columns(scores, 2)
    assert where.tolist() == [[1, 2], [0, 1]] and best.tolist() == [[3.0, 3.0], [0.0, 0.0]]
    assert scores.tolist() == [[1.0, 3.0, 3.0], [0.0, 0.0, 0.0]]


def test_scores_that_share_memory_are_left_alone(many):
    shared = torch.tensor([3.0, 2.0, 1.0])
    _, where = top_columns(shared.expand(2, -1), 1, seen_matrix([[0], [0, 1]], 3))
    assert where.tolist() == [[1], [2]] and shared.tolist() == [3.0, 2.0, 1.0]


def test_half_precision_is_ranked_exactly(many):
    scores = torch.tensor([[1.0, 1.0078125, 1.0]], dtype=torch.bfloat16)
    best, where = top_columns(scores, 3)
    assert where.tolist() == [[1, 0, 2]] and best.dtype == torch.float32


def test_nan_has_no_rank(many):
    scores = torch.zeros(2, 200)
    scores[1, 199] = math.nan
    with pytest.raises(UnrankedScore, match="NaN"):
        top_columns(scores, 3)


def test_wrong_arguments():
    scores, seen = torch.zeros(2, 4), seen_matrix([[0], [1], [2]], 4)
    with pytest.raises(ValueError, match="k must be at least 1"):
        top_columns(scores, 0)
    with pytest.raises(ValueError, match="floating point matrix"):
        top_columns(scores.long(), 1)
    with pytest.raises(ValueError, match="floating point matrix"):
        top_columns(scores[0], 1)
    with pytest.raises(ValueError, match="rows must have shape"):
        top_columns(scores, 1, seen, torch.tensor([0]))
    with pytest.raises(ValueError, match="rows must lie in"):
        top_columns(scores, 1, seen, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="must have 4 columns"):
        top_columns(scores, 1, seen_matrix([[0]], 5), torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="all entries present"):
        top_columns(scores, 1, seen.without(torch.tensor([0])), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="rows must lie in"):
        top_columns(torch.zeros(4, 4), 1, seen)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_equal_on_a_gpu():
    scores = torch.randint(-3, 4, (50, 300), generator=torch.Generator().manual_seed(0)).float()
    seen = seen_matrix([[row, row + 7] for row in range(50)], 300)
    here, there = top_columns(scores, 20, seen), top_columns(scores.cuda(), 20, seen.to("cuda"))
    assert there[1].cpu().equal(here[1]) and there[0].cpu().equal(here[0])
