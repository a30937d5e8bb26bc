"""Why any module with PyG's conventions gives a node or a graph its class: the account and the page that runs get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from graphkit.explain.accounts import account_of
from graphkit.explain.attribution import STEPS
from graphkit.explain.decision import Decision
from graphkit.explain.edges import Rule, attribute_to_edges
from graphkit.explain.explainer import warnings_of
from graphkit.explain.explanation import Account, Check, Drawing, Explanation
from graphkit.explain.masked import MaskedModule, Returns
from graphkit.explain.neighborhood import Scene
from graphkit.explain.receipt import removal, strongest
from graphkit.metrics.fidelity import group_means
from graphkit.sparse import CSR

_TOP = 10
_RULES: dict[Rule, str] = {
    "gradients": f"Integrated gradients: an edge adds the gradient of the score by its weight, averaged over {STEPS} points on "
    "the way from all edges with weight 0 to weight 1. The bias is the score without messages.",
    "occlusion": "Occlusion: an edge adds what the score loses when it is removed. The bias is the score without any edge.",
}


def explain_module(
    module: nn.Module,
    x: Tensor,
    edge_index: Tensor,
    *,
    index: int = 0,
    per_graph: bool = False,
    returns: Returns = "raw",
    rule: Rule = "gradients",
    class_names: Sequence[str] = (),
    node_names: Sequence[str] = (),
    top: int = _TOP,
    arguments: Mapping[str, Any] | None = None,
) -> Explanation:
    """Explain one row of the output of any module by the edges of its graph.

    The module is asked in evaluation mode and put back as it was.

    Args:
        module: Called as `module(x, edge_index, **arguments)`, with `batch=` [N] as well if `per_graph`.
        x: Features [N, F].
        edge_index: (source, target) edges [2, E].
        index: The node that is explained, or with `per_graph` 0: the graph.
        per_graph: Whether the output has a row per graph.
        returns: Whether rows are `raw` logits, `probs` or `log_probs`.
        rule: `gradients`, for modules of PyG's convolutions, or `occlusion`, for all.
        class_names: What classes are called; empty: their numbers.
        node_names: What nodes are called; empty: their numbers.
        top: Edges that get a line of their own.
        arguments: Further arguments of the module by name.

    Returns:
        The explanation; `.to_html()` is its page.

    Raises:
        ValueError: `index` is no row, the rule is unknown, or the module has no convolution whose messages could be weighed.

    Example:
        >>> page = explain_module(net, data.x, data.edge_index, index=17).to_html()
    """
    rows = 1 if per_graph else x.size(0)
    if not 0 <= index < rows:
        raise ValueError(f"index must be from 0 to {rows - 1}, got {index}.")
    training = module.training
    module.eval()
    try:
        masked = MaskedModule(
            module=module, x=x, edges=edge_index, index=index, per_graph=per_graph, returns=returns, arguments=arguments or {}
        )
        names = list(node_names) or [str(node) for node in range(x.size(0))]
        return _Explained(masked, rule, names, tuple(class_names)).explanation(top)
    finally:
        module.train(training)


class _Explained:
    """One prediction, with what its explanation is made from."""

    def __init__(self, masked: MaskedModule, rule: Rule, names: Sequence[str], classes: Sequence[str]) -> None:
        self.masked, self.rule, self.names = masked, rule, names
        edges = masked.edges
        self.everything = torch.ones(1, edges.size(1), dtype=torch.bool, device=edges.device)
        scores = masked.scores(self.everything)
        probabilities = masked.log_probabilities(scores.double()).exp()[0]
        self.decision = Decision.of(scores[0], classes, probabilities)
        size = torch.bincount(masked.groups)
        self.size = size.double()
        self.first = torch.full_like(size, edges.size(1)).scatter_reduce_(
            0, masked.groups, torch.arange(edges.size(1), device=edges.device), "amin"
        )

    def explanation(self, top: int) -> Explanation:
        subject = "the graph" if self.masked.per_graph else f"node {self.names[self.masked.index]}"
        labels = self.decision.chosen.tolist()
        parts = [self._parts(label) for label in labels]
        bias = self._without_edges()
        accounts = [self._account(k, parts[k], float(bias[label]), top) for k, label in enumerate(labels)]
        explanation = Explanation(
            subject=subject,
            sentence=self.decision.sentence(subject, accounts),
            predicted=accounts[0],
            runner_up=accounts[1] if len(accounts) > 1 else None,
            probability=self.decision.probability,
            looks=self._drawing(parts[0]),
            checks=self._receipt(labels[0], parts[0]),
            facts={"model": type(self.masked.module).__name__, "rule": self.rule},
        )
        return replace(explanation, warnings=warnings_of(explanation))

    def _parts(self, label: int) -> Tensor:
        """What each undirected edge contributes, both directions together [G]."""
        return group_means(attribute_to_edges(self.masked, label, self.rule), self.masked.groups) * self.size

    def _without_edges(self) -> Tensor:
        if self.rule == "occlusion":
            return self.masked.scores(~self.everything)[0]
        with torch.no_grad():
            return self.masked.weighted(torch.zeros_like(self.everything[0], dtype=self.masked.dtype))

    def _account(self, k: int, parts: Tensor, bias: float, top: int) -> Account:
        name, score = self.decision.names[k], self.decision.scores[k]
        return account_of(name, score, parts, self._named, top=top, bias=bias, rule=_RULES[self.rule])

    def _named(self, group: int) -> str:
        source, target = self.masked.edges[:, self.first[group]].tolist()
        if source == target:
            return f"the self-loop of {self.names[source]}"
        both = torch.unique(self.masked.edges[0, self.masked.groups == group]).numel() > 1
        return f"the edge {self.names[source]} {'-' if both else '->'} {self.names[target]}"

    def _receipt(self, label: int, parts: Tensor) -> tuple[Check, ...]:
        """The strongest edges are removed; beside random ones among those that matter at all."""
        named = strongest(parts)
        if not named.numel():
            return ()

        def rescore(groups: Tensor) -> float:
            kept = ~torch.isin(self.masked.groups, groups)
            return float(self.masked.scores(kept.unsqueeze(0))[0, label])

        done = f"Removed {', '.join(self._named(group) for group in named.tolist())}"
        return (removal(done, self.decision.scores[0], named, parts.nonzero().flatten(), rescore=rescore),)

    def _drawing(self, parts: Tensor) -> Drawing:
        """The node with what is around it, or the whole graph; a node weighs as the strongest of its edges."""
        edges, n = self.masked.edges, self.masked.num_nodes
        strength = parts.abs()[self.masked.groups]
        weights = strength.new_zeros(n).scatter_reduce_(0, edges.flatten(), strength.repeat(2), "amax")
        colors = torch.zeros(n, dtype=torch.int64, device=edges.device)
        scene = Scene(CSR.from_edge_index(edges, n), self.names, colors, ("node",))
        if self.masked.per_graph:
            return scene.of(weights.argsort(descending=True, stable=True), weights, None)
        return scene.around(self.masked.index, weights)
