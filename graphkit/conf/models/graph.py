"""Models for tasks on whole graphs: their settings, and the rows of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.backbones import on_backbones
from graphkit.conf.entries import ModelEntry, Paper
from graphkit.conf.models.prototypes import PrototypeSettings
from graphkit.conf.setting import DROPOUTS, WIDTHS, count, depth, probability, setting, width

_POLICIES = ("node-marking", "distance", "ego", "ego+", "ego-distance", "node-deleted", "edge-deleted", "path")


def _node_features(note: str = "degree") -> str:
    return (
        "first features of nodes: those of the data set, the number of in-neighbors as a one-hot vector, a constant, or given "
        f"and degree side by side; auto: given, else {note}"
    )


_NODE_FEATURES = ("auto", "given", "degree", "constant", "given+degree")


def _sample() -> float:
    share: float = setting(
        0.0,
        "bags of each graph that are kept, drawn again for every epoch: a share below 1, a number from 1 on, 0 for all",
        low=0.0,
        high=1e9,
    )
    return share


def _max_bytes() -> int:
    most: int = count(2**32, "most bytes that the index of the bags may take; more is refused before it is built", high=10**15)
    return most


@dataclass
class _PooledNetwork:
    hidden_channels: int = width(32, "width of the layers", search=WIDTHS)
    num_layers: int = depth(4, "layers", search="2,3,4,5,6")
    norm: str = setting("batch", "normalization in every layer", choices=("none", "batch", "layer", "graph"))
    dropout: float = probability(0.0, "dropout after every layer", search=DROPOUTS)
    jumping_knowledge: str = setting("cat", "how the layers' outputs are put together", choices=("none", "cat", "max"))
    readout: str = setting("sum", "how the nodes of a graph are pooled", choices=("sum", "mean", "max"))
    head_layers: int = depth(1, "linear maps after the pool")
    head_dropout: float = probability(0.5, "dropout before the last linear map")


@dataclass
class DeepSetsModel(_PooledNetwork):
    """Perceptron on every node, pooled; it never sees an edge."""

    name: str = "deepsets"


@dataclass
class GCNModel(_PooledNetwork):
    """Graph convolutional network, pooled."""

    name: str = "gcn"
    node_features: str = setting("auto", _node_features(), choices=_NODE_FEATURES)


@dataclass
class GINModel(GCNModel):
    """Graph isomorphism network, with edge features as GINE."""

    name: str = "gin"
    train_eps: bool = setting(False, "learn the weight of a node against its neighbors")


@dataclass
class _Subgraphs:
    node_features: str = setting("auto", _node_features(), choices=_NODE_FEATURES)
    policy: str = setting(
        "published", "which subgraphs a graph becomes; published: as in the model's paper", choices=("published", *_POLICIES)
    )
    hops: int = count(3, "radius of the balls of policies ego, ego+, ego-distance and path", high=1000)
    length: int = count(2, "nodes of a path, for the policy path", low=1, high=1000)
    sample: float = _sample()
    votes: int = count(5, "samples whose mean output is the prediction, where bags are sampled", low=1, high=10_000)
    max_bytes: int = _max_bytes()
    hidden_channels: int = width(64, "width of the layers", search=WIDTHS)
    num_layers: int = depth(4, "layers", search="2,3,4,5,6")
    max_distance: int = count(5, "largest distance from the root that is told apart", low=1, high=10_000)
    norm: bool = setting(True, "batch normalization in the layers")
    residual: bool = setting(False, "add to every layer its input")
    dropout: float = probability(0.0, "dropout after every layer", search=DROPOUTS)
    jumping_knowledge: str = setting("none", "what is pooled: the last layer, or all side by side", choices=("none", "cat"))
    inner: str = setting(
        "published", "the first pool, over a bag or over the bags of a node", choices=("published", "sum", "mean", "root")
    )
    outer: str = setting("mean", "the second pool", choices=("sum", "mean"))
    head_layers: int = depth(2, "linear maps after the pools")
    head_dropout: float = probability(0.0, "dropout before the last linear map")


@dataclass
class DSModel(_Subgraphs):
    """Bags of subgraphs, each by itself."""

    name: str = "ds"


@dataclass
class DSSModel(_Subgraphs):
    """Bags of subgraphs that share the mean of their rows."""

    name: str = "dss"


@dataclass
class NGNNModel(_Subgraphs):
    """Balls with distances to the root."""

    name: str = "ngnn"


@dataclass
class IDGNNModel(_Subgraphs):
    """Balls whose root has a further linear map."""

    name: str = "id-gnn"


@dataclass
class GNNAKModel(_Subgraphs):
    """Balls, their centers and their sums."""

    name: str = "gnn-ak"


@dataclass
class SUNModel(_Subgraphs):
    """Most of what a pair of nodes can read, with weights of its own at the root."""

    name: str = "sun"


@dataclass
class SSWLModel(_Subgraphs):
    """Messages inside bags and across them."""

    name: str = "sswl"


@dataclass
class SSWLPlusModel(_Subgraphs):
    """SSWL with the pair of a node with itself beside."""

    name: str = "sswl+"


@dataclass
class KPathModel(_Subgraphs):
    """Bags around paths."""

    name: str = "k-path"


@dataclass
class SPENModel:
    """Permutation-equivariant maps inside every ball, weights by its size."""

    name: str = "spen"
    node_features: str = setting("auto", _node_features("constant"), choices=_NODE_FEATURES)
    hops: int = count(1, "radius of the balls", high=1000)
    grade_share: float = setting(
        0.005,
        "share of all balls from which on their size has weights of its own; others use the next smaller ones",
        low=0.0,
        high=1.0,
    )
    sample: float = _sample()
    votes: int = count(5, "samples whose mean output is the prediction, where balls are sampled", low=1, high=10_000)
    max_bytes: int = _max_bytes()
    hidden_channels: int = width(16, "width of every order", search=WIDTHS)
    num_layers: int = depth(5, "layers", low=2, search="2,3,4,5,6")
    norm: str = setting("graph", "normalization between layers", choices=("none", "batch", "layer", "graph"))
    head_channels: int = setting(
        256, "width of the first hidden layer of the head, twice that of the second", low=2, high=2**20
    )
    head_dropout: float = probability(0.5, "dropout before the last linear map")


@dataclass
class PPGNModel:
    """Products of matrices of pairs."""

    name: str = "ppgn"
    node_features: str = setting("auto", _node_features(), choices=_NODE_FEATURES)
    degree: int = depth(1, "largest degree of the polynomials of the adjacency matrix that pairs begin with")
    max_bytes: int = _max_bytes()
    hidden_channels: int = width(64, "width of the blocks", search=WIDTHS)
    num_layers: int = depth(3, "blocks", search="2,3,4,5,6")
    block_layers: int = depth(2, "linear maps of each perceptron in a block")
    norm: bool = setting(True, "batch normalization after every block")
    jumping_knowledge: str = setting("cat", "what is pooled: the last block, or all side by side", choices=("none", "cat"))
    readout: str = setting("sum", "how the pairs of a graph are pooled", choices=("sum", "mean", "max"))
    head_layers: int = depth(2, "linear maps after the pool")
    head_dropout: float = probability(0.0, "dropout before the last linear map")


@dataclass
class PPGNPlusModel(PPGNModel):
    """PPGN with further products, and polynomials that they cannot compute."""

    name: str = "ppgn++"
    degree: int = depth(6, "largest degree of the polynomials of the adjacency matrix that pairs begin with")


_BAGS = ("ds", "dss", "ngnn", "id-gnn", "gnn-ak", "sun", "sswl", "sswl+", "k-path")
_PLAIN = ("deepsets", "gin", "gcn", "spen", *_BAGS, "ppgn", "ppgn++")


@dataclass
class PrototypeModel(PrototypeSettings):
    """Similarities to parts of training graphs, on the embeddings of another model."""

    name: str = "prototype"
    backbone: str = setting("gin", "the model whose embeddings are compared; it must draw no subgraphs", choices=_PLAIN)
    parts: str = setting(
        "nodes",
        "what of a graph is compared: its nodes, balls around them, or the whole graph",
        choices=("nodes", "balls", "graph"),
    )
    part_hops: int = count(1, "radius of the balls, for parts=balls", high=1000)


_SETS = Paper("Deep Sets", "NeurIPS 2017", "https://arxiv.org/abs/1703.06114")
_GIN = Paper("How Powerful are Graph Neural Networks?", "ICLR 2019", "https://arxiv.org/abs/1810.00826")
_GCN = Paper(
    "Semi-Supervised Classification with Graph Convolutional Networks", "ICLR 2017", "https://arxiv.org/abs/1609.02907"
)
_SPEN = Paper("Subgraph Permutation Equivariant Networks", "TMLR 2023", "https://arxiv.org/abs/2111.11840")
_ESAN = Paper("Equivariant Subgraph Aggregation Networks", "ICLR 2022", "https://arxiv.org/abs/2110.02910")
_NGNN = Paper("Nested Graph Neural Networks", "NeurIPS 2021", "https://arxiv.org/abs/2110.13197")
_ID = Paper("Identity-aware Graph Neural Networks", "AAAI 2021", "https://arxiv.org/abs/2101.10320")
_AK = Paper(
    "From Stars to Subgraphs: Uplifting Any GNN with Local Structure Awareness",
    "ICLR 2022",
    "https://arxiv.org/abs/2110.03753",
)
_SUN = Paper(
    "Understanding and Extending Subgraph GNNs by Rethinking Their Symmetries",
    "NeurIPS 2022",
    "https://arxiv.org/abs/2206.11140",
)
_SWL = Paper(
    "A Complete Expressiveness Hierarchy for Subgraph GNNs via Subgraph Weisfeiler-Lehman Tests",
    "ICML 2023",
    "https://arxiv.org/abs/2302.07090",
)
_PPGN = Paper("Provably Powerful Graph Networks", "NeurIPS 2019", "https://arxiv.org/abs/1905.11136")
_PPGN_PLUS = Paper("Equivariant Polynomials for Graph Neural Networks", "ICML 2023", "https://arxiv.org/abs/2302.11556")
_PATH = Paper("Revisiting Graph Neural Networks on Graph-level Tasks", "arXiv 2025", "https://arxiv.org/abs/2501.00773")

_PROTOTYPES = Paper("ProtGNN: Towards Self-Explaining Graph Neural Networks", "AAAI 2022", "https://arxiv.org/abs/2112.00911")

_ROOM = "graphkit.models.graph"

MODELS: dict[str, ModelEntry] = {
    "deepsets": ModelEntry(DeepSetsModel, f"{_ROOM}.message_passing:DeepSets", "nodes only, no edges", _SETS),
    "gin": ModelEntry(GINModel, f"{_ROOM}.message_passing:GIN", "graph isomorphism network", _GIN),
    "gcn": ModelEntry(GCNModel, f"{_ROOM}.message_passing:GCN", "graph convolutional network", _GCN),
    "spen": ModelEntry(SPENModel, f"{_ROOM}.spen:SPEN", "equivariant maps inside balls", _SPEN),
    "ds": ModelEntry(DSModel, f"{_ROOM}.subgraphs:DS", "bags of subgraphs, each by itself", _ESAN),
    "dss": ModelEntry(DSSModel, f"{_ROOM}.subgraphs:DSS", "bags of subgraphs that share information", _ESAN),
    "ngnn": ModelEntry(NGNNModel, f"{_ROOM}.subgraphs:NGNN", "nested networks on balls", _NGNN),
    "id-gnn": ModelEntry(IDGNNModel, f"{_ROOM}.subgraphs:IDGNN", "balls that know their root", _ID),
    "gnn-ak": ModelEntry(GNNAKModel, f"{_ROOM}.subgraphs:GNNAK", "balls, their centers and sums", _AK),
    "sun": ModelEntry(SUNModel, f"{_ROOM}.subgraphs:SUN", "bags of subgraphs with most aggregations", _SUN),
    "sswl": ModelEntry(SSWLModel, f"{_ROOM}.subgraphs:SSWL", "messages inside and across bags", _SWL),
    "sswl+": ModelEntry(SSWLPlusModel, f"{_ROOM}.subgraphs:SSWLPlus", "SSWL with h(v, v) beside", _SWL),
    "ppgn": ModelEntry(PPGNModel, f"{_ROOM}.ppgn:PPGN", "products of matrices of pairs", _PPGN),
    "ppgn++": ModelEntry(PPGNPlusModel, f"{_ROOM}.ppgn:PPGNPlus", "PPGN with more products and polynomials", _PPGN_PLUS),
    "k-path": ModelEntry(KPathModel, f"{_ROOM}.subgraphs:KPath", "bags around paths", _PATH),
}
MODELS["prototype"] = on_backbones(
    PrototypeModel,
    {name: MODELS[name] for name in _PLAIN},
    f"{_ROOM}.prototype:PrototypeGraphs",
    "sums over similarities to parts of training graphs",
    _PROTOTYPES,
)
