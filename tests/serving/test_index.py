"""The index against a plain loop over users and items."""

import pytest
import torch
from torch import Tensor

from graphkit.errors import RequestError, RunError
from graphkit.serving import index
from graphkit.serving.index import ItemIndex
from graphkit.sparse import CSR

USERS, ITEMS, WIDTH = 30, 120, 6
KINDS = pytest.mark.parametrize("kind", ["hnsw", "ivf"])


@pytest.fixture
def vectors() -> tuple[Tensor, Tensor]:
    pytest.importorskip("faiss")
    generator = torch.Generator().manual_seed(3)
    users = torch.randn(USERS, WIDTH, generator=generator)
    users[4] = 0.0
    return users, torch.randn(ITEMS, WIDTH, generator=generator)


def history(counts: list[int]) -> CSR:
    """Users with so many seen items each, spread over the items."""
    pairs = [(user * 7 + 3 * place, user) for user, count in enumerate(counts) for place in range(count)]
    edges = torch.tensor([[item % ITEMS for item, _ in pairs], [user for _, user in pairs]], dtype=torch.int64)
    return CSR.from_edge_index(edges, (len(counts), ITEMS), duplicates="first")


def loop(users: Tensor, items: Tensor, k: int, seen: CSR) -> list[list[int]]:
    hidden = seen.to_dense().double()
    lists = []
    for user in range(len(users)):
        scores = [(-float(users[user].double() @ items[item].double()), item) for item in range(len(items))]
        lists.append([item for _, item in sorted(scores) if not hidden[user, item]][:k])
    return lists


@KINDS
def test_with_all_effort_it_is_exact(vectors: tuple[Tensor, Tensor], kind: str):
    users, items = vectors
    seen = history([(5 * user) % 40 for user in range(USERS)])
    scores, found = ItemIndex(items, kind, effort=ITEMS).search(users, 7, seen)
    assert found.tolist() == loop(users, items, 7, seen)
    torch.testing.assert_close(scores, (users @ items.t()).gather(1, found))
    assert found[4].tolist() == loop(users, items, 7, seen)[4]  # a zero vector: all tie, the lower items win


@KINDS
def test_nearly_everything_seen(vectors: tuple[Tensor, Tensor], kind: str):
    users, items = vectors
    rows = torch.arange(ITEMS - 3).repeat(2)
    seen = CSR.from_edge_index(torch.stack([rows, torch.arange(2).repeat_interleave(ITEMS - 3)]), (2, ITEMS))
    scores, found = ItemIndex(items, kind, effort=1).search(users[:2], 5, seen)
    assert [sorted(row[:3]) for row in found.tolist()] == [[117, 118, 119]] * 2
    assert found[:, 3:].tolist() == [[-1, -1]] * 2 and bool((scores[:, 3:] == -torch.inf).all())


def test_recall_counts_what_is_missed(vectors: tuple[Tensor, Tensor]):
    users, items = vectors
    seen = history([4] * USERS)
    narrow = ItemIndex(items, "ivf", effort=1)
    wanted, found = loop(users, items, 3, seen), narrow.search(users, 3, seen)[1].tolist()
    judged = [user for user in range(USERS) if user != 4]  # a zero vector says nothing about the index
    hits = sum(len(set(wanted[user]) & set(found[user])) for user in judged)
    assert 0 < hits < 3 * len(judged)
    assert narrow.recall(users, 3, seen) == (pytest.approx(hits / (3 * len(judged))), len(judged))
    assert ItemIndex(items, "ivf", effort=ITEMS).recall(users, 3) == (1.0, len(judged))
    assert narrow.recall(users[4:5], 3) == (1.0, 0)


@KINDS
def test_it_repeats(kind: str):
    pytest.importorskip("faiss")
    generator = torch.Generator().manual_seed(0)
    users, items = torch.randn(50, 8, generator=generator), torch.randn(3000, 8, generator=generator)
    first, second = (ItemIndex(items, kind, effort=2).search(users, 5)[1] for _ in range(2))
    assert torch.equal(first, second)


def test_vectors_that_are_not_finite(vectors: tuple[Tensor, Tensor]):
    users, items = vectors
    users[0, 0] = torch.nan
    with pytest.raises(RunError, match="NaN"):
        ItemIndex(items).search(users, 3)
    items[0, 0] = torch.inf
    with pytest.raises(RequestError, match="finite"):
        ItemIndex(items)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(index.importlib, "import_module", missing)
    with pytest.raises(RequestError, match=r"needs the package faiss-cpu.*\[ann\]"):
        ItemIndex(torch.ones(2, 2))
