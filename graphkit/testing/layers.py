"""Public assertions that every message passing layer must pass, whoever wrote it.

Each takes `make`, a function without arguments that builds the layer, and raises `AssertionError` with the property that
failed. The layer is called as `layer(x, adjacency)`, or `layer(x, adjacency, edge_weight)` with `weighted=True`. A test of a
new layer is a few lines:

    from graphkit import testing

    def make():
        return MyConv(4, 3)

    testing.assert_permutation_equivariant(make, in_channels=4)
    testing.assert_layouts_agree(make, in_channels=4)
    testing.assert_isolated_nodes(make, in_channels=4)

Values are compared with their gradients (features and parameters), in float32 and in float64, in evaluation mode.

Arguments that all assertions share:
    make: Builds the layer.
    in_channels: Feature width of the layer.
    weighted: Whether the layer is called with edge weights.
    dtypes: Types to try.
    seed: Of the graph, the layer and whatever else is drawn. The global random state is left as it was.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.gradcheck import GradcheckError

from graphkit.sparse import CSR
from graphkit.testing.graphs import LAYOUTS, Graph, as_layout, random_graph

Make = Callable[[], nn.Module]

DTYPES = (torch.float32, torch.float64)
"""Types of numbers that layers are checked in."""

_TOLERANCE = {torch.float32: (1e-4, 1e-5), torch.float64: (1e-9, 1e-10)}


def assert_permutation_equivariant(
    make: Make, in_channels: int = 4, *, weighted: bool = False, dtypes: tuple[torch.dtype, ...] = DTYPES, seed: int = 0
) -> None:
    """Renaming the nodes renames the output's rows and changes nothing else: f(P x, P A P^T) = P f(x, A)."""
    for layer, graph, dtype in _trials(make, in_channels, weighted, dtypes, seed):
        permutation = torch.randperm(graph.num_nodes, generator=torch.Generator().manual_seed(seed + 1))
        expected = _outcome(layer, graph)
        actual = _outcome(layer, graph.permuted(permutation), rows=permutation)
        _compare(actual, expected, "after renaming the nodes", dtype)


def assert_layouts_agree(
    make: Make,
    in_channels: int = 4,
    *,
    weighted: bool = False,
    layouts: tuple[str, ...] = LAYOUTS,
    dtypes: tuple[torch.dtype, ...] = DTYPES,
    seed: int = 0,
) -> None:
    """Every way to write down the same graph gives the same result.

    `layouts` are those of `LAYOUTS` that the layer takes. Rows of a CSR are targets, columns are sources; weights are its
    values, and an argument beside the other layouts.
    """
    for layer, graph, dtype in _trials(make, in_channels, weighted, dtypes, seed):
        expected = _outcome(layer, graph)
        for layout in layouts:
            other, adjacency = as_layout(graph, layout)
            _compare(_outcome(layer, other, adjacency), expected, f"for the layout {layout!r}", dtype)


def assert_isolated_nodes(
    make: Make, in_channels: int = 4, *, weighted: bool = False, dtypes: tuple[torch.dtype, ...] = DTYPES, seed: int = 0
) -> None:
    """Nodes without edges get finite values and gradients, the same as if each were alone in the world.

    Tried on a graph with isolated nodes, and on graphs that have no edge at all.
    """
    for layer, graph, dtype in _trials(make, in_channels, weighted, dtypes, seed):
        no_edges = graph.shuffled(torch.empty(0, dtype=torch.long))
        for name, case in (("with isolated nodes", graph), ("without edges", no_edges)):
            for key, value in _outcome(layer, case).items():
                _check(bool(torch.isfinite(value).all()), f"{key} is not finite on a graph {name} ({dtype})")
        together = _outcome(layer, graph)["output"]
        for node in (0, graph.num_nodes - 1):
            row = {"output": together[node : node + 1]}
            alone = {"output": _outcome(layer, replace(no_edges, x=graph.x[node : node + 1]))["output"]}
            _compare(row, alone, f"of the isolated node {node} and the node alone", dtype)


