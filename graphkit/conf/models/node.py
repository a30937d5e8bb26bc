"""Models for node classification: their settings, and the rows of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.backbones import on_backbones
from graphkit.conf.entries import ModelEntry, Paper
from graphkit.conf.models.node_propagation import AIRModel, CatGCNModel, DAGNNModel, HiGCNModel, SIRGCNModel
from graphkit.conf.models.prototypes import PrototypeSettings
from graphkit.conf.setting import DEPTHS, DROPOUTS, WIDTHS, count, depth, probability, setting, weight, width

BACKBONES = (
    "gcn", "sage", "gat", "mlp", "linkx", "dir-gnn", "adpa", "sheaf", "polynsd",
    "dagnn", "dgmlp", "air", "sir-gcn", "higcn", "catgcn",
)  # fmt: skip
"""Models that another one can be built around."""


@dataclass
class _NodeNetwork:
    hidden_channels: int = width(64, "width of the hidden layers", search=WIDTHS)
    num_layers: int = depth(2, "layers", search=DEPTHS)
    dropout: float = probability(0.5, "dropout before every layer", search=DROPOUTS)
    input_dropout: float | None = setting(None, "dropout of the features; default: dropout", low=0.0, high=0.999)
    norm: str = setting("none", "normalization in every hidden layer", choices=("none", "layer", "batch"))
    residual: str = setting(
        "none",
        "add to a hidden layer its input, where the widths agree, or a learned linear map of it, before the normalization",
        choices=("none", "identity", "linear"),
    )


@dataclass
class _GraphNetwork(_NodeNetwork):
    pre_linear: bool = setting(False, "a linear map of the features before the first layer")
    linear_head: bool = setting(False, "a linear map after the layers gives the scores; else the last layer does")


@dataclass
class GCNModel(_GraphNetwork):
    """Graph convolutional network."""

    name: str = "gcn"


@dataclass
class SAGEModel(_GraphNetwork):
    """GraphSAGE with mean aggregation."""

    name: str = "sage"


@dataclass
class GATModel(_GraphNetwork):
    """Graph attention network."""

    name: str = "gat"
    heads: int = count(
        8, "attention heads of a hidden layer, side by side; they share hidden_channels out evenly", low=1, high=1024
    )
    output_heads: int = count(1, "attention heads of the last layer, whose mean is taken", low=1, high=1024)
    attention_dropout: float = probability(0.0, "dropout of the attention of a node to a neighbor")


@dataclass
class MLPModel(_NodeNetwork):
    """Multilayer perceptron on the features alone; it never sees an edge."""

    name: str = "mlp"


@dataclass
class LINKXModel(_NodeNetwork):
    """Perceptrons on a node's row of the adjacency matrix and on its features, and one on both."""

    name: str = "linkx"
    num_layers: int = depth(2, "layers of the perceptron on both", search=DEPTHS)
    num_edge_layers: int = depth(1, "layers of the perceptron on the adjacency matrix")
    num_node_layers: int = depth(1, "layers of the perceptron on the features")


@dataclass
class DirGNNModel:
    """Directional convolutions with jumping knowledge."""

    name: str = "dir-gnn"
    conv: str = setting("gcn", "aggregation in each direction", choices=("gcn", "sage", "gat"))
    hidden_channels: int = width(64, "width of the layers", search=WIDTHS)
    num_layers: int = depth(2, "layers", search=DEPTHS)
    alpha: float = setting(0.5, "weight of the out-neighbors; the in-neighbors get the rest", low=0.0, high=1.0)
    learn_alpha: bool = setting(False, "learn alpha, in each layer its own")
    bound_alpha: bool = setting(False, "keep a learned alpha between 0 and 1")
    jumping_knowledge: str = setting("max", "how the layers' outputs are put together", choices=("none", "max", "cat"))
    normalize: bool = setting(False, "give the rows of every layer's output an L2 norm of 1")
    dropout: float = probability(0.0, "dropout after every layer", search=DROPOUTS)


@dataclass
class ADPAModel:
    """Adaptive directed pattern aggregation."""

    name: str = "adpa"
    hidden_channels: int = width(32, "width of every pattern's branch", search=WIDTHS)
    num_hops: int = depth(2, "propagations of every pattern, made once")
    num_layers: int = depth(1, "layers of every branch", search=DEPTHS)
    exponent: float = setting(0.5, "r in D^(r-1) P D^-r: 0.5 symmetric, 0 rows that sum to one", low=0.0, high=1.0)
    decay: bool = setting(True, "scale hop k by ln(1/k) + 1, as the authors' code does")
    pattern_attention: str = setting(
        "scalar", "one weight per pattern, as the authors' code has it, or weights of each node", choices=("scalar", "node")
    )
    dropout: float = probability(0.5, "dropout after every layer of a branch", search=DROPOUTS)


