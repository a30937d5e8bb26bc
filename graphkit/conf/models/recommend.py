"""Models for recommendation: their settings, and the rows of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.entries import ModelEntry, Paper
from graphkit.conf.setting import DEPTHS, WIDTHS, count, depth, setting, weight, width


@dataclass
class _PairwiseModel:
    hidden_channels: int = width(64, "width of the embeddings", search=WIDTHS)
    init: str = setting(
        "normal", "embeddings start from N(0, init_std^2), or uniform as Xavier has it", choices=("normal", "xavier")
    )
    init_std: float = weight(0.1, "standard deviation of init=normal")
    embedding_penalty: float = weight(1e-4, "weight of the penalty on the batch's trained embeddings")
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
    num_layers: int = depth(3, "rounds of propagation", search=DEPTHS)
    layer_weights: str = setting("mean", "weights of the rounds: all 1 / (layers + 1), or learned", choices=("mean", "learned"))


@dataclass
class UltraGCNModel:
    """UltraGCN: no propagation, weighted cross entropy on many negatives and on neighbors of items."""

    name: str = "ultragcn"
    hidden_channels: int = width(64, "width of the embeddings", search=WIDTHS)
    init_std: float = weight(1e-4, "standard deviation of the initialization")
    w1: float = weight(1e-6, "weight of every positive")
    w2: float = weight(1.0, "weight of a positive's degree factor")
    w3: float = weight(1e-6, "weight of every negative")
    w4: float = weight(1.0, "weight of a negative's degree factor")
    negative_weight: float = weight(300.0, "weight of the mean over negatives")
    item_weight: float = weight(5e-4, "weight of the item graph (lambda)")
    num_neighbors: int = count(10, "neighbors of an item in the item graph", low=1)
    item_graph: str = setting(
        "paper", "weights of the item graph: as in the paper, or as in its code", choices=("paper", "code")
    )
    decay: float = weight(1e-4, "weight of the penalty on all embeddings (gamma)")


@dataclass
class LightGCLModel:
    """LightGCL: propagation held against propagation over a low-rank view of the graph."""

    name: str = "lightgcl"
    hidden_channels: int = width(64, "width of the embeddings", search=WIDTHS)
    num_layers: int = depth(2, "rounds of propagation", search=DEPTHS)
    rank: int = width(5, "rank of the low-rank view (q)")
    temperature: float = weight(0.2, "temperature of the contrast (tau)", low=1e-6)
    contrast_weight: float = weight(0.2, "weight of the contrast (lambda 1)")
    positive_limit: float = weight(5.0, "limit of a node's agreement with itself", low=1e-6)
    decay: float = weight(1e-7, "weight of the penalty on all embeddings (lambda 2)")


@dataclass
class SheafModel(_PairwiseModel):
    """Sheaf4Rec: embeddings diffused over a sheaf that is learned from them."""

    name: str = "sheaf"
    num_layers: int = depth(3, "steps of diffusion, each with a sheaf of its own", search=DEPTHS)
    maps: str = setting(
        "orthogonal",
        "restriction maps; diagonal and general ones start near zero and take longer to train",
        choices=("identity", "diagonal", "orthogonal", "general"),
    )
    stalk_dim: int = count(2, "dimension of the stalks; divides the width of the embeddings", low=1, high=256)
    activation: str = setting("elu", "sigma of a step; none: as in the authors' code", choices=("elu", "tanh", "none"))
    combine: str = setting(
        "mean",
        "of all steps: mean, as wide as the embeddings; concat, steps + 1 times as wide (the authors' code)",
        choices=("mean", "concat"),
    )


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
    num_neighbors: int = count(100, "nearest neighbors that are added up", low=1)
    shrinkage: float = weight(0.0, "added to the cosine's denominator: similarities of few interactions count less")


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
    regularization: float = weight(500.0, "lambda, added to the diagonal of the items' co-occurrences", low=1e-9)
    max_memory_gb: float = weight(4.0, "refuse to start when the dense matrix needs more than this, in GB")


@dataclass
class GFCFModel:
    """GF-CF: a linear and an ideal low-pass filter of the user's interactions."""

    name: str = "gf-cf"
    alpha: float = weight(0.3, "weight of the ideal filter; 0: none (the paper's code on Amazon-Book)")
    rank: int = width(256, "singular vectors of the ideal filter")


