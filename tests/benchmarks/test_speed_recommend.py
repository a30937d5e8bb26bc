"""The recommendation benchmarks: their peers against oracles, their data, their checks and their plans. No timing."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from benchmarks.speed import interactions, recommend_scale
from benchmarks.speed.__main__ import main
from benchmarks.speed.harness import Options, largest_difference
from benchmarks.speed.lightgcn import Training
from benchmarks.speed.lightgcn_peer import PyGPeer, SparsePeer
from benchmarks.speed.ranking_peer import evaluate
from benchmarks.speed.sampling import facts, items_by_user, python_loop
from benchmarks.speed.scale_check import Oracle
from graphkit.data.splits.edges import both_directions
from graphkit.sparse import Triples

USERS, ITEMS, LAYERS, WEIGHT = 12, 9, 3, 0.3


@pytest.fixture
def pairs():
    """Every user and every item has an interaction."""
    drawn = interactions.power_law(USERS, ITEMS, 40, torch.Generator().manual_seed(0))
    ring = torch.stack([torch.arange(USERS), torch.arange(USERS) % ITEMS])
    return torch.cat([drawn, ring], dim=1).unique(dim=1)


@pytest.fixture
def batch():
    """Users, positives and negatives with repeats."""
    source = torch.Generator().manual_seed(1)
    users, positives, negatives = (torch.randint(size, (30,), generator=source) for size in (USERS, ITEMS, ITEMS))
    return Triples(users, positives, negatives.view(-1, 1))


def dense(pairs, table, batch):
    """Loss and gradient by a dense matrix and autograd in float64."""
    adjacency = torch.zeros(USERS + ITEMS, USERS + ITEMS, dtype=torch.float64)
    adjacency[pairs[0], USERS + pairs[1]] = adjacency[USERS + pairs[1], pairs[0]] = 1.0
    scale = adjacency.sum(1).rsqrt().diag()
    operator = scale @ adjacency @ scale
    ego = table.double().requires_grad_()
    final = sum(torch.linalg.matrix_power(operator, k) @ ego for k in range(LAYERS + 1)) / (LAYERS + 1)
    users, positives, negatives = batch.users, USERS + batch.positives, USERS + batch.negatives.flatten()
    scores = [(final[users] * final[items]).sum(1) for items in (positives, negatives)]
    norms = sum(ego[ids].square().sum() for ids in (users, positives, negatives))
    loss = functional.softplus(scores[1] - scores[0]).mean() + WEIGHT * norms / 2 / len(users)
    loss.backward()
    return {"loss": loss.detach()[None], "gradient": ego.grad}


# ------------------------------------------------------------------------------------------------- peers and oracles


@pytest.mark.parametrize("kind", [PyGPeer, SparsePeer])
def test_peers_compute_the_definition_and_learn(kind, pairs, batch):
    table = torch.randn(USERS + ITEMS, 4, generator=torch.Generator().manual_seed(2))
    edges = both_directions(torch.stack([pairs[0], USERS + pairs[1]]), USERS + ITEMS)
    peer = kind(edges, USERS, USERS + ITEMS, 4, LAYERS, WEIGHT)
    peer.load(table)
    assert largest_difference(peer.loss_and_gradient(batch), dense(pairs, table, batch)) < 1e-5
    losses = [float(peer.step(batch)) for _ in range(5)]
    assert losses == sorted(losses, reverse=True) and losses[0] > losses[-1]
    peer.load(table)
    assert float(peer.step(batch)) == losses[0]


def test_the_float64_check_computes_the_definition(pairs, batch):
    table = torch.randn(USERS + ITEMS, 3, generator=torch.Generator().manual_seed(2))
    found = Oracle(pairs, USERS, ITEMS, LAYERS, WEIGHT).loss_and_gradient(table, batch)
    assert largest_difference(found, dense(pairs, table, batch)) < 1e-12
    with_strangers = Oracle(pairs, USERS + 1, ITEMS, LAYERS, WEIGHT).loss_and_gradient(
        torch.cat([table[:USERS], torch.ones(1, 3), table[USERS:]]), batch
    )
    assert bool(with_strangers["gradient"].isfinite().all())  # a user without interactions divides by no zero


def test_loop_evaluation_by_hand(pairs):
    edges = both_directions(torch.tensor([[0, 1], [2, 3]]), 6)
    model = SparsePeer(edges, 2, 6, 1, 1, 0.0)
    model.embeddings = lambda: (torch.tensor([[1.0], [-1.0]]), torch.tensor([[4.0], [3.0], [2.0], [1.0]]))
    found = evaluate(model, [0, 1], {0: [0], 1: [3]}, {0: [2], 1: [0, 2]}, k=2)
    # User 0 gets items 1 and 2: a hit at rank 2 of one. User 1 gets items 2 and 1: a hit at rank 1 of two.
    ndcg = (1 / math.log2(3) + 1 / (1 + 1 / math.log2(3))) / 2
    assert found == pytest.approx({"recall@2": 75.0, "precision@2": 50.0, "ndcg@2": 100 * ndcg})


# -------------------------------------------------------------------------------------------------------- the samples


def loop_triples(pairs, count):
    made = python_loop(items_by_user(pairs), ITEMS, count, np.random.RandomState(0))
    return [column.clone() for column in torch.from_numpy(made).unbind(1)]


def test_the_loop_passes_its_checks(pairs):
    found = facts(*loop_triples(pairs, 3_000), pairs, ITEMS)
    assert found["triples"].item() == 3_000
    assert found["wrong"].tolist() == [0, 0] and found["as expected"].tolist() == [True] * 3


def test_checks_see_wrong_triples(pairs):
    users, positives, negatives = loop_triples(pairs, 3_000)
    swapped = facts(users, negatives, positives, pairs, ITEMS)
    assert swapped["wrong"].tolist() == [3_000, 3_000]
    few = users < USERS // 2
    skewed = facts(users[few], positives[few], negatives[few], pairs, ITEMS)
    assert skewed["wrong"].tolist() == [0, 0] and not skewed["as expected"].any()
    first = {user: own[0] for user, own in items_by_user(pairs).items()}
    lazy = facts(users, torch.tensor([first[user] for user in users.tolist()]), negatives, pairs, ITEMS)
    assert lazy["wrong"].tolist() == [0, 0] and lazy["as expected"].tolist() == [True, False, True]
    taken = {user: set(own.tolist()) for user, own in items_by_user(pairs).items()}
    lowest = torch.tensor([min(set(range(ITEMS)) - taken[user]) for user in users.tolist()])
    assert facts(users, positives, lowest, pairs, ITEMS)["as expected"].tolist() == [True, True, False]


# ----------------------------------------------------------------------------------------------------------- the data


def test_drawn_interactions_are_distinct_sorted_skewed_and_repeat():
    first, again = (interactions.power_law(300, 400, 5_000, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again) and first.shape == (2, 5_000)
    keys = first[0] * 400 + first[1]
    assert bool((keys[1:] > keys[:-1]).all())
    assert int(first.min()) >= 0 and int(first[0].max()) < 300 and int(first[1].max()) < 400
    degree = first[1].bincount(minlength=400).double()
    assert degree.max() > 3 * degree.mean()
    assert interactions.power_law(4, 5, 20, torch.Generator().manual_seed(0)).unique(dim=1).size(1) == 20  # all there are


def test_gowalla_is_replaced_by_its_size_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(interactions, "_SPLITS", (900, 100, 200))
    notes = []
    dataset = interactions.gowalla(Options(tmp_path, quick=False, note=notes.append))
    assert dataset.name == "gowalla-sized" and "synthetic" in notes[0]
    assert (dataset.data.num_users, dataset.data.num_items) == (29_858, 40_981)
    assert interactions.training_pairs(dataset).shape == (2, 1_000)
    assert torch.cat(list(dataset.splits.values()), dim=1).unique(dim=1).size(1) == 1_200


@pytest.mark.data("LightGCN")
def test_the_real_gowalla_is_taken_where_it_lies(data_root):
    dataset = interactions.gowalla(Options(data_root, quick=False, note=pytest.fail))
    assert dataset.name == "gowalla" and interactions.training_pairs(dataset).size(1) == 810_128


# ---------------------------------------------------------------------------------------------------------- the sizes


def test_training_is_that_of_a_run_at_published_settings():
    training = Training(interactions.gowalla(Options(None, quick=True, note=pytest.fail)))
    model, train = training.run.model, training.run.train
    assert (model.num_layers, model.hidden_channels, train.batch_size, train.lr) == (3, 64, 2_048, 1e-3)
    assert training.trainer.optimizer.defaults["fused"]
    assert training.task.num_batches == 2  # of all 3,000 interactions, validation's among them


def test_sizes_and_batches():
    assert recommend_scale.sizes_up_to(10**7) == (10**5, 10**6, 10**7)
    assert recommend_scale.sizes_up_to(3 * 10**6) == (10**5, 10**6, 3 * 10**6)
    assert recommend_scale.sizes_up_to(5_000) == (5_000,)
    predicted = [recommend_scale.predicted_mb(size) for size in recommend_scale.SIZES]
    assert predicted == sorted(predicted)
    assert recommend_scale._batch_and_steps(810_128) == (2_048, 396)
    assert recommend_scale._batch_and_steps(10**8) == (252_526, 396)


def test_what_does_not_fit_is_left_out_with_a_sentence(monkeypatch):
    monkeypatch.setattr(recommend_scale, "SIZES", (1_000, 4_000, 10**10))
    monkeypatch.setattr(recommend_scale, "available_memory", lambda: 2_000.0)
    notes = []
    options = Options(None, quick=False, note=notes.append, largest=10**10)
    first, last = recommend_scale.contests(options)
    assert first.remark is None and "4,000 interactions" in last.cases[0].label
    (note,) = notes
    assert note.startswith("10,000,000,000 interactions are left out: with 9,000,000 users and items") and "2,000 MB" in note
    plan = last.remark({last.cases[0].ours: 1_000.0})
    steps = 396 / 2 * 10**10 / 4_000  # as many times the work of two steps on 4,000 interactions, which took a second
    assert "10,000,000,000 interactions" in plan and f"about {steps:,.0f} s" in plan
    monkeypatch.setattr(recommend_scale, "available_memory", lambda: 1.0)
    assert list(recommend_scale.contests(options)) == [] and len(notes) == 4


@pytest.mark.parametrize("count", ["many", "12", "-1e8", "inf"])
def test_wrong_sizes_are_refused(count, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([f"--largest={count}"])
    assert stopped.value.code == 2
    assert "give 1000 or more" in capsys.readouterr().err