@dataclass
class _SheafSettings:
    maps: str = setting("diagonal", "restriction maps", choices=("identity", "diagonal", "orthogonal", "general"))
    orthogonal: str = setting(
        "householder",
        "how orthogonal maps are made; rotation needs stalk_dim=2",
        choices=("householder", "cayley", "exp", "rotation"),
    )
    stalk_dim: int = count(3, "learned dimensions of a stalk; orthogonal maps need 2", low=1, high=256)
    hidden_channels: int = width(16, "channels of each dimension of a stalk", search=WIDTHS)
    num_layers: int = depth(2, "diffusion steps", search=DEPTHS)
    low_pass: bool = setting(False, "add a stalk dimension with the fixed operator D + A")
    high_pass: bool = setting(False, "add a stalk dimension with the fixed operator D - A")
    left_weights: bool = setting(True, "mix the dimensions of a stalk before each step")
    right_weights: bool = setting(True, "mix the channels before each step")
    right_init: str = setting(
        "identity",
        "what the mixing of channels starts from; orthogonal: a random matrix, as in the authors' code and the recipes, with "
        "which a step makes neighbors differ more",
        choices=("identity", "orthogonal"),
    )
    edge_weights: bool = setting(False, "learn a weight of each edge beside its maps (the authors: with orthogonal maps)")
    learned_step: bool = setting(True, "learn how much of a layer's input each stalk dimension keeps")
    linear: bool = setting(False, "learn one sheaf, at the first layer, for all layers")
    second_linear: bool = setting(False, "a second linear map before the first layer")
    input_dropout: float = probability(0.0, "dropout of the features")
    dropout: float = probability(
        0.5, "dropout in the layers, and of what maps are learned from, but for the first layer's", search=DROPOUTS
    )
    activation: str = setting("elu", "nonlinearity of the input map and the layers", choices=("elu", "tanh", "none"))


@dataclass
class SheafModel(_SheafSettings):
    """Neural sheaf diffusion."""

    name: str = "sheaf"


@dataclass
class PolyNSDModel(_SheafSettings):
    """Polynomial neural sheaf diffusion."""

    name: str = "polynsd"
    degree: int = depth(3, "degree of the polynomial of the sheaf Laplacian")


@dataclass
class DGMLPModel(_NodeNetwork):
    """Deep graph multilayer perceptron."""

    name: str = "dgmlp"
    num_hops: int = depth(20, "hops of the smoothing, made once", low=0)
    temperature: float = setting(1.0, "temperature of the weights of hops: near 0 the best hop alone", low=1e-6, high=1e6)


@dataclass
class PrototypeModel(PrototypeSettings):
    """Similarities to training nodes, on the embeddings of another model."""

    name: str = "prototype"
    backbone: str = setting("gcn", "the model whose embeddings are compared", choices=BACKBONES)
    parts: str = setting("node", "what of a node is compared: itself, or the nodes near it", choices=("node", "neighborhood"))
    part_hops: int = count(1, "radius of the neighborhood, for parts=neighborhood", high=1000)


@dataclass
class XNodeModel:
    """A network with named contexts of the nodes, which explain it and take part in it."""

    name: str = "x-node"
    backbone: str = setting("gcn", "the network that gets contexts", choices=BACKBONES)
    contexts: str = setting(
        "default",
        "default, all, or names joined by +: degree, clustering, core-number, pagerank, eigenvector-centrality, "
        "neighbor-similarity, label-agreement, and, of a first pass, feature-saliency, predicted-agreement",
    )
    injection: str = setting(
        "late",
        "where contexts take part: late, after the last layer; between, after every layer; none: they explain alone",
        choices=("none", "late", "between"),
    )
    context_channels: int = width(32, "width of the explanation vector")
    context_hidden: int = width(64, "width inside the reasoner")
    context_dropout: float = probability(0.0, "dropout inside the reasoner")
    reconstruction: float = weight(1.0, "weight of the loss of embeddings rebuilt from contexts")
    first_epochs: int = depth(100, "epochs of the first pass, where a context needs one")


