"""Models for link prediction: their settings, and the rows of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.entries import ModelEntry, Paper
from graphkit.conf.setting import DEPTHS, DROPOUTS, WIDTHS, count, depth, probability, setting, weight, width


@dataclass
class _EncodedPairs:
    """What models share that embed the nodes by `LinkEncoder`; names in brackets are those of NCN's code."""

    hidden_channels: int = width(256, "width d of embeddings and head", search=WIDTHS)
    num_layers: int = depth(1, "message passing layers", low=0, search=DEPTHS)
    conv: str = setting(
        "puregcn",
        "message passing: pure* have no weights; puregcn is D^-1/2 (A+I) D^-1/2 x, puresum A x, puremean D^-1 A x",
        choices=("puregcn", "puresum", "puremean", "gcn", "mean"),
    )
    jumping_knowledge: bool = setting(False, "sum the layers' outputs with learned weights")
    residual: bool = setting(False, "add a layer's input to its output where the widths agree")
    encoder_norm: bool = setting(True, "layer normalization in the encoder (only convs with weights)")
    feature_dropout: float = probability(0.0, "dropout of the input features (xdp)")
    dropout: float = probability(0.0, "dropout after the embedding or input map and between layers (gnndp)", search=DROPOUTS)
    tail_dropout: float = probability(0.0, "dropout after the last weightless layer (tdp)")
    edge_dropout: float = probability(0.0, "dropout of directed adjacency entries in message passing (gnnedp)")
    head_norm: bool = setting(True, "layer normalization in the head")
    head_dropout: float = probability(0.0, "dropout in the head (predp)")


@dataclass
class _CommonNeighborModel(_EncodedPairs):
    transform_pooled: bool = setting(True, "pool x + MLP(x) instead of x (the paper's code: use_xlin)")
    tail_activation: bool = setting(True, "end the two streams on their activation instead of a further linear map (tailact)")
    two_layer_head: bool = setting(False, "two hidden layers in the final head instead of one (twolayerlin)")
    common_neighbor_dropout: float = probability(0.0, "dropout of directed adjacency entries before the intersection (preedp)")
    beta: float = setting(1.0, "initial weight of the common-neighbor stream", low=-1e9, high=1e9)


@dataclass
class NCNModel(_CommonNeighborModel):
    """Neural Common Neighbor: pool the embeddings of common neighbors next to the Hadamard product of the pair."""

    name: str = "ncn"
    extra_pool: str = setting(
        "none",
        "a further stream: difference pools neighbors of one node alone (NCN-diff), second neighbors of one node that lie two "
        "steps from the other (NCN2)",
        choices=("none", "difference", "second"),
    )


@dataclass
class NCNCModel(_CommonNeighborModel):
    """Neural Common Neighbor with Completion: missing common neighbors count with the chance of the edge they lack."""

    name: str = "ncnc"
    depth: int = setting(1, "rounds of completion; 0 is NCN", low=0, high=16)
    scale: float = setting(5.0, "slope of the chance of a missing edge in its score", low=-1e9, high=1e9)
    offset: float = setting(3.0, "score at which that chance is 1/2", low=-1e9, high=1e9)
    prior: float = setting(0.5, "factor on the odds of a missing edge (pt)", low=1e-9, high=1e9)
    alpha: float = weight(1.0, "largest weight of a missing common neighbor; may exceed 1")
    train_cap: int = count(0, "most neighbors of one node alone that a pair takes in training; 0: all (trndeg)")
    cap: int = count(0, "the same in evaluation, one fixed draw per pair (tstdeg)")
    inner: str = setting(
        "transformed",
        "what missing edges are scored from: x + MLP(x), to which the MLP is applied again (the paper's code), or embeddings "
        "(the paper)",
        choices=("transformed", "embeddings"),
    )
    warm_up: int = count(0, "epochs as NCN before; then train.epochs of the head alone", high=10**6)
    completion_lr: float | None = weight(None, "learning rate after the warm-up; default: train.head_lr")


