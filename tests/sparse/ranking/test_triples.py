from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from graphkit.sparse.compiled.threads import kernel_threads
from graphkit.sparse.csr import CSR
from graphkit.sparse.ranking.triples import SAMPLERS, TripleSampler

TAKEN = {0: [1, 4, 5], 1: [0], 2: [], 3: [0, 1, 2, 3, 5, 6], 4: [2, 3]}  # user 3 leaves one item, user 2 has none
ITEMS = 7


def matrix(taken, num_items, num_users=None):
    pairs = [(item, user) for user, items in taken.items() for item in items]
    return CSR.from_edge_index(torch.tensor(pairs).T, (num_users or max(taken) + 1, num_items))


def many(sampler, negatives=1, epochs=3000, seed=5):
    """A long list of (user, positive, negatives)."""
    source, drawn = torch.Generator().manual_seed(seed), TripleSampler(matrix(TAKEN, ITEMS), sampler, negatives)
    parts = [batch for _ in range(epochs) for batch in drawn.epoch(source)]
    return [torch.cat(column).tolist() for column in zip(*parts, strict=True)]


def fits(counts, expected):
    """Chi-square: fixed seed, so that this never fails by chance from one run to the next."""
    total, keys = sum(counts.values()), list(expected)
    assert counts.keys() <= expected.keys()
    return chisquare([counts[key] for key in keys], [expected[key] * total for key in keys]).pvalue > 0.01


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_triples_are_what_they_say(sampler):
    users, positives, negatives = many(sampler, negatives=3, epochs=100)
    assert len(users) == 100 * sum(map(len, TAKEN.values()))
    for user, positive, others in zip(users, positives, negatives, strict=True):
        assert positive in TAKEN[user]
        assert len(others) == 3 and not set(others) & set(TAKEN[user]) and set(others) <= set(range(ITEMS))


def test_user_uniform_distribution():
    users, positives, negatives = many("user-uniform", negatives=2)
    active = [user for user, items in TAKEN.items() if items]
    assert fits(Counter(users), dict.fromkeys(active, 1 / len(active)))
    expected = {(user, item): 1 / len(active) / len(TAKEN[user]) for user in active for item in TAKEN[user]}
    assert fits(Counter(zip(users, positives, strict=True)), expected)
    assert independent_negatives(users, positives, negatives)


def test_interaction_uniform_distribution():
    users, positives, negatives = many("interaction-uniform", negatives=2)
    counts = Counter(zip(users, positives, strict=True))
    assert counts == dict.fromkeys(((user, item) for user, items in TAKEN.items() for item in items), 3000)
    assert independent_negatives(users, positives, negatives)


def independent_negatives(users, positives, negatives):
    """Whether user 0's (positive, negative, negative) are uniform together, and so are two triples in a row."""
    mine = [k for k, user in enumerate(users) if user == 0]
    free = [item for item in range(ITEMS) if item not in TAKEN[0]]
    together = Counter((positives[k], *negatives[k]) for k in mine)
    expected = {(p, a, b): 1 / len(TAKEN[0]) / len(free) ** 2 for p in TAKEN[0] for a in free for b in free}
    follow = Counter((negatives[k][1], negatives[k + 1][0]) for k in mine if k + 1 < len(users) and users[k + 1] == 0)
    return fits(together, expected) and fits(follow, {(a, b): 1 / len(free) ** 2 for a in free for b in free})


def test_interaction_uniform_order_is_random():
    source, drawn = torch.Generator().manual_seed(0), TripleSampler(matrix(TAKEN, ITEMS), "interaction-uniform")
    firsts = Counter()
    for _ in range(1500):
        (batch,) = drawn.epoch(source)
        firsts[int(batch.users[0]), int(batch.positives[0])] += 1
    pairs = [(user, item) for user, items in TAKEN.items() for item in items]
    assert fits(firsts, dict.fromkeys(pairs, 1 / len(pairs)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.sets(st.integers(0, 39), max_size=39), st.integers(0, 2**31))
def test_negatives_reach_every_free_item_and_no_other(num_items, taken, seed):
    taken = sorted(item for item in taken if item < num_items) or [0]
    if len(taken) == num_items:
        taken = taken[1:]
    if not taken:
        return
    drawn = TripleSampler(matrix({0: taken}, num_items), num_negatives=600)
    batch = next(drawn.epoch(torch.Generator().manual_seed(seed)))
    found = set(batch.negatives.flatten().tolist())
    free = set(range(num_items)) - set(taken)
    assert found <= free
    assert found == free  # 600 draws miss one of at most 40 items with probability below 40 exp(-15)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_neither_batches_nor_threads_change_an_epoch(sampler):
    source = torch.Generator().manual_seed(1)
    pairs = torch.stack([torch.randint(300, (5000,), generator=source), torch.randint(200, (5000,), generator=source)])
    drawn = TripleSampler(CSR.from_edge_index(pairs, (200, 300), duplicates="first"), sampler, 2)
    (whole,) = drawn.epoch(torch.Generator().manual_seed(7))
    parts = list(drawn.epoch(torch.Generator().manual_seed(7), batch_size=999))
    assert [len(part.users) for part in parts] == [999] * (len(drawn) // 999) + [len(drawn) % 999]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3 - min(before, 2))
        with kernel_threads():  # says that the other number of threads is taken up
            pass
        (other,) = drawn.epoch(torch.Generator().manual_seed(7))
    finally:
        torch.set_num_threads(before)
    for place, column in enumerate(whole):
        assert torch.cat([part[place] for part in parts]).equal(column) and other[place].equal(column)


def test_the_generator_decides():
    drawn = TripleSampler(matrix(TAKEN, ITEMS), num_negatives=4)
    source = torch.Generator().manual_seed(3)
    first, second = (next(drawn.epoch(source)).negatives for _ in range(2))
    assert not first.equal(second)
    assert next(drawn.epoch(torch.Generator().manual_seed(3))).negatives.equal(first)
    assert not next(drawn.epoch(torch.Generator().manual_seed(4))).negatives.equal(first)


def test_wrong_arguments():
    good = matrix(TAKEN, ITEMS)
    with pytest.raises(ValueError, match="user 3 has interacted with all 7 items"):
        TripleSampler(matrix({**TAKEN, 3: list(range(7))}, ITEMS))
    with pytest.raises(ValueError, match="no interaction"):
        TripleSampler(CSR.from_edge_index(torch.empty(2, 0, dtype=torch.long), (3, 4)))
    with pytest.raises(ValueError, match="sampler must be one of"):
        TripleSampler(good, "item-uniform")
    with pytest.raises(ValueError, match="num_negatives"):
        TripleSampler(good, num_negatives=0)
    with pytest.raises(ValueError, match="all their entries"):
        TripleSampler(good.without(torch.tensor([0])))
