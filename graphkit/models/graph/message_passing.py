"""Networks on the nodes of graphs, pooled: GIN, GCN, and Deep Sets, which sees no edge."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypedDict, Unpack

import torch
from torch import Tensor, nn

from graphkit.layers import Dropout, GCNConv, GINConv, Readout
from graphkit.layers.checks import check_at_least, check_choice
from graphkit.models.graph.base import GraphModel
from graphkit.models.graph.inputs import NodeFeatures, RowNorm, edge_features, make_head
from graphkit.sparse import BatchOperator, GraphBatch, normalize

JUMPING = ("none", "cat", "max")


class PooledNetworkOptions(TypedDict, total=False):
    """Arguments of `PooledNetwork` that every model passes on."""

    hidden_channels: int
    num_layers: int
    norm: str
    dropout: float
    jumping_knowledge: str
    readout: str
    head_layers: int
    head_dropout: float


class PooledNetwork(GraphModel):
    """Layers on nodes, a pool per graph, and a perceptron.

        h <- Dropout(ReLU(Norm(layer(h)))),   y_g = MLP(pool over the nodes of g of JK(h_1, ..., h_L))

    with JK the last h (`none`), all side by side (`cat`), or their maximum (`max`).

    Args:
        make_layer: Makes a layer of an input and an output width.
        inputs: The first features.
        out_channels: Number of scores per graph.
        hidden_channels: Width of the layers.
        num_layers: Number of layers, at least 1.
        norm: `none`, `batch`, `layer` or `graph`.
        dropout: Probability in [0, 1), after every layer.
        jumping_knowledge: `none`, `cat` or `max`.
        readout: `sum`, `mean` or `max`.
        head_layers: Linear maps of the perceptron, at least 1.
        head_dropout: Probability in [0, 1), before its last map.

    Raises:
        ValueError: A number out of its range, or an unknown name.
    """

    def __init__(
        self,
        make_layer: Callable[[int, int], nn.Module],
        inputs: NodeFeatures,
        out_channels: int,
        *,
        hidden_channels: int = 32,
        num_layers: int = 4,
        norm: str = "batch",
        dropout: float = 0.0,
        jumping_knowledge: str = "cat",
        readout: str = "sum",
        head_layers: int = 1,
        head_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_at_least(1, hidden_channels=hidden_channels, num_layers=num_layers, head_layers=head_layers)
        check_choice(JUMPING, jumping_knowledge=jumping_knowledge)
        self.inputs = inputs
        widths = [inputs.channels] + [hidden_channels] * num_layers
        self.layers = nn.ModuleList(make_layer(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self.norms = nn.ModuleList(RowNorm(hidden_channels, norm=norm) for _ in range(num_layers))
        self.dropout = Dropout(dropout)
        self.jumping_knowledge = jumping_knowledge
        self.readout = Readout(readout)
        self._width = hidden_channels * (num_layers if jumping_knowledge == "cat" else 1)
        hidden = (hidden_channels,) * (head_layers - 1)
        self.head = make_head(self._width, out_channels, hidden=hidden, dropout=head_dropout)

    @property
    def width(self) -> int:
        """Number of channels of `embed` and `embed_nodes`."""
        return self._width

    def layer(self, number: int, h: Tensor, batch: GraphBatch) -> Tensor:
        """Apply a layer to rows [N, C]."""
        out: Tensor = self.layers[number](h)
        return out

    def _rows(self, batch: GraphBatch) -> list[Tensor]:
        """Embeddings of the nodes after every layer [N, hidden_channels]; without `cat` the one that is pooled."""
        h = self.inputs(batch, self.dtype)
        found = []
        for number, norm in enumerate(self.norms):
            h = self.dropout(norm(self.layer(number, h, batch), batch.ptr).relu())
            found.append(h)
        if self.jumping_knowledge == "cat":
            return found
        return [torch.stack(found).amax(0) if self.jumping_knowledge == "max" else h]

    def embed_nodes(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the nodes [N, width]."""
        return torch.cat(self._rows(batch), dim=1)

    def embed(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the graphs [G, width]."""
        return torch.cat([self.readout(rows, batch.ptr) for rows in self._rows(batch)], dim=1)


class GIN(PooledNetwork):
    """Graph isomorphism network: perceptrons on sums over neighbors; with edge features as GINE.

    Args:
        in_channels: Width of node features; 0 for none.
        out_channels: Number of scores per graph.
        edge_channels: Width of edge features; 0 for none.
        max_degree: The largest degree that is told apart, where degrees are features.
        node_features: One of `inputs.NODE_FEATURES`.
        train_eps: Learn the weight of a node against its neighbors.
        **options: Arguments of `PooledNetwork`.

    Raises:
        ValueError: A number out of its range, or an unknown name.
        RequestError: Node features are asked for where there are none.

    Source: Xu et al., "How Powerful are Graph Neural Networks?", ICLR 2019. Their code also pools the input features, and drops
    scores of each layer; here the embedding is dropped.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        edge_channels: int = 0,
        max_degree: int = 0,
        node_features: str = "auto",
        train_eps: bool = False,
        **options: Unpack[PooledNetworkOptions],
    ) -> None:
        inputs = NodeFeatures(in_channels, max_degree, node_features=node_features)

        def make_layer(before: int, after: int) -> nn.Module:
            return GINConv(before, after, edge_channels=edge_channels, train_eps=train_eps)

        super().__init__(make_layer, inputs, out_channels, **options)
        self.edge_channels = edge_channels

    def layer(self, number: int, h: Tensor, batch: GraphBatch) -> Tensor:
        """Apply a layer to rows [N, C]."""
        out: Tensor = self.layers[number](h, batch.adj, None, edge_features(batch, self.edge_channels, h.dtype))
        return out


