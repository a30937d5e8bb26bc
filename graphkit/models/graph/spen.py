"""SPEN: tensors of orders 1 and 2 on the graph, mapped inside every ball by maps that follow any renaming of its nodes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import SubgraphPermutationConv
from graphkit.layers.checks import check_at_least, check_within
from graphkit.models.graph.base import GraphModel
from graphkit.models.graph.inputs import NodeFeatures, RowNorm, edge_features, make_head
from graphkit.models.graph.samples import bag_sample, index_bytes
from graphkit.sparse import BatchOperator, GraphBatch, normalize, segment_mean
from graphkit.sparse.egonets import MAX_BYTES, BagPairs, ball_sizes, ego_bags


@dataclass(frozen=True, eq=False)
class Balls:
    """What SPEN makes of graphs once.

    Attributes:
        pairs: The balls with their pairs of nodes.
        normalized: D^-1/2 A D^-1/2.
    """

    pairs: BagPairs
    normalized: BatchOperator

    def take(self, graphs: Tensor) -> Balls:
        """The same of some of the graphs [B], in that order."""
        return Balls(self.pairs.take(graphs), self.normalized.take(graphs))

    def to(self, device: torch.device | str) -> Balls:
        """The same on another device."""
        return Balls(self.pairs.to(device), self.normalized.to(device))


class SPEN(GraphModel):
    """Subgraph permutation equivariant network.

        orders 2 -> 1 + 2 -> ... -> 1 + 2 -> 0, each a SubgraphPermutationConv; ELU and normalization between
        pairs at first: [D^-1/2 A D^-1/2, e_ij, x_i if i = j];   y_g = MLP(mean over the balls of g of ELU(order 0))

    Sizes of balls that have weights of their own are those that at least the share `grade_share` of all balls of `graphs` has.
    Balls of another size use the weights of the next smaller grade, and of the first one where there is none.

    Args:
        in_channels: Width of node features; 0 for none.
        out_channels: Number of scores per graph.
        graphs: The graphs whose sizes of balls become grades; None for one set of weights.
        edge_channels: Width of edge features; 0 for none.
        max_degree: The largest degree that is told apart, where degrees are features.
        node_features: One of `inputs.NODE_FEATURES`; `auto` is none where there are none, since balls show degrees.
        hops: Radius of the balls, at least 0.
        grade_share: In [0, 1].
        sample: Balls of each graph that are kept, see `SubgraphNetwork`.
        votes: Samples whose mean output is the prediction, at least 1.
        max_bytes: Most memory that the index arrays may take.
        hidden_channels: Width of every order.
        num_layers: Number of layers, at least 2.
        norm: `none`, `batch`, `layer` or `graph`.
        head_channels: Width of the first hidden layer of the perceptron; that of the second is half of it. At least 2.
        head_dropout: Probability in [0, 1), before its last map.

    Raises:
        ValueError: A number out of its range, or an unknown name.

    Source: Mitton and Murray-Smith, "Subgraph Permutation Equivariant Networks", TMLR 2023. The code adds the normalized
    adjacency to every channel of the input, which the first linear map can do; for what the layers do in another way see
    `SubgraphPermutationConv`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        graphs: GraphBatch | None = None,
        edge_channels: int = 0,
        max_degree: int = 0,
        node_features: str = "auto",
        hops: int = 1,
        grade_share: float = 0.005,
        sample: float = 0.0,
        votes: int = 5,
        max_bytes: int = MAX_BYTES,
        hidden_channels: int = 16,
        num_layers: int = 5,
        norm: str = "graph",
        head_channels: int = 256,
        head_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        bag_sample(sample, 0, 0)  # refuses what is no size
        check_at_least(0, hops=hops)
        check_at_least(1, hidden_channels=hidden_channels, votes=votes)
        check_at_least(2, num_layers=num_layers, head_channels=head_channels)
        check_within(0.0, 1.0, grade_share=grade_share)
        self.hops, self.sample, self.max_bytes = hops, sample, max_bytes
        self.votes = votes if sample else 1
        self.edge_channels = edge_channels
        if node_features == "auto" and in_channels == 0:
            node_features = "constant"
        self.inputs = NodeFeatures(in_channels, max_degree, node_features=node_features)
        grades = (1,) if graphs is None else grades_of(graphs, hops, grade_share)
        width = hidden_channels
        first = SubgraphPermutationConv((0, 1 + edge_channels + self.inputs.channels), (0, width, width), grades)
        middle = [SubgraphPermutationConv((width, width), (0, width, width), grades) for _ in range(num_layers - 2)]
        self.layers = nn.ModuleList([first, *middle])
        self.last = SubgraphPermutationConv((width, width), (width, 0, 0), grades)
        self.node_norms = nn.ModuleList(RowNorm(width, norm=norm) for _ in self.layers)
        self.pair_norms = nn.ModuleList(RowNorm(width, norm=norm) for _ in self.layers)
        self._width = width
        self.head = make_head(width, out_channels, hidden=(head_channels, head_channels // 2), dropout=head_dropout)

    @property
    def width(self) -> int:
        """Number of channels of `embed`."""
        return self._width

    @property
    def sampled(self) -> bool:
        """Whether only some balls of each graph are kept."""
        return self.sample > 0

    def prepare(self, batch: GraphBatch, *, vote: int = 0, seed: int = 0) -> Balls:
        """The balls with their pairs of nodes, and the normalized operator; see `GraphModel.prepare`."""
        sample = bag_sample(self.sample, vote, seed)
        bags = ego_bags(batch.adj, batch.ptr, self.hops, sample=sample, max_bytes=self.max_bytes)
        normalized = BatchOperator(normalize(batch.adj, "gcn", self_loops=False, dtype=self.dtype), batch.ptr)
        return Balls(BagPairs(bags, max_bytes=self.max_bytes), normalized)

    def index_bytes(self, batch: GraphBatch) -> int:
        """About the memory of the balls and their pairs; see `GraphModel.index_bytes`."""
        bags = self.index_of(batch, Balls).pairs.bags
        return index_bytes(bags) + 16 * int(bags.ptr.diff().square().sum())

    def describe(self, batch: GraphBatch) -> str:
        """How many balls there are, how many were drawn, and how many samples a prediction is the mean of."""
        said = self.index_of(batch, Balls).pairs.bags.describe()
        return f"{said} Predictions are means over {self.votes} samples." if self.sampled else said

    def _tensors(self, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """Order 1 [N, C] and order 2 [U, C] before the last layer."""
        balls = self.index_of(batch, Balls)
        index, a = balls.pairs, balls.normalized.csr.weights(self.dtype).unsqueeze(1)
        edge_attr = edge_features(batch, self.edge_channels, self.dtype)
        entries = a if edge_attr is None else torch.cat([a, edge_attr], dim=1)
        pairs = torch.cat([index.entries @ entries, index.loops @ self.inputs(batch, self.dtype)], dim=1)
        nodes: Tensor | None = None
        for layer, node_norm, pair_norm in zip(self.layers, self.node_norms, self.pair_norms, strict=True):
            out = layer(nodes, pairs, index)
            nodes = node_norm(F.elu(out.nodes), batch.ptr)
            pairs = pair_norm(F.elu(out.pairs), index.pair_ptr)
        assert nodes is not None
        return nodes, pairs

    def embed(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the graphs [G, width]."""
        index = self.index_of(batch, Balls).pairs
        bags = self.last(*self._tensors(batch), index).bags
        return segment_mean(F.elu(bags), index.bags.bag_ptr)

    def embed_nodes(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the nodes, order 1 before the last layer [N, width]."""
        return self._tensors(batch)[0]


def grades_of(graphs: GraphBatch, hops: int, share: float) -> tuple[int, ...]:
    """Sizes of balls, ascending, that at least this share of all balls has; (1,) where there are no balls."""
    with graphs.ptr.device:  # also where the model is built without memory, on the device `meta`
        nodes = torch.arange(graphs.num_nodes)
        counts = torch.bincount(ball_sizes(graphs.adj, nodes.unsqueeze(1), hops))
        found = ((counts > 0) & (counts >= share * graphs.num_nodes)).nonzero().flatten().tolist()
    return tuple(found) or (1,)
