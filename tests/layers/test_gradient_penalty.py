"""A penalty on gradients, as WGAN-GP and Sobolev training have it, is itself differentiated right by every public layer.

The oracle is the slope of the penalty along a random direction, by central differences in double precision: it needs the
gradient once, where the layer's answer needs it twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from graphkit import testing
from tests.layers.subgraph.cases import CASES as GRAPH_CASES
from tests.layers.subgraph.cases import Case as GraphCase
from tests.layers.test_properties import Case, every_call

STEP = 1e-6


def penalty(layer: nn.Module, leaves: Sequence[Tensor], inputs: Sequence[Tensor], twice: bool) -> Tensor:
    """The sum of squares of the gradient of a fixed function of the layer's output in all leaves."""
    out = layer(*inputs)
    slope = torch.linspace(-1.0, 1.0, out.numel(), dtype=out.dtype).view_as(out)
    gradients = torch.autograd.grad((out * slope).sum(), leaves, create_graph=twice, allow_unused=True)
    return torch.stack([gradient.square().sum() for gradient in gradients if gradient is not None]).sum()


def check(layer: nn.Module, leaves: list[Tensor], inputs: list[Tensor]) -> None:
    """The slope of the penalty in the leaves along a random direction, by autograd and by differences."""
    with torch.no_grad():
        for parameter in layer.parameters():  # some start where ELU gets an exact zero, and its slope has an edge
            parameter.add_(torch.randn_like(parameter), alpha=0.01)
    value = penalty(layer, leaves, inputs, twice=True)
    assert value > 0
    found = [torch.zeros_like(leaf) for leaf in leaves]
    if value.requires_grad:  # not of a linear layer without parameters
        for total, part in zip(found, torch.autograd.grad(value, leaves, allow_unused=True), strict=True):
            if part is not None:
                total += part
    directions = [torch.randn_like(leaf) for leaf in leaves]
    slope = sum((gradient * direction).sum() for gradient, direction in zip(found, directions, strict=True))
    values = []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for leaf, direction in zip(leaves, directions, strict=True):
                leaf.add_(direction, alpha=sign * STEP)
        values.append(penalty(layer, leaves, inputs, twice=False))
        with torch.no_grad():
            for leaf, direction in zip(leaves, directions, strict=True):
                leaf.sub_(direction, alpha=sign * STEP)
    expected = (values[0] - values[1]) / (2 * STEP)
    torch.testing.assert_close(torch.as_tensor(slope), expected, rtol=1e-5, atol=1e-6 * float(value.detach()))


@every_call
def test_against_differences_of_gradients(case: Case, weighted: bool) -> None:
    torch.manual_seed(0)
    layer = case.adapted().double().eval()
    graph = testing.random_graph(case.in_channels, weighted=weighted)
    x = graph.x.double().requires_grad_()
    weight = [] if graph.edge_weight is None else [graph.edge_weight.double().requires_grad_()]
    check(layer, [x, *weight, *layer.parameters()], [x, graph.edge_index, *weight])


@pytest.mark.parametrize("case", GRAPH_CASES.values(), ids=GRAPH_CASES.keys())
def test_on_batches_of_graphs(case: GraphCase) -> None:
    torch.manual_seed(0)
    layer = case.adapted().double().eval()
    x, edge_index, ptr = testing.graph_batch()
    x = x.double().requires_grad_()
    check(layer, [x, *layer.parameters()], [x, edge_index, ptr])
