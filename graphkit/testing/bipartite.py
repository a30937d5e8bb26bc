"""Public assertion for layers that read two node sets, sources and targets; arguments as in `testing.layers`.

The layer is called as `layer((x_src, x_dst), adjacency)`, or `layer((x_src, x_dst), adjacency, edge_weight)` with
`weighted=True`, and gives one row per target:

    def make():
        return MyConv((4, 3), 5)

    testing.assert_two_node_sets(make, in_channels=(4, 3))
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from graphkit.sparse import CSR
from graphkit.testing.graphs import LAYOUTS, adjacency_and_order
from graphkit.testing.layers import DTYPES, Make, _build, _check, _compare


@dataclass(frozen=True)
class BipartiteGraph:
    """A small graph between two node sets.

    Attributes:
        x_src: Features of the sources [S, C].
        x_dst: Features of the targets [T, D].
        edge_index: Sources and targets [2, E], int64, without duplicates, in random order.
        edge_weight: Positive weights [E], or None.
    """

    x_src: Tensor
    x_dst: Tensor
    edge_index: Tensor
    edge_weight: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(sources, targets), PyG's order."""
        return self.x_src.size(0), self.x_dst.size(0)

    def permuted(self, sources: Tensor, targets: Tensor) -> BipartiteGraph:
        """The same graph after source j is renamed `sources[j]` and target i is renamed `targets[i]`."""
        x_src = torch.empty_like(self.x_src).index_copy(0, sources, self.x_src)
        x_dst = torch.empty_like(self.x_dst).index_copy(0, targets, self.x_dst)
        edge_index = torch.stack([sources[self.edge_index[0]], targets[self.edge_index[1]]])
        return replace(self, x_src=x_src, x_dst=x_dst, edge_index=edge_index)

    def without_edges(self) -> BipartiteGraph:
        """The same nodes, no edges."""
        weight = None if self.edge_weight is None else self.edge_weight[:0]
        return replace(self, edge_index=self.edge_index[:, :0], edge_weight=weight)


