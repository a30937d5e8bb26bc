"""Every public layer: how it is built, how it is called, and which properties hold; on bags and batches: `subgraph/cases.py`.

`test_properties.py` applies `graphkit.testing` to all of them; a layer in `graphkit.layers.__all__` without a case here, or
without an oracle test of its own, fails the completeness tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from graphkit import layers, testing
from graphkit.sparse import CSR, as_csr

BOTH = (False, True)
UNWEIGHTED = (False,)
SIZED = ("x", "edge_index", "edge_weight", "size")
"""Layers that also read two node sets."""
ATTENTION = ("x", "edge_index", "edge_weight", "edge_attr", "size", "return_attention_weights")


@dataclass(frozen=True)
class Case:
    """One way to build a layer, and how to call it as `layer(x, adjacency, edge_weight)`."""

    layer: type[nn.Module]
    make: Callable[..., nn.Module]
    adapt: Callable[[nn.Module], nn.Module] = lambda layer: layer
    """Wraps a layer that is called in another way."""
    inputs: tuple[str, ...] = ("x", "edge_index", "edge_weight")
    """The arguments of the layer's own `forward`."""
    weighted: tuple[bool, ...] = BOTH
    """Whether it is tried without and with edge weights."""
    in_channels: int = 4
    layouts: tuple[str, ...] = testing.LAYOUTS
    parameters: bool = True
    """Whether the layer has parameters."""
    bound: bool = False
    """Whether the layer knows each node of one graph, and is made for a number of them: it is neither renamed nor batched."""

    def built(self, num_nodes: int = 12) -> nn.Module:
        """The layer; one that is bound is made for so many nodes."""
        return self.make(num_nodes) if self.bound else self.make()

    def adapted(self, num_nodes: int = 12) -> nn.Module:
        """The layer as the assertions call it."""
        return self.adapt(self.built(num_nodes))


