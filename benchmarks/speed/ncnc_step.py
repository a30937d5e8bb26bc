"""A training step of NCNC at the published settings of ogbl-ddi, against the paper's way: every inner pair where it occurs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from benchmarks.speed import graphs
from benchmarks.speed.harness import Case, Contest, Options, Side, Work, seconds_of
from benchmarks.speed.ncn_peer import adjacency
from benchmarks.speed.ncn_step import backward, step_side
from benchmarks.speed.ncnc_peer import PeerNCNC
from graphkit.conf.arguments import flatten
from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.conf.schema import Run
from graphkit.data.catalog import DATASETS
from graphkit.data.dataset import LinkData
from graphkit.data.splits.negatives import pair_keys
from graphkit.models.link.ncnc import NCNC
from graphkit.sparse import NeighborSets
from graphkit.tasks.build import model_maker
from graphkit.tasks.link import LinkPrediction, PairBatch

PEER = "paper's way in torch, fp32"
_TOLERANCE = 5e-3  # of gradients, sums of terms that mostly cancel
_WHOLE = 128  # positives of the step that both sides compute in full
_SPLIT = 262_144  # inner pairs that the authors score at a time on ogbl-ddi


def contests(options: Options) -> Iterator[Contest]:
    """A step of few pairs, measured in full on both sides and compared; and the published batch, the peer from a part of it."""
    dataset = graphs.ddi(options)
    quick = {"model.hidden_channels": 32, "train.batch_size": 256} if options.quick else {}
    request = {"task": "link", "dataset": "ogbl-ddi", "model": "ncnc", "model.warm_up": 0, **quick}
    run = compose(check(flatten(request), DATASETS)).run
    torch.manual_seed(0)
    task = LinkPrediction(dataset, run.task, model_maker("link", run.model), run.train, torch.device("cpu"))
    model = task.build_model()
    assert isinstance(model, NCNC)
    peer = PeerNCNC(int(dataset.graph.num_nodes), run.model)
    with torch.no_grad():
        for ours, other in zip(model.parameters(), peer.parameters(), strict=True):
            other.copy_(ours)
    batch = next(task.batches(torch.Generator().manual_seed(0)))
    few = 16 if options.quick else _WHOLE
    part = PairBatch(batch.positive[:, :few], batch.entries[:few], batch.negative[:, :few])
    yield Contest([_whole(dataset, task, run, model, peer, part)], seconds=20.0)
    yield Contest([_published(dataset, task, run, model, peer, batch)], seconds=1.0)


def _whole(dataset: LinkData, task: LinkPrediction, run: Run, model: nn.Module, peer: PeerNCNC, batch: PairBatch) -> Case:
    label = f"{dataset.name}, a step of {batch.positive.size(1):,} + {batch.negative.size(1):,} pairs, fp32"
    return Case(label, _ours(task, model, batch), _theirs(dataset, run, peer, batch), _work(task, run, batch), _TOLERANCE)


def _published(dataset: LinkData, task: LinkPrediction, run: Run, model: nn.Module, peer: PeerNCNC, batch: PairBatch) -> Case:
    """The peer's time is that of its inner scores alone, from one split of them."""
    edges, num_nodes = dataset.splits["train"].positive, int(dataset.graph.num_nodes)
    total = _occurrences(task, batch)
    with torch.no_grad():
        adj, rows = adjacency(edges[:, ~_removed(edges, batch, num_nodes)], num_nodes)
        x = peer.transformed(peer.encode(adj))
    keys = rows.left(batch.positive[:, :2048])
    inner = torch.stack([batch.positive[1, :2048][keys >> 32], keys & 0xFFFFFFFF])[:, :_SPLIT]

    @torch.no_grad()
    def part() -> Tensor:
        return peer.score_at(x, rows, inner, depth=0)

    other = Side(PEER, part, results=dict, seconds=lambda: seconds_of(part) * total / inner.size(1))
    ours = _ours(task, model, batch)
    ours = Side(ours.name, ours.call, results=dict)  # equality is shown by the smaller step
    label = (
        f"{dataset.name}, a step of {batch.positive.size(1):,} + {batch.negative.size(1):,} pairs, fp32; the peer's {total:,} "
        f"inner pairs EXTRAPOLATED from {inner.size(1):,}, and nothing else of its step counted"
    )
    return Case(label, ours, other, _work(task, run, batch), _TOLERANCE, checked="by the smaller step")


def _ours(task: LinkPrediction, model: nn.Module, batch: PairBatch) -> Side:
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    return step_side("graphkit, fp32", model, adam, lambda: task.step(model, batch, backward))


def _theirs(dataset: LinkData, run: Run, peer: PeerNCNC, batch: PairBatch) -> Side:
    edges = dataset.splits["train"].positive
    removed = _removed(edges, batch, int(dataset.graph.num_nodes))

    def loss() -> Tensor:
        found = peer.loss(edges, removed, batch.positive, batch.negative)
        found.backward()
        return found.detach()

    return step_side(PEER, peer, torch.optim.Adam(peer.parameters(), lr=run.train.lr), loss)


def _removed(edges: Tensor, batch: PairBatch, num_nodes: int) -> Tensor:
    return torch.isin(pair_keys(edges, num_nodes), pair_keys(batch.positive, num_nodes))


def _sets(task: LinkPrediction, batch: PairBatch) -> tuple[NeighborSets, Tensor]:
    adj = task._adj.without(batch.entries, mirror=True)
    return NeighborSets.of(adj), torch.cat([batch.positive, batch.negative], dim=1)


def _occurrences(task: LinkPrediction, batch: PairBatch) -> int:
    """Inner pairs, each as often as a pair of the batch lacks it."""
    sets, pairs = _sets(task, batch)
    return int(sets.count(pairs, "left").sum() + sets.count(pairs, "right").sum())


def _work(task: LinkPrediction, run: Run, batch: PairBatch) -> Work:
    """Five maps for each distinct inner pair, of which no more than all pairs of nodes exist."""
    num_nodes, width = task._adj.shape[0], run.model.hidden_channels
    distinct = min(_occurrences(task, batch), num_nodes * (num_nodes - 1) // 2)
    why = f"five maps of width {width} for at most {distinct:,} distinct inner pairs, at the GEMM rate"
    return Work(why, flops=5.0 * 2.0 * distinct * width * width)
