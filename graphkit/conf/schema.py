"""Every setting of a run: its name, type, default and meaning.

The dataclasses here are the single place where a setting is declared. Hydra composes them, `--list` prints them, the override
checker validates against them, and a model's settings are exactly the keyword arguments of its constructor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def setting(
    default: Any, help: str, *, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()
) -> Any:
    """Declare a setting with its meaning and its allowed range (inclusive) or choices."""
    metadata = {"help": help, "low": low, "high": high, "choices": choices}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def probability(default: float, help: str) -> Any:
    """Declare a probability in [0, 1)."""
    return setting(default, help, low=0.0, high=0.999)


# --------------------------------------------------------------------------------------------------------------- tasks


@dataclass
class LinkTask:
    """Link prediction: score pairs of nodes, held-out edges above non-edges."""

    name: str = "link"
    metric: str = setting("auto", "validation metric that selects the epoch; auto: the data set's own (hits@20, hits@100, ...)")
    target_link_removal: bool = setting(
        True, "leave a batch's own edges out of the message passing graph while training on them"
    )
    drop_last: bool = setting(True, "drop the last incomplete batch of positives of an epoch, as NCN's code does")
    reject_negatives: str = setting(
        "train",
        "known positives that sampled training negatives must avoid: train (NCN), all (also validation and test edges)",
        choices=("train", "all"),
    )
    micro_batch: int = setting(
        4096, "pairs scored at a time inside a training batch; the gradient is that of the whole batch; 0: all at once", low=0
    )


@dataclass
class NodeTask:
    """Node classification: predict a class for every node from the labels of some."""

    name: str = "node"
    metric: str = setting("auto", "validation metric that selects the epoch; auto: the data set's own (accuracy, roc-auc)")


# -------------------------------------------------------------------------------------------------------------- models


@dataclass
class NCNModel:
    """Neural Common Neighbor: pool the embeddings of common neighbors next to the Hadamard product of the pair."""

    name: str = "ncn"
    hidden_channels: int = setting(256, "width d of embeddings and head", low=1)
    num_layers: int = setting(1, "message passing layers", low=0)
    conv: str = setting(
        "puregcn",
        "message passing: pure* have no weights; puregcn is D^-1/2 (A+I) D^-1/2 x, puresum A x, puremean D^-1 A x",
        choices=("puregcn", "puresum", "puremean", "gcn", "mean"),
    )
    jumping_knowledge: bool = setting(False, "sum the layers' outputs with learned weights")
    residual: bool = setting(False, "add a layer's input to its output where the widths agree")
    encoder_norm: bool = setting(True, "layer normalization in the encoder (only convs with weights)")
    head_norm: bool = setting(True, "layer normalization in the head")
    transform_pooled: bool = setting(True, "pool x + MLP(x) instead of x (the paper's code: use_xlin)")
    tail_activation: bool = setting(True, "end the two streams on their activation instead of a further linear map (tailact)")
    two_layer_head: bool = setting(False, "two hidden layers in the final head instead of one (twolayerlin)")
    feature_dropout: float = probability(0.0, "dropout of the input features (xdp)")
    dropout: float = probability(0.0, "dropout after the embedding or input map and between layers (gnndp)")
    tail_dropout: float = probability(0.0, "dropout after the last weightless layer (tdp)")
    edge_dropout: float = probability(0.0, "dropout of directed adjacency entries in message passing (gnnedp)")
    head_dropout: float = probability(0.0, "dropout in the head (predp)")
    common_neighbor_dropout: float = probability(0.0, "dropout of directed adjacency entries before the intersection (preedp)")
    beta: float = setting(1.0, "initial weight of the common-neighbor stream")


@dataclass
class GAEModel:
    """Graph autoencoder: the same encoder as NCN, a head on the Hadamard product alone."""

    name: str = "gae"
    hidden_channels: int = setting(256, "width d of embeddings and head", low=1)
    num_layers: int = setting(1, "message passing layers", low=0)
    conv: str = setting("puregcn", "message passing, as for ncn", choices=("puregcn", "puresum", "puremean", "gcn", "mean"))
    jumping_knowledge: bool = setting(False, "sum the layers' outputs with learned weights")
    residual: bool = setting(False, "add a layer's input to its output where the widths agree")
    encoder_norm: bool = setting(True, "layer normalization in the encoder (only convs with weights)")
    head_norm: bool = setting(True, "layer normalization in the head")
    head_layers: int = setting(3, "linear layers of the head", low=1)
    feature_dropout: float = probability(0.0, "dropout of the input features")
    dropout: float = probability(0.0, "dropout after the embedding or input map and between layers")
    tail_dropout: float = probability(0.0, "dropout after the last weightless layer")
    edge_dropout: float = probability(0.0, "dropout of directed adjacency entries in message passing")
    head_dropout: float = probability(0.0, "dropout in the head")


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


# ------------------------------------------------------------------------------------------------------------- the run


@dataclass
class Data:
    """Where data lies, and own files."""

    root: str | None = setting(None, "data folder; default: $GRAPHKIT_DATA, else ~/.cache/graphkit")
    edges: str | None = setting(None, "own edge list, CSV: one edge a row, source and target (with dataset=custom)")
    features: str | None = setting(None, "own node features, CSV: node id, then numbers (with dataset=custom)")
    labels: str | None = setting(None, "own node labels, CSV: node id, label (with dataset=custom; required by task=node)")
    split: list[float] = setting([0.7, 0.1, 0.2], "shares of training, validation and test for own files and planted graphs")


@dataclass
class Train:
    """The training loop."""

    epochs: int = setting(100, "passes over the training data; 0: evaluate only", low=0)
    batch_size: int = setting(0, "training examples a step; 0: all", low=0)
    eval_batch_size: int = setting(65536, "examples a block in evaluation; no effect on results", low=1)
    lr: float = setting(0.01, "learning rate (Adam)", low=0.0)
    head_lr: float | None = setting(None, "learning rate of the head; default: lr", low=0.0)
    weight_decay: float = setting(0.0, "L2 penalty of Adam", low=0.0)
    clip_norm: float = setting(0.0, "clip the gradient's norm to this; 0: never", low=0.0)
    eval_every: int = setting(1, "epochs between two evaluations", low=1)
    patience: int = setting(0, "stop after this many evaluations without a better validation metric; 0: never", low=0)
    checkpoint_every: int = setting(1, "epochs between two checkpoints; short epochs share one (at most one every 5 s)", low=1)


@dataclass
class Run:
    """A whole run: what is asked on the command line as key=value."""

    task: Any = None
    dataset: str = setting("digits", "data set; --list datasets")
    model: Any = None
    data: Data = field(default_factory=Data)
    train: Train = field(default_factory=Train)
    recipe: str = setting("auto", "tuned settings: auto (used where they exist), none", choices=("auto", "none"))
    seed: int = setting(0, "first seed", low=0, high=2**32 - 1)
    seeds: int = setting(1, "number of seeds, from `seed` on", low=1)
    device: str = setting("auto", "where to compute", choices=("auto", "cpu", "cuda"))
    precision: str = setting("32-true", "Fabric's precision", choices=("32-true", "64-true", "bf16-mixed", "16-mixed"))
    deterministic: bool = setting(True, "refuse operations whose result depends on timing (GPU); CPU runs always repeat")
    threads: int = setting(0, "CPU threads; 0: all cores", low=0)
    out: str = setting("runs", "folder that receives the run's own folder")
    resume: str | None = setting(None, "run folder to continue; every other setting is read from it")
    progress: bool = setting(True, "progress bars on stderr (only on a terminal)")
    tensorboard: bool = setting(False, "write TensorBoard events beside metrics.csv")
    format: str = setting("text", "what stdout gets at the end", choices=("text", "json"))
