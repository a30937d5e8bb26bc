"""The names that can be asked for: tasks, models and where their code lives. Data sets: `graphkit.data.catalog`.

A table read by `--list`, the override checker, the builders and the completeness test. Adding a model means: a settings
dataclass in `schema.py`, a row here, its module, its test, its CHANGELOG line.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf import schema


@dataclass(frozen=True)
class Paper:
    """A citation: short title, where it appeared, and an address."""

    title: str
    venue: str
    url: str = ""


@dataclass(frozen=True)
class TaskEntry:
    """A task: its settings and the class that runs it."""

    settings: type
    target: str  # "module:class", imported only when a run starts
    default_model: str
    summary: str


@dataclass(frozen=True)
class ModelEntry:
    """A model of one task: its settings, its class and its citation."""

    settings: type
    target: str
    summary: str
    paper: Paper | None = None


TASKS: dict[str, TaskEntry] = {
    "link": TaskEntry(schema.LinkTask, "graphkit.tasks.link:LinkPrediction", "ncn", "link prediction"),
    "node": TaskEntry(schema.NodeTask, "graphkit.tasks.node:NodeClassification", "gcn", "node classification"),
    "recommend": TaskEntry(
        schema.RecommendTask, "graphkit.tasks.recommend:Recommendation", "lightgcn", "recommendation of items to users"
    ),
}

_NCN = Paper("Neural Common Neighbor with Completion for Link Prediction", "ICLR 2024", "https://arxiv.org/abs/2302.00890")
_ADAMIC = Paper("Friends and Neighbors on the Web", "Social Networks 2003", "https://doi.org/10.1016/S0378-8733(03)00009-1")
_RA = Paper("Predicting Missing Links via Local Information", "EPJ B 2009", "https://arxiv.org/abs/0901.0553")
_LIBEN = Paper("The Link-Prediction Problem for Social Networks", "JASIST 2007", "https://doi.org/10.1002/asi.20591")
_GAE = Paper("Variational Graph Auto-Encoders", "NIPS workshop 2016", "https://arxiv.org/abs/1611.07308")
_GCN = Paper(
    "Semi-Supervised Classification with Graph Convolutional Networks", "ICLR 2017", "https://arxiv.org/abs/1609.02907"
)
_SAGE = Paper("Inductive Representation Learning on Large Graphs", "NeurIPS 2017", "https://arxiv.org/abs/1706.02216")
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
_BPR = Paper("BPR: Bayesian Personalized Ranking from Implicit Feedback", "UAI 2009", "https://arxiv.org/abs/1205.2618")
_ITEM_KNN = Paper(
    "Item-based Collaborative Filtering Recommendation Algorithms", "WWW 2001", "https://doi.org/10.1145/371920.372071"
)
_USER_KNN = Paper("Analysis of Recommendation Algorithms for E-Commerce", "EC 2000", "https://doi.org/10.1145/352871.352887")
_EASE = Paper("Embarrassingly Shallow Autoencoders for Sparse Data", "WWW 2019", "https://arxiv.org/abs/1905.03375")
_GFCF = Paper("How Powerful is Graph Convolution for Recommendation?", "CIKM 2021", "https://arxiv.org/abs/2108.07567")
_GTE = Paper("How Expressive are Graph Neural Networks in Recommendation?", "CIKM 2023", "https://arxiv.org/abs/2308.11127")
_IALS = Paper("Collaborative Filtering for Implicit Feedback Datasets", "ICDM 2008", "https://doi.org/10.1109/ICDM.2008.22")

MODELS: dict[str, dict[str, ModelEntry]] = {
    "link": {
        "ncn": ModelEntry(schema.NCNModel, "graphkit.models.ncn:NCN", "neural common neighbor", _NCN),
        "gae": ModelEntry(schema.GAEModel, "graphkit.models.gae:GAE", "graph autoencoder", _GAE),
        "cn": ModelEntry(schema.CommonNeighborsModel, "graphkit.models.heuristics:CommonNeighbors", "common neighbors", _LIBEN),
        "aa": ModelEntry(schema.AdamicAdarModel, "graphkit.models.heuristics:AdamicAdar", "Adamic-Adar", _ADAMIC),
        "ra": ModelEntry(
            schema.ResourceAllocationModel, "graphkit.models.heuristics:ResourceAllocation", "resource allocation", _RA
        ),
    },
    "node": {
        "gcn": ModelEntry(schema.GCNModel, "graphkit.models.node:GCN", "graph convolutional network", _GCN),
        "sage": ModelEntry(schema.SAGEModel, "graphkit.models.node:SAGE", "GraphSAGE, mean aggregation", _SAGE),
        "mlp": ModelEntry(schema.MLPModel, "graphkit.models.node:MLP", "features only", None),
    },
    "recommend": {
        "lightgcn": ModelEntry(schema.LightGCNModel, "graphkit.models.recommend.lightgcn:LightGCN", "LightGCN", _LIGHTGCN),
        "ultragcn": ModelEntry(
            schema.UltraGCNModel, "graphkit.models.recommend.ultragcn:UltraGCN", "UltraGCN, without propagation", _ULTRAGCN
        ),
        "lightgcl": ModelEntry(
            schema.LightGCLModel, "graphkit.models.recommend.lightgcl:LightGCL", "LightGCN with a contrastive view", _LIGHTGCL
        ),
        "bpr-mf": ModelEntry(
            schema.BPRMFModel, "graphkit.models.recommend.bpr_mf:BPRMF", "matrix factorization trained on pairs", _BPR
        ),
        "mostpop": ModelEntry(schema.MostPopModel, "graphkit.models.recommend.mostpop:MostPop", "the most popular items"),
        "itemknn": ModelEntry(
            schema.ItemKNNModel, "graphkit.models.recommend.neighbors:ItemKNN", "nearest items by cosine", _ITEM_KNN
        ),
        "userknn": ModelEntry(
            schema.UserKNNModel, "graphkit.models.recommend.neighbors:UserKNN", "nearest users by cosine", _USER_KNN
        ),
        "ease": ModelEntry(schema.EASEModel, "graphkit.models.recommend.ease:EASE", "linear autoencoder, closed form", _EASE),
        "gf-cf": ModelEntry(schema.GFCFModel, "graphkit.models.recommend.gfcf:GFCF", "low-pass filter, closed form", _GFCF),
        "gte": ModelEntry(schema.GTEModel, "graphkit.models.recommend.gte:GTE", "paths of three edges, no learning", _GTE),
        "ials": ModelEntry(schema.IALSModel, "graphkit.models.recommend.ials:IALS", "alternating least squares", _IALS),
    },
}
