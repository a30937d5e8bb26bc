"""Models for node classification: their settings, and the rows of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.entries import ModelEntry, Paper
from graphkit.conf.fields import probability, setting


@dataclass
class _NodeNetwork:
    hidden_channels: int = setting(64, "width of the hidden layers", low=1)
    num_layers: int = setting(2, "layers", low=1)
    dropout: float = probability(0.5, "dropout before every layer")
    norm: str = setting("none", "normalization after every hidden layer", choices=("none", "layer", "batch"))
    residual: bool = setting(False, "add a hidden layer's input to its output where the widths agree")


@dataclass
class GCNModel(_NodeNetwork):
    """Graph convolutional network."""

    name: str = "gcn"


@dataclass
class SAGEModel(_NodeNetwork):
    """GraphSAGE with mean aggregation."""

    name: str = "sage"


@dataclass
class MLPModel(_NodeNetwork):
    """Multilayer perceptron on the features alone; it never sees an edge."""

    name: str = "mlp"


_GCN = Paper(
    "Semi-Supervised Classification with Graph Convolutional Networks", "ICLR 2017", "https://arxiv.org/abs/1609.02907"
)
_SAGE = Paper("Inductive Representation Learning on Large Graphs", "NeurIPS 2017", "https://arxiv.org/abs/1706.02216")

MODELS: dict[str, ModelEntry] = {
    "gcn": ModelEntry(GCNModel, "graphkit.models.node.classic:GCN", "graph convolutional network", _GCN),
    "sage": ModelEntry(SAGEModel, "graphkit.models.node.classic:SAGE", "GraphSAGE, mean aggregation", _SAGE),
    "mlp": ModelEntry(MLPModel, "graphkit.models.node.classic:MLP", "features only", None),
}
