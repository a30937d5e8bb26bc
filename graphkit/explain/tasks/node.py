"""Why a node has its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from graphkit.data.dataset import NodeData
from graphkit.data.graph import required
from graphkit.explain.accounts import account_of
from graphkit.explain.attribution import STEPS, integrated_gradients
from graphkit.explain.decision import Decision
from graphkit.explain.explainer import Explainer, warnings_of
from graphkit.explain.explanation import Account, Bar, Check, Explanation, Part
from graphkit.explain.familiarity import Familiarity, familiarity
from graphkit.explain.features import Features
from graphkit.explain.neighborhood import Scene, steps_to
from graphkit.explain.opened import Opened
from graphkit.explain.prototypes import Looks, prototype_warnings
from graphkit.explain.receipt import NAMED, removal, strongest
from graphkit.explain.tasks.node_rerun import NodeRerun
from graphkit.explain.words import counted
from graphkit.models.node.base import NodeModel, NodeView
from graphkit.models.node.prototype import PrototypeNodes
from graphkit.models.node.x_node import XNode
from graphkit.prototypes import ComponentsHead, explain
from graphkit.serving.names import Names
from graphkit.sparse import CSR

_FAR = 4

_RULE = (
    f"Integrated gradients: a feature adds its value times the gradient of the score, averaged over {STEPS} points on the way "
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
        self.view: NodeView = opened.task.view(self.model)
        self.adj: CSR = self.view.adj
        self.known: Tensor = self.view.y
        self.names = Names("node", self.adj.shape[0], self.data.node_names)
        with opened.evaluating():
            self.features = Features(self.view.x, self.view.x.dtype or torch.float32)
            self.logits: Tensor = self.model(self.view.x, self.adj)
        self.classes = self.data.class_names or tuple(f"class {number}" for number in range(self.logits.size(1)))

    def identity(self) -> tuple[Tensor, ...]:
        """Edges and labels, see `Explainer.identity`."""
        return self.data.graph.edge_index, required(self.data.graph.y)

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
            decision = Decision.of(self.logits[node], self.classes, self._probabilities(node))
            # Prototypes tell the runner-up by themselves; then gradients of the prediction are enough.
            wanted = 1 if isinstance(self.model, PrototypeNodes) else decision.chosen.numel()
            attributed = self._attribute(node, decision.chosen[:wanted])
            accounts = self._by_node(node, decision, attributed, top)
            also: tuple[Account, ...] = (self._by_feature(decision, attributed, top),)
            warnings: tuple[str, ...] = ()
            if isinstance(self.model, PrototypeNodes):
                also = (replace(accounts[0], name="The same score by nodes"), *also)
                accounts, warnings = self._by_prototype(self.model, node, top)
            bars, context = self._contexts(node, decision)
            explanation = Explanation(
                subject=subject,
                sentence=decision.sentence(subject, accounts),
                predicted=accounts[0],
                runner_up=accounts[1] if len(accounts) > 1 else None,
                also=also,
                probability=decision.probability,
                looks=self.scene.around(node, attributed.by_node[0].abs()),
                bars=bars,
                context=context,
                checks=self._receipt(node, int(decision.chosen[0]), attributed, accounts[0]) if with_receipt else (),
                facts={**self._facts(node), **self.opened.facts()},
            )
            near = self._familiarity(node)
        warnings += (*warnings_of(explanation), *(near.warning("node") if near else ()))
        return replace(explanation, warnings=warnings)

    @cached_property
    def scene(self) -> Scene:
        """What drawings show: nodes in the color of the class that is predicted for them."""
        legend = tuple(f"predicted {name}" for name in self.classes)
        return Scene(self.adj, self.names.array.tolist(), self.logits.argmax(dim=1), legend, self.data.directed)

    def part(self, node: int, steps: Tensor | None = None) -> Part:
        """A node, with what may be said of it: the label of a training node, else the class that is predicted.

        Args:
            node: Its number.
            steps: Steps from every node to the explained one [N], -1 for far ones; None: not told.
        """
        label = int(self.known[node])
        about = f"training node of {self.classes[label]}"
        if label < 0:
            about = f"predicted {self.classes[int(self.logits[node].argmax())]}"
        if steps is not None:
            count = int(steps[node])
            far = {0: "", 1: "neighbor, ", -1: f"over {_FAR} steps away, "}.get(count, f"{count} steps away, ")
            about = far + about
        return Part(f"node {self._name(node)}", about)

    def _attribute(self, node: int, chosen: Tensor) -> _Attributed:
        """Integrated gradients of some scores."""
        features = self.features

        def scores(values: Tensor) -> Tensor:
            logits: Tensor = self.model(features.of(values), self.adj)
            return logits[node][chosen]

        parts = integrated_gradients(scores, features.values)
        zero = scores(torch.zeros_like(features.values))
        return _Attributed(features.by_node(parts), features.by_feature(parts), tuple(zero.tolist()))

    def _by_node(self, node: int, decision: Decision, attributed: _Attributed, top: int) -> list[Account]:
        """The accounts of the attributed scores by what each node adds."""
        steps = steps_to(self.adj, node, _FAR)
        return [
            account_of(
                name,
                decision.scores[k],
                attributed.by_node[k],
                lambda number: "the node's own features" if number == node else f"node {self._name(number)}",
                top=top,
                bias=attributed.bias[k],
                rule=_RULE,
                part=lambda number: self.part(number, steps),
            )
            for k, name in enumerate(decision.names[: len(attributed.bias)])
        ]

    def _by_feature(self, decision: Decision, attributed: _Attributed, top: int) -> Account:
        """The account of the prediction by what each feature adds."""
        score, bias = decision.scores[0], attributed.bias[0]
        name, named = "The same score by features", "feature {}".format
        return account_of(name, score, attributed.by_feature[0], named, top=top, bias=bias, rule=_BY_FEATURE)

    def _by_prototype(self, model: PrototypeNodes, node: int, top: int) -> tuple[list[Account], tuple[str, ...]]:
        """The accounts of the model itself, and why they may mislead."""
        parts = model.parts_of(self.view, torch.tensor([node], device=self.adj.device))
        bank = model.head.bank
        evidence = explain(parts, 0, bank=bank, head=model.head.classifier, encoder=model.backbone, top=top)

        def seen(ref: tuple[int, int], is_drawn: bool) -> Part:
            drawn = self.scene.around(ref[1]) if is_drawn else None
            return replace(self.part(ref[1]), shown=drawn)

        return Looks(seen, seen, self.classes).accounts(evidence), prototype_warnings(evidence, bank.similarity)

    def _contexts(self, node: int, decision: Decision) -> tuple[tuple[Bar, ...], str]:
        """The contexts of a model that has some, with what each adds to the predicted score, and the same in words."""
        if not isinstance(self.model, XNode):
            return (), ""
        target, prediction = int(decision.chosen[0]), decision.names[0]
        reasons = self.model.reasons(self.view.x, self.adj, node, target=target, prediction=prediction)
        bars = tuple(Bar(one.name, one.value, one.unit, one.percentile, one.effect) for one in reasons.readings)
        return bars, reasons.text

    def _probabilities(self, node: int) -> Tensor | None:
        """Of all classes [C]; None where scores are none of a softmax."""
        if isinstance(self.model, PrototypeNodes) and isinstance(self.model.head.classifier, ComponentsHead):
            return None
        return self.logits[node].softmax(dim=0)

    def _receipt(self, node: int, label: int, attributed: _Attributed, account: Account) -> tuple[Check, ...]:
        """What the explanation names is removed: other nodes that look like prototypes, nodes' features, features of all."""
        rerun = NodeRerun(model=self.model, features=self.features, adj=self.adj, node=node, label=label)
        before, checks = rerun.score(), []
        steps = steps_to(self.adj, node, _FAR)
        near = (steps > 0).nonzero().flatten()
        if members := [number for number in self._members(account) if number != node]:
            named = torch.tensor(members, device=near.device)
            done = f"All edges of {counted('node', [self._name(number) for number in members])} removed"
            checks.append(removal(done, before, named, near, rescore=rerun.without_edges_of))
        others = attributed.by_node[0].index_fill(0, torch.tensor([node], device=near.device), 0.0)
        if (named := strongest(others)).numel():
            done = f"All features of {counted('node', [self._name(number) for number in named.tolist()])} set to zero"
            checks.append(removal(done, before, named, others.nonzero().flatten(), rescore=rerun.without_features_of))
        by_feature = attributed.by_feature[0]
        if (named := strongest(by_feature)).numel():
            done = f"{counted('Feature', named.tolist())} set to zero in all nodes"
            checks.append(removal(done, before, named, by_feature.nonzero().flatten(), rescore=rerun.without_features))
        return tuple(checks)

    def _members(self, account: Account) -> list[int]:
        """The nodes that the strongest likenesses of a neighborhood are about."""
        if not isinstance(self.model, PrototypeNodes):
            return []
        named = [term.query.name.removeprefix("node ") for term in account.for_it()[:NAMED] if term.query is not None]
        return self.names.find_all(dict.fromkeys(named))

    def _familiarity(self, node: int) -> Familiarity | None:
        z, train = self._embeddings, (self.known >= 0).nonzero().flatten()
        held_out = self.data.splits["valid"].to(z.device)
        return familiarity(z[node], z[train[train != node]], z[held_out[held_out != node]])

    @cached_property
    def _embeddings(self) -> Tensor:
        return self.model.embed(self.view.x, self.adj)

    def _facts(self, node: int) -> dict[str, str]:
        split = next((name for name, nodes in self.data.splits.items() if bool((nodes == node).any())), "no split")
        y = self.data.graph.y
        label = -1 if y is None else int(y[node])
        told = "unknown" if label < 0 else self.classes[label]
        return {"label": told if split == "train" else f"{told} (not seen by the model)", "split": split}

    def _name(self, node: int) -> str:
        return str(self.names.array[node])


@dataclass(frozen=True)
class _Attributed:
    """What nodes [K, N] and features [K, F] add to each chosen score, and the scores without features."""

    by_node: Tensor
    by_feature: Tensor
    bias: tuple[float, ...]