_GCN = Paper(
    "Semi-Supervised Classification with Graph Convolutional Networks", "ICLR 2017", "https://arxiv.org/abs/1609.02907"
)
_SAGE = Paper("Inductive Representation Learning on Large Graphs", "NeurIPS 2017", "https://arxiv.org/abs/1706.02216")
_GAT = Paper("Graph Attention Networks", "ICLR 2018", "https://arxiv.org/abs/1710.10903")
_LINKX = Paper(
    "Large Scale Learning on Non-Homophilous Graphs: New Benchmarks and Strong Simple Methods",
    "NeurIPS 2021",
    "https://arxiv.org/abs/2110.14446",
)
_DIR_GNN = Paper("Edge Directionality Improves Learning on Heterophilic Graphs", "LoG 2023", "https://arxiv.org/abs/2305.10498")
_ADPA = Paper(
    "Breaking the Entanglement of Homophily and Heterophily in Semi-supervised Node Classification",
    "ICDE 2024",
    "https://arxiv.org/abs/2312.04111",
)
_SHEAF = Paper(
    "Neural Sheaf Diffusion: A Topological Perspective on Heterophily and Oversmoothing in GNNs",
    "NeurIPS 2022",
    "https://arxiv.org/abs/2202.04579",
)
_POLYNSD = Paper(
    "Polynomial Neural Sheaf Diffusion: A Spectral Filtering Approach on Cellular Sheaves",
    "arXiv 2025",
    "https://arxiv.org/abs/2512.00242",
)
_DAGNN = Paper("Towards Deeper Graph Neural Networks", "KDD 2020", "https://arxiv.org/abs/2007.09296")
_DGMLP = Paper("Evaluating Deep Graph Neural Networks", "arXiv 2021", "https://arxiv.org/abs/2108.00955")
_AIR = Paper("Model Degradation Hinders Deep Graph Neural Networks", "KDD 2022", "https://arxiv.org/abs/2206.04361")
_SIR = Paper("Contextualized Messages Boost Graph Representations", "arXiv 2024", "https://arxiv.org/abs/2403.12529")
_HIGCN = Paper(
    "Higher-Order Graph Convolutional Network with Flower-Petals Laplacians on Simplicial Complexes",
    "AAAI 2024",
    "https://arxiv.org/abs/2309.12971",
)
_CATGCN = Paper(
    "CatGCN: Graph Convolutional Networks with Categorical Node Features", "TKDE 2021", "https://arxiv.org/abs/2009.05303"
)

_PROTOTYPES = Paper(
    "This Looks Like That: Deep Learning for Interpretable Image Recognition",
    "NeurIPS 2019",
    "https://arxiv.org/abs/1806.10574",
)

_X_NODE = Paper(
    "X-Node: Self-Explanation is All We Need",
    "GRAIL at MICCAI 2025",
    "https://arxiv.org/abs/2508.10461",
)

MODELS: dict[str, ModelEntry] = {
    "gcn": ModelEntry(GCNModel, "graphkit.models.node.classic:GCN", "graph convolutional network", _GCN),
    "sage": ModelEntry(SAGEModel, "graphkit.models.node.classic:SAGE", "GraphSAGE, mean aggregation", _SAGE),
    "gat": ModelEntry(GATModel, "graphkit.models.node.gat:GAT", "graph attention network", _GAT),
    "mlp": ModelEntry(MLPModel, "graphkit.models.node.classic:MLP", "features only", None),
    "linkx": ModelEntry(LINKXModel, "graphkit.models.node.linkx:LINKX", "perceptrons on adjacency and features", _LINKX),
    "dir-gnn": ModelEntry(DirGNNModel, "graphkit.models.node.dir_gnn:DirGNN", "directional convolutions", _DIR_GNN),
    "adpa": ModelEntry(ADPAModel, "graphkit.models.node.adpa:ADPA", "attention over directed two-step patterns", _ADPA),
    "sheaf": ModelEntry(SheafModel, "graphkit.models.node.sheaf:SheafNetwork", "neural sheaf diffusion", _SHEAF),
    "polynsd": ModelEntry(PolyNSDModel, "graphkit.models.node.sheaf:PolyNSD", "polynomials of a sheaf Laplacian", _POLYNSD),
    "dagnn": ModelEntry(DAGNNModel, "graphkit.models.node.dagnn:DAGNN", "scores propagated far, a gate per hop", _DAGNN),
    "dgmlp": ModelEntry(DGMLPModel, "graphkit.models.node.dgmlp:DGMLP", "node-adaptive smoothing, then a perceptron", _DGMLP),
    "air": ModelEntry(AIRModel, "graphkit.models.node.air:AIR", "deep SGC, APPNP or GCN with weights per hop", _AIR),
    "sir-gcn": ModelEntry(SIRGCNModel, "graphkit.models.node.sir_gcn:SIRGCN", "messages made of both ends of an edge", _SIR),
    "higcn": ModelEntry(HiGCNModel, "graphkit.models.node.higcn:HiGCN", "filters along edges, triangles and cliques", _HIGCN),
    "catgcn": ModelEntry(CatGCNModel, "graphkit.models.node.catgcn:CatGCN", "interactions of categorical features", _CATGCN),
}
MODELS["prototype"] = on_backbones(
    PrototypeModel,
    {name: MODELS[name] for name in BACKBONES},
    "graphkit.models.node.prototype:PrototypeNodes",
    "sums over similarities to training nodes",
    _PROTOTYPES,
)
MODELS["x-node"] = on_backbones(
    XNodeModel,
    {name: MODELS[name] for name in BACKBONES},
    "graphkit.models.node.x_node:XNode",
    "any of these with contexts of nodes that explain it",
    _X_NODE,
)
