"""Settings of models for node classification that propagate in a way of their own; their rows are in `node.py`."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.setting import DEPTHS, DROPOUTS, WIDTHS, count, depth, probability, setting, weight, width


@dataclass
class DAGNNModel:
    """Deep adaptive graph neural network."""

    name: str = "dagnn"
    hidden_channels: int = width(64, "width of the perceptron's hidden layers", search=WIDTHS)
    num_layers: int = depth(2, "layers of the perceptron", search=DEPTHS)
    num_hops: int = depth(10, "hops of the propagation", low=0)
    dropout: float = probability(0.5, "dropout before every layer of the perceptron", search=DROPOUTS)
    input_dropout: float | None = setting(None, "dropout of the features; default: dropout", low=0.0, high=0.999)


@dataclass
class AIRModel:
    """Adaptive initial residuals."""

    name: str = "air"
    base: str = setting("sgc", "the network that is made deep", choices=("sgc", "appnp", "gcn"))
    hidden_channels: int = width(64, "width of the hidden layers; base=sgc has none", search=WIDTHS)
    num_hops: int = depth(10, "hops of the propagation; with base=gcn convolutions")
    teleport: float = setting(0.1, "with base=appnp how much of the first state every hop gets", low=0.0, high=1.0)
    dropout: float = probability(0.5, "dropout before every layer", search=DROPOUTS)
    input_dropout: float | None = setting(None, "dropout of the features; default: dropout", low=0.0, high=0.999)


@dataclass
class SIRGCNModel:
    """Soft-isomorphic relational graph convolution network."""

    name: str = "sir-gcn"
    hidden_channels: int = width(64, "width of states and messages", search=WIDTHS)
    num_layers: int = depth(2, "layers", search=DEPTHS)
    aggregation: str = setting("symmetric", "what becomes of a node's messages", choices=("sum", "mean", "symmetric", "max"))
    norm: str = setting("layer", "normalization before every layer and the head", choices=("none", "layer", "batch"))
    residual: bool = setting(True, "add a layer's input to its output")
    dropout: float = probability(0.2, "dropout after every convolution and every map", search=DROPOUTS)
    input_dropout: float | None = setting(None, "dropout after the map of the features; default: dropout", low=0.0, high=0.999)
    message_dropout: float = probability(0.0, "dropout of what messages are made of")


@dataclass
class HiGCNModel:
    """Higher-order graph convolutional network."""

    name: str = "higcn"
    hidden_channels: int = width(32, "width of every order", search=WIDTHS)
    max_order: int = count(2, "largest order: 1 for edges, 2 also for triangles", low=1, high=16)
    degree: int = depth(10, "degree of the polynomials of the Laplacians", low=0)
    alpha: float = setting(0.5, "filters start at alpha (1 - alpha)^k", low=0.0, high=1.0)
    dropout: float = probability(0.5, "dropout before the last layer", search=DROPOUTS)
    input_dropout: float | None = setting(None, "dropout of the features; default: dropout", low=0.0, high=0.999)
    propagation_dropout: float = probability(0.5, "dropout of what is propagated")


@dataclass
class CatGCNModel:
    """Graph convolutional network for categorical features."""

    name: str = "catgcn"
    hidden_channels: int = width(64, "width of the embeddings of categories", search=WIDTHS)
    num_layers: int = depth(1, "layers of the perceptrons on global and local interactions", search=DEPTHS)
    num_hops: int = depth(2, "propagations of the scores", low=0)
    probe: float = weight(1.0, "how much a category hears of itself, beside the node's others")
    balance: float = setting(0.5, "share of global interactions; local ones, of pairs, get the rest", low=0.0, high=1.0)
    dropout: float = probability(0.1, "dropout after every nonlinearity", search=DROPOUTS)