@dataclass
class GAEModel(_EncodedPairs):
    """Graph autoencoder: the same encoder as NCN, a head on the Hadamard product alone."""

    name: str = "gae"
    head_layers: int = depth(3, "linear layers of the head")
    reweight: float = weight(0.0, "weigh edges up that the model itself scores high, by this share; with conv=puregcn")


@dataclass
class TunedGAEModel:
    """Graph autoencoder, tuned: orthogonal embeddings, steps that share weights, a deep residual head."""

    name: str = "gae-tuned"
    hidden_channels: int = width(256, "width of embeddings and head", search=WIDTHS)
    num_steps: int = depth(2, "steps of message passing (prop_step)")
    propagation: str = setting(
        "shared",
        "shared: one map for all steps after the first, no activation (the authors' GCN); averaged: a learned mean of steps "
        "without weights (their LightGCN)",
        choices=("shared", "averaged"),
    )
    residual: float = weight(0.1, "share of the input that each step adds again; read by shared")
    step_norm: bool = setting(False, "layer normalization and dropout between the steps (norm)")
    dropout: float = probability(0.0, "that dropout", search=DROPOUTS)
    decay: float = setting(1.0, "first weight of step k + 1 over that of step k, before the softmax", low=1e-6, high=1e3)
    head_layers: int = depth(4, "linear layers of the head (mlp_layers)")
    head_residual: bool = setting(True, "add the pair's product to the output of every hidden layer of the head (mlp_res)")
    head_norm: bool = setting(False, "layer normalization in the head")
    head_dropout: float = probability(0.0, "dropout in the head")
    activation: str = setting("relu", "activation of the head", choices=("relu", "silu", "gelu"))


@dataclass
class PLNLPModel:
    """Pairwise learning: GraphSAGE and a perceptron, trained so that an edge scores one more than its negatives."""

    name: str = "plnlp"
    hidden_channels: int = width(256, "width of embeddings and head", search=WIDTHS)
    num_layers: int = depth(2, "layers of GraphSAGE", search=DEPTHS)
    dropout: float = probability(0.3, "dropout between the layers, before the head and in it", search=DROPOUTS)
    head_layers: int = depth(2, "linear layers of the head")


@dataclass
class SheafGAEModel:
    """Sheaf diffusion below a head on the Hadamard product."""

    name: str = "sheaf"
    maps: str = setting("diagonal", "restriction maps", choices=("identity", "diagonal", "orthogonal", "general"))
    orthogonal: str = setting(
        "householder",
        "how orthogonal maps are made; rotation needs stalk_dim=2",
        choices=("householder", "cayley", "exp", "rotation"),
    )
    stalk_dim: int = count(2, "learned dimensions of a stalk; orthogonal maps need 2", low=1, high=256)
    hidden_channels: int = width(256, "width of embeddings and head, a multiple of the dimensions of a stalk", search=WIDTHS)
    num_layers: int = depth(2, "diffusion steps", search=DEPTHS)
    low_pass: bool = setting(False, "add a stalk dimension with the fixed operator D + A")
    high_pass: bool = setting(False, "add a stalk dimension with the fixed operator D - A")
    left_weights: bool = setting(True, "mix the dimensions of a stalk before each step")
    right_weights: bool = setting(True, "mix the channels before each step")
    right_init: str = setting("identity", "what the mixing of channels starts from", choices=("identity", "orthogonal"))
    edge_weights: bool = setting(False, "learn a weight of each edge beside its maps")
    learned_step: bool = setting(True, "learn how much of a layer's input each stalk dimension keeps")
    feature_dropout: float = probability(0.0, "dropout of the features")
    dropout: float = probability(0.0, "dropout after the input and before every step", search=DROPOUTS)
    head_layers: int = depth(3, "linear layers of the head")
    head_norm: bool = setting(True, "layer normalization in the head")
    head_dropout: float = probability(0.0, "dropout in the head")