class GCN(PooledNetwork):
    """Graph convolutional network, pooled; it reads no edge features.

    Args:
        in_channels: Width of node features; 0 for none.
        out_channels: Number of scores per graph.
        max_degree: The largest degree that is told apart, where degrees are features.
        node_features: One of `inputs.NODE_FEATURES`.
        **options: Arguments of `PooledNetwork`.

    Raises:
        ValueError: A number out of its range, or an unknown name.
        RequestError: Node features are asked for where there are none.

    Source: Kipf and Welling, ICLR 2017.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        max_degree: int = 0,
        node_features: str = "auto",
        **options: Unpack[PooledNetworkOptions],
    ) -> None:
        inputs = NodeFeatures(in_channels, max_degree, node_features=node_features)
        # The operator of the whole data set is normalized once; batches copy blocks of it.
        super().__init__(lambda before, after: GCNConv(before, after, norm="sum"), inputs, out_channels, **options)

    def prepare(self, batch: GraphBatch, *, vote: int = 0, seed: int = 0) -> BatchOperator:
        """The normalized operator D^-1/2 (A + I) D^-1/2."""
        return BatchOperator(normalize(batch.adj, "gcn", dtype=self.dtype), batch.ptr)

    def layer(self, number: int, h: Tensor, batch: GraphBatch) -> Tensor:
        """Apply a layer to rows [N, C]."""
        out: Tensor = self.layers[number](h, self.index_of(batch, BatchOperator).csr)
        return out


class DeepSets(PooledNetwork):
    """Deep Sets: a perceptron on every node, pooled. It never sees an edge, so that others show what edges are worth.

    Where nodes have no features, each is a one: then it knows the number of nodes alone. All rows are alike then and have no
    variance that `batch` or `graph` normalization could divide by, so that neither takes part.

    Args:
        in_channels: Width of node features; 0 for none.
        out_channels: Number of scores per graph.
        **options: Arguments of `PooledNetwork`.

    Raises:
        ValueError: A number out of its range, or an unknown name.

    Source: Zaheer et al., "Deep Sets", NeurIPS 2017.
    """

    reads_edges: ClassVar[bool] = False

    def __init__(self, in_channels: int, out_channels: int, **options: Unpack[PooledNetworkOptions]) -> None:
        inputs = NodeFeatures(in_channels, 0, node_features="given" if in_channels else "constant")
        if in_channels == 0 and options.get("norm", "batch") in ("batch", "graph"):
            options["norm"] = "none"
        super().__init__(nn.Linear, inputs, out_channels, **options)
