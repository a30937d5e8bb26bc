"""PPGN and PPGN++: networks on all pairs of nodes of a graph, with products of matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict, Unpack

import torch
from torch import Tensor, nn

from graphkit.layers import PPGNBlock, Readout, pair_polynomials
from graphkit.layers.checks import check_at_least, check_choice
from graphkit.models.graph.base import GraphModel
from graphkit.models.graph.inputs import NodeFeatures, edge_features, make_head
from graphkit.sparse import GraphBatch, gather
from graphkit.sparse.egonets import MAX_BYTES, Bags, whole_bags

_CHUNK = 64  # graphs whose polynomials are computed at a time, on blocks of the size of the largest of them


@dataclass(frozen=True, eq=False)
class PairIndex:
    """All pairs (u, v) of nodes of each graph, and polynomials of the adjacency matrix on them.

    Attributes:
        bags: Bags of whole graphs, one per node.
        polynomials: [T, P].
    """

    bags: Bags
    polynomials: Tensor

    @property
    def ptr(self) -> Tensor:
        """Boundaries of the graphs' pairs [G + 1]."""
        return self.bags.ptr[self.bags.bag_ptr]

    def take(self, graphs: Tensor) -> PairIndex:
        """The pairs of some of the graphs [B], in that order."""
        bags, ptr = self.bags.take(graphs), self.ptr
        new = bags.ptr[bags.bag_ptr]
        shift = (ptr[graphs] - new[:-1]).repeat_interleave(new.diff(), output_size=bags.num_rows)
        return PairIndex(bags, self.polynomials[torch.arange(bags.num_rows, device=ptr.device) + shift])

    def to(self, device: torch.device | str) -> PairIndex:
        """The same pairs on another device."""
        return PairIndex(self.bags.to(device), self.polynomials.to(device))


class PPGNOptions(TypedDict, total=False):
    """Settings of `PPGN` but for `degree`."""

    node_features: str
    max_bytes: int
    hidden_channels: int
    num_layers: int
    block_layers: int
    norm: bool
    jumping_knowledge: str
    readout: str
    head_layers: int
    head_dropout: float


