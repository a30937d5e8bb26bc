"""Networks on bags of subgraphs: one frame for the presets of the layer library."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from graphkit.errors import RequestError
from graphkit.layers import POLICIES, PRESETS, BagFeatures, Dropout, SubgraphPooling, make_bags
from graphkit.layers.checks import check_at_least, check_choice
from graphkit.layers.subgraph.pooling import Inner
from graphkit.models.graph.base import GraphModel
from graphkit.models.graph.inputs import NodeFeatures, edge_features, make_head
from graphkit.models.graph.samples import bag_sample, index_bytes
from graphkit.sparse import GraphBatch
from graphkit.sparse.egonets import MAX_BYTES, Bags

PUBLISHED = "published"
_ONE_ROOT = ("vL", "vv", "vu", "uu")
_OTHER_BAGS = ("vL", "vv", "vu")


class SubgraphNetwork(GraphModel):
    """Bags of subgraphs by a policy, layers on the pair tensor h(u, v), two pools, and a perceptron.

        h(u, v) = W x_v + label(u, v),   h <- Dropout(SubgraphConv(h)),   y_g = MLP(SubgraphPooling(JK(h_1, ..., h_L)))

    What the layers read of h and the order of the pools are those of `preset`.

    Args:
        in_channels: Width of node features; 0 for none.
        out_channels: Number of scores per graph.
        edge_channels: Width of edge features, which `uL` and `vL` read; 0 for none.
        max_degree: The largest degree that is told apart, where degrees are features.
        node_features: One of `inputs.NODE_FEATURES`.
        policy: A name of `POLICIES`, or `published` for the one of the preset.
        hops: Radius of the bags, for policies that need it.
        length: Nodes of a path, for the policy `path`.
        sample: Bags of each graph that are kept, drawn again for every epoch: a share in (0, 1), a number from 1 on, or 0 for
            all.
        votes: Samples whose mean output is the prediction, at least 1.
        max_bytes: Most memory that the index arrays may take.
        hidden_channels: Width of the layers.
        num_layers: Number of layers, at least 1.
        max_distance: Largest distance that labels tell apart, at least 1.
        norm: Batch normalization in the layers.
        residual: Add to a layer its input.
        dropout: Probability in [0, 1), after every layer.
        jumping_knowledge: What is pooled: the last layer (`none`), or all layers side by side (`cat`).
        inner: The first pool, `sum`, `mean` or `root`, or `published`.
        outer: The second pool: `sum` or `mean`.
        head_layers: Linear maps of the perceptron, at least 1.
        head_dropout: Probability in [0, 1), before its last map.

    Raises:
        ValueError: A number out of its range, or an unknown name.
        RequestError: The policy or the sample lacks what the layers read.
    """

    preset: ClassVar[str]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        edge_channels: int = 0,
        max_degree: int = 0,
        node_features: str = "auto",
        policy: str = PUBLISHED,
        hops: int = 3,
        length: int = 2,
        sample: float = 0.0,
        votes: int = 5,
        max_bytes: int = MAX_BYTES,
        hidden_channels: int = 64,
        num_layers: int = 4,
        max_distance: int = 5,
        norm: bool = True,
        residual: bool = False,
        dropout: float = 0.0,
        jumping_knowledge: str = "none",
        inner: str = PUBLISHED,
        outer: str = "mean",
        head_layers: int = 2,
        head_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        bag_sample(sample, 0, 0)  # refuses what is no size
        check_at_least(1, num_layers=num_layers, hidden_channels=hidden_channels, head_layers=head_layers, votes=votes)
        check_choice((PUBLISHED, *POLICIES), policy=policy)
        check_choice((PUBLISHED, "sum", "mean", "root"), inner=inner)
        check_choice(("sum", "mean"), outer=outer)
        check_choice(("none", "cat"), jumping_knowledge=jumping_knowledge)
        preset = PRESETS[self.preset]
        self.policy = preset.policy if policy == PUBLISHED else policy
        first_pool = preset.inner if inner == PUBLISHED else cast(Inner, inner)
        self.num_roots = self._check(preset.aggregations, first_pool, length=length, sample=sample)
        given = {"hops": hops, "length": length}
        self.numbers = {name: given[name] for name in POLICIES[self.policy].needs}
        self.sample, self.max_bytes, self.edge_channels = sample, max_bytes, edge_channels
        self.votes = votes if sample else 1
        self.inputs = NodeFeatures(in_channels, max_degree, node_features=node_features)
        self.lin = nn.Linear(self.inputs.channels, hidden_channels)
        self.labels = BagFeatures(
            hidden_channels, POLICIES[self.policy].labels, max_distance=max_distance, num_roots=self.num_roots
        )
        self.layers = nn.ModuleList(
            preset.conv(hidden_channels, hidden_channels, edge_channels=edge_channels, norm=norm, residual=residual)
            for _ in range(num_layers)
        )
        self.dropout = Dropout(dropout)
        self.jumping_knowledge = jumping_knowledge
        self._width = hidden_channels * (num_layers if jumping_knowledge == "cat" else 1)
        self.pooling = SubgraphPooling(self._width, preset.order, inner=first_pool, outer="sum" if outer == "sum" else "mean")
        self.head = make_head(
            self._width, out_channels, hidden=(2 * hidden_channels,) * (head_layers - 1), dropout=head_dropout
        )

    def _check(self, aggregations: tuple[str, ...], inner: str, *, length: int, sample: float) -> int:
        """The number of roots per bag; RequestError where bags of the policy lack what is read."""
        roots = {"edge-deleted": 0, "path": length}.get(self.policy, 1)
        extra = PRESETS[self.preset].options.get("root", "shared") != "shared"
        if roots != 1 and (inner == "root" or extra or not set(aggregations).isdisjoint(_ONE_ROOT)):
            raise RequestError(
                f"model {self.preset} reads rows of the root of a bag, and bags of model.policy={self.policy} have "
                f"{roots} roots: take ego, ego+, ego-distance, node-marking or distance."
            )
        read = [name for name in aggregations if name in _OTHER_BAGS]
        if sample and read:
            raise RequestError(
                f"model {self.preset} reads rows of other bags ({', '.join(read)}), which a sample lacks: leave model.sample=0 "
                "and take smaller bags, or another model."
            )
        return max(roots, 1)

    @property
    def width(self) -> int:
        """Number of channels of `embed`."""
        return self._width

    @property
    def sampled(self) -> bool:
        """Whether only some bags of each graph are kept."""
        return self.sample > 0

    def prepare(self, batch: GraphBatch, *, vote: int = 0, seed: int = 0) -> Bags:
        """The bags of all graphs, or a sample of them; see `GraphModel.prepare`."""
        sample = bag_sample(self.sample, vote, seed)
        return make_bags(batch.adj, batch.ptr, self.policy, **self.numbers, sample=sample, max_bytes=self.max_bytes)

    def describe(self, batch: GraphBatch) -> str:
        """How many bags there are, how many were drawn, and how many samples a prediction is the mean of."""
        said = self.index_of(batch, Bags).describe()
        return f"{said} Predictions are means over {self.votes} samples." if self.sampled else said

    def index_bytes(self, batch: GraphBatch) -> int:
        """About the memory of the bags; see `GraphModel.index_bytes`."""
        return index_bytes(self.index_of(batch, Bags))

    def _pooled_rows(self, batch: GraphBatch) -> Tensor:
        bags = self.index_of(batch, Bags)
        edge_attr = edge_features(batch, self.edge_channels, self.dtype)
        h = self.labels(self.lin(self.inputs(batch, self.dtype)), bags)
        found = []
        for layer in self.layers:
            h = self.dropout(layer(h, bags, edge_attr))
            found.append(h)
        return torch.cat(found, dim=1) if self.jumping_knowledge == "cat" else h

    def embed(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the graphs [G, width]."""
        pooled: Tensor = self.pooling(self._pooled_rows(batch), self.index_of(batch, Bags))
        return pooled

    def embed_nodes(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the nodes [N, width]; NotImplementedError where there is not one bag per node."""
        bags = self.index_of(batch, Bags)
        if self.pooling.order == "VS" and (self.sampled or self.policy in ("edge-deleted", "path")):
            raise NotImplementedError(f"{type(self).__name__} embeds nodes where each has a bag of its own.")
        return self.pooling.rows(self._pooled_rows(batch), bags)


class DS(SubgraphNetwork):
    """DS-GNN: the same layers in every bag, by themselves; see `SubgraphNetwork`.

    Source: Bevilacqua et al., "Equivariant Subgraph Aggregation Networks", ICLR 2022.
    """

    preset = "ds"


class DSS(SubgraphNetwork):
    """DSS-GNN: bags share the mean of their rows over the graph; see `SubgraphNetwork`.

    Source: Bevilacqua et al., "Equivariant Subgraph Aggregation Networks", ICLR 2022.
    """

    preset = "dss"


class NGNN(SubgraphNetwork):
    """Nested GNN: bags are balls, labeled with distances to the root; see `SubgraphNetwork`.

    Source: Zhang and Li, "Nested Graph Neural Networks", NeurIPS 2021.
    """

    preset = "ngnn"


class IDGNN(SubgraphNetwork):
    """ID-GNN: the root of a ball has a further linear map, and its row stands for the bag; see `SubgraphNetwork`.

    Source: You et al., "Identity-aware Graph Neural Networks", AAAI 2021.
    """

    preset = "id-gnn"


class GNNAK(SubgraphNetwork):
    """GNN-AK: balls, their centers and their sums; see `SubgraphNetwork`.

    Source: Zhao et al., "From Stars to Subgraphs: Uplifting Any GNN with Local Structure Awareness", ICLR 2022.
    """

    preset = "gnn-ak"


class SUN(SubgraphNetwork):
    """SUN: most of what a pair can read, and weights of its own at the root; see `SubgraphNetwork`.

    Source: Frasca et al., "Understanding and Extending Subgraph GNNs by Rethinking Their Symmetries", NeurIPS 2022.
    """

    preset = "sun"


class SSWL(SubgraphNetwork):
    """SSWL: messages inside bags and across them; see `SubgraphNetwork`.

    Source: Zhang et al., "A Complete Expressiveness Hierarchy for Subgraph GNNs via Subgraph Weisfeiler-Lehman Tests", ICML
    2023.
    """

    preset = "sswl"


class SSWLPlus(SubgraphNetwork):
    """SSWL with h(v, v) beside: SSWL+; see `SubgraphNetwork`.

    Source: Zhang et al., "A Complete Expressiveness Hierarchy for Subgraph GNNs via Subgraph Weisfeiler-Lehman Tests", ICML
    2023.
    """

    preset = "sswl+"


class KPath(SubgraphNetwork):
    """Bags around paths of `length` nodes, labeled with distances to each of them; see `SubgraphNetwork`.

    Source: Li et al., "Revisiting Graph Neural Networks on Graph-level Tasks", 2025, of which we know the abstract: layers and
    bags are our reading, and their loss that drops edges is left out.
    """

    preset = "k-path"