@dataclass
class GTEModel:
    """GTE: paths of three edges between user and item."""

    name: str = "gte"


@dataclass
class IALSModel:
    """iALS: matrix factorization by alternating least squares (extra `als`)."""

    name: str = "ials"
    factors: int = width(64, "width of the embeddings")
    regularization: float = weight(0.01, "weight of the squared norm of all embeddings")
    confidence: float = weight(1.0, "weight of an interaction's error against 1 of everything else", low=1e-9)
    iterations: int = depth(15, "sweeps over users and items")


_LIGHTGCN = Paper(
    "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation",
    "SIGIR 2020",
    "https://arxiv.org/abs/2002.02126",
)
_ULTRAGCN = Paper(
    "UltraGCN: Ultra Simplification of Graph Convolutional Networks for Recommendation",
    "CIKM 2021",
    "https://arxiv.org/abs/2110.15114",
)
_LIGHTGCL = Paper(
    "LightGCL: Simple Yet Effective Graph Contrastive Learning for Recommendation",
    "ICLR 2023",
    "https://arxiv.org/abs/2302.08191",
)
_SHEAF4REC = Paper(
    "Sheaf4Rec: Sheaf Neural Networks for Graph-based Recommender Systems", "TORS 2025", "https://arxiv.org/abs/2304.09097"
)
_BPR = Paper("BPR: Bayesian Personalized Ranking from Implicit Feedback", "UAI 2009", "https://arxiv.org/abs/1205.2618")
_ITEM_KNN = Paper(
    "Item-based Collaborative Filtering Recommendation Algorithms", "WWW 2001", "https://doi.org/10.1145/371920.372071"
)
_USER_KNN = Paper("Analysis of Recommendation Algorithms for E-Commerce", "EC 2000", "https://doi.org/10.1145/352871.352887")
_EASE = Paper("Embarrassingly Shallow Autoencoders for Sparse Data", "WWW 2019", "https://arxiv.org/abs/1905.03375")
_GFCF = Paper("How Powerful is Graph Convolution for Recommendation?", "CIKM 2021", "https://arxiv.org/abs/2108.07567")
_GTE = Paper("How Expressive are Graph Neural Networks in Recommendation?", "CIKM 2023", "https://arxiv.org/abs/2308.11127")
_IALS = Paper("Collaborative Filtering for Implicit Feedback Datasets", "ICDM 2008", "https://doi.org/10.1109/ICDM.2008.22")

MODELS: dict[str, ModelEntry] = {
    "lightgcn": ModelEntry(LightGCNModel, "graphkit.models.recommend.lightgcn:LightGCN", "LightGCN", _LIGHTGCN),
    "ultragcn": ModelEntry(
        UltraGCNModel, "graphkit.models.recommend.ultragcn:UltraGCN", "UltraGCN, without propagation", _ULTRAGCN
    ),
    "lightgcl": ModelEntry(
        LightGCLModel, "graphkit.models.recommend.lightgcl:LightGCL", "LightGCN with a contrastive view", _LIGHTGCL
    ),
    "sheaf": ModelEntry(
        SheafModel, "graphkit.models.recommend.sheaf:SheafRecommender", "sheaf diffusion of embeddings", _SHEAF4REC
    ),
    "bpr-mf": ModelEntry(BPRMFModel, "graphkit.models.recommend.bpr_mf:BPRMF", "matrix factorization trained on pairs", _BPR),
    "mostpop": ModelEntry(MostPopModel, "graphkit.models.recommend.mostpop:MostPop", "the most popular items"),
    "itemknn": ModelEntry(ItemKNNModel, "graphkit.models.recommend.neighbors:ItemKNN", "nearest items by cosine", _ITEM_KNN),
    "userknn": ModelEntry(UserKNNModel, "graphkit.models.recommend.neighbors:UserKNN", "nearest users by cosine", _USER_KNN),
    "ease": ModelEntry(EASEModel, "graphkit.models.recommend.ease:EASE", "linear autoencoder, closed form", _EASE),
    "gf-cf": ModelEntry(GFCFModel, "graphkit.models.recommend.gfcf:GFCF", "low-pass filter, closed form", _GFCF),
    "gte": ModelEntry(GTEModel, "graphkit.models.recommend.gte:GTE", "paths of three edges, no learning", _GTE),
    "ials": ModelEntry(IALSModel, "graphkit.models.recommend.ials:IALS", "alternating least squares", _IALS),
}
