"""FastRP of a large graph, against the same powers by SciPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import csr_matrix, diags

from benchmarks.speed.graphs import skewed_pairs
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from graphkit.sparse import CSR
from graphkit.sparse.graph_measures import fast_random_projection, random_projection

_CHANNELS, _WEIGHTS = 128, (0.0, 0.0, 1.0, 4.0)


def contests(options: Options) -> Iterator[Contest]:
    """Embeddings from edges; both sides get the same random matrix, and its draw is in neither."""
    n, m = (300, 1_500) if options.quick else (1_000_000, 10_000_000)
    pairs = skewed_pairs(n, m, torch.Generator().manual_seed(0))
    edges = torch.cat([pairs, pairs.flip(0)], dim=1)
    r = random_projection(n, _CHANNELS)
    # Every power reads the entries, a row of features for each, and writes the rows.
    entries = edges.size(1)
    work = Work("gathered rows of four powers", bytes=4.0 * (4 * _CHANNELS * entries + 8 * entries + 4 * _CHANNELS * n))

    def ours() -> Results:
        return {"embedding": fast_random_projection(CSR.from_edge_index(edges, n), r, weights=_WEIGHTS, exponent=-0.5)}

    def scipy() -> Results:
        source, target = edges.numpy()
        a = csr_matrix((np.ones(entries, dtype=np.float32), (target, source)), shape=(n, n))
        degree = np.asarray(a.sum(axis=1)).ravel()
        inverse = np.divide(1.0, degree, out=np.zeros_like(degree), where=degree > 0)
        moves = (diags(inverse) @ a).astype(np.float32)
        u, total = r.numpy() * np.sqrt(inverse)[:, None], np.zeros((n, _CHANNELS), dtype=np.float32)
        for weight in _WEIGHTS:
            u = moves @ u
            total += np.float32(weight) * u
        total -= total.mean(axis=0)
        std = total.std(axis=0)
        return {"embedding": torch.from_numpy(total / np.where(std > 0, std, 1.0))}

    label = f"{n:,} nodes, {m:,} edges, {_CHANNELS} channels, walks of 3 and 4 steps, from edges"
    yield Contest([Case(label, Side("graphkit", ours), Side("SciPy", scipy), work, tolerance=1e-3)], seconds=5.0)
