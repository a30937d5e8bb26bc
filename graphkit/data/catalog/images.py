"""Collections of images to classify, also as graphs of which each image is a node."""

from __future__ import annotations

from graphkit.data.catalog.entries import DataFile, DatasetEntry, Protocol
from graphkit.data.catalog.shared import ACCURACY, PROJECTED

_AS_NODES = (
    "{} Images are nodes with their pixels as features, each tied to the 10 nearest by cosine; edges have no direction. One "
    "graph spans all images (transductive): messages pass between training images and held-out ones, whose labels stay hidden."
)
_APART = (
    "{} Images are nodes with their pixels as features, each tied to the 10 nearest of its own split by cosine; edges have no "
    "direction. Training, validation and test are three graphs that no edge joins (inductive)."
)
_TRANSDUCTIVE, _INDUCTIVE = (f"graphkit.data.image_graph:read_{how}" for how in ("transductive", "inductive"))

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
_MNIST_SPLIT = (
    "graphkit's own fixed split of MNIST's 10,000 test images: 8,000 for training, 1,000 for validation, 1,000 for test. "
    "Figures are not those of MNIST, which trains on 60,000 others."
)
_MNIST_SOURCE = (
    "LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition, Proceedings of the IEEE 1998"
)
_MNIST_FILES = (
    DataFile(
        "MNIST/MNIST_t10k/t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        f"{_MNIST}/t10k-images-idx3-ubyte.gz",
    ),
    DataFile(
        "MNIST/MNIST_t10k/t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        f"{_MNIST}/t10k-labels-idx1-ubyte.gz",
    ),
)
_BREAST_SPLIT = "The published split of 546/78/156 images."
_BREAST_SOURCE = "Yang et al., MedMNIST v2, Scientific Data 2023; Al-Dhabyani et al., Dataset of Breast Ultrasound Images, 2020"
_BREAST_FILES = (
    DataFile(
        "MedMNIST/breastmnist.npz",
        "3a22d2a4625e7dd8903f0f59030e81a3d0c222bece2e5e10927456cb50efdec1",
        "https://zenodo.org/records/10519652/files/breastmnist.npz",
        also=("ce5b81972a53a35bac77bc672ec94ce0dcf0ea03bfc5e57283c5fb34c98e5c69",),
    ),
)
_BREAST_METRICS = ("accuracy", "roc-auc")

ENTRIES = (
    DatasetEntry(
        "mnist-10k",
        "the 10,000 test images of MNIST, 28x28 pixels, 10 digits, split anew",
        {
            "image": Protocol(_MNIST_SPLIT, "accuracy", PROJECTED),
            "node": Protocol(_AS_NODES.format(_MNIST_SPLIT), "accuracy", ACCURACY, reader=_TRANSDUCTIVE),
        },
        _MNIST_SOURCE,
        "http://yann.lecun.com/exdb/mnist",
        files=_MNIST_FILES,
        reader="graphkit.data.readers.mnist:read_mnist",
    ),
    DatasetEntry(
        "mnist-10k-inductive",
        "the same images as three neighbor graphs, one for each split",
        {"node": Protocol(_APART.format(_MNIST_SPLIT), "accuracy", ACCURACY, reader=_INDUCTIVE)},
        _MNIST_SOURCE,
        "http://yann.lecun.com/exdb/mnist",
        files=_MNIST_FILES,
        reader="graphkit.data.readers.mnist:read_mnist",
    ),
    DatasetEntry(
        "breastmnist",
        "780 ultrasound images of 28x28 pixels, malignant or not",
        {
            "image": Protocol(_BREAST_SPLIT, "accuracy", (*PROJECTED, "roc-auc")),
            "node": Protocol(_AS_NODES.format(_BREAST_SPLIT), "accuracy", _BREAST_METRICS, reader=_TRANSDUCTIVE),
        },
        _BREAST_SOURCE,
        "https://medmnist.com",
        "CC BY 4.0",
        files=_BREAST_FILES,
        reader="graphkit.data.readers.mnist:read_medmnist",
    ),
    DatasetEntry(
        "breastmnist-inductive",
        "the same images as three neighbor graphs, one for each split",
        {"node": Protocol(_APART.format(_BREAST_SPLIT), "accuracy", _BREAST_METRICS, reader=_INDUCTIVE)},
        _BREAST_SOURCE,
        "https://medmnist.com",
        "CC BY 4.0",
        files=_BREAST_FILES,
        reader="graphkit.data.readers.mnist:read_medmnist",
    ),
    DatasetEntry(
        "planted-patches",
        "generated: 600 images of noise, 16x16 pixels, each with one of 4 patterns of 5x5 (embedded)",
        {
            "image": Protocol(
                "New images per seed, split class by class in the shares of data.split. The pattern is the class, it lies "
                "anywhere, and its box is known; all patterns are equally bright.",
                "accuracy",
                PROJECTED,
            )
        },
        "graphkit",
        reader="graphkit.data.generated.images:read_patches",
        takes_split=True,
    ),
    DatasetEntry(
        "planted-labels",
        "generated: 600 images of noise, 16x16 pixels, each with some of 4 patterns, a label each (embedded)",
        {
            "image": Protocol(
                "New images per seed, split at random in the shares of data.split. An image may have no label or several; "
                "the second comes with the first alone.",
                "roc-auc",
                ("roc-auc", "ap", *PROJECTED),
            )
        },
        "graphkit",
        reader="graphkit.data.generated.images:read_labels",
        takes_split=True,
    ),
)