def assert_no_nodes(
    make: Make, in_channels: int = 4, *, weighted: bool = False, dtypes: tuple[torch.dtype, ...] = DTYPES, seed: int = 0
) -> None:
    """A graph without nodes gives no row, and gradients of zero, in training and in evaluation mode."""
    for layer, graph, dtype in _trials(make, in_channels, weighted, dtypes, seed):
        empty = graph.shuffled(torch.empty(0, dtype=torch.long))
        for training in (False, True):
            x = graph.x[:0].clone().requires_grad_()
            arguments = (x, empty.edge_index) if empty.edge_weight is None else (x, empty.edge_index, empty.edge_weight)
            with torch.random.fork_rng(devices=[]):
                output = layer.train(training)(*arguments)
            _check(output.size(0) == 0, f"the output has {output.size(0)} rows for no nodes ({dtype})")
            inputs = {"x": x, **dict(layer.named_parameters())}
            gradients = torch.autograd.grad(output.sum(), list(inputs.values()), materialize_grads=True)
            for name, gradient in zip(inputs, gradients, strict=True):
                _check(not bool(gradient.count_nonzero()), f"{name} has a gradient without nodes ({dtype})")


def assert_batch_invariant(
    make: Make, in_channels: int = 4, *, weighted: bool = False, dtypes: tuple[torch.dtype, ...] = DTYPES, seed: int = 0
) -> None:
    """A block-diagonal batch of graphs gives what the graphs give one by one, and the sum of their gradients."""
    for dtype in dtypes:
        layer = _build(make, dtype, seed)
        graphs = [random_graph(in_channels, n, weighted=weighted, dtype=dtype, seed=seed + n) for n in (6, 9, 7)]
        offsets = [0, 6, 15]
        weights = [graph.edge_weight for graph in graphs if graph.edge_weight is not None]
        batch = Graph(
            torch.cat([graph.x for graph in graphs]),
            torch.cat([graph.edge_index + offset for graph, offset in zip(graphs, offsets, strict=True)], dim=1),
            torch.cat(weights) if weights else None,
        )
        rows = [torch.arange(graph.num_nodes) + offset for graph, offset in zip(graphs, offsets, strict=True)]
        separate = [_outcome(layer, graph, weights_at=at) for graph, at in zip(graphs, rows, strict=True)]
        expected = {}
        for key in separate[0]:
            parts = [one[key] for one in separate]
            expected[key] = torch.cat(parts) if key in _ROWWISE else torch.stack(parts).sum(0)
        _compare(_outcome(layer, batch), expected, "of a batch and of its graphs", dtype)


def assert_deterministic(
    make: Make, in_channels: int = 4, *, weighted: bool = False, dtypes: tuple[torch.dtype, ...] = DTYPES, seed: int = 0
) -> None:
    """The same seed gives the same parameters, outputs and gradients, bit for bit, in training and evaluation mode.

    In evaluation mode a second call gives the first one's result without a new seed.
    """
    for first, graph, dtype in _trials(make, in_channels, weighted, dtypes, seed):
        second = _build(make, dtype, seed)
        _identical(dict(second.named_parameters()), dict(first.named_parameters()), "two layers made from one seed")
        _identical(_outcome(first, graph), _outcome(first, graph), "two calls in evaluation mode")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            one = _outcome(_build(make, dtype, seed).train(), graph)
            torch.manual_seed(seed)
            two = _outcome(_build(make, dtype, seed).train(), graph)
        _identical(two, one, "two calls in training mode from one seed")


def assert_gradients(make: Make, in_channels: int = 4, *, weighted: bool = False, seed: int = 0) -> None:
    """Gradients for features, parameters and edge weights are those of finite differences (float64).

    Along random directions rather than entry by entry: a wrong entry shows all the same, in a fraction of the time.
    """
    layer = _build(make, torch.float64, seed)
    graph = random_graph(in_channels, 7, weighted=weighted, seed=seed)
    names = [name for name, _ in layer.named_parameters()]
    extra = () if graph.edge_weight is None else (graph.edge_weight,)

    def forward(x: Tensor, *rest: Tensor) -> Tensor:
        parameters = dict(zip(names, rest, strict=False))
        result: Tensor = torch.func.functional_call(layer, parameters, (x, graph.edge_index, *rest[len(names) :]))
        return result

    inputs = [tensor.detach().clone().requires_grad_() for tensor in (graph.x, *layer.parameters(), *extra)]
    try:
        torch.autograd.gradcheck(forward, inputs, fast_mode=True)
    except GradcheckError as error:
        raise AssertionError(f"gradients differ from finite differences: {error}") from None


