"""The properties of every public layer on batches of graphs."""

from __future__ import annotations

import inspect

import pytest
import torch

from graphkit import testing
from tests.layers.subgraph.cases import CASES, Case

every_layer = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@every_layer
def test_relabeling(case: Case) -> None:
    testing.assert_relabeling(case.adapted, per=case.per)


@every_layer
def test_graphs_apart(case: Case) -> None:
    testing.assert_graphs_apart(case.adapted, per=case.per)


@every_layer
def test_gradients(case: Case) -> None:
    x, edge_index, ptr = testing.graph_batch()
    torch.manual_seed(0)
    layer = case.adapted().double().eval()
    assert torch.autograd.gradcheck(lambda x: layer(x, edge_index, ptr), x.requires_grad_(), fast_mode=True)


@every_layer
def test_gradients_on_a_directed_graph(case: Case) -> None:
    if case.per == "node":
        testing.assert_gradients(case.adapted)


@pytest.mark.parametrize("name", sorted(name for name in CASES if not name.startswith("EquivariantLinear")))
def test_a_graph_without_nodes(name: str) -> None:
    """Alone: no row per node, one per graph, and gradients of zero. `EquivariantLinear` asks for at least one."""
    case, x = CASES[name], torch.zeros(0, 4, requires_grad=True)
    for training in (False, True):
        out = case.adapted().train(training)(x, torch.empty(2, 0, dtype=torch.long), torch.tensor([0, 0]))
        assert out.size(0) == (case.per == "graph") and bool(torch.isfinite(out).all())
        (gradient,) = torch.autograd.grad(out.sum(), [x], materialize_grads=True)
        assert gradient.shape == (0, 4)


@every_layer
def test_no_dead_parameters(case: Case) -> None:
    assert (len(list(case.make().parameters())) > 0) == case.parameters
    if case.per == "node":
        testing.assert_no_dead_parameters(case.adapted)


@every_layer
def test_deterministic(case: Case) -> None:
    if case.per == "node":
        testing.assert_deterministic(case.adapted)


@pytest.mark.parametrize("name", ["SubgraphConv-sswl+", "BagFeatures-distance", "SubgraphPooling-SV-nodes"])
@pytest.mark.usefixtures("unchecked_shapes")
def test_compiles(name: str) -> None:
    testing.assert_compiles(CASES[name].adapted)


@every_layer
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_the_dtype(case: Case, dtype: torch.dtype) -> None:
    x, edge_index, ptr = testing.graph_batch()
    assert case.adapted().to(dtype)(x.to(dtype), edge_index, ptr).dtype == dtype


@every_layer
def test_follows_the_conventions(case: Case) -> None:
    layer = case.make()
    assert type(layer) is case.layer
    assert tuple(inspect.signature(layer.forward).parameters) == case.inputs
    assert callable(layer.reset_parameters)
    assert repr(layer).startswith(f"{case.layer.__name__}(") and "\n" not in repr(layer)
