"""Why a graph has its class, its label or its number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from graphkit.data.graph_set import GraphSet
from graphkit.explain.accounts import account_of
from graphkit.explain.decision import Decision
from graphkit.explain.explainer import Explainer, warnings_of
from graphkit.explain.explanation import Check, Drawing, Explanation
from graphkit.explain.familiarity import Familiarity, familiarity
from graphkit.explain.neighborhood import Scene
from graphkit.explain.opened import Opened
from graphkit.explain.receipt import removal, strongest
from graphkit.explain.tasks.graph_rerun import GraphRerun
from graphkit.models.graph.base import GraphModel
from graphkit.serving.names import Names
from graphkit.tasks.graph import GraphPrediction

_MOST_OCCLUDED = 150
_MOST_COMPARED = 500

_RULE = (
    "Occlusion: a node adds what the score loses when the node and its edges are removed from the graph. What nodes do "
    "together is in the line of the rest."
)
_BY_FEATURE = "Occlusion: a feature adds what the score loses when it is set to zero in all nodes."


class GraphExplainer(Explainer):
    """Explains the prediction for a graph by occlusion of nodes and of features.

    Args:
        opened: A run of graph prediction.
    """

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        assert isinstance(opened.dataset, GraphSet)
        self.data: GraphSet = opened.dataset
        self.model: GraphModel = opened.model
        self.task: GraphPrediction = opened.task
        self.names = Names("graph", self.data.graphs.num_graphs, self.data.graph_names)
        named, kind = (self.data.class_names, "class") if self.data.kind == "classes" else (self.data.target_names, "target")
        self.targets = named or tuple(f"{kind} {number}" for number in range(self.data.num_targets))

    def find(self, asked: Mapping[str, str]) -> list[int]:
        """The graphs of `graph=`, see `Explainer.find`."""
        return self.names.find_all(self.names.split(asked["graph"]))

    def explain(self, sample: int, top: int, *, with_receipt: bool = True) -> Explanation:
        """Explain the prediction for a graph, see `Explainer.explain`.

        Args:
            sample: Its number.
            top: Reasons that get a line of their own.
            with_receipt: Whether reasons are removed and the model is run again.
        """
        subject = f"graph {self.names.array[sample]}"
        with self.opened.evaluating():
            rerun = GraphRerun(self.opened.task, self.model, torch.tensor([sample], device=self.opened.device))
            decision = self._decide(rerun.scores()[0])
            by_node, by_feature = self._by_node(rerun, decision.chosen), self._by_feature(rerun, decision.chosen)
            accounts = [
                account_of(name, score, lost, "node {}".format, top=top, rule=_RULE)
                for name, score, lost in zip(decision.names, decision.scores, by_node, strict=True)
            ]
            features = account_of(
                "The same score by features", decision.scores[0], by_feature[0], "feature {}".format, top=top, rule=_BY_FEATURE
            )
            explanation = Explanation(
                subject=subject,
                sentence=decision.sentence(subject, accounts),
                predicted=accounts[0],
                runner_up=accounts[1] if len(accounts) > 1 else None,
                also=(features,) if by_feature.numel() else (),
                probability=decision.probability,
                looks=self._drawing(rerun, by_node[0].abs()),
                checks=self._receipt(rerun, decision, by_node[0]) if with_receipt else (),
                facts={**self._facts(sample), **self.opened.facts()},
            )
            near = self._familiarity(rerun)
        warnings = (*warnings_of(explanation), *(near.warning("graph") if near else ()))
        return replace(explanation, warnings=warnings)

    def _decide(self, scores: Tensor) -> Decision:
        if self.data.kind == "numbers":  # of several the first: they have units of their own, and none is the runner-up
            return Decision.of(scores[:1], self.targets[:1])
        return Decision.of(scores, self.targets, scores.softmax(dim=0) if self.data.kind == "classes" else scores.sigmoid())

    def _by_node(self, rerun: GraphRerun, chosen: Tensor) -> Tensor:
        """What each chosen score loses without each node [K, n]; of large graphs only the nodes of most edges are asked."""
        count = rerun.batch.num_nodes
        asked = rerun.batch.adj.degree().argsort(descending=True, stable=True)[:_MOST_OCCLUDED]
        lost = torch.zeros(chosen.numel(), count, dtype=torch.float64, device=chosen.device)
        if count > 1:
            lost[:, asked] = (rerun.scores() - rerun.without(_rows(asked, count)))[:, chosen].double().t()
        return lost

    def _by_feature(self, rerun: GraphRerun, chosen: Tensor) -> Tensor:
        """What each chosen score loses without each feature [K, F]; of many only the largest ones are asked."""
        x = rerun.batch.x
        if x is None:
            return torch.zeros(chosen.numel(), 0, dtype=torch.float64, device=chosen.device)
        size = x.abs().sum(dim=0)
        asked = size.argsort(descending=True, stable=True)[: min(_MOST_OCCLUDED, int((size > 0).sum()))]
        lost = torch.zeros(chosen.numel(), x.size(1), dtype=torch.float64, device=chosen.device)
        lost[:, asked] = (rerun.scores() - rerun.without_features(_rows(asked, x.size(1))))[:, chosen].double().t()
        return lost

    def _receipt(self, rerun: GraphRerun, decision: Decision, by_node: Tensor) -> tuple[Check, ...]:
        """The strongest nodes are removed from the graph, beside random ones."""
        named, count = strongest(by_node), by_node.numel()
        if not 0 < named.numel() < count:
            return ()
        listed = ", ".join(map(str, named.tolist()))
        done = f"{'Node' if named.numel() == 1 else 'Nodes'} {listed} removed with all edges"
        everything = torch.arange(count, device=by_node.device)
        target = int(decision.chosen[0])

        def rescore(nodes: Tensor) -> float:
            return float(rerun.without(_rows(nodes, count).any(dim=0, keepdim=True))[0, target])

        return (removal(done, decision.scores[0], named, everything, rescore=rescore),)

    def _drawing(self, rerun: GraphRerun, weights: Tensor) -> Drawing:
        """The graph, nodes in the color of their largest feature."""
        batch = rerun.batch
        kinds = torch.zeros(batch.num_nodes, dtype=torch.int64) if batch.x is None else batch.x.argmax(dim=1)
        width = 0 if batch.x is None else batch.x.size(1)
        legend = tuple(f"feature {number} is largest" for number in range(width)) or ("node",)
        scene = Scene(batch.adj, [str(node) for node in range(batch.num_nodes)], kinds, legend, self.data.directed)
        return scene.of(torch.arange(batch.num_nodes, device=weights.device), weights, None)

    def _familiarity(self, rerun: GraphRerun) -> Familiarity | None:
        return familiarity(self.model.embed(rerun.batch)[0], self._trained_on[0], self._trained_on[1], int(rerun.graph))

    @cached_property
    def _trained_on(self) -> tuple[Tensor, Tensor]:
        """Embeddings of training graphs, at most 500 evenly spaced, and their numbers."""
        train = self.data.splits["train"]
        count = min(_MOST_COMPARED, train.numel())
        graphs = train[torch.arange(count) * train.numel() // count].to(self.opened.device)
        whole = self.task.prepared(self.model)[0]
        return torch.cat([self.model.embed(whole.take(some)) for some in graphs.split(64)]), graphs

    def _facts(self, graph: int) -> dict[str, str]:
        split = next((name for name, graphs in self.data.splits.items() if bool((graphs == graph).any())), "no split")
        y = self.data.graphs.y[graph]
        if self.data.kind == "classes":
            told = self.targets[int(y)]
        else:
            known = [(name, value) for name, value in zip(self.targets, y.tolist(), strict=True) if value == value]
            told = ", ".join(f"{name} {value:.4g}" for name, value in known) or "unknown"
        return {"label": told if split == "train" else f"{told} (not seen by the model)", "split": split}


def _rows(asked: Tensor, count: int) -> Tensor:
    """One row per number that is asked for, true there alone [len(asked), count]."""
    return asked.unsqueeze(1) == torch.arange(count, device=asked.device)