def assert_no_dead_parameters(make: Make, in_channels: int = 4, *, weighted: bool = False, seed: int = 0) -> None:
    """Every parameter gets a gradient that is not zero, and `reset_parameters` (if any) sets every one."""
    layer = _build(make, torch.float64, seed)
    graph = random_graph(in_channels, weighted=weighted, seed=seed)
    outcome = _outcome(layer, graph)
    for name, _ in layer.named_parameters():
        gradient = outcome[f"gradient of {name}"]
        _check(bool(gradient.count_nonzero()), f"parameter {name} never influences the output")
    reset: Any = getattr(layer, "reset_parameters", None)
    if reset is None:
        return
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(torch.nan)
    with torch.random.fork_rng(devices=[]):
        reset()
    for name, parameter in layer.named_parameters():
        _check(bool(torch.isfinite(parameter).all()), f"reset_parameters leaves {name} as it was")


def assert_compiles(
    make: Make,
    in_channels: int = 4,
    *,
    weighted: bool = False,
    backend: str = "aot_eager",
    dtypes: tuple[torch.dtype, ...] = (torch.float32,),
    seed: int = 0,
) -> None:
    """`torch.compile` takes the layer and changes no value.

    The backends `eager` and `aot_eager` need no compiler on the machine; any other one of `torch.compile` may be named.
    """
    for layer, graph, dtype in _trials(make, in_channels, weighted, dtypes, seed):
        expected = _outcome(layer, graph)
        torch.compiler.reset()
        compiled: Any = torch.compile(layer, backend=backend)
        with warnings.catch_warnings():
            # The compiler looks at `.grad` of every input and hides this warning itself, unless warnings are errors.
            warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")
            actual = _outcome(compiled, graph)
        torch.compiler.reset()
        _compare({key.replace("_orig_mod.", ""): value for key, value in actual.items()}, expected, "after compiling", dtype)


_ROWWISE = ("output", "gradient of x")


def _trials(
    make: Make, in_channels: int, weighted: bool, dtypes: tuple[torch.dtype, ...], seed: int
) -> Iterator[tuple[nn.Module, Graph, torch.dtype]]:
    for dtype in dtypes:
        yield _build(make, dtype, seed), random_graph(in_channels, weighted=weighted, dtype=dtype, seed=seed), dtype


def _build(make: Make, dtype: torch.dtype, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().to(dtype).eval()


def _outcome(
    layer: nn.Module,
    graph: Graph,
    adjacency: Any = None,
    *,
    rows: Tensor | None = None,
    weights_at: Tensor | None = None,
) -> dict[str, Tensor]:
    """The output and the gradients of a fixed random functional of it.

    `rows` undoes a permutation: row i of the result is row `rows[i]` of the layer's. `weights_at` says which rows of a bigger
    batch the graph's nodes are, so that the functional is the batch's own restricted to them.
    """
    x = graph.x.detach().clone().requires_grad_()
    weight = graph.edge_weight
    arguments = (x, graph.edge_index if adjacency is None else adjacency)
    carries_values = isinstance(adjacency, CSR) or (isinstance(adjacency, Tensor) and adjacency.layout == torch.sparse_csr)
    output = layer(*arguments) if weight is None or carries_values else layer(*arguments, weight)
    _check(output.requires_grad, "the output has no gradient: it was detached, or depends on neither features nor parameters")
    _check(output.size(0) == graph.num_nodes, f"the output has {output.size(0)} rows for {graph.num_nodes} nodes")
    ordered = output if rows is None else output[rows]
    at = torch.arange(graph.num_nodes) if weights_at is None else weights_at
    columns = torch.arange(ordered[0].numel())
    functional = torch.cos(1.0 + 7.0 * at[:, None] + 3.0 * columns[None]).to(output.dtype)
    layer.zero_grad()
    (ordered.reshape(graph.num_nodes, -1) * functional).sum().backward()
    gradient = torch.zeros_like(x) if x.grad is None else x.grad
    result = {"output": ordered.detach(), "gradient of x": gradient if rows is None else gradient[rows]}
    for name, parameter in layer.named_parameters():
        value = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
        result[f"gradient of {name}"] = value
    return result


def _compare(actual: dict[str, Tensor], expected: dict[str, Tensor], what: str, dtype: torch.dtype) -> None:
    rtol, atol = _TOLERANCE[dtype]
    for key, value in expected.items():
        try:
            torch.testing.assert_close(actual[key], value, rtol=rtol, atol=atol)
        except AssertionError as error:
            raise AssertionError(f"{key} differs {what} ({dtype}): {error}") from None


def _identical(actual: dict[str, Tensor], expected: dict[str, Tensor], what: str) -> None:
    for key, value in expected.items():
        _check(torch.equal(actual[key], value), f"{key} differs between {what}")


def _check(condition: bool, message: str) -> None:
    if not condition:  # not an assert statement: these checks must survive python -O
        raise AssertionError(message)
