"""Mowst: a weak expert that reads a node's features, a strong one that reads the graph, and a gate between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import FeatureLinear, GraphFreeLinear
from graphkit.layers.checks import check_at_least, check_choice
from graphkit.models.node.backbone import BackboneModel
from graphkit.models.node.base import NodeModel, NodeView
from graphkit.models.node.network import Network
from graphkit.sparse import CSR
from graphkit.training.stages import Backward, Stage, Step

TRAININGS = ("joint", "alternating")
MIXTURES = ("probabilities", "logits")


def dispersion(logits: Tensor) -> Tensor:
    r"""How sure a prediction is, in two numbers; no gradient goes through them.

    .. math:: \left(\frac{\mathrm{Var}(p)}{\mathrm{Var}(e)},\; 1 - \frac{H(p)}{\ln C}\right), \quad p = \mathrm{softmax}(z)

    Var is over classes and e is any unit vector, so that both are 0 of equal probabilities and 1 of a sure prediction.

    Args:
        logits: z [N, C], C at least 2. Logits, not probabilities: the softmax is taken here and nowhere else.

    Returns:
        [N, 2], in [0, 1].
    """
    log_p = logits.detach().log_softmax(dim=1)
    p, classes = log_p.exp(), logits.size(1)
    variance = (p.square().sum(1) - 1 / classes) / (1 - 1 / classes)
    entropy = -(p * log_p).sum(1) / math.log(classes)
    return torch.stack([variance, 1 - entropy], dim=1)


class Experts(NamedTuple):
    """Logits of the weak and of the strong expert [N, C], and the logit of the confidence in the weak one [N]."""

    weak: Tensor
    strong: Tensor
    gate: Tensor


class MixtureHead(nn.Module):
    """The last layers of both experts, and a gate that reads how sure the weak one is: c = sigmoid(MLP(dispersion, perhaps g)).

    Args:
        strong_channels: Width of what the strong expert gives.
        weak_channels: Width of what the weak one gives.
        num_classes: C.
        gate_channels: Width of the gate's hidden layer.
        gate_features: Whether the gate is given g, a map of the features to `gate_channels`.
        of_logits: Whether logits are mixed; else probabilities.
    """

    def __init__(
        self,
        strong_channels: int,
        weak_channels: int,
        *,
        num_classes: int,
        gate_channels: int,
        gate_features: bool,
        of_logits: bool,
    ) -> None:
        super().__init__()
        self.strong = nn.Linear(strong_channels, num_classes)
        self.weak = nn.Linear(weak_channels, num_classes)
        self.gate = nn.ModuleList([nn.Linear(2, gate_channels), nn.Linear(gate_channels, 1)])
        self.widths = (strong_channels, weak_channels, gate_channels if gate_features else 0)
        self.of_logits = of_logits

    def experts(self, h: Tensor) -> Experts:
        """What each says of h [N, sum of widths]: states of the strong and of the weak expert, and g."""
        strong, weak, features = h.split(self.widths, dim=1)
        z = self.weak(weak)
        spread, out = self.gate
        inside = spread(dispersion(z).to(z.dtype))
        if self.widths[2]:
            inside = inside + features
        return Experts(z, self.strong(strong), out(F.relu(inside)).squeeze(1))

    def forward(self, h: Tensor) -> Tensor:
        """Logarithms of the mixed probabilities, or the mixed logits [N, C]."""
        weak, strong, gate = self.experts(h)
        if self.of_logits:
            return torch.lerp(strong, weak, gate.sigmoid().unsqueeze(1))
        first = F.logsigmoid(gate).unsqueeze(1) + weak.log_softmax(1)
        return torch.logaddexp(first, F.logsigmoid(-gate).unsqueeze(1) + strong.log_softmax(1))


class Mowst(BackboneModel):
    """Mixture of a weak expert, a perceptron, and a strong one, a backbone with a linear head.

        z1 = MLP(x),   z2 = W backbone(x, A) + b,   c = gate(z1, perhaps x),   p = c softmax(z1) + (1 - c) softmax(z2)

    `alternating` (Mowst): mean of c CE(z1) + (1 - c) CE(z2); perceptron and gate learn for `turn_epochs` epochs, then the
    strong expert does, `turns` times, after `warm_epochs` epochs in which both learn for themselves. `train.patience` ends a
    turn early. `joint` (Mowst*): the cross-entropy of p, all at once for `train.epochs` epochs.

    The model is what it is in training and in evaluation: one gate, which reads logits, and one mixture. With
    `mixture=logits` p = softmax(c z1 + (1 - c) z2) instead.

    Args:
        backbone: Any node model, untrained; the strong expert's body.
        in_channels: Feature width F.
        out_channels: Number of classes C, at least 2.
        training: `joint` or `alternating`.
        mixture: `probabilities` or `logits`.
        weak_channels: Width of the perceptron.
        weak_layers: Its layers, at least 1.
        weak_dropout: Its dropout.
        gate_channels: Width of the gate's hidden layer.
        gate_features: Whether the gate reads features, too.
        turns: How often the experts take turns, at least 1.
        turn_epochs: Length of a turn of an expert, at least 1.
        warm_epochs: Epochs in which both learn for themselves before the first turn, at least 0.

    Raises:
        ValueError: A number is out of its range, or a name is unknown.

    Source: Zeng et al., "Mixture of Weak & Strong Experts on Graphs", ICLR 2024. We differ from its code where that differs
    from itself: it mixes logits in training and probabilities at test, gives the gate probabilities for logits at test, keeps
    the experts of the best epoch without their gate, and has flags that never act. Its answer at test is a draw of an expert,
    averaged over 50 draws; ours is the expectation of that draw.
    """

    head: MixtureHead

    def __init__(
        self,
        backbone: NodeModel,
        in_channels: int,
        out_channels: int,
        *,
        training: str = "joint",
        mixture: str = "probabilities",
        weak_channels: int = 64,
        weak_layers: int = 2,
        weak_dropout: float = 0.5,
        gate_channels: int = 16,
        gate_features: bool = False,
        turns: int = 3,
        turn_epochs: int = 100,
        warm_epochs: int = 50,
    ) -> None:
        super().__init__(backbone)
        check_choice(TRAININGS, training=training)
        check_choice(MIXTURES, mixture=mixture)
        check_at_least(1, turns=turns, turn_epochs=turn_epochs)
        check_at_least(0, warm_epochs=warm_epochs)
        check_at_least(2, out_channels=out_channels)
        self.weak = Network(
            GraphFreeLinear,
            in_channels,
            out_channels,
            hidden_channels=weak_channels,
            num_layers=weak_layers,
            dropout=weak_dropout,
            make_head=lambda *_: nn.Identity(),
        )
        self.features = FeatureLinear(in_channels, gate_channels, bias=False) if gate_features else None
        self.head = MixtureHead(
            backbone.embedding_channels,
            self.weak.embedding_channels,
            num_classes=out_channels,
            gate_channels=gate_channels,
            gate_features=gate_features,
            of_logits=mixture == "logits",
        )
        self.joint = training == "joint"
        self.turns, self.turn_epochs, self.warm_epochs = turns, turn_epochs, warm_epochs

    @property
    def embedding_channels(self) -> int:
        """Width of both experts' states and of what the gate reads, see `NodeModel.embedding_channels`."""
        return sum(self.head.widths)

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The states of both experts and what the gate reads, side by side, see `NodeModel.hidden`."""
        strong = super().hidden(x, adj)
        parts = [strong, self._dense(self.weak.embed(x)).to(strong.dtype)]
        return torch.cat(parts if self.features is None else [*parts, self.features(x)], dim=1)

    def training_loss(self, view: NodeView, nodes: Tensor) -> Tensor:
        """Cross-entropy of the mixture, or the mixture of the experts' cross-entropies, see `NodeModel.training_loss`."""
        if self.joint:
            return super().training_loss(view, nodes)
        first, second, gate = self._losses(view, nodes)
        return torch.lerp(second, first, gate.sigmoid()).mean()

    def _losses(self, view: NodeView, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Cross-entropies [B] of weak and strong expert, and the logit of the confidence."""
        weak, strong, gate = (part[nodes] for part in self.head.experts(self.hidden(view.x, view.adj)))
        y = view.y[nodes]
        first, second = (
            F.cross_entropy(z.to(torch.promote_types(z.dtype, torch.float32)), y, reduction="none") for z in (weak, strong)
        )
        return first, second, gate.to(first.dtype)

    def stages(self, view: NodeView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """One stage, or the experts' turns, see `NodeModel.stages`; last layers and gate are the head."""
        if self.joint:
            return super().stages(view, step, lr=lr, head_lr=head_lr)
        rate, features = lr if head_lr is None else head_lr, self.features
        weak = _groups((self.weak, lr), (self.head.weak, rate))
        gate = _groups((features, lr), (self.head.gate, rate))
        strong = _groups((self.backbone, lr), (self.head.strong, rate))

        def each(model: Mowst, nodes: Tensor, backward: Backward) -> Tensor:
            first, second, _ = self._losses(view, nodes)
            loss = (first + second).mean()
            backward(loss)
            return loss.detach()

        warm = Stage("experts", [*weak, *strong], epochs=self.warm_epochs, step=each, selects=False)
        turn = [
            Stage("weak", [*weak, *gate], epochs=self.turn_epochs),
            Stage("strong", strong, epochs=self.turn_epochs),
        ]
        return [*([warm] if self.warm_epochs else []), *(turn * self.turns)]

    def extra_predictions(self, view: NodeView) -> dict[str, Tensor]:
        """`confidence` [N]: how much of each answer is the weak expert's."""
        return {"confidence": self.head.experts(self.hidden(view.x, view.adj)).gate.sigmoid()}


def _groups(*modules: tuple[nn.Module | None, float]) -> list[dict[str, Any]]:
    """Parameter groups of modules with their rates, without empty ones."""
    found = [{"params": list(module.parameters()), "lr": lr} for module, lr in modules if module is not None]
    return [group for group in found if group["params"]]
