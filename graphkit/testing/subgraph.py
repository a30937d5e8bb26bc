"""Public assertions for layers on batches of graphs: subgraph layers, permutation-equivariant layers, readouts.

Each takes `make`, a function without arguments that builds the layer, and raises `AssertionError` with the property that
failed. The layer is called as `layer(x, edge_index, ptr)`, with the boundaries of the graphs `ptr` [G + 1]. It gives one row
per node or one per graph. A layer with other inputs is wrapped:

    class PerNode(nn.Module):
        def forward(self, x, edge_index, ptr):
            bags = ego_bags(edge_index, ptr, hops=2)
            return bags.spread_nodes.t() @ self.layer(bags.spread_nodes @ x, bags)

The batch has graphs of different sizes, isolated nodes, a graph without edges and a single node. Values are compared with the
gradients of features and parameters, in evaluation mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Make = Callable[[], nn.Module]
Per = Literal["node", "graph"]

_SIZES = (7, 1, 5, 9, 3)


def graph_batch(in_channels: int = 4, *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """An undirected batch with the corners where subgraph layers go wrong.

    The last node of each graph is isolated, the last graph has no edge, the second one is a single node.

    Args:
        in_channels: Feature width.
        seed: The batch is a function of the arguments and this seed alone.

    Returns:
        Features [N, in_channels], float64; `edge_index` [2, E]; boundaries of the graphs [G + 1].
    """
    generator = torch.Generator().manual_seed(seed)
    ptr = torch.tensor([0, *_SIZES]).cumsum(0)
    edges = []
    for start, size in zip(ptr.tolist(), _SIZES, strict=False):
        if size > 3:
            dense = torch.rand(size - 1, size - 1, generator=generator).triu(1) > 0.5
            edges.append(dense.nonzero().t() + start)
    one_way = torch.cat(edges, dim=1)
    x = torch.randn(int(ptr[-1]), in_channels, generator=generator, dtype=torch.float64)
    return x, torch.cat([one_way, one_way.flip(0)], dim=1), ptr


def assert_relabeling(make: Make, in_channels: int = 4, *, per: Per = "node", tolerance: float = 1e-11, seed: int = 0) -> None:
    """Renaming the nodes inside each graph renames the rows of the nodes, and changes nothing per graph."""
    x, edge_index, ptr = graph_batch(in_channels, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    starts = zip(ptr.tolist(), ptr.diff().tolist(), strict=False)
    renamed = torch.cat([start + torch.randperm(size, generator=generator) for start, size in starts])
    layer = _build(make, seed)
    expected = _outcome(layer, x, edge_index, ptr, per)
    moved = torch.empty_like(x)
    moved[renamed] = x
    at = {"x": renamed, "output": renamed if per == "node" else torch.arange(ptr.numel() - 1)}
    _compare(_outcome(layer, moved, renamed[edge_index], ptr, per, at), expected, "after renaming the nodes", tolerance)


def assert_graphs_apart(
    make: Make, in_channels: int = 4, *, per: Per = "node", tolerance: float = 1e-11, seed: int = 0
) -> None:
    """A graph's rows are the same alone, in a batch, and in a batch of another order; gradients add up."""
    x, edge_index, ptr = graph_batch(in_channels, seed=seed)
    layer = _build(make, seed)
    together = _outcome(layer, x, edge_index, ptr, per)
    order = [3, 1, 4, 0, 2]
    bounds = ptr.tolist()
    parts = [torch.arange(bounds[g], bounds[g + 1]) for g in order]
    moved = torch.cat(parts)
    new_id = torch.empty_like(moved)
    new_id[moved] = torch.arange(moved.numel())
    new_ptr = torch.tensor([0, *(part.numel() for part in parts)]).cumsum(0)
    at = {"x": new_id, "output": new_id if per == "node" else torch.argsort(torch.tensor(order))}
    _compare(_outcome(layer, x[moved], new_id[edge_index], new_ptr, per, at), together, "in another order", tolerance)
    for g, (start, stop) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        inside = (edge_index[0] >= start) & (edge_index[0] < stop)
        alone = layer(x[start:stop], edge_index[:, inside] - start, torch.tensor([0, stop - start])).detach()
        rows = together["output"][start:stop] if per == "node" else together["output"][g : g + 1]
        _compare({"output": alone}, {"output": rows}, f"of graph {g} alone and in a batch", tolerance)


def _build(make: Make, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().double().eval()


def _outcome(
    layer: nn.Module, x: Tensor, edge_index: Tensor, ptr: Tensor, per: Per, at: dict[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Output and gradients of a fixed functional of it, in the rows that `at` names."""
    leaf = x.detach().clone().requires_grad_()
    output = layer(leaf, edge_index, ptr)
    wanted = x.size(0) if per == "node" else ptr.numel() - 1
    if output.size(0) != wanted:
        raise AssertionError(f"the output has {output.size(0)} rows for {wanted} {per}s")
    if not bool(torch.isfinite(output).all()):
        raise AssertionError("the output is not finite")
    ordered = output if at is None else output[at["output"]]
    places = torch.arange(ordered.numel(), dtype=torch.float64).view_as(ordered)
    layer.zero_grad()
    (ordered * torch.cos(1.0 + 3.0 * places)).sum().backward()
    gradient = torch.zeros_like(x) if leaf.grad is None else leaf.grad
    result = {"output": ordered.detach(), "gradient of x": gradient if at is None else gradient[at["x"]]}
    for name, parameter in layer.named_parameters():
        result[f"gradient of {name}"] = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
    return result


def _compare(actual: dict[str, Tensor], expected: dict[str, Tensor], what: str, tolerance: float) -> None:
    for key, value in expected.items():
        try:
            torch.testing.assert_close(actual[key], value, rtol=tolerance, atol=tolerance)
        except AssertionError as error:
            raise AssertionError(f"{key} differs {what}: {error}") from None
