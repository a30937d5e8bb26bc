"""A training epoch of GIN on NCI1, and its batches alone, against PyG's `GINConv` and `DataLoader`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GINConv, global_add_pool

from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from benchmarks.speed.subgraphs import molecules
from graphkit.data import load
from graphkit.models.graph.message_passing import GIN
from graphkit.sparse import GraphBatch

BATCH = 128
CHANNELS, LAYERS = 32, 4  # as the authors of GIN have them, whose fifth layer is the input


class Peer(nn.Module):
    """The same network in PyG, with the weights of ours."""

    def __init__(self, ours: GIN, in_channels: int) -> None:
        super().__init__()
        widths = [in_channels] + [CHANNELS] * LAYERS
        self.layers = nn.ModuleList(
            GINConv(nn.Sequential(nn.Linear(a, b, bias=False), nn.BatchNorm1d(b), nn.ReLU(), nn.Linear(b, b)))
            for a, b in zip(widths, widths[1:], strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(CHANNELS) for _ in range(LAYERS))
        self.head = nn.Linear(CHANNELS * LAYERS, 2)
        with torch.no_grad():
            for mine, other in zip(self.parameters(), ours.parameters(), strict=True):
                mine.copy_(other)

    def forward(self, batch: Batch) -> Tensor:
        """Scores of the graphs [G, 2]."""
        x, rows = batch.x, []
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(x, batch.edge_index)).relu()
            rows.append(x)
        scores: Tensor = self.head(global_add_pool(torch.cat(rows, dim=1), batch.batch, batch.num_graphs))
        return scores


def contests(options: Options) -> Iterator[Contest]:
    """Batches alone, and whole epochs."""
    whole, y, what = _graphs(options)
    data = _as_pyg(whole, y)
    order = torch.randperm(y.numel(), generator=torch.Generator().manual_seed(0))
    batches = order.split(BATCH)
    assert whole.x is not None
    torch.manual_seed(0)
    model = GIN(whole.x.size(1), 2, hidden_channels=CHANNELS, num_layers=LAYERS, head_dropout=0.0)
    peer = Peer(model, whole.x.size(1))

    def ours_taken() -> list[GraphBatch]:
        return [whole.take(graphs) for graphs in batches]

    def peer_collated() -> list[Batch]:
        return [Batch.from_data_list([data[g] for g in graphs.tolist()]) for graphs in batches]

    def ours_results() -> Results:
        last = ours_taken()[-1]
        return {"x": _given(last.x), "edges": _sorted(last.adj.edge_index(), last.num_nodes), "ptr": last.ptr}

    def peer_results() -> Results:
        last = peer_collated()[-1]
        return {"x": last.x, "edges": _sorted(last.edge_index, last.num_nodes), "ptr": last.ptr}

    bytes_written = 4.0 * whole.x.numel() + 8.0 * (whole.adj.nnz + 2 * whole.num_nodes)
    yield Contest(
        [
            Case(
                f"shuffled batches of {BATCH} graphs, {what}",
                Side("graphkit GraphBatch.take", ours_taken, ours_results),
                Side("PyG Batch.from_data_list", peer_collated, peer_results),
                Work("features, entries and boundaries written once, at the copy rate", bytes=bytes_written),
                checked="features, edges and boundaries of the last batch",
            )
        ]
    )

    def ours_losses() -> Iterator[Tensor]:
        for graphs in batches:
            yield F.cross_entropy(model(whole.take(graphs)), y[graphs])

    def peer_losses() -> Iterator[Tensor]:
        shuffled = [data[g] for g in order.tolist()]
        for batch in DataLoader(shuffled, batch_size=BATCH):
            yield F.cross_entropy(peer(batch), batch.y)

    flops = 6.0 * whole.num_nodes * CHANNELS * (whole.x.size(1) + (2 * LAYERS - 1) * CHANNELS)
    yield Contest(
        [
            Case(
                f"training epoch of GIN, {LAYERS} layers of {CHANNELS}, {what}",
                Side("graphkit GIN", _epoch(model, ours_losses), lambda: _without_steps(model, ours_losses)),
                Side("PyG GINConv, DataLoader", _epoch(peer, peer_losses), lambda: _without_steps(peer, peer_losses)),
                Work("the products of the linear maps, both ways", flops=flops),
                tolerance=2e-3,
                checked="losses of all batches and the sum of their gradients, at the starting weights",
            )
        ],
        seconds=30.0,
    )


def _epoch(model: nn.Module, losses: Callable[[], Iterator[Tensor]]) -> Callable[[], None]:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)  # as the training loop has it

    def run() -> None:
        model.train()
        for loss in losses():
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def _without_steps(model: nn.Module, losses: Callable[[], Iterator[Tensor]]) -> Results:
    """Losses and added gradients at fixed weights: steps would blow up what float32 rounds."""
    model.train()
    model.zero_grad()
    found = []
    for loss in losses():
        loss.backward()
        found.append(loss.detach())
    gradients = torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])
    model.zero_grad()
    return {"losses": torch.stack(found), "gradients": gradients}


def _graphs(options: Options) -> tuple[GraphBatch, Tensor, str]:
    """NCI1, or graphs of about its size."""
    if options.data is not None and (options.data / "TUDataset/NCI1/raw").is_dir():
        graphs = load("nci1", task="graph", root=options.data).graphs
        assert graphs.x is not None
        return GraphBatch.of(graphs.edge_index, graphs.ptr, graphs.x.float()), graphs.y, "NCI1"
    count = 300 if options.quick else 4_110
    edge_index, ptr = molecules(count)
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randint(37, (int(ptr[-1]),), generator=generator)
    y = torch.randint(2, (count,), generator=generator)
    return GraphBatch.of(edge_index, ptr, F.one_hot(kinds, 37).float()), y, f"{count:,} graphs of about NCI1's size"


def _as_pyg(whole: GraphBatch, y: Tensor) -> list[Data]:
    """The graphs one by one."""
    bounds, edges = whole.ptr.tolist(), whole.adj.edge_index()
    cuts = whole.adj.rowptr[whole.ptr].tolist()
    x = _given(whole.x)
    return [
        Data(
            x=x[bounds[g] : bounds[g + 1]].clone(),
            edge_index=edges[:, cuts[g] : cuts[g + 1]] - bounds[g],
            y=y[g : g + 1],
        )
        for g in range(whole.num_graphs)
    ]


def _given(x: Tensor | None) -> Tensor:
    assert x is not None
    return x


def _sorted(edge_index: Tensor, num_nodes: int) -> Tensor:
    return (edge_index[1] * num_nodes + edge_index[0]).sort().values
