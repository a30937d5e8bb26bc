"""A training step of LightGCN on Gowalla, and an epoch with its sampling, against PyG and torch's COO products."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.speed import interactions
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work, seconds_of
from benchmarks.speed.lightgcn import Training, work_of_steps
from benchmarks.speed.lightgcn_peer import Peer, PyGPeer, SparsePeer
from benchmarks.speed.sampling import items_by_user, python_loop
from graphkit.data.dataset import InteractionData
from graphkit.data.splits.edges import both_directions

PYG, COO = "PyG LightGCN, edge_index", "torch.sparse COO, autograd"
_CHECKED, _PEER_STEPS = 3, 5


def contests(options: Options) -> Iterator[Contest]:
    """A step against both peers, then an epoch against the faster one."""
    dataset = interactions.gowalla(options)
    quick = {"train__batch_size": 256, "model__hidden_channels": 16} if options.quick else {}
    training = Training(dataset, **quick)
    pairs = interactions.training_pairs(dataset)
    num_users, num_nodes = int(dataset.graph.num_users), int(dataset.graph.num_nodes)
    edge_index = both_directions(torch.stack([pairs[0], pairs[1] + num_users]), num_nodes)
    model = training.run.model
    shape = edge_index, num_users, num_nodes, model.hidden_channels, model.num_layers, model.embedding_penalty
    coo = SparsePeer(*shape)
    yield _step(dataset, training, {PYG: PyGPeer(*shape), COO: coo})
    yield _epoch(dataset, Training(dataset, **quick), coo)


def _step(dataset: InteractionData, training: Training, peers: dict[str, Peer]) -> Contest:
    (batch,) = training.first_batches(1)
    for peer in peers.values():
        peer.load(training.model.embedding.detach())
    settings = training.run.model
    label = (
        f"{dataset.name}, a step of {len(batch.users):,} triples, {settings.num_layers} layers, {settings.hidden_channels} "
        "channels, forward + backward + Adam"
    )
    checked = "the loss of a batch and the gradient of all embeddings, from the same weights"

    def side(name: str, one: Training | Peer) -> Side:
        return Side(name, lambda: one.step(batch), lambda: one.loss_and_gradient(batch))

    ours = side("graphkit", training)
    cases = [Case(label, ours, side(name, peer), _work(training), checked=checked) for name, peer in peers.items()]
    return Contest(cases, seconds=20.0)


def _epoch(dataset: InteractionData, training: Training, peer: Peer) -> Contest:
    """Our epoch is that of the training loop, and whole; the peer's steps are all alike, so that some of them tell."""
    batches = training.first_batches(_PEER_STEPS)
    peer.load(training.model.embedding.detach())
    steps = training.task.num_batches
    users, num_items = items_by_user(interactions.training_pairs(dataset)), int(dataset.graph.num_items)
    count, random = len(interactions.training_pairs(dataset)[0]), np.random.RandomState(0)

    def sample() -> None:
        python_loop(users, num_items, count, random)

    def some_steps() -> None:
        for batch in batches:
            peer.step(batch)

    def losses(one: Training | Peer) -> Results:
        return {"losses": torch.stack([one.step(batch).double() for batch in batches[:_CHECKED]])}

    label = (
        f"{dataset.name}, an epoch of {steps} steps with sampling: ours whole, the peer's EXTRAPOLATED from {len(batches)} "
        "steps and a whole sampling"
    )
    other = Side(
        f"{COO}, Python sampling",
        call=lambda: (sample(), some_steps()),
        results=lambda: losses(peer),
        seconds=lambda: seconds_of(sample) + seconds_of(some_steps) * steps / len(batches),
    )
    ours = Side("graphkit, the training loop", training.trainer.advance, lambda: losses(training))
    checked = f"the losses of {min(_CHECKED, len(batches))} steps on the same triples, from the same weights"
    return Contest([Case(label, ours, other, _work(training, steps), tolerance=1e-4, checked=checked)], seconds=20.0)


def _work(training: Training, steps: int = 1) -> Work:
    return work_of_steps(training.model.a_hat.nnz, training.model.embedding.nbytes, steps)
