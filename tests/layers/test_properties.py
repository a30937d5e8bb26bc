"""The properties that every public layer has, and the check that no layer escapes them."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import torch

from graphkit import layers, testing
from tests.layers.cases import CASES, Case
from tests.layers.subgraph.cases import CASES as GRAPH_CASES

FREE = {name: case for name, case in CASES.items() if not case.bound}
"""The layers that are not bound to the nodes of one graph."""


def _calls(cases: dict[str, Case]) -> Any:
    """Each case, without and with edge weights."""
    calls = [
        pytest.param(case, weighted, id=f"{name}-{'weighted' if weighted else 'plain'}")
        for name, case in cases.items()
        for weighted in case.weighted
    ]
    return pytest.mark.parametrize(("case", "weighted"), calls)


every_layer = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
every_free_layer = pytest.mark.parametrize("case", FREE.values(), ids=FREE.keys())
every_call, every_free_call = _calls(CASES), _calls(FREE)


@every_free_call
def test_permutation_equivariant(case: Case, weighted: bool) -> None:
    testing.assert_permutation_equivariant(case.adapted, case.in_channels, weighted=weighted)


@every_call
def test_layouts_agree(case: Case, weighted: bool) -> None:
    testing.assert_layouts_agree(case.adapted, case.in_channels, weighted=weighted, layouts=case.layouts)


@every_free_call
def test_isolated_nodes(case: Case, weighted: bool) -> None:
    testing.assert_isolated_nodes(case.adapted, case.in_channels, weighted=weighted)


@every_free_layer
def test_no_nodes(case: Case) -> None:
    testing.assert_no_nodes(case.adapted, case.in_channels, weighted=max(case.weighted))


@every_free_call
def test_batch_invariant(case: Case, weighted: bool) -> None:
    testing.assert_batch_invariant(case.adapted, case.in_channels, weighted=weighted)


@every_call
def test_deterministic(case: Case, weighted: bool) -> None:
    testing.assert_deterministic(case.adapted, case.in_channels, weighted=weighted)


@every_call
def test_gradients(case: Case, weighted: bool) -> None:
    testing.assert_gradients(lambda: case.adapted(7), case.in_channels, weighted=weighted)


@every_layer
def test_no_dead_parameters(case: Case) -> None:
    assert (len(list(case.built().parameters())) > 0) == case.parameters
    testing.assert_no_dead_parameters(case.adapted, case.in_channels)


@every_layer
@pytest.mark.usefixtures("unchecked_shapes")
def test_compiles(case: Case) -> None:
    testing.assert_compiles(case.adapted, case.in_channels, weighted=max(case.weighted))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_call
def test_gpu_agrees_with_cpu(case: Case, weighted: bool) -> None:
    layer = case.adapted().double().eval()
    graph = testing.random_graph(case.in_channels, weighted=weighted)
    arguments = [graph.x, graph.edge_index, *([] if graph.edge_weight is None else [graph.edge_weight])]
    expected = layer(*arguments)
    actual = layer.cuda()(*(argument.cuda() for argument in arguments))
    torch.testing.assert_close(actual.cpu(), expected)


@every_layer
def test_follows_the_conventions(case: Case) -> None:
    layer = case.built()
    assert type(layer) is case.layer
    assert tuple(inspect.signature(layer.forward).parameters) == case.inputs
    assert callable(layer.reset_parameters)
    assert repr(layer).startswith(f"{case.layer.__name__}(") and "\n" not in repr(layer)


@every_free_layer
def test_keeps_nothing_of_a_graph(case: Case) -> None:
    layer = case.adapted()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    for num_nodes in (8, 20):
        graph = testing.random_graph(case.in_channels, num_nodes, dtype=torch.float32)
        assert layer(graph.x, graph.edge_index).size(0) == num_nodes
    after = layer.state_dict()
    assert before.keys() == after.keys()
    statistics = ("running_mean", "running_var", "num_batches_tracked")  # of a batch normalization, which are no graph's
    assert all(torch.equal(before[name], after[name]) for name in before if not name.endswith(statistics))


def _public_layers() -> set[type[torch.nn.Module]]:
    exported = [getattr(layers, name) for name in layers.__all__]
    return {thing for thing in exported if inspect.isclass(thing) and issubclass(thing, torch.nn.Module)}


def test_every_public_layer_has_a_case() -> None:
    missing = _public_layers() - {case.layer for case in (*CASES.values(), *GRAPH_CASES.values())}
    assert not missing, f"add to tests/layers/cases.py or subgraph/cases.py: {sorted(layer.__name__ for layer in missing)}"


def test_every_layer_of_the_library_is_public() -> None:
    """A layer that nobody exported would escape the test above; the bases of public ones are tested through them."""
    public = _public_layers()
    hidden = []
    for found in pkgutil.walk_packages(layers.__path__, "graphkit.layers."):
        module = importlib.import_module(found.name)
        for name, thing in vars(module).items():
            defined_here = inspect.isclass(thing) and thing.__module__ == module.__name__
            if defined_here and issubclass(thing, torch.nn.Module) and not name.startswith("_"):
                hidden += [] if any(issubclass(layer, thing) for layer in public) else [name]
    assert not hidden, f"export from graphkit.layers: {hidden}"


@pytest.mark.parametrize("layer", sorted(_public_layers(), key=lambda layer: layer.__name__))
def test_every_layer_has_an_oracle_test(layer: type[torch.nn.Module]) -> None:
    """In tests/layers/<its room>/test_<its file>.py, a function `test_..._oracle...` that uses the layer."""
    room, file = layer.__module__.removeprefix("graphkit.layers.").split(".")
    path = Path(__file__).parent / room / f"test_{file}.py"
    assert path.exists(), f"{layer.__name__} has no {path.name}"
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    oracles = [node for node in functions if node.name.startswith("test_") and "oracle" in node.name]
    used = {name.id for node in oracles for name in ast.walk(node) if isinstance(name, ast.Name)}
    assert layer.__name__ in used, f"{path.name} has no test_..._oracle... that uses {layer.__name__}"


ON_GRAPHS = {name for name, case in FREE.items() if {"x", "h"} & {*case.inputs} and "edge_index" in case.inputs}


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("name", sorted(ON_GRAPHS - {"GraphFreeLinear", "BellmanFordLayer-sum", "BellmanFordLayer-mean"}))
def test_several_copies_of_a_graph_are_refused(name: str) -> None:
    """PyG's static graphs, x [B, N, C]: a sentence in place of an answer for other nodes.

    The first looks at no graph, the others take states [N, B, C], seen from several sources.
    """
    case = CASES[name]
    layer, graph = case.make(), testing.random_graph(case.in_channels, dtype=torch.float32)
    pairs = {"pairs": graph.edge_index} if "pairs" in case.inputs else {}
    attr = {"edge_attr": torch.ones(graph.edge_index.size(1), 2)} if name.endswith("-edges") else {}
    with pytest.raises(ValueError, match=r"must have shape \[N, [C\d]+\].*got \[2, 12, "):
        layer(torch.stack([graph.x] * 2), graph.edge_index, **pairs, **attr)