@dataclass
class _SubgraphCounts:
    """What the head of ELPH and BUDDY reads beside the product of two embeddings."""

    hops: int = count(2, "largest distance from the two nodes at which others are counted", low=1, high=4)
    counts: str = setting(
        "sketches", "sketches: estimates from sketches of one size; exact: all balls in memory", choices=("sketches", "exact")
    )
    num_hashes: int = count(128, "hashes of a MinHash sketch", low=1, high=65536)
    precision: int = count(8, "2^precision registers of a HyperLogLog sketch", low=4, high=8)
    near_one_end: bool = setting(False, "read also how many neighbors of one node alone there are (use_zero_one)")
    head_dropout: float = probability(0.0, "dropout of the product's stream")
    count_dropout: float = probability(0.0, "dropout of the counts' stream (label_dropout)")


@dataclass
class BUDDYModel(_SubgraphCounts):
    """Propagated features, and sketches that tell how many nodes lie at which distances from the two nodes."""

    name: str = "buddy"
    hidden_channels: int = width(256, "width of embeddings and head", search=WIDTHS)
    powers: int = depth(0, "powers of the propagation read beside each other; 0: the first one alone (sign_k)", low=0)
    dropout: float = probability(0.0, "dropout of the powers (sign_dropout)", search=DROPOUTS)


@dataclass
class ELPHModel(_SubgraphCounts):
    """Graph convolutions, and sketches that tell how many nodes lie at which distances from the two nodes."""

    name: str = "elph"
    hidden_channels: int = width(256, "width of embeddings and head", search=WIDTHS)
    num_layers: int = depth(2, "graph convolutions", low=0, search=DEPTHS)
    residual: bool = setting(False, "add a convolution's input to its output where the widths agree")
    feature_dropout: float = probability(0.0, "dropout of the input features")
    dropout: float = probability(0.0, "dropout of embeddings and between convolutions", search=DROPOUTS)


@dataclass
class NBFNetModel:
    """Neural Bellman-Ford network: learned sums over the walks from each of the two nodes to the other."""

    name: str = "nbfnet"
    hidden_channels: int = width(32, "width of a representation", search=WIDTHS)
    num_layers: int = depth(6, "steps, and edges of the longest walk", search="2,3,4,5,6")
    aggregate: str = setting(
        "pna", "pna: mean, maximum, minimum and deviation of the messages, scaled by degree", choices=("pna", "sum", "mean")
    )
    shortcut: bool = setting(True, "add a step's input to its output")
    self_loops: bool = setting(True, "a node is a neighbor of itself")
    symmetric: bool = setting(True, "score from both nodes and take the mean")


@dataclass
class CommonNeighborsModel:
    """Number of common neighbors."""

    name: str = "cn"


@dataclass
class AdamicAdarModel:
    """Adamic-Adar: common neighbors weighted by 1 / log(degree)."""

    name: str = "aa"


@dataclass
class ResourceAllocationModel:
    """Resource allocation: common neighbors weighted by 1 / degree."""

    name: str = "ra"


@dataclass
class KatzModel:
    """Katz: walks between the two nodes, each edge of a walk weighted by beta."""

    name: str = "katz"
    beta: float = setting(0.005, "weight of an edge of a walk", low=1e-9, high=1.0)
    length: int = depth(3, "edges of the longest walks")


@dataclass
class PersonalizedPageRankModel:
    """Personalized PageRank: how often walkers from each of the two nodes visit the other."""

    name: str = "ppr"
    restart: float = setting(0.15, "chance of starting again before a step", low=0.001, high=0.999)
    tolerance: float = setting(1e-6, "share of a walker's time that may be left out", low=1e-15, high=0.5)


