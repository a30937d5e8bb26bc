"""What acts on the graph of a run before any model (`transform=`): settings, and the rows of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.entries import Paper, TransformEntry
from graphkit.conf.setting import count, depth, setting, weight, width

NONE = "none"
"""The transform that changes nothing."""


@dataclass
class NoTransform:
    """The graph as it is."""

    name: str = NONE


@dataclass
class TeddyTransform:
    """Fewer edges by degrees, and training with fewer weights."""

    name: str = "teddy"
    edges: float = setting(0.5, "share of the edges that stay", low=1e-6, high=1.0)
    weights: float = setting(0.5, "share of the model's parameters that may differ from 0", low=1e-6, high=1.0)
    distill: float = weight(1.0, "weight of the divergence from what the model said of the whole graph; 0: none")
    dense_epochs: int = depth(200, "epochs of training on the whole graph before, for distill above 0")


@dataclass
class StableTransform:
    """Edges removed and added by embeddings that were learned without labels."""

    name: str = "stable"
    jaccard: float = setting(
        0.03, "edges of a lower Jaccard index of features are put aside while embeddings are learned", low=0.0, high=1.0
    )
    restore: float = setting(0.2, "share of these that a view has again", low=0.0, high=1.0)
    channels: int = width(256, "width of the embeddings")
    epochs: int = depth(50, "steps of their training")
    lr: float = weight(0.005, "its learning rate", low=1e-9)
    self_weight: float = weight(2.0, "weight of a node itself beside its neighbors", low=1e-9)
    cosine: float = setting(0.5, "edges stay whose ends have embeddings of a higher cosine", low=-1.0, high=1.0)
    neighbors: int = count(5, "nearest nodes that each node is linked with", high=10_000)
    features: str = setting("embedding", "what the model reads then", choices=("embedding", "own", "both"))


TRANSFORMS: dict[str, TransformEntry] = {
    NONE: TransformEntry(NoTransform, "", "the graph as it is"),
    "teddy": TransformEntry(
        TeddyTransform,
        "graphkit.models.transforms.teddy:Teddy",
        "edges sparsified at once by degrees, then weights by projection",
        Paper(
            "TEDDY: Trimming Edges with Degree-based Discrimination strategY", "ICLR 2024", "https://arxiv.org/abs/2402.01261"
        ),
        around="graphkit.models.transforms.teddy:SparseTraining",
    ),
    "stable": TransformEntry(
        StableTransform,
        "graphkit.models.transforms.stable:Stable",
        "a poisoned graph repaired by unsupervised embeddings",
        Paper(
            "Reliable Representations Make A Stronger Defender: Unsupervised Structure Refinement for Robust GNN",
            "KDD 2022",
            "https://arxiv.org/abs/2207.00012",
        ),
        undirected=True,
    ),
}
