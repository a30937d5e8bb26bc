"""Sketches of the balls of all nodes, and counts of pairs from them, against the same in torch operations."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.speed.graphs import skewed_pairs
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from graphkit.data.splits.edges import both_directions
from graphkit.sparse import CSR, BallSketches

PEER = "gathered rows in torch"
_HOPS, _HASHES, _REGISTERS = 2, 128, 256
_BLOCK = 2**14  # entries or pairs whose rows the peer gathers at a time


def contests(options: Options) -> Iterator[Contest]:
    """The sketches of a graph, then the intersections of 2-hop balls of as many pairs as it has edges."""
    nodes, edges = (500, 2_000) if options.quick else (100_000, 500_000)
    generator = torch.Generator().manual_seed(0)
    pairs = skewed_pairs(nodes, edges, generator)
    adj = CSR.from_edge_index(both_directions(pairs, nodes), nodes)
    single = BallSketches(CSR.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), nodes), 1)
    label = f"{nodes:,} nodes, {edges:,} edges"
    row_bytes = 4 * _HASHES + _REGISTERS

    def ours() -> Results:
        found = BallSketches(adj, _HOPS)
        return {"least": found.least, "longest": found.longest.int()}

    def theirs() -> Results:
        least, longest = [single.least[0]], [single.longest[0]]
        for _ in range(_HOPS):
            least.append(_spread(adj, least[-1], "amin"))
            longest.append(_spread(adj, longest[-1], "amax"))
        return {"least": torch.stack(least[1:]), "longest": torch.stack(longest[1:]).int()}

    why = f"a sketch of {row_bytes} bytes read for every entry and hop, at the copy rate"
    work = Work(why, bytes=float(_HOPS * adj.nnz * row_bytes))
    yield Contest([Case(f"sketches of {_HOPS}-hop balls, {label}", Side("graphkit", ours), Side(PEER, theirs), work)])
    kept = BallSketches(adj, _HOPS)
    why = f"{_HOPS} sketches of both ends read for every pair, at the copy rate"
    yield Contest(
        [
            Case(
                f"intersections of balls of {edges:,} pairs, {label}",
                Side("graphkit", lambda: {"sizes": kept.intersections(pairs)}),
                Side(PEER, lambda: {"sizes": _intersections(kept, pairs)}),
                Work(why, bytes=float(2 * _HOPS * edges * row_bytes)),
            )
        ]
    )


def _spread(adj: CSR, values: Tensor, reduce: str) -> Tensor:
    out = values.clone()
    for rows, cols in zip(adj.row.split(_BLOCK), adj.col.split(_BLOCK), strict=True):
        out.scatter_reduce_(0, rows.unsqueeze(1).expand(-1, values.size(1)), values[cols], reduce)
    return out


def _intersections(kept: BallSketches, pairs: Tensor) -> Tensor:
    """Jaccard similarity times size of the union; the size by Ertl's sums over the registers."""
    empty = torch.arange(_REGISTERS + 1, dtype=torch.float64) / _REGISTERS
    sigma = empty + sum(2.0 ** (k - 1) * empty ** (2**k) for k in range(1, 60))
    sigma[-1] = torch.inf
    alpha = 1.0 / (2.0 * torch.log(torch.tensor(2.0, dtype=torch.float64)))
    blocks = []
    for block in pairs.split(_BLOCK, dim=1):
        sizes = []
        for a in range(_HOPS):
            for b in range(_HOPS):
                equal = (kept.least[a][block[0]] == kept.least[b][block[1]]).double().mean(1)
                union = torch.maximum(kept.longest[a][block[0]], kept.longest[b][block[1]])
                missing = union == 0
                sums = (0.5 ** union.double()).masked_fill(missing, 0.0).sum(1)
                sizes.append(equal * alpha * _REGISTERS**2 / (sums + _REGISTERS * sigma[missing.sum(1)]))
        blocks.append(torch.stack(sizes, dim=1))
    return torch.cat(blocks).float().view(-1, _HOPS, _HOPS)
