"""NCN's scores on random graphs of more and more edges: time per pair, peak memory, and how both grow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from benchmarks.speed.graphs import skewed_pairs
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from benchmarks.speed.machine import available_memory
from graphkit.data.splits.edges import both_directions
from graphkit.models.link.ncn import NCN
from graphkit.sparse import CSR

SIZES = (10**4, 10**5, 10**6, 10**7)
PEER = "float64, neighbors by NumPy's intersect1d, to check only"
_QUICK_SIZES = (2_000, 8_000)
_DEGREE, _CHANNELS, _BLOCK = 10, 32, 65_536
_CHECKED = 256
_BASE, _PER_EDGE = 600e6, 300.0  # resident bytes at the peak: the process, and an edge with its share of the nodes


def contests(options: Options) -> Iterator[Contest]:
    """A contest for each size that fits, of a tenth as many pairs as edges."""
    sizes = _QUICK_SIZES if options.quick else tuple(size for size in SIZES if size <= options.largest)
    free = available_memory()
    before: list[tuple[int, float]] = []
    for size in sizes:
        needed = (_BASE + _PER_EDGE * size) / 2**20
        if free is not None and needed > free:
            options.note(f"{size:,} edges are left out: they need about {needed:,.0f} MB, {free:,.0f} MB are free")
            continue
        yield _contest(size, before)


def _contest(size: int, before: list[tuple[int, float]]) -> Contest:
    generator = torch.Generator().manual_seed(0)
    nodes = 2 * size // _DEGREE
    edges = both_directions(skewed_pairs(nodes, size, generator), nodes)
    x = torch.randn(nodes, _CHANNELS, generator=generator)
    count = max(size // 10, _CHECKED)
    pairs = edges[:, torch.randint(edges.size(1), (count,), generator=generator)]
    other = torch.randint(nodes, (count,), generator=generator)
    pairs = torch.stack([pairs[0], torch.where(torch.arange(count) % 2 == 0, pairs[1], other)])
    torch.manual_seed(0)
    model = NCN(_CHANNELS, nodes, hidden_channels=_CHANNELS).eval()

    @torch.no_grad()
    def scores() -> Tensor:
        adj = CSR.from_edge_index(edges, nodes)
        encoded = model.encode(x, adj)
        blocks = [model.head(*model.pair_features(encoded, adj, block)) for block in pairs.split(_BLOCK, dim=1)]
        return torch.cat(blocks)

    def right() -> Results:
        return {"scores": _by_numpy(model, edges, x, pairs[:, :_CHECKED])}

    ours = Side("graphkit", scores, lambda: {"scores": scores()[:_CHECKED]})
    label = f"{size:,} edges, {nodes:,} nodes of {_CHANNELS} features, the graph laid out, encoded, and {count:,} pairs scored"
    work = Work("edges, features and pairs read once, at the copy rate", bytes=float(edges.nbytes + x.nbytes + pairs.nbytes))

    def remark(ms: dict[Side, float]) -> str:
        told = f"{1e3 * ms[ours] / count:,.2f} us per pair on {size:,} edges"
        if before:
            smaller, then = before[-1]
            told += f"; {size / smaller:,.0f} times the edges of the size before take {ms[ours] / then:,.1f} times as long"
        before.append((size, ms[ours]))
        return told

    checked = f"the scores of {_CHECKED} pairs"
    return Contest([Case(label, ours, Side(PEER, None, right), work, 1e-4, checked)], seconds=5.0, remark=remark)


@torch.no_grad()
def _by_numpy(model: NCN, edges: Tensor, x: Tensor, pairs: Tensor) -> Tensor:
    """Scores of a few pairs: embeddings by SciPy's products, common neighbors pair by pair, the model's own head in float64."""
    n = x.size(0)
    source, target = edges.numpy()
    looped = csr_array((np.ones(source.size + n), (np.r_[target, np.arange(n)], np.r_[source, np.arange(n)])), (n, n))
    scale = 1.0 / np.sqrt(np.asarray(looped.sum(axis=1)).ravel())
    double = NCN(_CHANNELS, n, hidden_channels=_CHANNELS).double().eval()
    double.load_state_dict(model.state_dict())
    mapped = double.encoder.input(x.double()).numpy()
    h = torch.from_numpy(scale[:, None] * (looped @ (scale[:, None] * mapped)))
    rows = csr_array((np.ones(source.size), (target, source)), (n, n))
    ends = [(rows.indices[rows.indptr[i] : rows.indptr[i + 1]], rows.indices[rows.indptr[j] : rows.indptr[j + 1]])
            for i, j in pairs.t().tolist()]  # fmt: skip
    common = [np.intersect1d(*both) for both in ends]
    z = double.score.node_features(h)[1]
    pooled = torch.stack([z[torch.from_numpy(shared.astype(np.int64))].sum(0) for shared in common])
    scores: Tensor = double.head(h[pairs[0]] * h[pairs[1]], pooled)
    return scores