class PPGN(GraphModel):
    """Provably powerful graph network.

        h(u, v) = [polynomials of A, 1 if u = v, x_u if u = v, e_uv],   h <- Norm(PPGNBlock(h))
        y_g = MLP([pool over v of h(v, v), pool over u, v of h(u, v)])

    Args:
        in_channels: Width of node features; 0 for none.
        out_channels: Number of scores per graph.
        edge_channels: Width of edge features; 0 for none.
        max_degree: The largest degree that is told apart, where degrees are features.
        node_features: One of `inputs.NODE_FEATURES`.
        degree: Largest degree of the polynomials, see `pair_polynomials`; 1 for A alone.
        max_bytes: Most memory that the index arrays may take.
        hidden_channels: Width of the blocks.
        num_layers: Number of blocks, at least 1.
        block_layers: Linear maps of each perceptron in a block, at least 1.
        norm: Batch normalization after every block: the scale of a product grows with the graph.
        jumping_knowledge: What is pooled: the last block (`none`), or all blocks side by side (`cat`).
        readout: `sum`, `mean` or `max`.
        head_layers: Linear maps of the perceptron, at least 1.
        head_dropout: Probability in [0, 1), before its last map.

    Raises:
        ValueError: A number out of its range, or an unknown name.

    Source: Maron et al., "Provably Powerful Graph Networks", NeurIPS 2019. Normalizations are ours.
    """

    plus: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        edge_channels: int = 0,
        max_degree: int = 0,
        node_features: str = "auto",
        degree: int = 1,
        max_bytes: int = MAX_BYTES,
        hidden_channels: int = 64,
        num_layers: int = 3,
        block_layers: int = 2,
        norm: bool = True,
        jumping_knowledge: str = "cat",
        readout: str = "sum",
        head_layers: int = 2,
        head_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, degree=degree, hidden_channels=hidden_channels, num_layers=num_layers, head_layers=head_layers)
        check_choice(("none", "cat"), jumping_knowledge=jumping_knowledge)
        self.degree, self.max_bytes, self.edge_channels = degree, max_bytes, edge_channels
        self.inputs = NodeFeatures(in_channels, max_degree, node_features=node_features)
        num_polynomials = degree + (degree >= 5) + (degree >= 6)
        widths = [num_polynomials + 1 + self.inputs.channels + edge_channels] + [hidden_channels] * num_layers
        self.blocks = nn.ModuleList(
            PPGNBlock(a, b, num_layers=block_layers, plus=self.plus) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden_channels) if norm else nn.Identity() for _ in range(num_layers))
        self.jumping_knowledge = jumping_knowledge
        self.readout = Readout(readout)
        self._rows = hidden_channels * (num_layers if jumping_knowledge == "cat" else 1)
        self.head = make_head(self.width, out_channels, hidden=(hidden_channels,) * (head_layers - 1), dropout=head_dropout)

    @property
    def width(self) -> int:
        """Number of channels of `embed`."""
        return 2 * self._rows

    @property
    def node_width(self) -> int:
        """Number of channels of `embed_nodes`."""
        return self._rows

    def prepare(self, batch: GraphBatch, *, vote: int = 0, seed: int = 0) -> PairIndex:
        """All pairs of nodes of each graph, with their polynomials; see `GraphModel.prepare`."""
        bags = whole_bags(batch.adj, batch.ptr, max_bytes=self.max_bytes)
        parts = torch.arange(batch.num_graphs, device=batch.ptr.device).split(_CHUNK)
        polynomials = [pair_polynomials(bags.take(graphs), self.degree) for graphs in parts]
        return PairIndex(bags, torch.cat(polynomials).to(self.dtype))

    def _pairs(self, batch: GraphBatch) -> Tensor:
        index = self.index_of(batch, PairIndex)
        bags = index.bags
        diagonal = bags.is_root.to(self.dtype).unsqueeze(1)
        parts = [index.polynomials, diagonal, bags.own.t() @ self.inputs(batch, self.dtype)]
        edge_attr = edge_features(batch, self.edge_channels, self.dtype)
        if edge_attr is not None:
            row = batch.adj.row
            place = bags.ptr[row] + batch.adj.col - batch.ptr[batch.graph[row]]
            features = torch.zeros(bags.num_rows, self.edge_channels, dtype=self.dtype, device=row.device)
            parts.append(features.index_copy(0, place, edge_attr))
        h = torch.cat(parts, dim=1)
        found = []
        for block, norm in zip(self.blocks, self.norms, strict=True):
            h = norm(block(h, bags))
            found.append(h)
        return torch.cat(found, dim=1) if self.jumping_knowledge == "cat" else h

    def embed(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the graphs [G, width]."""
        index, h = self.index_of(batch, PairIndex), self._pairs(batch)
        diagonal = gather(h, index.bags.own_row)
        return torch.cat([self.readout(diagonal, batch.ptr), self.readout(h, index.ptr)], dim=1)

    def embed_nodes(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the nodes, h(v, v) [N, width / 2]."""
        return gather(self._pairs(batch), self.index_of(batch, PairIndex).bags.own_row)


class PPGNPlus(PPGN):
    """PPGN++: further products in every block, and polynomials that they cannot compute.

    Args:
        in_channels: Width of node features; 0 for none.
        out_channels: Number of scores per graph.
        edge_channels: Width of edge features; 0 for none.
        max_degree: The largest degree that is told apart, where degrees are features.
        degree: Largest degree of the polynomials, see `pair_polynomials`.
        **options: Arguments of `PPGN`.

    Raises:
        ValueError: A number out of its range, or an unknown name.

    Source: Puny et al., "Equivariant Polynomials for Graph Neural Networks", ICML 2023; see `PPGNBlock` for what we have not
    read.
    """

    plus = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        edge_channels: int = 0,
        max_degree: int = 0,
        degree: int = 6,
        **options: Unpack[PPGNOptions],
    ) -> None:
        # What the data decides is named here too: a task gives a class what its own constructor names.
        super().__init__(
            in_channels, out_channels, edge_channels=edge_channels, max_degree=max_degree, degree=degree, **options
        )
