"""The Bellman-Ford layer against loops over nodes and sources, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from graphkit.layers import BellmanFordLayer
from tests.layers.pairs.graphs import graph_and_pairs

B, C = 3, 4


def oracle(layer: BellmanFordLayer, h: Tensor, start: Tensor, neighbors: list[list[int]]) -> Tensor:
    """Node by node: the set of messages, its statistics, one linear map."""
    n = h.size(0)
    scale = [math.log(len(near) + 1) for near in neighbors]
    mean_scale = sum(scale) / n
    rows = []
    for v in range(n):
        for b in range(B):
            members = torch.stack([start[v, b], *(layer.relation * h[u, b] for u in neighbors[v])])
            mean = members.mean(0)
            if layer.aggregate == "pna":
                deviation = (members.square().mean(0) - mean.square()).clamp(min=1e-6).sqrt()
                found = torch.cat([mean, members.amax(0), members.amin(0), deviation])
                s = scale[v] / mean_scale
                found = torch.cat([found, s * found, found / max(s, 1e-2)])
            else:
                found = mean if layer.aggregate == "mean" else members.sum(0)
            z = layer.lin.weight @ torch.cat([h[v, b], found]) + layer.lin.bias
            z = (z - z.mean()) / (z.var(unbiased=False) + 1e-5).sqrt() * layer.norm.weight + layer.norm.bias
            rows.append(z.clamp(min=0) + (h[v, b] if layer.shortcut else 0))
    return torch.stack(rows).view(n, B, C)


@pytest.mark.parametrize(("aggregate", "shortcut"), [("pna", True), ("pna", False), ("sum", True), ("mean", False)])
def test_equals_the_oracle_by_node(aggregate: str, shortcut: bool) -> None:
    torch.manual_seed(0)
    edge_index, _, n = graph_and_pairs(num_nodes=20)
    edge_index = torch.unique(edge_index, dim=1)
    neighbors = [edge_index[0][edge_index[1] == v].tolist() for v in range(n)]
    layer = BellmanFordLayer(C, aggregate=aggregate, shortcut=shortcut).double()
    h, start = torch.randn(2, n, B, C, dtype=torch.float64)
    start[1:] = 0.0
    h[:5] = 0.0  # ties among unreached nodes
    leaves = [h.requires_grad_(), start.requires_grad_(), *layer.parameters()]
    found, expected = layer(h, start, edge_index), oracle(layer, h, start, neighbors)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    weight = torch.randn(n, B, C, dtype=torch.float64)
    ours, theirs = (torch.autograd.grad((one * weight).sum(), leaves) for one in (found, expected))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-8)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="aggregate must be one of pna, sum, mean"):
        BellmanFordLayer(4, aggregate="max")
