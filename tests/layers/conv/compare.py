"""What the tests of convolutions share: small problems, and the comparison of values and gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.layers.oracle import messy_graph

WIDTHS = [(5, 3), (3, 5), (4, 4)]


def _gradients(output: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    probe = torch.linspace(-1.0, 1.0, output.numel(), dtype=output.dtype).sin().view_as(output)
    return torch.autograd.grad((output * probe).sum(), inputs)


def assert_same(actual: Tensor, expected: Tensor, inputs: list[Tensor], others: list[Tensor] | None = None) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-11)
    others = inputs if others is None else others
    for ours, theirs in zip(_gradients(actual, inputs), _gradients(expected, others), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-11)


def problem(in_channels: int, weighted: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    edge_index, num_nodes = messy_graph()
    x = torch.randn(num_nodes, in_channels, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    return x, edge_index, weight


def simple_graph() -> tuple[Tensor, int]:
    """Without duplicate edges: there PyG's mean counts a repeated edge, ours adds up its weight."""
    edge_index, num_nodes = messy_graph(seed=3)
    return edge_index.unique(dim=1), num_nodes
