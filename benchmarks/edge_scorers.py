"""Explanations that say how much each edge matters for a prediction: ours, PyG's GNNExplainer, and those of prototypes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from graphkit.explain.edges import Rule, attribute_to_edges
from graphkit.explain.masked import Masked, MaskedGraph, MaskedNode
from graphkit.sparse import CSR

Scorer = Callable[[Masked, int, Tensor], Tensor]
"""Scores of edges [E] from a prediction, its class, and the edges [E] that can matter."""


def ours(rule: Rule, model: nn.Module | None = None) -> Scorer:
    """The size of contributions to the log-probability of the class, of the prediction's own model unless another is given."""

    def scores(masked: Masked, label: int, near: Tensor) -> Tensor:
        asked = masked if model is None else replace(masked, model=model)  # type: ignore[call-arg]  # a node's, or a graph's
        return attribute_to_edges(asked, label, rule, of="log-probability", among=near).abs()

    return scores


def gnn_explainer(hops: int, epochs: int, seed: int) -> Scorer:
    """PyG's GNNExplainer with its own settings, on our model as a module of PyG's."""
    from torch_geometric.explain import Explainer, GNNExplainer

    from graphkit.explain.pyg import ModelForPyG

    def scores(masked: Masked, label: int, near: Tensor) -> Tensor:
        assert isinstance(masked, MaskedNode | MaskedGraph)
        is_node = isinstance(masked, MaskedNode)
        config = {"mode": "multiclass_classification", "task_level": "node" if is_node else "graph", "return_type": "raw"}
        explainer = Explainer(
            ModelForPyG(masked.model, hops=hops),
            GNNExplainer(epochs=epochs),
            explanation_type="model",
            edge_mask_type="object",
            model_config=config,
        )
        torch.manual_seed(seed)
        with torch.enable_grad():
            if isinstance(masked, MaskedNode):
                x = masked.x.to_dense(masked.dtype) if isinstance(masked.x, CSR) else masked.x
                return cast(Tensor, explainer(x, masked.edge_index, index=masked.node).edge_mask)
            graph = masked.graph
            extra = {} if graph.edge_attr is None else {"edge_attr": graph.edge_attr}
            return cast(Tensor, explainer(graph.x, masked.edge_index, **extra).edge_mask)

    return scores


def shuffled_prototypes(model: nn.Module, random: torch.Generator) -> nn.Module:
    """The same model whose prototypes have changed places, so that classes are compared with the wrong parts."""
    shuffled = copy.deepcopy(model)
    weight = cast(Tensor, shuffled.head.bank.weight)  # type: ignore[union-attr]
    with torch.no_grad():
        weight.copy_(weight[torch.randperm(len(weight), generator=random)])
    return shuffled


def prototype_parts(model: Any) -> Scorer:
    """An edge is worth what its two ends are worth as parts: the score of the class for each of them by itself."""

    def scores(masked: Masked, label: int, near: Tensor) -> Tensor:
        if isinstance(masked, MaskedNode):
            parts = model.embed(masked.x, masked.adj)
        else:
            graph = cast(MaskedGraph, masked).graph
            parts = model.embed_nodes(graph.with_index(model.prepare(graph)))
        worth = model.head.classifier(model.head.bank.compare(parts))[:, label]
        return cast(Tensor, worth[masked.edge_index].sum(dim=0))

    return scores
