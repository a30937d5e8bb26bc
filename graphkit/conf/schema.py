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


@dataclass
class RecommendTask:
    """Recommendation: rank all items for every user, those taken next first."""

    name: str = "recommend"
    metric: str = setting("auto", "validation metric that selects the epoch; auto: the data set's own (recall@20)")
    protocol: str = setting(
        "validation",
        "validation: select on held-out training items; lightgcn: train on all of them and select on test, as its code does",
        choices=("validation", "lightgcn"),
    )
    sampler: str = setting(
        "user-uniform",
        "triples of an epoch: a uniform user, then one of the user's items (LightGCN's code), or every interaction once",
        choices=("user-uniform", "interaction-uniform"),
    )
    num_negatives: int = setting(1, "negative items a triple, drawn from those the user has not taken", low=1)


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


@dataclass
class _PairwiseModel:
    hidden_channels: int = setting(64, "width of the embeddings", low=1)
    init: str = setting(
        "normal", "embeddings start from N(0, init_std^2), or uniform as Xavier has it", choices=("normal", "xavier")
    )
    init_std: float = setting(0.1, "standard deviation of init=normal", low=0.0)
    embedding_penalty: float = setting(1e-4, "weight of the penalty on the batch's trained embeddings", low=0.0)
    penalty: str = setting(
        "half-squared",
        "half-squared: half the squared norms over the batch size (LightGCN's code); unique-squared: squared norms of distinct "
        "nodes (PyG); norm: norms, not squared (RecBole's default)",
        choices=("half-squared", "unique-squared", "norm"),
    )


@dataclass
class LightGCNModel(_PairwiseModel):
    """LightGCN: embeddings smoothed over the graph of interactions."""

    name: str = "lightgcn"
    num_layers: int = setting(3, "rounds of propagation", low=1)
    layer_weights: str = setting("mean", "weights of the rounds: all 1 / (layers + 1), or learned", choices=("mean", "learned"))


@dataclass
class UltraGCNModel:
    """UltraGCN: no propagation, weighted cross entropy on many negatives and on neighbors of items."""

    name: str = "ultragcn"
    hidden_channels: int = setting(64, "width of the embeddings", low=1)
    init_std: float = setting(1e-4, "standard deviation of the initialization", low=0.0)
    w1: float = setting(1e-6, "weight of every positive", low=0.0)
    w2: float = setting(1.0, "weight of a positive's degree factor", low=0.0)
    w3: float = setting(1e-6, "weight of every negative", low=0.0)
    w4: float = setting(1.0, "weight of a negative's degree factor", low=0.0)
    negative_weight: float = setting(300.0, "weight of the mean over negatives", low=0.0)
    item_weight: float = setting(5e-4, "weight of the item graph (lambda)", low=0.0)
    num_neighbors: int = setting(10, "neighbors of an item in the item graph", low=1)
    item_graph: str = setting(
        "paper", "weights of the item graph: as in the paper, or as in its code", choices=("paper", "code")
    )
    decay: float = setting(1e-4, "weight of the penalty on all embeddings (gamma)", low=0.0)


@dataclass
class LightGCLModel:
    """LightGCL: propagation held against propagation over a low-rank view of the graph."""

    name: str = "lightgcl"
    hidden_channels: int = setting(64, "width of the embeddings", low=1)
    num_layers: int = setting(2, "rounds of propagation", low=1)
    rank: int = setting(5, "rank of the low-rank view (q)", low=1)
    temperature: float = setting(0.2, "temperature of the contrast (tau)", low=1e-6)
    contrast_weight: float = setting(0.2, "weight of the contrast (lambda 1)", low=0.0)
    positive_limit: float = setting(5.0, "limit of a node's agreement with itself", low=1e-6)
    decay: float = setting(1e-7, "weight of the penalty on all embeddings (lambda 2)", low=0.0)


@dataclass
class BPRMFModel(_PairwiseModel):
    """Matrix factorization trained on pairs."""

    name: str = "bpr-mf"


@dataclass
class MostPopModel:
    """The most popular items for everybody."""

    name: str = "mostpop"


@dataclass
class _NeighborModel:
    num_neighbors: int = setting(100, "nearest neighbors that are added up", low=1)
    shrinkage: float = setting(0.0, "added to the cosine's denominator: similarities of few interactions count less", low=0.0)


@dataclass
class ItemKNNModel(_NeighborModel):
    """Items similar to those of the user, by cosine."""

    name: str = "itemknn"


@dataclass
class UserKNNModel(_NeighborModel):
    """Items of similar users, by cosine."""

    name: str = "userknn"


@dataclass
class EASEModel:
    """EASE^R: the best linear autoencoder, by a dense inverse of items x items."""

    name: str = "ease"
    regularization: float = setting(500.0, "lambda, added to the diagonal of the items' co-occurrences", low=1e-9)
    max_memory_gb: float = setting(4.0, "refuse to start when the dense matrix needs more than this, in GB", low=0.0)


@dataclass
class GFCFModel:
    """GF-CF: a linear and an ideal low-pass filter of the user's interactions."""

    name: str = "gf-cf"
    alpha: float = setting(0.3, "weight of the ideal filter; 0: none (the paper's code on Amazon-Book)", low=0.0)
    rank: int = setting(256, "singular vectors of the ideal filter", low=1)


@dataclass
class GTEModel:
    """GTE: paths of three edges between user and item."""

    name: str = "gte"


@dataclass
class IALSModel:
    """iALS: matrix factorization by alternating least squares (extra `als`)."""

    name: str = "ials"
    factors: int = setting(64, "width of the embeddings", low=1)
    regularization: float = setting(0.01, "weight of the squared norm of all embeddings", low=0.0)
    confidence: float = setting(1.0, "weight of an interaction's error against 1 of everything else", low=1e-9)
    iterations: int = setting(15, "sweeps over users and items", low=1)


# ------------------------------------------------------------------------------------------------------------- the run


@dataclass
class Data:
    """Where data lies, and own files."""

    root: str | None = setting(None, "data folder; default: $GRAPHKIT_DATA, else ~/.cache/graphkit")
    edges: str | None = setting(None, "own edge list, CSV: one edge a row, source and target (with dataset=custom)")
    features: str | None = setting(None, "own node features, CSV: node id, then numbers (with dataset=custom)")
    labels: str | None = setting(None, "own node labels, CSV: node id, label (with dataset=custom; required by task=node)")
    interactions: str | None = setting(
        None, "own interactions, CSV with a header: one a row (with dataset=custom; required by task=recommend)"
    )
    user_column: str | None = setting(None, "header of the users in data.interactions; default: user")
    item_column: str | None = setting(None, "header of the items; default: item")
    rating_column: str | None = setting(None, "header of the ratings, read with data.min_rating; default: rating")
    min_rating: float | None = setting(None, "leave out interactions that are rated lower; default: all count")
    time_column: str | None = setting(
        None, "header of the times, numbers or ISO dates: hold out each user's latest items; default: a random split"
    )
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
