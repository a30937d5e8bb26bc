"""Between PyG's explainers and ours: our rules as a PyG algorithm, our models as PyG modules. Importing it imports PyG.

    Explainer(model, EdgeAttribution(), ...)                 our rules on any PyG module, in PyG's own protocol
    Explainer(ModelForPyG(model, hops=3), GNNExplainer(), ...)   PyG's algorithms on a model of ours

PyG multiplies the messages of its convolutions with an edge mask after they are normalized: a masked edge still counts in
degrees. Our convolutions multiply with a sparse operator whose weights are normalized, so that a mask of 0 is the graph without
the edge. At a mask of 1 both are the graph as it is; in between they differ.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch_geometric.explain import Explanation
from torch_geometric.explain.algorithm import ExplainerAlgorithm
from torch_geometric.explain.config import MaskType, ModelMode, ModelTaskLevel
from torch_geometric.nn import MessagePassing

from graphkit.explain.attribution import STEPS
from graphkit.explain.edges import RULES, Rule, attribute_to_edges
from graphkit.explain.masked import MaskedModule
from graphkit.metrics.fidelity import group_means
from graphkit.models.graph.base import GraphModel
from graphkit.models.node.base import NodeModel
from graphkit.sparse import GraphBatch, as_csr, as_entries, pointers

Strength = Literal["size", "support"]


class EdgeAttribution(ExplainerAlgorithm):  # type: ignore[misc]  # PyG has no types
    """Our attribution to edges for PyG's `Explainer`; the explained module may be any with PyG's conventions.

    The explanation's `edge_mask` [E] is from 0 to 1, the strength of the undirected edge over the largest one.
    `contributions` [E] are what its two directions add to the log-probability of the class, see `attribute_to_edges`.

    Args:
        rule: `gradients` or `occlusion`; the second also explains modules that read no edge masks.
        by: What strength is. `size`: that of the contribution whatever its sign, which finds the edges that a prediction
            hangs on. `support`: the contribution, 0 where it is against the class, which finds those that fidelity rewards.
        steps: Of `gradients`.

    Raises:
        ValueError: An unknown rule or strength.
    """

    def __init__(self, rule: Rule = "gradients", *, by: Strength = "size", steps: int = STEPS) -> None:
        super().__init__()
        if rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}.")
        if by not in ("size", "support"):
            raise ValueError(f"by must be size or support, got {by!r}.")
        self.rule, self.by, self.steps = rule, by, steps

    def forward(
        self,
        model: nn.Module,
        x: Tensor,
        edge_index: Tensor,
        *,
        target: Tensor,
        index: int | Tensor | None = None,
        **kwargs: Any,
    ) -> Explanation:
        """Explain one row of the output, see PyG's `ExplainerAlgorithm.forward`.

        Raises:
            ValueError: More than one row is asked for.
        """
        per_graph = self.model_config.task_level == ModelTaskLevel.graph
        if per_graph:
            kwargs.pop("batch", None)  # one graph, copied as a whole
            row = 0
        elif index is None or torch.as_tensor(index).numel() != 1:
            raise ValueError("give the index of one node: an explanation by edges is of one prediction.")
        else:
            row = int(index)
        returns = self.model_config.return_type.value
        masked = MaskedModule(
            module=model, x=x, edges=edge_index, index=row, per_graph=per_graph, returns=returns, arguments=kwargs
        )
        found = attribute_to_edges(masked, int(target[row]), self.rule, of="log-probability", steps=self.steps)
        means = group_means(found, masked.groups)
        strength = means.abs() if self.by == "size" else means.clamp(min=0.0)
        largest = strength.max() if strength.numel() else strength.new_zeros(())
        mask = (strength / largest if float(largest) > 0 else strength)[masked.groups]
        return Explanation(edge_mask=mask.to(x.dtype), contributions=found)

    def supports(self) -> bool:
        """Whether classes of nodes or graphs are explained by a mask of edges alone."""
        asked, model = self.explainer_config, self.model_config
        if asked.edge_mask_type != MaskType.object or asked.node_mask_type is not None:
            logging.error("EdgeAttribution needs edge_mask_type='object' and node_mask_type=None")
            return False
        if model.mode != ModelMode.multiclass_classification or model.task_level == ModelTaskLevel.edge:
            logging.error("EdgeAttribution explains multiclass_classification at the level of nodes or graphs")
            return False
        return True


class ModelForPyG(nn.Module):
    """A model of ours as a module that PyG's explainers can mask: GNNExplainer, PGExplainer and CaptumExplainer.

    A network of your own made of our layers is taken as well, if it hands `edge_weight` on to them. Works where the model reads
    weights of edges and differentiates them, or with `EdgeAttribution("occlusion")` in any case.
    Models that prepare an index of a graph once, such as networks on bags of subgraphs, take occlusion alone.

    Args:
        model: A node or graph model, or any module called as `model(x, edge_index, edge_weight)` that gives scores of nodes.
        hops: Rounds of message passing, which PyG counts in modules to know what can reach a node.

    Raises:
        ValueError: `hops` is below 1.
    """

    def __init__(self, model: nn.Module, *, hops: int) -> None:
        super().__init__()
        if hops < 1:
            raise ValueError(f"hops must be at least 1, got {hops}.")
        self.model = model
        self.seams = nn.ModuleList(_Seam() for _ in range(hops))
        self.train(model.training)  # a new module is in training mode, and explainers put the model back to how they found it

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_weight: Tensor | None = None,
        batch: Tensor | None = None,
        edge_attr: Tensor | None = None,
    ) -> Tensor:
        """Scores of the nodes [N, C], or of the graphs [G, C].

        Args:
            x: Features [N, F].
            edge_index: (source, target) [2, E].
            edge_weight: Weights [E]; None for ones.
            batch: The graph of each node [N], ascending, for a graph model; None: one graph.
            edge_attr: Features of edges [E, D], for a graph model that reads them; no edge may then be listed twice.
        """
        seam: _Seam = self.seams[-1]  # type: ignore[assignment]
        weight = seam.weights(edge_index, edge_weight, x)
        if not isinstance(self.model, NodeModel | GraphModel):
            own: Tensor = seam(self.model(x, edge_index, weight))
            return own
        adj = as_csr(edge_index, x.size(0), weight)
        if isinstance(self.model, NodeModel):
            h = seam(self.model.embed(x, adj))
            scores: Tensor = self.model.head(h, adj) if self.model.head_takes_graph else self.model.head(h)
            return scores
        counts = torch.bincount(batch) if batch is not None else torch.tensor([x.size(0)], device=x.device)
        attr = None if edge_attr is None else as_entries(edge_index, x.size(0)).gather(edge_attr)
        graphs = GraphBatch(adj, pointers(counts), x, attr)
        out: Tensor = self.model(graphs.with_index(self.model.prepare(graphs)))
        return out


class _Seam(MessagePassing):  # type: ignore[misc]  # PyG has no types
    """What PyG's explainers take for a convolution: they leave their edge mask here, and read embeddings of nodes here."""

    def forward(self, h: Tensor) -> Tensor:
        """The embeddings as they are."""
        return h

    def weights(self, edge_index: Tensor, edge_weight: Tensor | None, x: Tensor) -> Tensor | None:
        """Weights of the edges [E] under the mask that an explainer has set; without one as they are."""
        if not self.explain:
            return edge_weight
        weight = x.new_ones(edge_index.size(1)) if edge_weight is None else edge_weight
        masked: Tensor = self.explain_message(weight.unsqueeze(1), x.size(0)).squeeze(1)
        return masked
