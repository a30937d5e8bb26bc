"""Random graphs, their dense matrices and tolerances for the operator's tests."""

import torch

N = 13


def edges(num=60, rows=N, cols=N, seed=0):
    """Random edges with repeats and self loops; the last two nodes are isolated."""
    g = torch.Generator().manual_seed(seed)
    source = torch.randint(max(cols - 2, 1), (num,), generator=g)
    target = torch.randint(max(rows - 2, 1), (num,), generator=g)
    return torch.stack([source, target])


def unique_edges(seed=0):
    return torch.unique(edges(seed=seed), dim=1)[:, torch.randperm(torch.unique(edges(seed=seed), dim=1).size(1))]


def undirected(seed=0):
    e = edges(30, seed=seed)
    return torch.unique(torch.cat([e, e.flip(0)], dim=1), dim=1)


def dense(edge_index, weight=None, rows=N, cols=N):
    """A[target, source], one edge at a time."""
    out = torch.zeros(rows, cols, dtype=torch.float64)
    for k, (s, t) in enumerate(edge_index.t().tolist()):
        out[t, s] += 1.0 if weight is None else float(weight[k])
    return out


def features(rows=N, channels=3, dtype=torch.float64, seed=1):
    return torch.randn(rows, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def weights(num, seed=2):
    return torch.rand(num, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5


def close(actual, expected, tolerance=1e-12):
    torch.testing.assert_close(actual.double(), expected.double(), rtol=tolerance, atol=tolerance)
