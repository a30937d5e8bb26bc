"""SPEN as an embedding of graphs without features, with random or trained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from graphkit.layers import SubgraphPermutationConv
from graphkit.sparse import gather, normalize, segment_mean, segment_sum
from graphkit.sparse.egonets import BagPairs, Bags

if TYPE_CHECKING:
    from graphkit.separation.refinement import Refinement

_GRADES = (1, 2, 3, 4, 5, 6, 8, 12, 16)  # sizes of balls with weights of their own


class BallEmbedding(nn.Module):
    """Graphs to rows by SPEN's layers on the balls of `test`; pools and scales as in `networks.Embedding`.

        pairs_0 = [a_ij, 1 if i = j],   a = D^-1/2 A D^-1/2;   orders 2 -> 1 + 2 -> ... -> 1 + 2 -> 0

    Args:
        test: The refinement that bounds it.
        width: Channels of every order.
        num_layers: Layers, at least 1; one further map leads to order 0.
        trained: With batch normalization.
    """

    def __init__(self, test: Refinement, width: int, num_layers: int, *, trained: bool = False) -> None:
        super().__init__()
        self.test, self.width, self.trained = test, width, trained
        given = [(0, 2), *[(width, width)] * num_layers]
        self.layers = nn.ModuleList(SubgraphPermutationConv(one, (0, width, width), _GRADES) for one in given[:-1])
        self.last = SubgraphPermutationConv(given[-1], (width, 0, 0), _GRADES)
        make = nn.BatchNorm1d if trained else nn.Identity
        self.node_norms = nn.ModuleList(make(width) for _ in self.layers)
        self.pair_norms = nn.ModuleList(make(width) for _ in self.layers)
        self.lin = nn.Linear(width, width)
        for layer in (*self.layers, self.last):
            for bias in layer.biases.values():
                nn.init.normal_(bias, std=0.1)  # without them a map of zeros is zero, and tanh keeps every sign

    def forward(self, bags: Bags) -> Tensor:
        """Embed the graphs of bags that `Refinement.bags` made: [G, width]."""
        z = self.rows(bags)
        return segment_mean(z, bags.bag_ptr) if self.trained else segment_sum(z.square(), bags.bag_ptr)

    def rows(self, bags: Bags) -> Tensor:
        """Embed the bags [S, width]."""
        like, index = self.lin.weight, BagPairs(bags)
        a = normalize(bags.adj, "gcn", self_loops=False, dtype=like.dtype).weights(like.dtype).unsqueeze(1)
        pairs = torch.cat([index.entries @ a, index.loops @ like.new_ones(bags.num_nodes, 1)], dim=1)
        nodes: Tensor | None = None
        for layer, of_nodes, of_pairs in zip(self.layers, self.node_norms, self.pair_norms, strict=True):
            out = layer(nodes, pairs, index)
            nodes = self._curved(of_nodes(out.nodes), bags.node_ptr)
            pairs = self._curved(of_pairs(out.pairs), index.pair_ptr)
        found = self.last(nodes, pairs, index).bags
        z: Tensor = self.lin(found).relu()
        return z

    def _curved(self, h: Tensor, ptr: Tensor) -> Tensor:
        """ReLU, or without training tanh of rows over the mean absolute number of their graph."""
        if self.trained:
            return h.relu()
        graph = torch.arange(ptr.numel() - 1, device=ptr.device).repeat_interleave(ptr.diff())
        scale = segment_mean(h.abs(), ptr)
        return torch.tanh(h / gather(torch.where(scale > 0, scale, 1.0), graph))