_NCN = Paper("Neural Common Neighbor with Completion for Link Prediction", "ICLR 2024", "https://arxiv.org/abs/2302.00890")
_ADAMIC = Paper("Friends and Neighbors on the Web", "Social Networks 2003", "https://doi.org/10.1016/S0378-8733(03)00009-1")
_RA = Paper("Predicting Missing Links via Local Information", "EPJ B 2009", "https://arxiv.org/abs/0901.0553")
_LIBEN = Paper("The Link-Prediction Problem for Social Networks", "JASIST 2007", "https://doi.org/10.1002/asi.20591")
_KATZ = Paper(
    "A New Status Index Derived from Sociometric Analysis", "Psychometrika 1953", "https://doi.org/10.1007/BF02289026"
)
_GAE = Paper("Variational Graph Auto-Encoders", "NIPS workshop 2016", "https://arxiv.org/abs/1611.07308")
_REFINED = Paper("Reconsidering the Performance of GAE in Link Prediction", "CIKM 2025", "https://arxiv.org/abs/2411.03845")
_PLNLP = Paper("Pairwise Learning for Neural Link Prediction", "arXiv 2021", "https://arxiv.org/abs/2112.02936")
_SHEAF = Paper("Neural Sheaf Diffusion", "NeurIPS 2022", "https://arxiv.org/abs/2202.04579")
_SKETCHES = Paper(
    "Graph Neural Networks for Link Prediction with Subgraph Sketching", "ICLR 2023", "https://arxiv.org/abs/2209.15486"
)
_NBFNET = Paper(
    "Neural Bellman-Ford Networks: A General Graph Neural Network Framework for Link Prediction",
    "NeurIPS 2021",
    "https://arxiv.org/abs/2106.06935",
)

MODELS: dict[str, ModelEntry] = {
    "ncn": ModelEntry(NCNModel, "graphkit.models.link.ncn:NCN", "neural common neighbor", _NCN),
    "ncnc": ModelEntry(NCNCModel, "graphkit.models.link.ncnc:NCNC", "neural common neighbor with completion", _NCN),
    "gae": ModelEntry(GAEModel, "graphkit.models.link.gae:GAE", "graph autoencoder", _GAE),
    "gae-tuned": ModelEntry(
        TunedGAEModel, "graphkit.models.link.gae_tuned:TunedGAE", "graph autoencoder, tuned (Refined-GAE)", _REFINED
    ),
    "plnlp": ModelEntry(PLNLPModel, "graphkit.models.link.plnlp:PLNLP", "GraphSAGE with a pairwise loss", _PLNLP),
    "sheaf": ModelEntry(SheafGAEModel, "graphkit.models.link.sheaf:SheafGAE", "sheaf diffusion", _SHEAF),
    "buddy": ModelEntry(
        BUDDYModel, "graphkit.models.link.buddy:BUDDY", "subgraph sketches, features propagated once", _SKETCHES
    ),
    "elph": ModelEntry(ELPHModel, "graphkit.models.link.elph:ELPH", "subgraph sketches, message passing", _SKETCHES),
    "nbfnet": ModelEntry(NBFNetModel, "graphkit.models.link.nbfnet:NBFNet", "neural Bellman-Ford network", _NBFNET),
    "cn": ModelEntry(CommonNeighborsModel, "graphkit.models.link.heuristics:CommonNeighbors", "common neighbors", _LIBEN),
    "aa": ModelEntry(AdamicAdarModel, "graphkit.models.link.heuristics:AdamicAdar", "Adamic-Adar", _ADAMIC),
    "ra": ModelEntry(ResourceAllocationModel, "graphkit.models.link.heuristics:ResourceAllocation", "resource allocation", _RA),
    "katz": ModelEntry(KatzModel, "graphkit.models.link.walks:Katz", "walks between two nodes", _KATZ),
    "ppr": ModelEntry(
        PersonalizedPageRankModel, "graphkit.models.link.walks:PersonalizedPageRank", "personalized PageRank", _LIBEN
    ),
}
