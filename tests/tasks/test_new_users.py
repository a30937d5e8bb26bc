"""Users without a past at the date of the split, against loops over users; what the future gives away."""

import pytest
import torch

from graphkit.conf.catalog import MODELS
from graphkit.conf.schema import RecommendTask, Train
from graphkit.data import load
from graphkit.errors import RequestError
from graphkit.tasks.build import model_maker
from graphkit.tasks.new_users import PART
from graphkit.tasks.recommend import Recommendation
from tests.metrics.rankings import loop_metric

CPU = torch.device("cpu")
NUM_ITEMS = 500


def make(dataset, model="itemknn", **settings):
    maker = model_maker("recommend", MODELS["recommend"][model].settings())
    return Recommendation(dataset, RecommendTask(**settings), maker, Train(), CPU)


@pytest.fixture(scope="module")
def dataset():
    return load("planted-days", task="recommend", seed=0)


def lists(pairs):
    taken = [set() for _ in range(500)]
    for user, item in pairs.T.tolist():
        taken[user].add(item)
    return taken


@pytest.mark.parametrize("protocol", ["validation", "lightgcn"])
def test_users_without_a_past_are_judged_apart(protocol):
    """Each is scored as a new user, from what it took before test and the earlier half of its test items."""
    dataset = load("planted-days", task="recommend", seed=0, split=(0.4, 0.1, 0.5))
    task = make(dataset, protocol=protocol)
    model = task.build_model()
    results = task.evaluate(model).metrics
    train, valid, test = (lists(part) for part in dataset.splits.values())
    earlier = lists(dataset.splits["test"][:, dataset.earlier["test"]])
    if protocol == "lightgcn":
        train, valid = [one | other for one, other in zip(train, valid, strict=True)], [set()] * 500
    old = [set() if not train[user] else test[user] for user in range(500)]
    seen = [train[user] | valid[user] for user in range(500)]
    scores = model.scores(torch.arange(500)).tolist()
    given = {user: valid[user] | earlier[user] for user in range(500) if test[user] and not train[user]}
    given = {user: bag for user, bag in given.items() if bag}
    folded = model.fold_in([torch.tensor(sorted(bag)) for bag in given.values()]).tolist()
    assert set(results) == {"valid", "test", PART} and 10 < len(given) < 250
    for name, value in results["test"].items():
        assert value == pytest.approx(loop_metric(name, scores, seen, old), abs=1e-9)
        found = loop_metric(name, folded, given.values(), [test[user] - earlier[user] for user in given])
        assert results[PART][name] == pytest.approx(found, abs=1e-9)
    if protocol == "validation":
        old = [set() if not train[user] else valid[user] for user in range(500)]
        assert results["valid"]["recall@20"] == pytest.approx(loop_metric("recall@20", scores, train, old), abs=1e-9)
    else:
        assert "Split: time_split=global." in task.protocol
    arrays = task.predictions(model)
    assert task.rescore(arrays) == task.evaluate(model).metrics
    assert arrays["new_users"].tolist() == list(given) and arrays["new_items"].shape == (len(given), 20)
    assert not any(set(items) & bag for items, bag in zip(arrays["new_items"].tolist(), given.values(), strict=True))
    assert set(task.table(arrays)["split"].tolist()) >= {"test", "new"}
    count = sum(bool(wanted) and not past for wanted, past in zip(test, train, strict=True))
    assert any(f"{count} of {sum(map(bool, test))} users with test" in note and "judged apart" in note for note in task.notes)


def test_what_the_future_gives_away(dataset):
    """The planted days: high where others' later interactions are in training, chance (20 of 500) where they are not."""
    leaky = make(load("planted-days", task="recommend", seed=0, time_split="user"))
    assert leaky.evaluate(leaky.build_model()).metrics["test"]["recall@20"] > 60
    honest = make(dataset)
    found = honest.evaluate(honest.build_model()).metrics
    assert set(found) == {"valid", "test", PART} and all(1 < part["recall@20"] < 8 for part in found.values())


def test_one_item_tells_nothing_of_a_stranger(dataset):
    test = dataset.splits["test"]
    new = sorted({user for user, own in enumerate(lists(dataset.splits["train"])) if not own} & set(test[0].tolist()))
    kept = (test[0] != new[0]) | (torch.arange(test.size(1)) == int((test[0] == new[0]).nonzero()[0]))
    fewer = load("planted-days", task="recommend", seed=0)
    fewer.splits["test"], fewer.earlier["test"] = (
        test[:, kept],
        dataset.earlier["test"][kept].masked_fill(test[0, kept] == new[0], False),
    )
    valid = fewer.splits["valid"]
    fewer.splits["valid"] = valid[:, valid[0] != new[0]]
    task = make(fewer)
    assert "Of 1 new users nothing is known before their one test item: no figure counts them." in task.notes
    assert task.predictions(task.build_model())["new_users"].tolist() == new[1:]


def test_a_model_that_cannot_fold_in_says_so(dataset):
    task = make(dataset, "bpr-mf")
    assert any("do not count" in note for note in task.notes) and "cannot score new users" in task.notes[-1]
    assert set(task.evaluate(task.build_model()).metrics) == {"valid", "test"}
    assert make(load("planted-days", task="recommend", time_split="user"), "bpr-mf").notes[-1].startswith("Without any")


def test_a_split_that_leaves_nobody_with_a_past_is_refused():
    dataset = load("planted-days", task="recommend", seed=0)
    train = dataset.splits["train"]
    held_out = torch.cat([dataset.splits["valid"][0], dataset.splits["test"][0]])
    dataset.splits["train"] = train[:, ~torch.isin(train[0], held_out)]
    with pytest.raises(RequestError, match="no user with valid interactions has one in training: .*data.time_split=user"):
        make(dataset)
