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


@dataclass
class DirGNNModel:
    """Directional convolutions with jumping knowledge."""

    name: str = "dir-gnn"
    conv: str = setting("gcn", "aggregation in each direction", choices=("gcn", "sage", "gat"))
    hidden_channels: int = setting(64, "width of the layers", low=1)
    num_layers: int = setting(2, "layers", low=1)
    alpha: float = setting(0.5, "weight of the out-neighbors; the in-neighbors get the rest", low=0.0, high=1.0)
    learn_alpha: bool = setting(False, "learn alpha, in each layer its own")
    bound_alpha: bool = setting(False, "keep a learned alpha between 0 and 1")
    jumping_knowledge: str = setting("max", "how the layers' outputs are put together", choices=("none", "max", "cat"))
    normalize: bool = setting(False, "give the rows of every layer's output an L2 norm of 1")
    dropout: float = probability(0.0, "dropout after every layer")


@dataclass
class ADPAModel:
    """Adaptive directed pattern aggregation."""

    name: str = "adpa"
    hidden_channels: int = setting(32, "width of every pattern's branch", low=1)
    num_hops: int = setting(2, "propagations of every pattern, made once", low=1)
    num_layers: int = setting(1, "layers of every branch", low=1)
    exponent: float = setting(0.5, "r in D^(r-1) P D^-r: 0.5 symmetric, 0 rows that sum to one", low=0.0, high=1.0)
    decay: bool = setting(True, "scale hop k by ln(1/k) + 1, as the authors' code does")
    pattern_attention: str = setting(
        "scalar", "one weight a pattern, as the authors' code has it, or weights of each node", choices=("scalar", "node")
    )
    dropout: float = probability(0.5, "dropout after every layer of a branch")


_GCN = Paper(
    "Semi-Supervised Classification with Graph Convolutional Networks", "ICLR 2017", "https://arxiv.org/abs/1609.02907"
)
_SAGE = Paper("Inductive Representation Learning on Large Graphs", "NeurIPS 2017", "https://arxiv.org/abs/1706.02216")
_DIR_GNN = Paper("Edge Directionality Improves Learning on Heterophilic Graphs", "LoG 2023", "https://arxiv.org/abs/2305.10498")
_ADPA = Paper(
    "Breaking the Entanglement of Homophily and Heterophily in Semi-supervised Node Classification",
    "ICDE 2024",
    "https://arxiv.org/abs/2312.04111",
)

MODELS: dict[str, ModelEntry] = {
    "gcn": ModelEntry(GCNModel, "graphkit.models.node.classic:GCN", "graph convolutional network", _GCN),
    "sage": ModelEntry(SAGEModel, "graphkit.models.node.classic:SAGE", "GraphSAGE, mean aggregation", _SAGE),
    "mlp": ModelEntry(MLPModel, "graphkit.models.node.classic:MLP", "features only", None),
    "dir-gnn": ModelEntry(DirGNNModel, "graphkit.models.node.dir_gnn:DirGNN", "directional convolutions", _DIR_GNN),
    "adpa": ModelEntry(ADPAModel, "graphkit.models.node.adpa:ADPA", "attention over directed two-step patterns", _ADPA),
}
