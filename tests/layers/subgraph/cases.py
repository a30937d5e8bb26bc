"""Every public layer on batches of graphs: how it is built, and how the assertions call it, `layer(x, edge_index, ptr)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graphkit import layers
from graphkit.layers import PRESETS
from graphkit.layers.subgraph.equivariant import BASIS
from graphkit.sparse.egonets import BagPairs, Bags, edge_deleted_bags, ego_bags, node_deleted_bags, path_bags, whole_bags


@dataclass(frozen=True)
class Case:
    """One way to build a layer, wrapped so that it maps the nodes of a batch of graphs to rows per node or per graph."""

    layer: type[nn.Module]
    make: Callable[[], nn.Module]
    adapt: Callable[[nn.Module], nn.Module]
    inputs: tuple[str, ...]
    """The arguments of the layer's own `forward`."""
    per: str = "node"
    parameters: bool = True

    def adapted(self) -> nn.Module:
        return self.adapt(self.make())


class OnBags(nn.Module):
    """A layer on rows of bags: rows come from nodes, with a mark at roots, and go back to nodes from both sides."""

    def __init__(self, layer: nn.Module, build: Callable[..., Bags], edges: int = 0) -> None:
        super().__init__()
        self.layer, self.build, self.edges = layer, build, edges
        self.reset_parameters: Callable[[], None] = layer.reset_parameters

    def forward(self, x: Tensor, edge_index: Tensor, ptr: Tensor | None = None) -> Tensor:
        bags = self.build(edge_index, _bounds(x, ptr))
        h = bags.spread_nodes @ x
        if bags.roots is not None and bags.roots.size(1) == 1:
            h = h + 0.3 * bags.is_root.unsqueeze(1) * (bags.spread_bags @ x[bags.roots[:, 0]])
        extra = [_edge_features(x, bags.adj, self.edges)] if self.edges else []
        out = self.layer(h, bags, *extra)
        nodes = bags.spread_nodes.t() @ out
        if bags.roots is None or bags.roots.size(1) != 1:
            return nodes
        over_nodes = bags.spread_bags.t() @ out
        return torch.cat([nodes, torch.zeros_like(nodes).index_add(0, bags.roots[:, 0], over_nodes)], dim=1)


class FeaturesOnBags(OnBags):
    """The first layer of a network on bags."""

    def forward(self, x: Tensor, edge_index: Tensor, ptr: Tensor | None = None) -> Tensor:
        bags = self.build(edge_index, _bounds(x, ptr))
        h = self.layer(x, bags)
        return bags.spread_nodes.t() @ (h * h)


class PooledBags(OnBags):
    """The last layer of a network on bags."""

    def forward(self, x: Tensor, edge_index: Tensor, ptr: Tensor | None = None) -> Tensor:
        bags = self.build(edge_index, _bounds(x, ptr))
        return self.layer(bags.spread_nodes @ x + (bags.within @ (bags.spread_nodes @ x)).sin(), bags)


class OnPairs(nn.Module):
    """SPEN's layer: nodes and pairs come from node features, all that comes out goes back to nodes."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.reset_parameters: Callable[[], None] = layer.reset_parameters

    def forward(self, x: Tensor, edge_index: Tensor, ptr: Tensor | None = None) -> Tensor:
        index = BagPairs(ego_bags(edge_index, _bounds(x, ptr), 1))
        first, second = index.pairs
        out = self.layer(x[:, :2], (x[first] * x[second].sin())[:, 2:], index)
        nodes = torch.zeros_like(out.pairs[:, :1]).new_zeros(x.size(0), out.pairs.size(1))
        pooled = nodes.index_add(0, first, out.pairs) + nodes.index_add(0, second, out.pairs.square())
        bags = torch.zeros_like(out.bags).index_copy(0, index.bags.roots[:, 0], out.bags)
        return torch.cat([out.nodes, pooled, bags], dim=1)


class OnSquares(nn.Module):
    """An equivariant map, on the one block of each graph: nodes in, nodes out."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.reset_parameters: Callable[[], None] = layer.reset_parameters

    def forward(self, x: Tensor, edge_index: Tensor, ptr: Tensor | None = None) -> Tensor:
        rows = []
        for part in x.split(_bounds(x, ptr).diff().tolist()):
            given = part[None] if self.layer.in_order == 1 else (part[:, None] * part[None].cos())[None]
            out = self.layer(given)[0]
            rows.append(
                out.expand(part.size(0), -1) if out.dim() == 1 else out if out.dim() == 2 else out.square().sum(1) + out.sum(0)
            )
        return torch.cat(rows)


