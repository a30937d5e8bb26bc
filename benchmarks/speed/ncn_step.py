"""A training step and an evaluation of NCN at the published settings of ogbl-ddi, against the paper's way in plain torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.speed import graphs
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from benchmarks.speed.ncn_peer import PeerNCN, adjacency
from graphkit.conf.arguments import flatten
from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.conf.schema import Run
from graphkit.data.catalog import DATASETS
from graphkit.data.dataset import LinkData
from graphkit.data.splits.negatives import pair_keys
from graphkit.metrics.pairs import link_metric
from graphkit.tasks.build import model_maker
from graphkit.tasks.link import EVALUATED, LinkPrediction
from graphkit.training.runtime import resolve_precision

PEER = "paper's way in torch, fp32"
# Of gradients, sums of terms that mostly cancel: float32 keeps 3 digits, bfloat16's 8 bits one, and less over few pairs.
_TOLERANCE, _BF16_TOLERANCE, _BF16_QUICK_TOLERANCE = 5e-3, 0.15, 0.5
_PEER_BLOCK = 24_576  # pairs that the peer evaluates at a time: larger blocks only take more memory


def contests(options: Options) -> Iterator[Contest]:
    """One step in fp32 and in bf16-mixed, and one evaluation of validation and test."""
    dataset = graphs.ddi(options)
    quick = {"model.hidden_channels": 32, "train.batch_size": 256} if options.quick else {}
    request = {"task": "link", "dataset": "ogbl-ddi", "model": "ncn", **quick}
    run = compose(check(flatten(request), DATASETS)).run
    torch.manual_seed(0)
    task = LinkPrediction(dataset, run.task, model_maker("link", run.model), run.train, torch.device("cpu"))
    model = task.build_model()
    peer = PeerNCN(int(dataset.graph.num_nodes), run.model)
    with torch.no_grad():
        for ours, other in zip(model.parameters(), peer.parameters(), strict=True):
            other.copy_(ours)
    precision, note = resolve_precision("bf16-mixed", torch.device("cpu"))
    if note is not None:
        options.note(note)
    yield _steps(
        dataset,
        task,
        run,
        copy.deepcopy(model),
        copy.deepcopy(peer),
        _BF16_QUICK_TOLERANCE if options.quick else _BF16_TOLERANCE,
        precision == "bf16-mixed",
    )
    yield _evaluation(dataset, task, run, model.eval(), peer.eval())


def _steps(
    dataset: LinkData,
    task: LinkPrediction,
    run: Run,
    model: nn.Module,
    peer: PeerNCN,
    bf16_tolerance: float,
    native: bool,
) -> Contest:
    """A step in both precisions; where bf16 is not `native` its side computes in fp32, as a run would."""
    batch = next(task.batches(torch.Generator().manual_seed(0)))
    edges, num_nodes = dataset.splits["train"].positive, int(dataset.graph.num_nodes)
    removed = torch.isin(pair_keys(edges, num_nodes), pair_keys(batch.positive, num_nodes))

    def ours(mixed: bool) -> Side:
        own = copy.deepcopy(model)

        def loss() -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed and native):
                return task.step(own, batch, backward)

        adam = torch.optim.Adam(task.stages(own)[0].groups, fused=True)
        name = "graphkit, fp32" if not mixed else "graphkit, bf16-mixed" if native else "graphkit, bf16-mixed in fp32"
        return step_side(name, own, adam, loss)

    def peer_loss() -> Tensor:
        loss = peer.loss(edges, removed, batch.positive, batch.negative)
        loss.backward()
        return loss.detach()

    other = step_side(PEER, peer, torch.optim.Adam(peer.parameters(), lr=run.train.lr), peer_loss)
    pairs, width = batch.positive.size(1) + batch.negative.size(1), run.model.hidden_channels
    flops = 3.0 * _head_flops(pairs, width)
    why = f"three times the five maps of width {width} that {pairs:,} pairs need, at the GEMM rate of the precision"
    label = f"{dataset.name}, a step of {batch.positive.size(1):,} + {batch.negative.size(1):,} pairs"
    return Contest(
        [
            Case(f"{label}, fp32", ours(mixed=False), other, Work(why, flops=flops), _TOLERANCE),
            Case(f"{label}, bf16-mixed", ours(mixed=True), other, Work(why, flops=flops, bf16=native), bf16_tolerance),
        ],
        seconds=20.0,
    )


def step_side(name: str, model: nn.Module, adam: torch.optim.Adam, loss: Callable[[], Tensor]) -> Side:
    """`loss` computes and backpropagates a batch's loss. Results are taken without dropout, times with it and with Adam."""

    def results() -> Results:
        model.eval()
        model.zero_grad()
        found = {"loss": loss()[None].double()}
        found |= {f"gradient {k}": p.grad.detach().clone() for k, p in enumerate(model.parameters()) if p.grad is not None}
        model.train()
        return found

    def call() -> None:
        adam.zero_grad(set_to_none=True)
        loss()
        adam.step()

    return Side(name, call, results)


def _evaluation(dataset: LinkData, task: LinkPrediction, run: Run, model: nn.Module, peer: PeerNCN) -> Contest:
    def ours() -> None:
        task.evaluate(model, EVALUATED)

    def our_scores() -> Results:
        arrays = task.predictions(model)
        return {name: torch.from_numpy(array) for name, array in arrays.items() if name.endswith("_scores")}

    @torch.no_grad()
    def other() -> Results:
        adj, rows = adjacency(dataset.splits["train"].positive, peer.num_nodes)
        h = peer.encode(adj)
        scores = {}
        for split in EVALUATED:
            for kind in ("positive", "negative"):
                blocks = getattr(dataset.splits[split], kind).split(_PEER_BLOCK, dim=1)
                scores[f"{split}_{kind}_scores"] = torch.cat([peer.score(h, rows, block) for block in blocks])
            for metric in task.metrics:
                link_metric(metric, scores[f"{split}_positive_scores"], scores[f"{split}_negative_scores"])
        return scores

    parts = [dataset.splits[split] for split in EVALUATED]
    pairs = sum(part.positive.size(1) + part.negative.size(1) for part in parts)
    width = run.model.hidden_channels
    work = Work(f"the five maps of width {width} that {pairs:,} pairs need, at the GEMM rate", flops=_head_flops(pairs, width))
    label = f"{dataset.name}, evaluation of validation and test, {pairs:,} pairs"
    case = Case(label, Side("graphkit, fp32", ours, our_scores), Side(PEER, other), work, tolerance=1e-3)
    return Contest([case], seconds=20.0)


def backward(loss: Tensor) -> None:
    """Compute gradients."""
    with torch.autocast("cpu", enabled=False):  # as the training loop does: autocast is for the forward pass
        loss.backward()


def _head_flops(pairs: int, width: int) -> float:
    """Of a forward pass: a sum commutes with the map before it, and two maps in a row are one, so that five remain."""
    return 5.0 * 2.0 * pairs * width * width
