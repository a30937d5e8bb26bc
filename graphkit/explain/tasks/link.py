"""Why two nodes are, or are not, predicted to be linked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphkit.data.dataset import LinkData
from graphkit.errors import RequestError, RunError
from graphkit.explain.accounts import account_of
from graphkit.explain.drawing import MOST_NODES
from graphkit.explain.explainer import Explainer, warnings_of
from graphkit.explain.explanation import Account, Check, Drawing, Explanation
from graphkit.explain.ledger import ledger
from graphkit.explain.neighborhood import Scene
from graphkit.explain.receipt import removal, strongest
from graphkit.explain.words import counted, percent
from graphkit.models.link.base import LinkModel
from graphkit.serving.names import Names
from graphkit.serving.opened import Opened
from graphkit.sparse import CSR

_KINDS = ("the pair", "common neighbor", "neighbor of one")


@dataclass(frozen=True)
class Pair:
    """Two nodes, by their numbers."""

    u: int
    v: int


class LinkExplainer(Explainer):
    """Explains the score of a pair by its common neighbors, or by the neighbors of its ends.

    Args:
        opened: A run of link prediction.
    """

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        assert isinstance(opened.dataset, LinkData)
        self.data: LinkData = opened.dataset
        self.model: LinkModel = opened.model
        self.x, self.adj = opened.task.inputs(self.model)
        self.names = Names("node", self.adj.shape[0], self.data.node_names)

    def identity(self) -> tuple[Tensor, ...]:
        """The edges of all splits, see `Explainer.identity`."""
        pairs = torch.cat([pairs.positive for pairs in self.data.splits.values()], dim=1)
        return (pairs.sort(dim=0).values.unique(dim=1),)

    def find(self, asked: Mapping[str, str]) -> list[Pair]:
        """The pairs of `pair=`, see `Explainer.find`."""
        named = self.names.split(asked["pair"])
        ends = self.names.find_all(named)
        if len(ends) % 2 or any(u == v for u, v in zip(ends[::2], ends[1::2], strict=False)):
            raise RequestError(f"pair={asked['pair']}: give two different nodes for each pair, pair=u,v or pair=u,v,x,y")
        return [Pair(u, v) for u, v in zip(ends[::2], ends[1::2], strict=True)]

    def explain(self, sample: Pair, top: int, *, with_receipt: bool = True) -> Explanation:
        """Explain the score of a pair, see `Explainer.explain`.

        Args:
            sample: Two nodes.
            top: Reasons that get a line of their own.
            with_receipt: Whether nodes are cut off and the pair is scored again.

        Raises:
            RequestError: The model ties no score to nodes of the graph.
        """
        with self.opened.evaluating():
            score = self._score(sample, self.adj)
            account, by_node, told = self._account(sample, score, top)
            checks = self._receipt(sample, score, by_node) if with_receipt else ()
            looks = self._drawing(sample, by_node.abs())
        subject = f"the pair {self._name(sample.u)} and {self._name(sample.v)}"
        linked = score > 0
        probability = float(torch.tensor(score).sigmoid()) if self.model.trained else None
        sure = "" if probability is None else f", probability {percent(probability)}"
        reason = next(iter(account.for_it()), None)
        because = f"the strongest reason: {reason.name}" if reason else "no node speaks for it"
        explanation = Explanation(
            subject=subject,
            sentence=f"The pair {self._name(sample.u)} and {self._name(sample.v)} is predicted to be "
            f"{'linked' if linked else 'not linked'} (score {ledger(account).printed_score}{sure}); {because}.",
            predicted=account,
            verdict="a link" if linked else "no link",
            probability=probability,
            looks=looks,
            checks=checks,
            facts={"the sum": told, "the pair": self._known(sample), **self.opened.facts()},
        )
        warnings = warnings_of(explanation)
        if self._in_graph(sample):
            warnings += ("The pair is an edge that the model was trained on and sees: its score is no prediction.",)
        return replace(explanation, warnings=warnings)

    def _score(self, pair: Pair, adj: CSR) -> float:
        score = float(self.model(self.x, adj, self._tensor(pair)))
        if score != score or abs(score) == float("inf"):
            raise RunError("the model's score is no finite number: train with a lower train.lr")
        return score

    def _account(self, pair: Pair, score: float, top: int) -> tuple[Account, Tensor, str]:
        """The account of a pair's score, what each node adds to it [N], and how the sum is made."""
        try:
            reasons = self.model.reasons(self.x, self.adj, self._tensor(pair))
        except NotImplementedError as error:
            raise RequestError(str(error)) from error
        by_node = torch.zeros(self.adj.shape[0], dtype=torch.float64, device=self.adj.device)
        by_node = by_node.index_add(0, reasons.ids, reasons.contributions)
        account = account_of(
            "the pair",
            score,
            by_node,
            lambda number: f"node {self._name(number)}",
            top=top,
            bias=float(reasons.bias),
            rule="" if reasons.exact else reasons.rule,
        )
        return account, by_node, reasons.rule

    def _receipt(self, pair: Pair, score: float, by_node: Tensor) -> tuple[Check, ...]:
        """The strongest nodes are cut off, beside others next to the pair."""
        ends = torch.tensor([pair.u, pair.v], device=self.adj.device)
        others = by_node.index_fill(0, ends, 0.0)
        named = strongest(others)
        if not named.numel():
            return ()
        edges = self.adj.edge_index()

        def rescore(nodes: Tensor) -> float:
            kept = ~torch.isin(edges, nodes).any(dim=0)
            return self._score(pair, CSR.from_edge_index(edges[:, kept], self.adj.shape[0]))

        done = f"All edges of {counted('node', [self._name(number) for number in named.tolist()])} removed"
        near = edges[0][torch.isin(edges[1], ends)].unique()
        return (removal(done, score, named, near[~torch.isin(near, ends)], rescore=rescore),)

    def _drawing(self, pair: Pair, weights: Tensor) -> Drawing:
        """Both ends with their neighbors, common ones first."""
        source, target = self.adj.edge_index()
        of_u, of_v = (source[target == end] for end in (pair.u, pair.v))
        common = of_u[torch.isin(of_u, of_v)]
        near = torch.cat([of_u, of_v]).unique()
        kinds = torch.full_like(self.adj.rowptr[1:], 2).index_fill(0, common, 1)
        ends = torch.tensor([pair.u, pair.v], device=self.adj.device)
        kinds = kinds.index_fill(0, ends, 0)
        near = near[~torch.isin(near, ends)]
        order = torch.argsort(weights[near] + (kinds[near] == 1) * (1.0 + weights.max()), descending=True, stable=True)
        shown = torch.cat([ends, near[order[: MOST_NODES - 2]]])
        scene = Scene(self.adj, self.names.array.tolist(), kinds, _KINDS)
        return scene.of(shown, weights.index_fill(0, ends, float(weights.max())), None, max(0, near.numel() + 2 - MOST_NODES))

    def _known(self, pair: Pair) -> str:
        """What is known of the pair."""
        for split, pairs in self.data.splits.items():
            ends = torch.tensor([[pair.u], [pair.v]])
            if bool(((pairs.positive == ends) | (pairs.positive == ends.flip(0))).all(dim=0).any()):
                return f"an edge of the {split} split"
        return "no edge of the data"

    def _in_graph(self, pair: Pair) -> bool:
        u, v = self._tensor(pair)
        return bool(self.adj.structure.contains(u, v).any())

    def _tensor(self, pair: Pair) -> Tensor:
        return torch.tensor([[pair.u], [pair.v]], device=self.adj.device)

    def _name(self, node: int) -> str:
        return str(self.names.array[node])
