"""Why a graph has its class, its label or its number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial

import torch
from torch import Tensor

from graphkit.data.graph_set import GraphSet
from graphkit.explain.accounts import account_of
from graphkit.explain.decision import Decision
from graphkit.explain.explainer import Explainer, warnings_of
from graphkit.explain.explanation import Account, Check, Explanation, Part
from graphkit.explain.familiarity import Familiarity, familiarity
from graphkit.explain.neighborhood import Scene, steps_to
from graphkit.explain.prototypes import Looks, prototype_warnings
from graphkit.explain.receipt import NAMED, removal, strongest
from graphkit.explain.tasks.graph_rerun import GraphRerun
from graphkit.explain.words import counted
from graphkit.models.graph.base import GraphModel
from graphkit.models.graph.prototype import PrototypeGraphs
from graphkit.prototypes import explain
from graphkit.serving.names import Names
from graphkit.serving.opened import Opened
from graphkit.sparse import GraphBatch
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

    def identity(self) -> tuple[Tensor, ...]:
        """Sizes and edges, see `Explainer.identity`."""
        return self.data.graphs.ptr, self.data.graphs.edge_index

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
            also: tuple[Account, ...] = (features,) if by_feature.numel() else ()
            warnings: tuple[str, ...] = ()
            named = strongest(by_node[0])
            if isinstance(self.model, PrototypeGraphs):
                also = (replace(accounts[0], name="The same score by nodes"), *also)
                accounts, members, warnings = self._by_prototype(self.model, rerun, top)
                named = named if members is None else members
            explanation = Explanation(
                subject=subject,
                sentence=decision.sentence(subject, accounts),
                predicted=accounts[0],
                runner_up=accounts[1] if len(accounts) > 1 else None,
                also=also,
                probability=decision.probability,
                looks=self._scene(rerun.batch).of(self._nodes(rerun.batch), by_node[0].abs(), None),
                checks=self._receipt(rerun, decision, named) if with_receipt else (),
                facts={**self._facts(sample), **self.opened.facts()},
            )
            near = self._familiarity(rerun)
        warnings += (*warnings_of(explanation), *(near.warning("graph") if near else ()))
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

    def _by_prototype(
        self, model: PrototypeGraphs, rerun: GraphRerun, top: int
    ) -> tuple[list[Account], Tensor | None, tuple[str, ...]]:
        """The accounts of the model itself, the nodes that the strongest likenesses are about, and why they may mislead."""
        parts, bank = model.parts_of(rerun.batch, rerun.graph), model.head.bank
        evidence = explain(parts, 0, bank=bank, head=model.head.classifier, encoder=model.backbone, top=top)
        looks = Looks(partial(self._part, model), partial(self._part, model), self.targets)
        likenesses = [line for line in evidence.predicted.lines if line.contribution > 0]
        strongest_ones = sorted(likenesses, key=lambda line: -line.contribution)[:NAMED]
        members = None
        if model.parts != "graph":
            members = torch.tensor(
                [line.part[1] for line in strongest_ones], dtype=torch.int64, device=self.opened.device
            ).unique()
        return looks.accounts(evidence), members, prototype_warnings(evidence, bank.similarity)

    def _part(self, model: PrototypeGraphs, ref: tuple[int, int], is_drawn: bool) -> Part:
        """A graph, or what is around one of its nodes, inside it."""
        graph, node = ref
        name = (
            f"graph {self.names.array[graph]}" if model.parts == "graph" else f"node {node} of graph {self.names.array[graph]}"
        )
        about = ""
        if bool((self.data.splits["train"] == graph).any()):
            about = f"training graph of {self.targets[int(self.data.graphs.y[graph])]}"
        if not is_drawn:
            return Part(name, about)
        batch = GraphRerun(self.opened.task, model, torch.tensor([graph], device=self.opened.device)).batch
        if model.parts == "graph":
            return Part(name, about, self._scene(batch).of(self._nodes(batch), None, None))
        near = steps_to(batch.adj, node, model.part_hops if model.parts == "balls" else 0) >= 0
        return Part(name, about, self._scene(batch).of(self._nodes(batch), near.double(), node))

    def _receipt(self, rerun: GraphRerun, decision: Decision, named: Tensor) -> tuple[Check, ...]:
        """The nodes that the explanation names are removed from the graph, beside random ones."""
        count = rerun.batch.num_nodes
        if not 0 < named.numel() < count:
            return ()
        done = f"{counted('Node', named.tolist())} removed with all edges"
        target = int(decision.chosen[0])

        def rescore(nodes: Tensor) -> float:
            return float(rerun.without(_rows(nodes, count).any(dim=0, keepdim=True))[0, target])

        return (removal(done, decision.scores[0], named, self._nodes(rerun.batch), rescore=rescore),)

    def _nodes(self, batch: GraphBatch) -> Tensor:
        return torch.arange(batch.num_nodes, device=self.opened.device)

    def _scene(self, batch: GraphBatch) -> Scene:
        """One graph, nodes in the color of their largest feature."""
        names = [str(node) for node in range(batch.num_nodes)]
        if batch.x is None:
            return Scene(batch.adj, names, torch.zeros_like(self._nodes(batch)), ("node",), self.data.directed)
        legend = tuple(f"feature {number} is largest" for number in range(batch.x.size(1)))
        return Scene(batch.adj, names, batch.x.argmax(dim=1), legend, self.data.directed)

    def _familiarity(self, rerun: GraphRerun) -> Familiarity | None:
        train, held_out = ((graphs != rerun.graph, z) for graphs, z in (self._embeddings["train"], self._embeddings["valid"]))
        return familiarity(self.model.embed(rerun.batch)[0], train[1][train[0]], held_out[1][held_out[0]])

    @cached_property
    def _embeddings(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Of training and of validation graphs, at most 500 evenly spaced each, their numbers and embeddings."""
        whole, found = next(iter(self.task.prepared(self.model))), {}
        for split in ("train", "valid"):
            graphs = self.data.splits[split]
            count = min(_MOST_COMPARED, graphs.numel())
            graphs = graphs[torch.arange(count) * graphs.numel() // count].to(self.opened.device)
            found[split] = graphs, torch.cat([self.model.embed(whole.take(some)) for some in graphs.split(64)])
        return found

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
