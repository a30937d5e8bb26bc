"""Leaks of interactions: a pair in two splits, and a user's future in training, by a loop over users."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

from graphkit.data import load
from graphkit.data.dataset import InteractionData
from graphkit.run import main


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 users who took 12 items each, at different times."""
    source, path = random.Random(0), tmp_path_factory.mktemp("taken") / "taken.csv"
    rows = [(f"user {u}", f"item {i}", source.randrange(10_000)) for u in range(30) for i in source.sample(range(40), 12)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("user", "item", "timestamp"), *rows])
    return path


def with_future(data: InteractionData, split: str) -> list[str]:
    assert data.times is not None
    found = []
    for user, name in enumerate(data.user_names):
        train, later = (data.times[part][data.splits[part][0] == user].tolist() for part in ("train", split))
        if train and later and max(train) > min(later):
            found.append(name)
    return found


def test_a_random_split_trains_on_the_future(taken: Path) -> None:
    data = load("custom", task="recommend", interactions=taken)
    assert isinstance(data, InteractionData)
    for place, split in enumerate(("valid", "test")):
        users = with_future(data, split)
        assert len(users) > 10
        one = data.leaks().findings[place]
        assert (one.kind, one.count, one.examples) == ("a user's future in training", len(users), tuple(users[:3]))
        assert f"of 30 users have training interactions later than {split} ones" in one.sentence


def test_a_split_by_time_does_not(taken: Path) -> None:
    data = load("custom", task="recommend", interactions=taken, time_column="timestamp")
    assert isinstance(data, InteractionData) and with_future(data, "test") == []
    assert data.leaks().clean and "a user's future in training" in data.leaks().looked_for


def test_interactions_in_two_splits(taken: Path) -> None:
    data = load("custom", task="recommend", interactions=taken, time_column="timestamp")
    assert isinstance(data, InteractionData) and data.times is not None
    data.splits["test"] = data.splits["train"][:, :2]
    data.times["test"] = data.times["train"][:2] + 10_000
    (one,) = data.leaks().findings
    user, item = data.user_names[int(data.splits["test"][0, 0])], data.item_names[int(data.splits["test"][1, 0])]
    assert one.sentence == "2 of 2 test interactions are train interactions, too" and one.examples[0] == f"{user} - {item}"


def test_without_times_it_is_not_looked_for(tmp_path: Path, taken: Path) -> None:
    unreadable = tmp_path / "taken.csv"
    unreadable.write_text(taken.read_text() + "user 0,item 41,yesterday\n")
    report = load("custom", task="recommend", interactions=unreadable).leaks()
    assert report.clean and report.skipped == {"a user's future in training": "the interactions have no times"}


def test_the_door_tells_and_its_status_says_so(taken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["task=recommend", "dataset=custom", f"data.interactions={taken}", "--check-leaks"]
    assert main([*asked, "seeds=2"]) == 1
    page = capsys.readouterr().out
    assert page.startswith("seed 0\nlooked for: ") and "\nseed 1\n" in page and page.endswith("\n2 leaks found\n")
    assert main([*asked, "data.time_column=timestamp", "seeds=2"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("seeds 0 to 1\nlooked for: ") and page.endswith("\nno leak found\n")
    assert main([*asked, "format=json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["clean"] is False and [one["count"] for one in told["seeds"]["0"]["findings"]]
