"""Models for images: their settings, and the rows of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.entries import ModelEntry, Paper
from graphkit.conf.setting import DROPOUTS, WIDTHS, count, depth, probability, setting, weight, width

_ACTIVATIONS = ("none", "sigmoid", "tanh")
_SIMILARITIES = ("cosine", "relu-cosine", "projection", "negative-l2", "log-l2", "rbf")


@dataclass
class _Network:
    hidden_channels: int = width(32, "channels of the maps", search=WIDTHS)
    num_layers: int = depth(0, "3x3 convolutions; 0: one more than the map is halved", low=0)


@dataclass
class CNNModel(_Network):
    """Small convolutional network, the mean over positions, a linear map."""

    name: str = "cnn"
    dropout: float = probability(0.0, "dropout before the linear map", search=DROPOUTS)


@dataclass
class _Prototypes(_Network):
    channels: int = width(32, "width of prototypes and patches")
    per_class: int = count(5, "prototypes per class, of each branch or scale", low=1, high=10_000)
    warm_epochs: int = count(5, "epochs of prototypes alone, before train.epochs of all but the head", high=100_000)
    head_epochs: int = count(10, "epochs of the head alone, after the projection", low=1, high=100_000)
    cycles: int = count(1, "how often training, projection and head follow each other", low=1, high=1000)
    unique: bool = setting(False, "no two prototypes of a branch become the same patch")


def _similarity(default: str, choices: tuple[str, ...] = _SIMILARITIES) -> str:
    chosen: str = setting(default, "similarity of a patch to a prototype", choices=choices)
    return chosen


def _activation(default: str) -> str:
    chosen: str = setting(default, "activation of the patches", choices=_ACTIVATIONS)
    return chosen


@dataclass
class ProtoPNetModel(_Prototypes):
    """Prototypes that are patches of training images, and a linear head."""

    name: str = "protopnet"
    similarity: str = _similarity("cosine")
    activation: str = _activation("none")
    classifier: str = setting(
        "linear",
        "linear, or own-class: no prototype speaks for another class (score aggregation of EvalProtoPNet)",
        choices=("linear", "own-class"),
    )
    cluster: float = weight(0.8, "weight of the distance of images to their nearest own prototype")
    separation: float = weight(0.08, "weight of their similarity to prototypes of other classes")
    orthogonality: float = weight(0.0, "weight that keeps prototypes of a class apart")
    l1: float = weight(1e-4, "weight of the head's weights on prototypes of other classes")
    alignment: float = weight(0.0, "weight of shallow-deep alignment: deep patches stay where they look (EvalProtoPNet)")
    contrast: float = weight(0.0, "weight of the co-occurrence contrastive loss, for several labels (ProtoECGNet)")


@dataclass
class STProtoPNetModel(_Prototypes):
    """Support prototypes at the boundary between classes beside trivial ones far from it."""

    name: str = "st-protopnet"
    similarity: str = _similarity("cosine")
    activation: str = _activation("tanh")
    cluster: float = weight(0.8, "weight of the distance of images to their nearest own prototype")
    separation: float = weight(0.08, "weight of their similarity to trivial prototypes of other classes")
    support_separation: float = weight(0.48, "weight of their similarity to support prototypes of other classes")
    orthogonality: float = weight(1e-3, "weight that keeps prototypes of a class apart")
    closeness: float = weight(1.0, "weight that draws support prototypes toward other classes")
    discrimination: float = weight(1.0, "weight that drives trivial prototypes away from other classes")
    l1: float = weight(1e-4, "weight of the head's weights on prototypes of other classes")


@dataclass
class CBCModel(_Prototypes):
    """Components that are there or are not, and a certified margin."""

    name: str = "cbc"
    encoder: str = setting(
        "cnn", "cnn, or pixels: the whole image is the only patch, components are images", choices=("cnn", "pixels")
    )
    activation: str = _activation("none")
    scale: float = weight(0.0, "the sigma that components start with, in the unit of the patches; 0: their mean distance")
    concepts: int = count(1, "ways in which a class can be recognized", low=1, high=1000)
    width: float = weight(0.3, "of the margin loss", low=0.0)
    robust: float = weight(0.0, "margin in the space of the patches below which the robust loss is felt; 0: left out")


@dataclass
class MultiScaleModel(_Prototypes):
    """Prototypes at several scales, which speak in groups."""

    name: str = "multi-scale"
    scales: int = count(2, "maps that are compared with prototypes, the last ones", low=1, high=100)
    similarity: str = _similarity("log-l2", ("log-l2", "rbf"))
    activation: str = _activation("sigmoid")
    groups: int = count(3, "groups per class", low=1, high=1000)
    cluster: float = weight(0.1, "weight of the distance of images to their nearest own prototype")
    separation: float = weight(0.01, "weight of their similarity to prototypes of other classes")
    diversity: float = weight(0.25, "weight of places that prototypes of a class share")
    entropy: float = weight(0.05, "weight of the entropy of groups: small ones rest on few prototypes")


@dataclass
class PrototypeAutoencoderModel:
    """Prototypes in the code of an autoencoder, shown by decoding them."""

    name: str = "prototype-autoencoder"
    num_prototypes: int = count(15, "prototypes of the model", low=1, high=100_000)
    hidden_channels: int = width(32, "channels of the first three maps", search=WIDTHS)
    code_channels: int = width(10, "channels of the last map")
    fidelity: float = weight(20.0, "weight of the task's loss")
    reconstruction: float = weight(1.0, "weight of the decoder's squared error, a sum over pixels")
    near_sample: float = weight(1.0, "weight of prototypes near codes")
    near_prototype: float = weight(1.0, "weight of codes near prototypes")


@dataclass
class ProbPSENNModel(PrototypeAutoencoderModel):
    """Prototypes that are Gaussians in the code of an autoencoder."""

    name: str = "prob-psenn"
    samples: int = count(5, "sets of prototypes that are drawn per step", low=1, high=10_000)
    beta: float = weight(1e-3, "weight of the divergence of prototypes from the standard normal distribution")


_ROOM = "graphkit.models.image"

MODELS: dict[str, ModelEntry] = {
    "cnn": ModelEntry(CNNModel, f"{_ROOM}.cnn:CNN", "small convolutional network: the plain baseline"),
    "protopnet": ModelEntry(
        ProtoPNetModel,
        f"{_ROOM}.protopnet:ProtoPNet",
        "patches that look like patches of training images, summed up by a linear head",
        Paper("Chen et al., This Looks Like That", "NeurIPS 2019", "https://arxiv.org/abs/1806.10574"),
    ),
    "st-protopnet": ModelEntry(
        STProtoPNetModel,
        f"{_ROOM}.st_protopnet:STProtoPNet",
        "two kinds of prototypes, near the boundary between classes and far from it",
        Paper("Wang et al., Learning Support and Trivial Prototypes", "ICCV 2023", "https://arxiv.org/abs/2301.04011"),
    ),
    "cbc": ModelEntry(
        CBCModel,
        f"{_ROOM}.cbc:CBC",
        "components that are there or are not, with a certified margin",
        Paper("Saralajew et al., A Robust Prototype-Based Network", "AAAI 2025", "https://arxiv.org/abs/2412.15499"),
    ),
    "multi-scale": ModelEntry(
        MultiScaleModel,
        f"{_ROOM}.multi_scale:MultiScale",
        "prototypes at several scales in groups, after ScaleProtoSeg",
    ),
    "prototype-autoencoder": ModelEntry(
        PrototypeAutoencoderModel,
        f"{_ROOM}.prototype_autoencoder:PrototypeAutoencoder",
        "prototypes that a decoder shows",
        Paper(
            "Li et al., Deep Learning for Case-Based Reasoning through Prototypes",
            "AAAI 2018",
            "https://arxiv.org/abs/1710.04806",
        ),
    ),
    "prob-psenn": ModelEntry(
        ProbPSENNModel,
        f"{_ROOM}.prob_psenn:ProbPSENN",
        "Gaussian prototypes, inspired by Prob-PSENN (arXiv:2403.13740)",
    ),
}
