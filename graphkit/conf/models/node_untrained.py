"""Models for node classification without gradient descent: their settings and rows."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.entries import ModelEntry, Paper
from graphkit.conf.setting import count, depth, setting, weight, width


@dataclass
class FastRPModel:
    """Random projections of the graph, and logistic regression on them; features are not read."""

    name: str = "fastrp"
    channels: int = width(128, "width of the embeddings")
    walks: str = setting("0,0,1,4", "weights of walks of one, two, ... steps, with commas between")
    exponent: float = setting(-0.5, "power of the degrees; below 0 hubs count less", low=-10.0, high=10.0)
    projection: str = setting("sparse", "entries of the random matrix", choices=("sparse", "gaussian"))
    transition: bool = setting(True, "a step is an average over neighbors; else their sum")
    normalize_rows: bool = setting(False, "sum powers with rows of norm 1")
    c: float = weight(1.0, "inverse strength of the regression's penalty", low=1e-9)


@dataclass
class TreesModel:
    """Gradient boosted trees on features, means over neighbors, degree, PageRank and FastRP."""

    name: str = "trees"
    hops: int = count(2, "how many times means over neighbors are taken", high=1000)
    projection_channels: int = count(32, "width of the FastRP embedding; 0: none", high=2**20)
    iterations: int = depth(100, "rounds of boosting")
    rate: float = weight(0.1, "shrinkage of a round", low=1e-9)
    leaves: int = count(31, "most leaves of a tree", low=2)
    least_leaf: int = count(5, "fewest training nodes of a leaf", low=1)
    penalty: float = weight(1.0, "L2 penalty of the leaves")


_FASTRP = Paper(
    "Fast and Accurate Network Embeddings via Very Sparse Random Projection",
    "CIKM 2019",
    "https://arxiv.org/abs/1908.11512",
)

MODELS: dict[str, ModelEntry] = {
    "fastrp": ModelEntry(
        FastRPModel, "graphkit.models.node.fastrp:FastRPModel", "random projections and logistic regression", _FASTRP
    ),
    "trees": ModelEntry(
        TreesModel, "graphkit.models.node.trees:Trees", "gradient boosted trees on features of graph and neighbors"
    ),
}
