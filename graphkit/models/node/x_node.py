"""X-Node: any node model with named contexts of the nodes, which explain its embeddings and take part in its predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import ContextReading, ContextReasoner, NodeContext
from graphkit.layers.checks import check_at_least, check_choice
from graphkit.layers.context.measures import FirstPass
from graphkit.layers.context.reasoner import r_squared
from graphkit.layers.context.registry import choose_contexts
from graphkit.layers.context.saliency import own_saliency
from graphkit.layers.context.words import Rewrite, in_words
from graphkit.models.node.backbone import BackboneModel
from graphkit.models.node.base import NodeModel, NodeView
from graphkit.sparse import CSR, Adjacency, as_csr
from graphkit.training.stages import Stage, Step

INJECTIONS = ("none", "late", "between")


@dataclass(frozen=True)
class ContextReasons:
    """What the contexts of a node do for a score.

    Attributes:
        readings: Each context with its number, unit, percentile among training nodes, and effect on the score.
        text: The same in a few sentences.
        gain: The score, less what it were if the node's contexts were those of an average training node.
        remainder: What the numerical integral leaves of that: gain = sum of effects + remainder.
    """

    readings: tuple[ContextReading, ...]
    text: str
    gain: float
    remainder: float


class XNode(BackboneModel):
    """A node model with contexts: logits = W h' + b.

    A reasoner rebuilds the backbone's embedding h from the contexts, see `ContextReasoner` and `NodeContext`. With
    `injection=late` h' = h + g * h_hat, with `between` that is done to the state after every layer of the backbone, and with
    `none` h' = h: contexts then explain and do not decide. The loss is the mean cross-entropy plus `reconstruction` times the
    mean squared error of what is rebuilt. The first trains backbone, head and gates, the second the reasoner: neither bends to
    the other.

    Contexts about a first pass (`feature saliency`, `predicted agreement`) make a stage of training: the model learns without
    them for `first_epochs` epochs, they are computed from what it has learned and are kept, and training goes on with them.

    Contexts belong to the graph that the model was fitted on: they stay as they are when it is called with another graph of
    the same nodes, or with several of these as one block-diagonal graph.

    Args:
        backbone: Any node model, untrained.
        out_channels: Number of classes C.
        num_nodes: Number of nodes N.
        contexts: `default`, `all`, or names joined by +, with - for spaces.
        injection: `none`, `late` or `between`.
        context_channels: Width of e.
        context_hidden: Width inside the reasoner.
        context_dropout: Probability in [0, 1) of dropping an entry inside it.
        reconstruction: Weight of the reconstruction's loss.
        first_epochs: Epochs of the first pass, at least 1.

    Raises:
        ValueError: If a number is out of its range, a name is unknown, or there is no place between the backbone's layers.

    Source: the idea is that of X-Node, arXiv:2508.10461. Its code puts true labels of test nodes into contexts, injects after
    the last layer and reconstructs noise; contexts, loss and places are our own design, and no figure of the paper is claimed.
    """

    measures: ClassVar[tuple[str, ...]] = ("r-squared",)

    def __init__(
        self,
        backbone: NodeModel,
        out_channels: int,
        num_nodes: int,
        *,
        contexts: str = "default",
        injection: str = "late",
        context_channels: int = 32,
        context_hidden: int = 64,
        context_dropout: float = 0.0,
        reconstruction: float = 1.0,
        first_epochs: int = 100,
    ) -> None:
        super().__init__(backbone)
        check_choice(INJECTIONS, injection=injection)
        check_at_least(0, reconstruction=reconstruction)
        check_at_least(1, first_epochs=first_epochs)
        layers = backbone.layer_channels if injection == "between" else ()
        if injection == "between" and not layers:
            raise ValueError("this backbone has no layers between which contexts could be injected: take injection=late")
        self.head = nn.Linear(backbone.embedding_channels, out_channels)
        self.context = NodeContext(num_nodes, contexts=choose_contexts(contexts))
        self.reasoner = ContextReasoner(
            self.context.out_channels,
            context_channels,
            decoded=(*layers, backbone.embedding_channels),
            injected={"none": 0, "late": 1, "between": len(layers)}[injection],
            hidden_channels=context_hidden,
            dropout=context_dropout,
        )
        self.injection = injection
        self.reconstruction = reconstruction
        self.first_epochs = first_epochs

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The embedding with what the contexts add, see `NodeModel.hidden`."""
        return self._decisive(x, adj, self._explanation(x.shape[0]))[0]

    @property
    def bound_to_nodes(self) -> str:
        """The contexts, see `NodeModel.bound_to_nodes`."""
        return "reads contexts that were measured of the nodes of its graph before training"

    def _explanation(self, num_nodes: int) -> Tensor:
        """The explanation vectors of all nodes [N, E], or of those of several copies of the graph that lie in one."""
        copies, rest = divmod(num_nodes, self.context.num_nodes)
        if rest or not copies:
            raise ValueError(
                f"contexts are those of {self.context.num_nodes} nodes, got a graph of {num_nodes}; make a new model"
            )
        e: Tensor = self.reasoner(self.context())
        return e if copies == 1 else e.repeat(copies, 1)

    def _decisive(self, x: Tensor | CSR, adj: CSR, e: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the head is given, and the backbone's states that the reasoner rebuilds, the embedding last."""
        states: list[Tensor] = []

        def after_layer(h: Tensor, number: int) -> Tensor:
            states.append(h)
            return self.reasoner.inject(h, e, number)

        if self.injection == "between":
            self.backbone.after_layer = after_layer
        try:
            h = self.backbone.embed(x, adj)
        finally:
            self.backbone.after_layer = None
        return self.reasoner.inject(h, e, 0) if self.injection == "late" else h, [*states, h]

    def fit(self, view: NodeView) -> None:
        """Compute the contexts that need no model, see `NodeModel.fit`."""
        super().fit(view)
        self.context.fit(view.x, view.adj, view.y)

    def training_loss(self, view: NodeView, nodes: Tensor) -> Tensor:
        """Cross-entropy of the nodes, and the reconstruction of the embeddings of all nodes, which needs no label."""
        e = self._explanation(view.x.shape[0])
        h, states = self._decisive(view.x, view.adj, e)
        logits = self.head(h)[nodes]
        loss = F.cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), view.y[nodes])
        return loss + self.reconstruction * self.reasoner.reconstruction(e, states)

    def stages(self, view: NodeView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """One stage, or a first pass before it whose contexts it then has, see `NodeModel.stages`."""
        train = super().stages(view, step, lr=lr, head_lr=head_lr)
        if not self.context.needs_first_pass:
            return train
        first = [replace(stage, name="first pass", epochs=self.first_epochs, selects=False) for stage in train]
        look = Stage("contexts", [], epochs=1, after_epoch=lambda _: self.take_first_pass(view), selects=False)
        return [*first, look, *train]

    @torch.no_grad()
    def take_first_pass(self, view: NodeView) -> None:
        """Compute all contexts, with those about what the model says of the nodes as it is."""
        training = self.training
        self.eval()
        predicted = self(view.x, view.adj).argmax(1)
        self.context.fit(view.x, view.adj, view.y, FirstPass(predicted, own_saliency(self, view.x, predicted)))
        self.train(training)

    def measure(self, view: NodeView, splits: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
        """How much of the embeddings contexts rebuild, see `r_squared`."""
        decoded, h = self._rebuilt(view.x, view.adj)
        return {split: {"r-squared": r_squared(decoded[nodes], h[nodes])} for split, nodes in splits.items()}

    def extra_predictions(self, view: NodeView) -> dict[str, Tensor]:
        """`contexts` [N, K] in their units, NaN where unknown, and `context_r_squared` [], see `r_squared`."""
        return {"contexts": self.context.raw, "context_r_squared": torch.tensor(self.r_squared(view.x, view.adj))}

    def r_squared(self, x: Tensor | CSR, adj: Adjacency, nodes: Tensor | None = None) -> float:
        """Share of the variance of the backbone's embeddings that is rebuilt from contexts alone, see `r_squared` of the layer.

        Args:
            x: Features [N, F].
            adj: The graph.
            nodes: Of which nodes; None: of all.
        """
        decoded, h = self._rebuilt(x, as_csr(adj, x.shape[0]))
        return r_squared(decoded, h) if nodes is None else r_squared(decoded[nodes], h[nodes])

    @torch.no_grad()
    def _rebuilt(self, x: Tensor | CSR, adj: CSR) -> tuple[Tensor, Tensor]:
        """What contexts make of the backbone's embeddings, and these, without dropout."""
        training = self.training
        self.eval()
        e = self._explanation(x.shape[0])
        h = self._decisive(x, adj, e)[1][-1]
        self.train(training)
        return self.reasoner.decode(e), h

    def reasons(
        self,
        x: Tensor | CSR,
        adj: Adjacency,
        node: int,
        *,
        target: int | None = None,
        prediction: str | None = None,
        rewrite: Rewrite | None = None,
        steps: int = 32,
    ) -> ContextReasons:
        """What each context of a node adds to a score, by integrated gradients.

        effect_k = sum over the columns of context k, its number and its flag, of (c - c0) times the mean gradient of the score
        on the way from c0 to c. c is the node's row of contexts, c0 = 0 that of an average training node with nothing unknown;
        features, graph and the contexts of other nodes stay. The effects add up to the score's gain over c0, up to the
        midpoint rule's error, which is told. In evaluation mode.

        Args:
            x: Features [N, F].
            adj: The graph.
            node: Id of the node.
            target: Class whose score is explained; None: the one with the highest.
            prediction: Its name, for the text; None: its number.
            rewrite: Rewrites the text from facts that the model has seen or said, see `in_words`.
            steps: Points of the midpoint rule.

        Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017.
        """
        check_at_least(1, steps=steps)
        training = self.training
        self.eval()
        csr, own = as_csr(adj, x.shape[0]), self.context().detach()
        with torch.no_grad():
            e = self.reasoner(own)
            h, states = self._decisive(x, csr, e)
            scores = self.head(h[node])
            target = int(scores.argmax()) if target is None else target

        def score(share: float) -> tuple[Tensor, Tensor]:
            """The score where the node's contexts have gone a share of the way, and its gradient for them."""
            with torch.enable_grad():
                row = (share * own[node]).requires_grad_()
                moved = self.reasoner(row.unsqueeze(0))
                if self.injection == "between":
                    given = self._decisive(x, csr, e.index_put((torch.tensor(node, device=e.device),), moved[0]))[0][node]
                else:  # the embedding does not depend on contexts
                    given = states[-1][node]
                if self.injection == "late":
                    given = self.reasoner.inject(given.unsqueeze(0), moved, 0)[0]
                found = self.head(given)[target]
                (gradient,) = torch.autograd.grad(found, row, materialize_grads=True)
            return found.detach(), gradient

        mean = torch.stack([score((k + 0.5) / steps)[1] for k in range(steps)]).double().mean(0)
        moved = own[node].double() * mean
        columns = torch.tensor(self.context.columns, device=own.device)
        effects = moved.new_zeros(len(self.context.contexts)).index_add(0, columns, moved)
        gain = float(scores[target].double() - score(0.0)[0].double())
        self.train(training)
        readings = self.context.readings(node, effects.tolist())
        text = in_words(readings, f"class {target}" if prediction is None else prediction, rewrite)
        return ContextReasons(readings, text, gain=gain, remainder=gain - float(effects.sum()))
