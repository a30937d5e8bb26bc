"""Splits by time against plain loops over interactions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.data import load
from graphkit.data.generated.interactions import DAYS, GROUPS, LIKED_A_DAY, TAKEN, planted_days
from graphkit.data.splits.time import later_share, split_by_time, split_dates
from graphkit.errors import RequestError

SHARES = (0.6, 0.2, 0.2)


def rows_of(users, items, moments):
    """Distinct (user, item) pairs in their order, with a time each."""
    found = dict(zip(zip(users, items, strict=True), moments, strict=True))
    rows = sorted((user, item, float(moment)) for (user, item), moment in found.items())
    return torch.tensor([row[:2] for row in rows]).T, torch.tensor([row[2] for row in rows], dtype=torch.float64), rows


def loop_dates(times, shares):
    """All pairs of dates, the latest part first: nearest to its share, the earlier of two."""
    moments = sorted(set(times))
    before = {moment: sum(time < moment for time in times) for moment in moments}
    end, dates = len(moments), []
    for part in range(len(shares) - 1, 0, -1):
        wanted = len(times) * sum(shares[:part])
        end = min(range(part, end), key=lambda place: (abs(before[moments[place]] - wanted), place))
        dates.insert(0, moments[end])
    return dates


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 12)), min_size=3, max_size=60),
    st.sampled_from([SHARES, (0.7, 0.1, 0.2), (0.98, 0.01, 0.01), (0.1, 0.1, 0.8)]),
    st.integers(0, 99),
)
def test_one_date_for_all_equals_plain_loops(taken, shares, seed):
    pairs, time, rows = rows_of(*zip(*taken, strict=True))
    source = torch.Generator().manual_seed(seed)
    if len(set(time.tolist())) < 3:
        with pytest.raises(ValueError, match="3 parts need as many distinct times, got"):
            split_by_time(pairs, time, shares, source, how="global", date=str)
        return
    valid_from, test_from = loop_dates(time.tolist(), shares)
    assert split_dates(time, shares) == [valid_from, test_from]
    split = split_by_time(pairs, time, shares, source, how="global", date=str)
    expected = {
        "train": [row for row in rows if row[2] < valid_from],
        "valid": [row for row in rows if valid_from <= row[2] < test_from],
        "test": [row for row in rows if row[2] >= test_from],
    }
    assert {name: part.T.tolist() for name, part in split.parts.items()} == {
        name: [[user, item] for user, item, _ in part] for name, part in expected.items()
    }
    assert all(expected.values()) and split.name == "time_split=global" and set(split.earlier) == {"valid", "test"}
    for name, earlier in split.earlier.items():
        for user in {row[0] for row in expected[name]}:
            own = [
                (row[2], is_earlier) for row, is_earlier in zip(expected[name], earlier.tolist(), strict=True) if row[0] == user
            ]
            first, second = [time for time, is_first in own if is_first], [time for time, is_first in own if not is_first]
            assert len(first) == len(own) // 2 and max(first, default=0.0) <= min(second)


def test_each_users_latest_leaves_others_later_ones_in_training():
    """By hand: user 0 is early, user 1 late."""
    pairs, time, _ = rows_of([0] * 5 + [1] * 5, list(range(5)) * 2, [*range(5), *range(10, 15)])
    split = split_by_time(pairs, time, SHARES, torch.Generator(), how="user", date=str)
    assert split.parts["test"].T.tolist() == [[0, 4], [1, 4]] and split.parts["valid"].T.tolist() == [[0, 3], [1, 3]]
    assert split.earlier == {} and split.name == "time_split=user"
    assert "a test interaction is earlier than 25 % of training, on average" in split.remark  # 3 of 6, and none of 6


def test_later_share_equals_a_loop():
    source = torch.Generator().manual_seed(0)
    ours, others = torch.randint(9, (40,), generator=source), torch.randint(9, (25,), generator=source)
    pairs = [other > own for own in ours.tolist() for other in others.tolist()]
    assert later_share(ours, others) == pytest.approx(sum(pairs) / len(pairs))
    assert later_share(ours[:0], others) == later_share(ours, others[:0]) == 0.0


def test_planted_days_are_drawn_again_each_day():
    pairs, day = planted_days(torch.Generator().manual_seed(1))
    assert pairs.unique(dim=1).equal(pairs) and 0 <= int(day.min()) < int(day.max()) == DAYS - 1
    liked = {}
    for (user, item), when in zip(pairs.T.tolist(), day.tolist(), strict=True):
        liked.setdefault((when, user % GROUPS), set()).add(item)
    assert max(map(len, liked.values())) == LIKED_A_DAY
    for when in range(DAYS):
        today = [items for (other, _), items in liked.items() if other == when]
        assert sum(map(len, today)) == len(set.union(*today))  # nothing is liked by two communities
    counts = torch.bincount(pairs[0])
    assert int(counts.max()) == sum(TAKEN) and float(counts.double().mean()) > sum(TAKEN) - 0.5


def test_planted_days_by_name():
    dataset = load("planted-days", task="recommend", seed=1)
    assert dataset.split == dataset.facts()["split"] == "time_split=global" and dataset.earlier.keys() == {"valid", "test"}
    assert "one date for all (data.time_split=global): validation begins with day" in dataset.protocol
    assert load("planted-days", task="recommend", time_split="user").split == "time_split=user"
    with pytest.raises(RequestError, match="data.time_split=week: expected global, user"):
        load("planted-days", task="recommend", time_split="week")
    with pytest.raises(RequestError, match="go with dataset=custom"):
        load("lastfm", task="recommend", time_split="user")
    with pytest.raises(RequestError, match="name their column by data.time_column="):
        load("custom", task="recommend", interactions="x.csv", time_split="user")
