"""Models for node classification that train a small network beside a backbone: their settings and rows."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.backbones import on_backbones
from graphkit.conf.entries import ModelEntry, Paper
from graphkit.conf.models import node
from graphkit.conf.setting import count, depth, probability, setting, weight, width


@dataclass
class MowstModel:
    """A perceptron and a graph network with a gate between them."""

    name: str = "mowst"
    backbone: str = setting("gcn", "the strong expert", choices=node.BACKBONES)
    training: str = setting(
        "joint",
        "joint: all at once, the cross-entropy of the mixture; alternating: experts take turns on the mixture of their "
        "cross-entropies",
        choices=("joint", "alternating"),
    )
    mixture: str = setting("probabilities", "what is mixed, in training and at test alike", choices=("probabilities", "logits"))
    weak_channels: int = width(64, "width of the weak expert, a perceptron")
    weak_layers: int = depth(2, "its layers")
    weak_dropout: float = probability(0.5, "its dropout")
    gate_channels: int = width(16, "width inside the gate")
    gate_features: bool = setting(False, "the gate reads features beside the weak expert's dispersion")
    turns: int = depth(3, "turns of both experts, for training=alternating")
    turn_epochs: int = depth(100, "epochs of an expert's turn; train.patience may end it earlier")
    warm_epochs: int = depth(50, "epochs in which both learn for themselves before the first turn", low=0)


@dataclass
class HEIModel:
    """Environments inferred from neighborhoods, and a penalty on differences between them."""

    name: str = "hei"
    backbone: str = setting("linkx", "the network that must do well in every environment", choices=node.BACKBONES)
    environments: int = count(2, "environments that nodes are shared out to", low=2, high=1024)
    environment_channels: int = width(16, "width of the network that infers them")
    environment_lr: float = weight(0.01, "its learning rate")
    infer_epochs: int = depth(10, "epochs in which it learns, before environments are held")
    penalty: float = weight(10.0, "weight of the invariance penalty; the authors: 1e4 to 5e4")


_MOWST = Paper("Mixture of Weak & Strong Experts on Graphs", "ICLR 2024", "https://arxiv.org/abs/2311.05185")
_HEI = Paper(
    "Leveraging Invariant Principle for Heterophilic Graph Structure Distribution Shifts",
    "WWW 2025",
    "https://arxiv.org/abs/2408.09490",
)

MODELS: dict[str, ModelEntry] = {
    "mowst": on_backbones(
        MowstModel,
        {name: node.MODELS[name] for name in node.BACKBONES},
        "graphkit.models.node.mowst:Mowst",
        "a perceptron and any of these, with a gate by the perceptron's confidence",
        _MOWST,
    ),
    "hei": on_backbones(
        HEIModel,
        {name: node.MODELS[name] for name in node.BACKBONES},
        "graphkit.models.node.hei:HEI",
        "any of these, equally good whether nodes resemble their neighbors or not",
        _HEI,
    ),
}
