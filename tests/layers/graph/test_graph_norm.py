"""Normalization per graph against a loop over graphs and PyG."""

import torch
from torch_geometric import nn as pyg

from graphkit.layers import GraphNorm

PTR = torch.tensor([0, 3, 3, 4, 9])


def problem(layer):
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        parameter.data = torch.randn(5, dtype=torch.float64, generator=generator)
    return layer, torch.randn(9, 5, dtype=torch.float64, generator=generator).requires_grad_()


def assert_same(ours, expected, inputs, others=None):
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-11)
    gradients = (torch.autograd.grad(out.sin().sum(), of) for out, of in ((ours, inputs), (expected, others or inputs)))
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-10)


def test_graph_norm_equals_the_oracle():
    layer, x = problem(GraphNorm(5).double())
    rows = []
    for start, stop in ((0, 3), (3, 4), (4, 9)):
        centered = x[start:stop] - layer.mean_scale * x[start:stop].mean(0)
        rows.append(layer.weight * centered / (centered.square().mean(0) + 1e-5).sqrt() + layer.bias)
    assert_same(layer(x, PTR), torch.cat(rows), [x, *layer.parameters()])


def test_equals_pyg():
    layer, x = problem(GraphNorm(5).double())
    peer = pyg.GraphNorm(5).double()
    peer.load_state_dict(layer.state_dict())
    expected = peer(x, torch.repeat_interleave(torch.arange(4), PTR.diff()))
    assert_same(layer(x, PTR), expected, [x, *layer.parameters()], [x, *peer.parameters()])