class ReadOut(nn.Module):
    """A readout, which looks at no edge."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, edge_index: Tensor, ptr: Tensor | None = None) -> Tensor:
        return self.layer(x, _bounds(x, ptr))


def _bounds(x: Tensor, ptr: Tensor | None) -> Tensor:
    return torch.tensor([0, x.size(0)]) if ptr is None else ptr


def _edge_features(x: Tensor, adj: Any, width: int) -> Tensor:
    """Features of the entries that follow the nodes."""
    return (x[adj.row] * x[adj.col]).cos()[:, :width]


def _ego(edge_index: Tensor, ptr: Tensor) -> Bags:
    return ego_bags(edge_index, ptr, 2)


def _paths(edge_index: Tensor, ptr: Tensor) -> Bags:
    return path_bags(edge_index, ptr, 2, 1)


def _conv(build: Callable[..., Bags], *given: Any, edges: int = 0, **options: Any) -> Case:
    inputs = ("h", "bags", "edge_attr")
    make = lambda: layers.SubgraphConv(4, 3, *given, edge_channels=edges, **options)  # noqa: E731
    return Case(layers.SubgraphConv, make, lambda layer: OnBags(layer, build, edges), inputs)


def _preset(name: str) -> Case:
    build = {"ego": _ego, "pat": _paths}.get(PRESETS[name].policy[:3], whole_bags)
    make = lambda: PRESETS[name].conv(4, 3)  # noqa: E731
    return Case(layers.SubgraphConv, make, lambda layer: OnBags(layer, build), ("h", "bags", "edge_attr"))


def _features(build: Callable[..., Bags], *given: Any, **options: Any) -> Case:
    make = lambda: layers.BagFeatures(4, *given, **options)  # noqa: E731
    parameters = given != ("none",)
    adapt = lambda layer: FeaturesOnBags(layer, build)  # noqa: E731
    return Case(layers.BagFeatures, make, adapt, ("x", "bags"), parameters=parameters)


def _pooling(build: Callable[..., Bags], per: str = "graph", **options: Any) -> Case:
    make = lambda: layers.SubgraphPooling(4, **options)  # noqa: E731
    return Case(layers.SubgraphPooling, make, lambda layer: PooledBags(layer, build), ("h", "bags"), per)


def _on_whole_bags(layer: nn.Module) -> nn.Module:
    return OnBags(layer, whole_bags)


def _spen(*grades: int) -> Case:
    make = lambda: layers.SubgraphPermutationConv((2, 2), (2, 3, 2), grades)  # noqa: E731
    return Case(layers.SubgraphPermutationConv, make, OnPairs, ("nodes", "pairs", "index"))


def _linear(source: int, target: int) -> Case:
    return Case(layers.EquivariantLinear, lambda: layers.EquivariantLinear(4, 3, orders=(source, target)), OnSquares, ("x",))


CASES: dict[str, Case] = {
    **{f"SubgraphConv-{name}": _preset(name) for name in PRESETS},
    "SubgraphConv-everything": _conv(whole_bags, layers.AGGREGATIONS, root="separate", num_layers=1, norm=False),
    "SubgraphConv-plain": _conv(whole_bags, ("uL", "vL", "vu"), activation=False, norm=False, self_term="none"),
    "SubgraphConv-edges": _conv(_ego, ("uL", "vL", "uG"), edges=3),
    "SubgraphConv-node-deleted": _conv(node_deleted_bags, ("uL", "vL", "vG", "vu"), pool="mean"),
    "SubgraphConv-edge-deleted": _conv(edge_deleted_bags, ("uL", "vGL")),
    "SubgraphConv-paths": _conv(_paths, ("uL", "uG", "vG")),
    "BagFeatures-none": _features(_ego, "none"),
    "BagFeatures-mark": _features(whole_bags, "mark"),
    "BagFeatures-distance": _features(whole_bags, "distance", max_distance=2),
    "BagFeatures-paths": _features(_paths, "distance", num_roots=2),
    "SubgraphPooling-VS": _pooling(_ego),
    "SubgraphPooling-SV": _pooling(_ego, order="SV", inner="sum", outer="sum"),
    "SubgraphPooling-root": _pooling(_ego, inner="root", outer="sum"),
    "SubgraphPooling-VS-nodes": _pooling(_ego, "node", level="node", inner="sum"),
    "SubgraphPooling-SV-nodes": _pooling(_ego, "node", level="node", order="SV"),
    "SubgraphPermutationConv": _spen(1),
    "SubgraphPermutationConv-graded": _spen(1, 3, 4),
    "PPGNBlock": Case(layers.PPGNBlock, lambda: layers.PPGNBlock(4, 3), _on_whole_bags, ("h", "bags")),
    "PPGNBlock-plus": Case(layers.PPGNBlock, lambda: layers.PPGNBlock(4, 3, plus=True), _on_whole_bags, ("h", "bags")),
    **{f"EquivariantLinear-{k}-{order}": _linear(k, order) for k, order in BASIS},
    "GraphNorm": Case(layers.GraphNorm, lambda: layers.GraphNorm(4), ReadOut, ("x", "ptr")),
    "Readout-sum": Case(layers.Readout, layers.Readout, ReadOut, ("x", "ptr"), "graph", parameters=False),
    "Readout-all": Case(
        layers.Readout, lambda: layers.Readout(("sum", "mean", "max")), ReadOut, ("x", "ptr"), "graph", parameters=False
    ),
}
