import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from graphkit.conf.catalog import MODELS
from graphkit.conf.entries import ModelEntry
from graphkit.conf.schema import RecommendTask, Train
from graphkit.data import load
from graphkit.errors import RequestError
from graphkit.models.recommend.base import Recommender
from graphkit.tasks.build import model_maker
from graphkit.tasks.recommend import Recommendation
from tests.metrics.rankings import loop_metric

CPU = torch.device("cpu")


class Factors(Recommender):
    """Inner products, trained by a loss of one line."""

    trained: ClassVar[bool] = True

    def __init__(self, num_users, num_items, hidden_channels=4):
        super().__init__(num_users, num_items)
        self.user, self.item = (nn.Parameter(0.1 * torch.randn(n, hidden_channels)) for n in (num_users, num_items))

    def loss(self, users, positives, negatives):
        user = self.user[users].unsqueeze(1)
        margin = (user * (self.item[negatives] - self.item[positives].unsqueeze(1))).sum(2)
        return nn.functional.softplus(margin).mean()

    def scores(self, users):
        return self.user.detach()[users] @ self.item.detach().T


class Popular(Recommender):
    """Nothing to train: the number of training interactions."""

    trained: ClassVar[bool] = False

    def fit(self, interactions):
        super().fit(interactions)
        self.count = interactions.t().degree().float()

    def scores(self, users):
        return self.count.expand(len(users), -1)


@dataclass
class FactorsSettings:
    name: str = "factors"
    hidden_channels: int = 4


@dataclass
class PopularSettings:
    name: str = "popular"


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    here = {
        "factors": ModelEntry(FactorsSettings, f"{__name__}:Factors", ""),
        "popular": ModelEntry(PopularSettings, f"{__name__}:Popular", ""),
    }
    monkeypatch.setitem(MODELS, "recommend", here)


@pytest.fixture(scope="module")
def dataset():
    return load("planted-interactions", task="recommend", seed=0)


def make(dataset, model=None, train=None, **settings):
    return Recommendation(
        dataset, RecommendTask(**settings), model_maker("recommend", model or FactorsSettings()), train or Train(), CPU
    )


def rows(num_users, *parts):
    lists = [set() for _ in range(num_users)]
    for part in parts:
        for user, item in part.T.tolist():
            lists[user].add(item)
    return lists


@pytest.mark.parametrize("protocol", ["validation", "lightgcn"])
def test_evaluation_equal_to_plain_loops(dataset, protocol):
    task = make(dataset, protocol=protocol, metric="ndcg@5")
    torch.manual_seed(0)
    model = task.build_model()
    results = task.evaluate(model).metrics
    scores = model.scores(torch.arange(500)).tolist()
    train, valid, test = (rows(500, part) for part in dataset.splits.values())
    both = rows(500, dataset.splits["train"], dataset.splits["valid"])
    expected = {"valid": (train, valid), "test": (both, test)}
    if protocol == "lightgcn":
        expected["valid"] = expected["test"]
    assert task.metric == "ndcg@5" and task.metrics == ("recall@20", "ndcg@20", "precision@20", "hit@20", "ndcg@5")
    for split, (seen, relevant) in expected.items():
        assert list(results[split]) == list(task.metrics)
        for name in task.metrics:
            assert results[split][name] == pytest.approx(loop_metric(name, scores, seen, relevant), abs=1e-9)
    assert task.evaluate(model, ("test",)).metrics == {"test": results["test"]}


def test_the_block_size_changes_nothing(dataset):
    torch.manual_seed(0)
    model = make(dataset).build_model()
    whole = make(dataset).evaluate(model).metrics
    assert make(dataset, train=Train(eval_batch_size=1)).evaluate(model).metrics == whole
    assert make(dataset, train=Train(eval_batch_size=77)).evaluate(model).metrics == whole


@pytest.mark.parametrize("protocol", ["validation", "lightgcn"])
def test_what_a_model_may_see(dataset, protocol):
    task = make(dataset, PopularSettings(), protocol=protocol)
    trained_on = rows(500, *list(dataset.splits.values())[: 1 if protocol == "validation" else 2])
    dense = task.build_model().interactions.to_dense()
    assert [set(row.nonzero().flatten().tolist()) for row in dense] == trained_on
    assert int(dense.max()) == 1
    assert ("SELECTED ON TEST" in task.protocol) == (protocol == "lightgcn")
    assert (task.protocol == dataset.protocol) == (protocol == "validation")


def test_users_without_held_out_items_do_not_count():
    dataset = load("planted-interactions", task="recommend", seed=1)
    task = make(dataset)
    torch.manual_seed(0)
    model = task.build_model()
    all_of_them = task.evaluate(model).metrics["test"]
    test = dataset.splits["test"]
    dataset.splits["test"] = test[:, test[0] % 3 > 0]
    task = make(dataset)
    results, scores = task.evaluate(model).metrics["test"], model.scores(torch.arange(500)).tolist()
    seen, wanted = rows(500, dataset.splits["train"], dataset.splits["valid"]), rows(500, dataset.splits["test"])
    assert sum(not own for own in wanted) >= 500 // 3
    for name in task.metrics:
        assert results[name] == pytest.approx(loop_metric(name, scores, seen, wanted), abs=1e-9)
    assert results != all_of_them
    assert set(task.predictions(model)["test_users"].tolist()) == set(dataset.splits["test"][0].tolist())


