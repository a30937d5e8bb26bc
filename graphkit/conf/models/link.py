"""Models for link prediction: their settings, and the rows of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.entries import ModelEntry, Paper
from graphkit.conf.setting import depth, probability, setting, width


@dataclass
class _EncodedPairs:
    """What models share that embed the nodes by `LinkEncoder`; names in brackets are those of NCN's code."""

    hidden_channels: int = width(256, "width d of embeddings and head")
    num_layers: int = depth(1, "message passing layers", low=0)
    conv: str = setting(
        "puregcn",
        "message passing: pure* have no weights; puregcn is D^-1/2 (A+I) D^-1/2 x, puresum A x, puremean D^-1 A x",
        choices=("puregcn", "puresum", "puremean", "gcn", "mean"),
    )
    jumping_knowledge: bool = setting(False, "sum the layers' outputs with learned weights")
    residual: bool = setting(False, "add a layer's input to its output where the widths agree")
    encoder_norm: bool = setting(True, "layer normalization in the encoder (only convs with weights)")
    feature_dropout: float = probability(0.0, "dropout of the input features (xdp)")
    dropout: float = probability(0.0, "dropout after the embedding or input map and between layers (gnndp)")
    tail_dropout: float = probability(0.0, "dropout after the last weightless layer (tdp)")
    edge_dropout: float = probability(0.0, "dropout of directed adjacency entries in message passing (gnnedp)")
    head_norm: bool = setting(True, "layer normalization in the head")
    head_dropout: float = probability(0.0, "dropout in the head (predp)")


@dataclass
class NCNModel(_EncodedPairs):
    """Neural Common Neighbor: pool the embeddings of common neighbors next to the Hadamard product of the pair."""

    name: str = "ncn"
    transform_pooled: bool = setting(True, "pool x + MLP(x) instead of x (the paper's code: use_xlin)")
    tail_activation: bool = setting(True, "end the two streams on their activation instead of a further linear map (tailact)")
    two_layer_head: bool = setting(False, "two hidden layers in the final head instead of one (twolayerlin)")
    common_neighbor_dropout: float = probability(0.0, "dropout of directed adjacency entries before the intersection (preedp)")
    beta: float = setting(1.0, "initial weight of the common-neighbor stream", low=-1e9, high=1e9)


@dataclass
class GAEModel(_EncodedPairs):
    """Graph autoencoder: the same encoder as NCN, a head on the Hadamard product alone."""

    name: str = "gae"
    head_layers: int = depth(3, "linear layers of the head")


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


_NCN = Paper("Neural Common Neighbor with Completion for Link Prediction", "ICLR 2024", "https://arxiv.org/abs/2302.00890")
_ADAMIC = Paper("Friends and Neighbors on the Web", "Social Networks 2003", "https://doi.org/10.1016/S0378-8733(03)00009-1")
_RA = Paper("Predicting Missing Links via Local Information", "EPJ B 2009", "https://arxiv.org/abs/0901.0553")
_LIBEN = Paper("The Link-Prediction Problem for Social Networks", "JASIST 2007", "https://doi.org/10.1002/asi.20591")
_GAE = Paper("Variational Graph Auto-Encoders", "NIPS workshop 2016", "https://arxiv.org/abs/1611.07308")

MODELS: dict[str, ModelEntry] = {
    "ncn": ModelEntry(NCNModel, "graphkit.models.link.ncn:NCN", "neural common neighbor", _NCN),
    "gae": ModelEntry(GAEModel, "graphkit.models.link.gae:GAE", "graph autoencoder", _GAE),
    "cn": ModelEntry(CommonNeighborsModel, "graphkit.models.link.heuristics:CommonNeighbors", "common neighbors", _LIBEN),
    "aa": ModelEntry(AdamicAdarModel, "graphkit.models.link.heuristics:AdamicAdar", "Adamic-Adar", _ADAMIC),
    "ra": ModelEntry(ResourceAllocationModel, "graphkit.models.link.heuristics:ResourceAllocation", "resource allocation", _RA),
}
