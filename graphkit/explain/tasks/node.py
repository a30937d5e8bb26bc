"""Why a node has its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from graphkit.data.dataset import NodeData
from graphkit.explain.accounts import account_of
from graphkit.explain.attribution import STEPS, integrated_gradients
from graphkit.explain.decision import Decision
from graphkit.explain.explainer import Explainer, warnings_of
from graphkit.explain.explanation import Account, Check, Explanation, Part
from graphkit.explain.familiarity import Familiarity, familiarity
from graphkit.explain.neighborhood import Scene, steps_to
from graphkit.explain.opened import Opened
from graphkit.explain.receipt import removal, strongest
from graphkit.explain.tasks.node_rerun import NodeRerun
from graphkit.models.node.base import NodeModel
from graphkit.serving.names import Names
from graphkit.sparse import CSR

_FAR = 4

_RULE = (
    "Integrated gradients: a feature adds its value times the gradient of the score, averaged over {steps} points on the way "
    "from all features zero to the given ones; a node adds what its features add. The bias is the score where all features are "
    "zero."
)
_BY_FEATURE = "The same integrated gradients, added up per feature instead: over the node itself and all others."


class NodeExplainer(Explainer):
    """Explains the class of a node: by reasons of the model where it has some, else by integrated gradients.

    Args:
        opened: A run of node classification.
    """

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        assert isinstance(opened.dataset, NodeData)
        self.data: NodeData = opened.dataset
        self.model: NodeModel = opened.model
        view = opened.task.view(self.model)
        self.adj: CSR = view.adj
        self.known: Tensor = view.y
        self.names = Names("node", self.adj.shape[0], self.data.node_names)
        with opened.evaluating():
            self.x: Tensor = view.x.to_dense(next(self.model.parameters()).dtype) if isinstance(view.x, CSR) else view.x
            self.logits: Tensor = self.model(view.x, self.adj)

    def find(self, asked: Mapping[str, str]) -> list[int]:
        """The nodes of `node=`, see `Explainer.find`."""
        return self.names.find_all(self.names.split(asked["node"]))

    def explain(self, sample: int, top: int, *, with_receipt: bool = True) -> Explanation:
        """Explain the class of a node, see `Explainer.explain`.

        Args:
            sample: Its number.
            top: Reasons that get a line of their own.
            with_receipt: Whether reasons are removed and the model is run again.
        """
        node, subject = sample, f"node {self._name(sample)}"
        with self.opened.evaluating():
            decision = Decision.of(self.logits[node], self.data.class_names, self.logits[node].softmax(dim=0))
            parts = integrated_gradients(lambda x: self.model(x, self.adj)[node][decision.chosen], self.x)
            zero = self.model(torch.zeros_like(self.x), self.adj)[node][decision.chosen].tolist()
            by_node, by_feature = parts.sum(dim=2), parts.sum(dim=1)
            steps = steps_to(self.adj, node, _FAR)
            accounts = [
                self._by_node(decision.names[k], decision.scores[k], by_node[k], node, steps, top=top, bias=zero[k])
                for k in range(decision.chosen.numel())
            ]
            features = account_of(
                "The same score by features",
                decision.scores[0],
                by_feature[0],
                lambda number: f"feature {number}",
                top=top,
                bias=zero[0],
                rule=_BY_FEATURE,
            )
            explanation = Explanation(
                subject=subject,
                sentence=decision.sentence(subject, accounts),
                predicted=accounts[0],
                runner_up=accounts[1] if len(accounts) > 1 else None,
                also=(features,),
                probability=decision.probability,
                looks=self.scene.around(node, by_node[0].abs()),
                checks=self._receipt(node, int(decision.chosen[0]), by_node[0], by_feature[0]) if with_receipt else (),
                facts={**self._facts(node), **self.opened.facts()},
            )
            near = self._familiarity(node)
        warnings = (*warnings_of(explanation), *(near.warning("node") if near else ()))
        return replace(explanation, warnings=warnings)

    @cached_property
    def scene(self) -> Scene:
        """What drawings show: nodes in the color of the class that is predicted for them."""
        legend = tuple(f"predicted {self._class(label)}" for label in range(self.logits.size(1)))
        return Scene(self.adj, self.names.array.tolist(), self.logits.argmax(dim=1), legend, self.data.directed)

    def part(self, node: int, steps: Tensor | None = None) -> Part:
        """A node, with what may be said of it: the label of a training node, else the class that is predicted.

        Args:
            node: Its number.
            steps: Steps from every node to the explained one [N], -1 for far ones; None: not told.
        """
        label = int(self.known[node])
        about = f"training node of {self._class(label)}"
        if label < 0:
            about = f"predicted {self._class(int(self.logits[node].argmax()))}"
        if steps is not None:
            count = int(steps[node])
            far = {0: "", 1: "neighbor, ", -1: f"over {_FAR} steps away, "}.get(count, f"{count} steps away, ")
            about = far + about
        return Part(f"node {self._name(node)}", about)

    def _by_node(
        self, name: str, score: float, contributions: Tensor, node: int, steps: Tensor, *, top: int, bias: float
    ) -> Account:
        return account_of(
            name,
            score,
            contributions,
            lambda number: "the node's own features" if number == node else f"node {self._name(number)}",
            top=top,
            bias=bias,
            rule=_RULE.format(steps=STEPS),
            part=lambda number: self.part(number, steps),
        )

    def _receipt(self, node: int, label: int, by_node: Tensor, by_feature: Tensor) -> tuple[Check, ...]:
        """All features of the strongest other nodes, and the strongest features of all, are set to zero; beside random ones."""
        rerun = NodeRerun(self.model, self.x, self.adj, node, label)
        checks, before = [], rerun.score()
        others = by_node.index_fill(0, torch.tensor([node], device=by_node.device), 0.0)
        if (named := strongest(others)).numel():
            listed = ", ".join(self._name(number) for number in named.tolist())
            done = f"All features of {'node' if named.numel() == 1 else 'nodes'} {listed} set to zero"
            pool = others.nonzero().flatten()
            checks.append(removal(done, before, named, pool, rescore=rerun.without_features_of))
        if (named := strongest(by_feature)).numel():
            listed = ", ".join(map(str, named.tolist()))
            done = f"{'Feature' if named.numel() == 1 else 'Features'} {listed} set to zero in all nodes"
            pool = by_feature.nonzero().flatten()
            checks.append(removal(done, before, named, pool, rescore=rerun.without_features))
        return tuple(checks)

    def _familiarity(self, node: int) -> Familiarity | None:
        train = (self.known >= 0).nonzero().flatten()
        z = self._embeddings
        return familiarity(z[node], z[train], train, node)

    @cached_property
    def _embeddings(self) -> Tensor:
        return self.model.embed(self.x, self.adj)

    def _facts(self, node: int) -> dict[str, str]:
        split = next((name for name, nodes in self.data.splits.items() if bool((nodes == node).any())), "no split")
        y = self.data.graph.y
        label = -1 if y is None else int(y[node])
        told = "unknown" if label < 0 else self._class(label)
        return {"label": told if split == "train" else f"{told} (not seen by the model)", "split": split}

    def _name(self, node: int) -> str:
        return str(self.names.array[node])

    def _class(self, label: int) -> str:
        return self.data.class_names[label] if self.data.class_names else f"class {label}"
