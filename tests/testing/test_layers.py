"""Every public assertion passes on sound layers and fails on a layer that breaks just its property."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.utils import to_edge_index

from graphkit import testing
from graphkit.layers import SAGEConv
from graphkit.sparse import CSR
from graphkit.testing import layers


class Sound(nn.Module):
    """Sum over neighbors plus a linear self term, by gather and scatter; breaks nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 3))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight)

    def aggregate(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
        source, target = edge_index
        messages = x[source] if edge_weight is None else x[source] * edge_weight[:, None]
        return torch.zeros_like(x).index_add(0, target, messages)

    def forward(self, x: Tensor, edge_index: Tensor | CSR, edge_weight: Tensor | None = None) -> Tensor:
        if isinstance(edge_index, CSR):
            edge_weight = None if edge_index.value is None else edge_index.value
            edge_index = edge_index.edge_index()
        elif edge_index.layout == torch.sparse_csr:
            edge_index, edge_weight = to_edge_index(edge_index)
            edge_index = edge_index.flip(0)  # rows of the matrix are targets
        return (x + self.aggregate(x, edge_index, edge_weight)) @ self.weight


class KnowsPositions(Sound):
    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        position = torch.arange(x.size(0), dtype=x.dtype)[:, None]
        return super().forward(x + 0.01 * position, edge_index, edge_weight)


class ReadsFirstEdge(Sound):
    """Depends on the order in which edges are listed."""

    def aggregate(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
        out = super().aggregate(x, edge_index, edge_weight)
        return out + x[edge_index[0, 0]] if edge_index.numel() else out


class TransposesMatrices(Sound):
    def forward(self, x: Tensor, edge_index: Tensor | CSR, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x, edge_index.t() if isinstance(edge_index, CSR) else edge_index, edge_weight)


class DividesByDegree(Sound):
    def aggregate(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
        degree = torch.bincount(edge_index[1], minlength=x.size(0)).to(x.dtype)
        return super().aggregate(x, edge_index, edge_weight) / degree[:, None]


class NanGradient(Sound):
    """Finite values, but the square root's slope at the zero of an isolated node is infinite."""

    def aggregate(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
        return (super().aggregate(x, edge_index, edge_weight) + 0 * x).square().sqrt()


class CentersFeatures(Sound):
    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x - x.mean(dim=0), edge_index, edge_weight)


class AddsARow(Sound):
    """A row where there is no node."""

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x, edge_index, edge_weight) if len(x) else x.new_zeros(1, 4) @ self.weight


class Noisy(Sound):
    calls = itertools.count(1)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x * (1 + 1e-3 * next(self.calls)), edge_index, edge_weight)


class UnseededParameters(Sound):
    generator = torch.Generator()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, generator=self.generator)


class WrongGradient(Sound):
    def aggregate(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
        return super().aggregate(x.detach(), edge_index, edge_weight)


class WrongWeightGradient(Sound):
    def aggregate(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
        return super().aggregate(x, edge_index, None if edge_weight is None else edge_weight.detach())


class DeadParameter(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.ones(2))


class ForgetsToReset(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x, edge_index, edge_weight) + self.bias


class CompilesToSomethingElse(Sound):
    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x * 2 if torch.compiler.is_compiling() else x, edge_index, edge_weight)


class DropsRows(Sound):
    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x, edge_index, edge_weight)[: int(edge_index.max()) + 1]


class Detached(Sound):
    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x, edge_index, edge_weight).detach()


ASSERTIONS: list[Callable[..., None]] = [getattr(layers, name) for name in dir(layers) if name.startswith("assert_")]
CAUGHT = [
    (testing.assert_permutation_equivariant, KnowsPositions, "output differs after renaming"),
    (testing.assert_permutation_equivariant, DropsRows, "rows for 12 nodes"),
    (testing.assert_permutation_equivariant, Detached, "the output has no gradient"),
    (testing.assert_layouts_agree, ReadsFirstEdge, "layout 'shuffled'"),
    (testing.assert_layouts_agree, TransposesMatrices, "layout 'graphkit CSR'"),
    (testing.assert_isolated_nodes, DividesByDegree, "output is not finite on a graph with isolated nodes"),
    (testing.assert_isolated_nodes, NanGradient, "gradient of x is not finite"),
    (testing.assert_isolated_nodes, CentersFeatures, "of the isolated node 0 and the node alone"),
    (testing.assert_no_nodes, AddsARow, "the output has 1 rows for no nodes"),
    (testing.assert_batch_invariant, CentersFeatures, "of a batch and of its graphs"),
    (testing.assert_deterministic, Noisy, "two calls in evaluation mode"),
    (testing.assert_deterministic, UnseededParameters, "two layers made from one seed"),
    (testing.assert_no_dead_parameters, DeadParameter, "unused never influences"),
    (testing.assert_no_dead_parameters, ForgetsToReset, "reset_parameters leaves bias"),
    (testing.assert_compiles, CompilesToSomethingElse, "after compiling"),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("assertion", ASSERTIONS)
def test_a_sound_layer_passes(assertion: Callable[..., None], weighted: bool) -> None:
    assertion(Sound, in_channels=4, weighted=weighted)


@pytest.mark.parametrize(("assertion", "layer", "message"), CAUGHT)
def test_a_broken_layer_is_caught(assertion: Callable[..., None], layer: type[nn.Module], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assertion(layer)


@pytest.mark.parametrize(("layer", "weighted"), [(WrongGradient, False), (WrongWeightGradient, True)])
def test_wrong_gradients_are_caught(layer: type[nn.Module], weighted: bool) -> None:
    with pytest.raises(AssertionError, match="gradients differ from finite differences"):
        testing.assert_gradients(layer, weighted=weighted)


def test_every_assertion_is_shown_to_catch_something() -> None:
    shown = {assertion for assertion, _, _ in CAUGHT} | {testing.assert_gradients}
    assert shown == set(ASSERTIONS)
    assert len(ASSERTIONS) == 9


@pytest.mark.usefixtures("unchecked_shapes")
def test_the_global_random_state_is_left_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    for assertion in ASSERTIONS:
        assertion(lambda: SAGEConv(4, 3))
    assert torch.equal(torch.rand(3), expected)


def test_random_graph_has_its_corners() -> None:
    graph = testing.random_graph(num_nodes=9, weighted=True)
    source, target = graph.edge_index
    sends, hears = torch.bincount(source, minlength=9), torch.bincount(target, minlength=9)
    assert [int(sends[0]), int(hears[0]), int(sends[8]), int(hears[8])] == [0, 0, 0, 0]
    assert sends[1] > 0 and hears[1] == 0
    assert sends[2] == 0 and hears[2] > 0
    assert ((source == 3) & (target == 3)).sum() == 1
    assert graph.edge_index.unique(dim=1).shape == graph.edge_index.shape
    assert graph.edge_weight is not None and 0.5 <= graph.edge_weight.min() < graph.edge_weight.max() < 1.5
    with pytest.raises(ValueError, match="at least 6 nodes"):
        testing.random_graph(num_nodes=5)


def test_unknown_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown layout 'csc'"):
        testing.assert_layouts_agree(Sound, layouts=("csc",))