class RowByRow(nn.Module):
    """A layer that looks at no graph."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.reset_parameters: Callable[[], None] = layer.reset_parameters

    def forward(self, x: Tensor, edge_index: Any) -> Tensor:
        return self.layer(x)


class OfTheGraphAlone(RowByRow):
    """A layer that looks at no features."""

    def forward(self, x: Tensor, edge_index: Any, edge_weight: Tensor | None = None) -> Tensor:
        return self.layer(edge_index, edge_weight)


class WithEdgeFeatures(RowByRow):
    """A layer that reads two features per edge, here made of the nodes at its ends."""

    def forward(self, x: Tensor, edge_index: Any, edge_weight: Tensor | None = None) -> Tensor:
        matrix = isinstance(edge_index, CSR) or edge_index.layout != torch.strided
        source, target = as_csr(edge_index, x.size(0)).edge_index() if matrix else edge_index
        return self.layer(x, edge_index, edge_weight, torch.sin(x[source, :2] - 2.0 * x[target, :2]))


class WithFirstStates(RowByRow):
    """A layer that mixes states with those before the first layer, here made of them."""

    def forward(self, x: Tensor, edge_index: Any) -> Tensor:
        return self.layer(x, torch.sin(3.0 * x))


class ContextsOfGraph(RowByRow):
    """Contexts that need no features, here of the graph, made as it comes; times a feature."""

    def forward(self, x: Tensor, edge_index: Any) -> Tensor:
        self.layer.fit(x.detach(), edge_index, torch.arange(x.size(0), device=x.device) % 4 - 1)
        return x[:, :1] * self.layer()


class DecodedAndInjected(RowByRow):
    """What a reasoner makes of contexts, all of it: the rebuilt embedding, and a state with what is added to it."""

    def forward(self, x: Tensor, edge_index: Any) -> Tensor:
        e = self.layer(x)
        return torch.cat([self.layer.decode(e), self.layer.decode(e, 0), self.layer.inject(x, e, 0)], dim=1)


class SumOfPairScores(RowByRow):
    """A scorer of pairs as a layer on nodes: the scores of (i, i) and of the edges that leave i, added up."""

    def forward(self, x: Tensor, edge_index: Any) -> Tensor:
        nodes = torch.arange(x.size(0), device=x.device)
        pairs = torch.cat([as_csr(edge_index, x.size(0)).edge_index(), torch.stack([nodes, nodes])], dim=1)
        scores = self.layer(x, edge_index, pairs)
        return torch.zeros_like(x[:, 0]).index_add(0, pairs[0], scores).unsqueeze(1)


def _row_by_row(layer: type[nn.Module], **arguments: Any) -> Case:
    return Case(layer, lambda: layer(4, **arguments), RowByRow, ("x",), UNWEIGHTED)


def _pair_score(layer: type[nn.Module], **arguments: Any) -> Case:
    return Case(layer, lambda: layer(4, **arguments), SumOfPairScores, ("h", "edge_index", "pairs"), UNWEIGHTED)


def _gcn(out_channels: int = 3, **arguments: Any) -> Case:
    return Case(layers.GCNConv, lambda: layers.GCNConv(4, out_channels, **arguments), inputs=SIZED)


def _gat(**arguments: Any) -> Case:
    return Case(layers.GATConv, lambda: layers.GATConv(4, 3, **arguments), inputs=ATTENTION)


def _propagation(norm: str) -> Case:
    return Case(layers.Propagation, lambda: layers.Propagation(norm), inputs=SIZED, parameters=False)


def _gin(**arguments: Any) -> Case:
    inputs = ("x", "edge_index", "edge_weight", "edge_attr")
    adapt: Callable[[nn.Module], nn.Module] = WithEdgeFeatures if "edge_channels" in arguments else lambda layer: layer
    return Case(layers.GINConv, lambda: layers.GINConv(4, **{"out_channels": 6, **arguments}), adapt, inputs)


def _light_gcn(**arguments: Any) -> Case:
    inputs = ("x", "edge_index", "edge_weight", "rows")
    return Case(layers.LightGCNPropagation, lambda: layers.LightGCNPropagation(**arguments), inputs=inputs, parameters=False)


def _directional(**arguments: Any) -> Case:
    return Case(layers.DirectionalConv, lambda: layers.DirectionalConv(4, 3, **arguments))


def _patterns(**arguments: Any) -> Case:
    return Case(layers.DirectedPatternAggregation, lambda: layers.DirectedPatternAggregation(4, 3, **arguments))


def _sir(**arguments: Any) -> Case:
    inputs = ("x", "edge_index", "edge_weight", "edge_attr")
    adapt: Callable[[nn.Module], nn.Module] = WithEdgeFeatures if "edge_channels" in arguments else lambda layer: layer
    arguments = {"activation": "tanh", **arguments}  # relu has no gradient at places, which finite differences may cross
    return Case(layers.SIRConv, lambda: layers.SIRConv(4, 3, **arguments), adapt, inputs)


def _sheaf(maps: str, **arguments: Any) -> Case:
    arguments = {"stalk_dim": 2, **arguments}
    channels = 2 * (arguments["stalk_dim"] + arguments.get("low_pass", False) + arguments.get("high_pass", False))
    return Case(layers.SheafDiffusion, lambda: layers.SheafDiffusion(channels, maps=maps, **arguments), in_channels=channels)


def _polynomial(maps: str, **arguments: Any) -> Case:
    return Case(
        layers.PolynomialSheafDiffusion,
        lambda: layers.PolynomialSheafDiffusion(6, 2, maps=maps, low_pass=True, **arguments),
        in_channels=6,
    )


CASES: dict[str, Case] = {
    "Propagation-gcn": _propagation("gcn"),
    "Propagation-mean": _propagation("mean"),
    "Propagation-sum": _propagation("sum"),
    "Propagation-directed": _propagation("directed"),
    "GCNConv-gcn": _gcn(),
    "GCNConv-mean": _gcn(norm="mean"),
    "GCNConv-sum": _gcn(norm="sum"),
    "GCNConv-wider": _gcn(6),
    "GCNConv-no-loops": _gcn(bias=False, add_self_loops=False),
    "SAGEConv": Case(layers.SAGEConv, lambda: layers.SAGEConv(4, 3), inputs=SIZED),
    "SAGEConv-wider": Case(layers.SAGEConv, lambda: layers.SAGEConv(4, 6, bias=False), inputs=SIZED),
    "GATConv": _gat(dropout=0.5),
    "GATConv-heads": _gat(heads=2),
    "GATConv-mean": _gat(heads=2, concat=False, add_self_loops=False),
    "GATConv-edges": replace(_gat(heads=2, edge_dim=2), adapt=WithEdgeFeatures),
    "GINConv": _gin(),
    "GINConv-narrower": _gin(out_channels=3, norm=False, eps=0.3),
    "GINConv-learned": _gin(out_channels=3, train_eps=True),
    "GINConv-edges": _gin(edge_channels=2, eps=0.3),
    "DirectionalConv-gcn": _directional(conv="gcn", alpha=0.3),
    "DirectionalConv-sage": _directional(conv="sage", alpha=0.3),
    "DirectionalConv-gat": _directional(conv="gat", alpha=0.3),
    "DirectionalConv-one-way": _directional(conv="gcn", alpha=1.0, bias=False),
    "DirectionalConv-learned": _directional(conv="sage", learn_alpha=True),
    "DirectionalConv-bounded": _directional(conv="gcn", alpha=0.3, learn_alpha=True, bound_alpha=True),
    "DirectedPatternAggregation": _patterns(exponent=0.4),
    "DirectedPatternAggregation-node": _patterns(pattern_attention="node", exponent=0.0, num_layers=2),
    "DirectedPatternAggregation-hops": _patterns(num_hops=3, decay=False, dropout=0.5),
    "GatedPropagation": Case(layers.GatedPropagation, lambda: layers.GatedPropagation(4, num_hops=3)),
    "AdaptiveHops": Case(layers.AdaptiveHops, lambda: layers.AdaptiveHops(4, 3, num_hops=3)),
    "AdaptiveHops-teleport": Case(layers.AdaptiveHops, lambda: layers.AdaptiveHops(4, num_hops=2, teleport=0.2)),
    "InitialResidual": Case(
        layers.InitialResidual, lambda: layers.InitialResidual(4), WithFirstStates, ("x", "x_initial"), UNWEIGHTED
    ),
    "NodeAdaptiveSmoothing": Case(
        layers.NodeAdaptiveSmoothing,
        lambda: layers.NodeAdaptiveSmoothing(num_hops=3, temperature=0.2),
        inputs=("x", "edge_index"),
        weighted=UNWEIGHTED,
        parameters=False,
    ),
    "SIRConv-sum": _sir(hidden_channels=5, dropout=0.5),
    "SIRConv-max": _sir(aggregation="max"),
    "SIRConv-edges": _sir(aggregation="mean", edge_channels=2),
    "FlowerPetalConv": Case(
        layers.FlowerPetalConv,
        lambda: layers.FlowerPetalConv(4, 3, max_order=3, degree=3, dropout=0.5),
        inputs=("x", "edge_index"),
        weighted=UNWEIGHTED,
    ),
    "CategoryInteractions": _row_by_row(layers.CategoryInteractions, out_channels=3, embedding_channels=5, dropout=0.5),
    "SheafDiffusion-identity": _sheaf("identity", high_pass=True),
    "SheafDiffusion-identity-gated": _sheaf("identity", edge_weights=True),
    "SheafDiffusion-diagonal": _sheaf("diagonal", low_pass=True, edge_weights=True),
    "SheafDiffusion-householder": _sheaf("orthogonal", stalk_dim=3, low_pass=True, edge_weights=True),
    "SheafDiffusion-cayley": _sheaf("orthogonal", stalk_dim=4, orthogonal="cayley", left_weights=False),
    "SheafDiffusion-exp": _sheaf("orthogonal", stalk_dim=4, orthogonal="exp", right_weights=False),
    "SheafDiffusion-rotation": _sheaf("orthogonal", orthogonal="rotation", dropout=0.5),
    "SheafDiffusion-general": _sheaf("general", low_pass=True, high_pass=True, edge_weights=True),
    "PolynomialSheafDiffusion-identity": _polynomial("identity", degree=2, dropout=0.5),
    "PolynomialSheafDiffusion-diagonal": _polynomial("diagonal", edge_weights=True),
    "PolynomialSheafDiffusion-linear": _polynomial("orthogonal", degree=1),
    "PolynomialSheafDiffusion-general": _polynomial("general", degree=5, left_weights=False),
    "NormDropoutReLU": _row_by_row(layers.NormDropoutReLU, dropout=0.5),
    "NormDropoutReLU-no-norm": replace(_row_by_row(layers.NormDropoutReLU, norm=False), parameters=False),
    "FeatureLinear": Case(layers.FeatureLinear, lambda: layers.FeatureLinear(4, 3, dropout=0.5), RowByRow, ("x",), UNWEIGHTED),
    "GraphFreeLinear": Case(
        layers.GraphFreeLinear, lambda: layers.GraphFreeLinear(4, 3), inputs=("x", "edge_index"), weighted=UNWEIGHTED
    ),
    "AdjacencyLinear": Case(
        layers.AdjacencyLinear,
        lambda num_nodes: layers.AdjacencyLinear(num_nodes, 3),
        OfTheGraphAlone,
        inputs=("edge_index", "edge_weight"),
        bound=True,
    ),
    "NodeContext": Case(
        layers.NodeContext,
        lambda num_nodes: layers.NodeContext(num_nodes, contexts=("degree", "clustering", "label agreement")),
        ContextsOfGraph,
        inputs=(),
        weighted=UNWEIGHTED,
        parameters=False,
        bound=True,
    ),
    "ContextReasoner": Case(
        layers.ContextReasoner,
        lambda: layers.ContextReasoner(4, 3, decoded=(4, 5), injected=1, dropout=0.5),
        DecodedAndInjected,
        inputs=("context",),
        weighted=UNWEIGHTED,
    ),
    "Dropout": Case(layers.Dropout, layers.Dropout, RowByRow, ("x",), UNWEIGHTED, parameters=False),
    "LightGCNPropagation": _light_gcn(),
    "LightGCNPropagation-given": _light_gcn(num_layers=2, weights=(0.5, -1.0, 0.25)),
    "LightGCNPropagation-learned": replace(_light_gcn(num_layers=2, weights="learned"), parameters=True),
    "HadamardScore": _pair_score(layers.HadamardScore, dropout=0.5),
    "HadamardScore-input": _pair_score(layers.HadamardScore, input_dropout=0.5),
    "ResidualHadamardScore": _pair_score(layers.ResidualHadamardScore, num_layers=4, dropout=0.5),
    "ResidualHadamardScore-norm": _pair_score(layers.ResidualHadamardScore, norm=True, residual=False, activation="silu"),
    "CommonNeighborScore": _pair_score(layers.CommonNeighborScore, dropout=0.5, common_neighbor_dropout=0.3),
    "CommonNeighborScore-tails": _pair_score(layers.CommonNeighborScore, tail_activation=False, two_layer=True),
    "CommonNeighborScore-difference": _pair_score(layers.CommonNeighborScore, extra_pool="difference", dropout=0.5),
    "CommonNeighborScore-second": _pair_score(layers.CommonNeighborScore, extra_pool="second", tail_activation=False),
    # Inner scores have no gradient, which differences would show: here all weights are alike. See `pairs/test_completion.py`.
    "CompletionScore": _pair_score(layers.CompletionScore, dropout=0.5, common_neighbor_dropout=0.3, scale=0.0),
    "CompletionScore-twice": _pair_score(layers.CompletionScore, depth=2, inner="embeddings", scale=0.0),
    "CommonNeighborScore-plain": _pair_score(layers.CommonNeighborScore, norm=False, transform_pooled=False),
}