def test_users_and_items_unseen_in_training_are_told():
    dataset = load("planted-interactions", task="recommend", seed=0)
    assert make(dataset).notes == make(dataset, protocol="lightgcn").notes == ()
    train = dataset.splits["train"]
    dataset.splits["train"] = train[:, (train[0] > 1) & (train[1] != 7)]
    assert make(dataset).notes == ("Without any training interaction: 2 of 500 users and 1 of 500 items.",)
    valid = dataset.splits["valid"]
    dataset.splits["valid"] = valid[:, (valid[0] != 1) & (valid[1] != 7)]
    assert 0 in valid[0]  # which task.protocol=lightgcn trains on, too
    assert make(dataset, protocol="lightgcn").notes == ("Without any training interaction: 1 of 500 users and 1 of 500 items.",)


@pytest.mark.parametrize("sampler", ["user-uniform", "interaction-uniform"])
def test_batches_are_triples_of_training_interactions(dataset, sampler):
    task = make(dataset, train=Train(batch_size=1000), sampler=sampler, num_negatives=3)
    taken = rows(500, dataset.splits["train"])
    batches = list(task.batches(torch.Generator().manual_seed(0)))
    total = dataset.splits["train"].size(1)
    assert len(batches) == task.num_batches == math.ceil(total / 1000)
    assert sum(len(batch.users) for batch in batches) == total and batches[0].negatives.shape == (1000, 3)
    seen = set()
    for batch in batches:
        for user, positive, negatives in zip(*(part.tolist() for part in batch), strict=True):
            assert positive in taken[user] and not taken[user] & set(negatives)
            seen.add((user, positive))
    assert (len(seen) == total) == (sampler == "interaction-uniform")
    again = next(task.batches(torch.Generator().manual_seed(0)))
    assert all(a.equal(b) for a, b in zip(again, batches[0], strict=True))


def test_a_step_is_the_models_loss_and_its_gradient(dataset):
    task = make(dataset)
    model = task.build_model()
    (batch,) = task.batches(torch.Generator().manual_seed(0))
    loss = task.step(model, batch, lambda value: value.backward())
    user, item = (part.detach().double().requires_grad_() for part in (model.user, model.item))
    total = torch.zeros((), dtype=torch.float64)
    for k in range(len(batch.users)):
        u, i, j = batch.users[k], batch.positives[k], batch.negatives[k, 0]
        total = total + torch.log1p(torch.exp(user[u] @ item[j] - user[u] @ item[i])) / len(batch.users)
    total.backward()
    assert not loss.requires_grad and loss.item() == pytest.approx(total.item(), rel=1e-5)
    assert torch.allclose(model.user.grad.double(), user.grad, atol=1e-7)
    assert torch.allclose(model.item.grad.double(), item.grad, atol=1e-7)


def test_training_finds_the_communities(dataset):
    """The known answer: all but the strays, a twentieth, are among the first 20; popularity finds few."""
    task = make(dataset, FactorsSettings(hidden_channels=32), Train(batch_size=512, lr=0.02))
    torch.manual_seed(0)
    model, source = task.build_model(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(task.stages(model)[0].groups)
    for _ in range(25):
        for batch in task.batches(source):
            optimizer.zero_grad()
            task.step(model, batch, lambda value: value.backward())
            optimizer.step()
    popular = make(dataset, PopularSettings())
    assert task.evaluate(model).metrics["test"]["recall@20"] > 75
    assert popular.evaluate(popular.build_model()).metrics["test"]["recall@20"] < 15


def test_models_that_are_not_trained(dataset):
    task = make(dataset, PopularSettings())
    model = task.build_model()
    assert task.stages(model) == [] and task.num_batches == 0
    assert list(task.batches(torch.Generator())) == []
    assert task.stages(make(dataset).build_model()) == []


def test_predictions_are_the_best_items(dataset):
    task = make(dataset, metric="hit@30")
    model = task.build_model()
    arrays = task.predictions(model)
    scores, seen = model.scores(torch.arange(500)), rows(500, dataset.splits["train"], dataset.splits["valid"])
    assert arrays["test_items"].shape == (len(arrays["test_users"]), 30)
    assert set(arrays["test_users"].tolist()) == set(dataset.splits["test"][0].tolist())
    assert set(arrays["valid_users"].tolist()) == set(dataset.splits["valid"][0].tolist())
    for user, items, values in list(zip(*(arrays[f"test_{x}"] for x in ("users", "items", "scores")), strict=True))[::50]:
        expected = sorted(set(range(500)) - seen[user], key=lambda item: (-scores[user, item].item(), item))[:30]
        assert items.tolist() == expected and values.tolist() == scores[user, items].tolist()


def test_refusals(dataset):
    with pytest.raises(RequestError, match="unknown metric 'mrr' for task=recommend"):
        make(dataset, metric="mrr")
    full = load("planted-interactions", task="recommend", seed=0)
    everything = torch.stack([torch.zeros(500, dtype=torch.long), torch.arange(500)])
    full.splits["train"] = torch.unique(torch.cat([full.splits["train"], everything], dim=1), dim=1)
    with pytest.raises(RequestError, match="cannot be trained on: user 0 has interacted with all 500 items"):
        make(full)
    assert make(full, PopularSettings()).num_batches == 0


@pytest.mark.slow
@pytest.mark.data("LightGCN")
def test_popularity_on_gowalla_lands_where_the_literature_does(data_root):
    """The published .0416 and .0317, of all training interactions."""
    task = make(load("gowalla", task="recommend", root=data_root), PopularSettings(), protocol="lightgcn")
    results = task.evaluate(task.build_model(), ("test",)).metrics["test"]
    assert round(results["recall@20"], 2) == 4.16 and round(results["ndcg@20"], 2) == 3.17
