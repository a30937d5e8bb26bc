"""An epoch of tuned GAE at the published settings of ogbl-ddi, against Refined-GAE's formulation in plain torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.speed import graphs
from benchmarks.speed.harness import Case, Contest, Options, Side, Work, seconds_of
from benchmarks.speed.ncn_step import backward, step_side
from graphkit.conf.arguments import flatten
from graphkit.conf.compose import compose
from graphkit.conf.models.link import TunedGAEModel
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS
from graphkit.data.splits.negatives import pair_keys
from graphkit.tasks.build import model_maker
from graphkit.tasks.link import LinkPrediction
from graphkit.training.runtime import resolve_precision

PEER = "Refined-GAE's way in torch, fp32"
_TOLERANCE, _BF16_TOLERANCE, _BF16_QUICK_TOLERANCE = 5e-3, 0.15, 0.5  # of gradients, whose terms mostly cancel


class _Conv(nn.Module):
    """The bias and the map of a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.empty(channels))
        self.lin = nn.Linear(channels, channels, bias=False)


class PeerGAE(nn.Module):
    """Two convolutions with a residual to the table, and a head of `head_layers` maps that each see the product again.

    Its parameters come in the order and shapes of `graphkit.models.link.gae_tuned.TunedGAE` at the same settings.

    Args:
        num_nodes: Number of nodes N.
        settings: Of the model; two steps, `shared`, a head without normalization.
    """

    def __init__(self, num_nodes: int, settings: TunedGAEModel) -> None:
        super().__init__()
        d = settings.hidden_channels
        self.num_nodes, self.settings = num_nodes, settings
        self.table = nn.Parameter(torch.empty(num_nodes, d))
        self.convs = nn.ModuleList(_Conv(d) for _ in range(2))
        self.lins = nn.ModuleList(nn.Linear(d, d) for _ in range(settings.head_layers - 1))
        self.out = nn.Linear(d, 1)

    def loss(self, edges: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Loss of a batch on the graph of these edges [2, E], each once: mean softplus of both kinds of pairs."""
        loops = torch.arange(self.num_nodes).expand(2, -1)
        both = torch.cat([edges, edges.flip(0), loops], dim=1)
        scale = torch.bincount(both[1], minlength=self.num_nodes).float().rsqrt()
        shape = self.num_nodes, self.num_nodes
        values = scale[both[0]] * scale[both[1]]
        adj = torch.sparse_coo_tensor(both, values, shape, check_invariants=False).coalesce().to_sparse_csr()
        r = self.settings.residual
        h = self.table
        for conv in self.convs:
            h = torch.sparse.mm(adj, conv.lin(h), "sum") + conv.bias + r * self.table
        return F.softplus(-self._score(h, positive)).mean() + F.softplus(self._score(h, negative)).mean()

    def _score(self, h: Tensor, pairs: Tensor) -> Tensor:
        z = product = h[pairs[0]] * h[pairs[1]]
        for lin in self.lins:
            z = F.dropout(F.relu(lin(z) + product), self.settings.head_dropout, self.training)
        return self.out(z).squeeze(1)


def contests(options: Options) -> Iterator[Contest]:
    """An epoch in fp32 and in bf16-mixed, from one step each."""
    dataset = graphs.ddi(options)
    quick = {"model.hidden_channels": 32, "train.batch_size": 256} if options.quick else {}
    request = {"task": "link", "dataset": "ogbl-ddi", "model": "gae-tuned", **quick}
    run = compose(check(flatten(request), DATASETS)).run
    torch.manual_seed(0)
    task = LinkPrediction(dataset, run.task, model_maker("link", run.model), run.train, torch.device("cpu"))
    model, num_nodes = task.build_model(), int(dataset.graph.num_nodes)
    peer = PeerGAE(num_nodes, run.model)
    with torch.no_grad():
        for ours, other in zip(model.parameters(), peer.parameters(), strict=True):
            other.copy_(ours)
    batch = next(task.batches(torch.Generator().manual_seed(0)))
    edges = dataset.splits["train"].positive
    kept = edges[:, ~torch.isin(pair_keys(edges, num_nodes), pair_keys(batch.positive, num_nodes))]
    native = resolve_precision("bf16-mixed", torch.device("cpu"))[0] == "bf16-mixed"

    def ours_in(mixed: bool) -> Side:
        net = copy.deepcopy(model)

        def loss() -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed and native):
                return task.step(net, batch, backward)

        name = "graphkit, fp32" if not mixed else "graphkit, bf16-mixed" if native else "graphkit, bf16-mixed in fp32"
        return _epoch(step_side(name, net, torch.optim.Adam(net.parameters(), lr=1e-3, fused=True), loss), task.num_batches)

    def peer_loss() -> Tensor:
        found = peer.loss(kept, batch.positive, batch.negative)
        found.backward()
        return found.detach()

    other = _epoch(step_side(PEER, peer, torch.optim.Adam(peer.parameters(), lr=1e-3), peer_loss), task.num_batches)
    pairs, width = batch.positive.size(1) + batch.negative.size(1), run.model.hidden_channels
    maps = (run.model.head_layers - 1) * pairs + 2 * num_nodes
    flops = 3.0 * task.num_batches * 2.0 * maps * width * width
    why = f"three times the maps of width {width} of {pairs:,} pairs and of the nodes, in each step, at the GEMM rate"
    label = f"{dataset.name}, an epoch of {task.num_batches} steps EXTRAPOLATED from a step"
    tolerance = _BF16_QUICK_TOLERANCE if options.quick else _BF16_TOLERANCE
    cases = [
        Case(f"{label}, fp32", ours_in(mixed=False), other, Work(why, flops=flops), _TOLERANCE),
        Case(f"{label}, bf16-mixed", ours_in(mixed=True), other, Work(why, flops=flops, bf16=native), tolerance),
    ]
    yield Contest(cases, seconds=20.0)


def _epoch(step: Side, num_batches: int) -> Side:
    """A side whose time is that of an epoch, from a step of it."""
    call: Callable[[], object] | None = step.call
    assert call is not None
    return replace(step, seconds=lambda: seconds_of(call) * num_batches)
