"""Evaluation of LightGCN on Gowalla, all items ranked for all users, against the reference code's way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.speed import interactions
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work, seconds_of
from benchmarks.speed.lightgcn import Training
from benchmarks.speed.lightgcn_peer import SparsePeer
from benchmarks.speed.ranking_peer import evaluate
from benchmarks.speed.sampling import items_by_user
from graphkit.data.splits.edges import both_directions
from graphkit.tasks.build import model_maker
from graphkit.tasks.recommend import Recommendation

PEER = "batches of 100, Python masks and metrics"
_SHARE = 10  # the peer ranks for every tenth user
_K = 20


def contests(options: Options) -> Iterator[Contest]:
    """Propagation, scores, masks, the best 20 and three metrics, of all users with test items."""
    dataset = interactions.gowalla(options)
    training = Training(dataset, **({"model__hidden_channels": 16} if options.quick else {}))
    pairs, test = interactions.training_pairs(dataset), dataset.splits["test"]
    assert isinstance(test, Tensor)
    users = test[0].unique()
    some = users[::_SHARE]
    fewer = replace(dataset, splits={**dataset.splits, "test": test[:, torch.isin(test[0], some)]})
    run = training.run
    task = Recommendation(fewer, run.task, model_maker("recommend", run.model), run.train, torch.device("cpu"))
    seen, relevant = ({user: own.tolist() for user, own in items_by_user(part).items()} for part in (pairs, test))
    names = [f"{kind}@{_K}" for kind in ("recall", "ndcg", "precision")]
    model = training.model.eval()
    model.embedding.data[:, 0] = 0.3  # propagated, it grows with popularity: untrained embeddings alone find hardly anything
    peer = _peer(training, pairs)
    ranked = some.tolist()

    def ours() -> Results:
        found = task.evaluate(model, ("test",)).metrics["test"]
        return {name: torch.tensor([found[name]], dtype=torch.float64) for name in names}

    def rank_some() -> dict[str, float]:
        return evaluate(peer, ranked, seen, relevant, _K)

    def other() -> Results:
        return {name: torch.tensor([value], dtype=torch.float64) for name, value in rank_some().items()}

    channels, num_items = run.model.hidden_channels, int(dataset.graph.num_items)
    work = Work(
        f"inner products of {len(users):,} users and {num_items:,} items, at the GEMM rate",
        flops=2.0 * channels * len(users) * num_items,
    )
    label = (
        f"{dataset.name}, all {num_items:,} items for {len(users):,} users: ours whole, the peer's EXTRAPOLATED from "
        f"{len(some):,} users"
    )
    sides = (
        Side("graphkit", lambda: training.task.evaluate(model, ("test",)), ours),
        Side(PEER, rank_some, other, seconds=lambda: seconds_of(rank_some) * len(users) / len(some)),
    )
    checked = f"{', '.join(names)} of the {len(some):,} users that both rank; the peer's sigmoid makes some scores tie"
    yield Contest([Case(label, *sides, work, tolerance=1e-3, checked=checked)], seconds=20.0)


def _peer(training: Training, pairs: Tensor) -> SparsePeer:
    model, settings = training.model, training.run.model
    num_nodes = model.num_users + model.num_items
    edge_index = both_directions(torch.stack([pairs[0], pairs[1] + model.num_users]), num_nodes)
    peer = SparsePeer(
        edge_index, model.num_users, num_nodes, settings.hidden_channels, settings.num_layers, settings.embedding_penalty
    )
    peer.load(model.embedding.detach())
    return peer