def random_bipartite_graph(
    in_channels: tuple[int, int] = (4, 3),
    size: tuple[int, int] = (10, 7),
    *,
    weighted: bool = False,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> BipartiteGraph:
    """A random graph between two node sets in which the first and the last source and target are isolated.

    Args:
        in_channels: Feature widths of sources and targets.
        size: (sources, targets), at least 4 each.
        weighted: Whether edges have weights in [0.5, 1.5).
        dtype: Type of features and weights.
        seed: The graph is a function of the arguments and this seed alone.

    Returns:
        The graph; every second pair of nodes that are not isolated is an edge, on average.
    """
    if min(size) < 4:
        raise ValueError(f"a graph with isolated nodes at both ends needs at least 4 of each set, got {size}")
    generator = torch.Generator().manual_seed(seed)
    edges = (torch.rand(size[0] - 2, size[1] - 2, generator=generator) < 1 / 2).nonzero().t() + 1
    edges = edges[:, torch.randperm(edges.size(1), generator=generator)]
    x_src, x_dst = (
        torch.randn(nodes, channels, generator=generator, dtype=torch.float64).to(dtype)
        for nodes, channels in zip(size, in_channels, strict=True)
    )
    weight = torch.rand(edges.size(1), generator=generator, dtype=torch.float64).to(dtype) + 0.5
    return BipartiteGraph(x_src, x_dst, edges, weight if weighted else None)


def assert_two_node_sets(
    make: Make,
    in_channels: tuple[int, int] = (4, 3),
    *,
    weighted: bool = False,
    layouts: tuple[str, ...] = LAYOUTS,
    dtypes: tuple[torch.dtype, ...] = DTYPES,
    seed: int = 0,
) -> None:
    """The layer reads sources and targets as two sets of nodes.

    - Renaming the sources changes nothing but the rows of their gradient. Renaming the targets renames the output's rows.
    - Every layout gives the same result; rows of a matrix are targets.
    - An isolated target gets what it gets alone, and an isolated source has no influence.
    - Sets without edges or without nodes give finite values and gradients, one row per target.
    """
    for dtype in dtypes:
        layer = _build(make, dtype, seed)
        graph = random_bipartite_graph(in_channels, weighted=weighted, dtype=dtype, seed=seed)
        expected = _outcome(layer, graph)
        _check_renaming(layer, graph, expected, seed)
        for layout in layouts:
            adjacency, order = adjacency_and_order(graph.edge_index, graph.edge_weight, graph.size, layout, dtype)
            weight = None if graph.edge_weight is None else graph.edge_weight[order]
            listed = replace(graph, edge_index=graph.edge_index[:, order], edge_weight=weight)
            _compare(_outcome(layer, listed, adjacency), expected, f"for the layout {layout!r}", dtype)
        _check_isolated(layer, graph, expected)
        empty = graph.without_edges()
        no_sources, no_targets = replace(empty, x_src=graph.x_src[:0]), replace(empty, x_dst=graph.x_dst[:0])
        cases = {
            "edges": empty,
            "sources": no_sources,
            "targets": no_targets,
            "nodes": replace(no_sources, x_dst=graph.x_dst[:0]),
        }
        for name, case in cases.items():
            for key, value in _outcome(layer, case).items():
                _check(bool(torch.isfinite(value).all()), f"{key} is not finite without {name} ({dtype})")


def _check_renaming(layer: nn.Module, graph: BipartiteGraph, expected: dict[str, Tensor], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed + 1)
    for which in ("sources", "targets"):
        names = [torch.arange(nodes) for nodes in graph.size]
        names[which == "targets"] = torch.randperm(graph.size[which == "targets"], generator=generator)
        actual = _outcome(layer, graph.permuted(*names), rows=names[1])
        actual["gradient of x_src"] = actual["gradient of x_src"][names[0]]
        actual["gradient of x_dst"] = actual["gradient of x_dst"][names[1]]
        _compare(actual, expected, f"after renaming the {which}", graph.x_src.dtype)


def _check_isolated(layer: nn.Module, graph: BipartiteGraph, expected: dict[str, Tensor]) -> None:
    dtype = graph.x_src.dtype
    for target in (0, graph.size[1] - 1):
        alone = replace(graph.without_edges(), x_src=graph.x_src[:0], x_dst=graph.x_dst[target : target + 1])
        row = {"output": expected["output"][target : target + 1]}
        _compare(
            row, {"output": _outcome(layer, alone)["output"]}, f"of the isolated target {target} and the target alone", dtype
        )
    for source in (0, graph.size[0] - 1):
        influence = expected["gradient of x_src"][source].count_nonzero()
        _check(not bool(influence), f"the isolated source {source} influences the output ({dtype})")


def _outcome(
    layer: nn.Module, graph: BipartiteGraph, adjacency: Any = None, *, rows: Tensor | None = None
) -> dict[str, Tensor]:
    """The output and the gradients of a fixed random functional of it; row i of the output is row `rows[i]` of the layer's."""
    x_src, x_dst = (x.detach().clone().requires_grad_() for x in (graph.x_src, graph.x_dst))
    carries_values = isinstance(adjacency, CSR) or (isinstance(adjacency, Tensor) and adjacency.layout == torch.sparse_csr)
    weights = () if graph.edge_weight is None or carries_values else (graph.edge_weight,)
    output = layer((x_src, x_dst), graph.edge_index if adjacency is None else adjacency, *weights)
    _check(output.requires_grad, "the output has no gradient: it was detached, or depends on neither features nor parameters")
    _check(output.size(0) == graph.size[1], f"the output has {output.size(0)} rows for {graph.size[1]} targets")
    ordered = output if rows is None else output[rows]
    flat = ordered.flatten(1)
    functional = torch.cos(1.0 + 7.0 * torch.arange(flat.size(0))[:, None] + 3.0 * torch.arange(flat.size(1))[None])
    inputs = {"x_src": x_src, "x_dst": x_dst, **dict(layer.named_parameters())}
    gradients = torch.autograd.grad((flat * functional.to(flat.dtype)).sum(), list(inputs.values()), materialize_grads=True)
    named = {f"gradient of {name}": gradient for name, gradient in zip(inputs, gradients, strict=True)}
    return {"output": ordered.detach(), **named}
