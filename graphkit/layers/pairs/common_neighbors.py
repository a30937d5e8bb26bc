"""NCN's score: the pooled embeddings of common neighbors next to the Hadamard product of the pair."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.layers.checks import check_choice, check_probability
from graphkit.layers.dense.norm_dropout_relu import NormDropoutReLU
from graphkit.layers.pairs.base import PairScore, logit
from graphkit.sparse import CSR, NeighborSets, SecondOrderSets, SharedNeighbors, pair_product

EXTRA_POOLS = ("none", "difference", "second")


class CommonNeighborScore(PairScore):
    r"""NCN's score: the pooled embeddings of common neighbors next to the Hadamard product of the pair.

    s_ij = lin( beta * xcnlin( sum_{u in N(i) & N(j)} x'_u ) + xijlin( h_i * h_j ) ),   x' = h + xlin(h)  (or h)

    with beta learned and, writing A for LayerNorm-Dropout-ReLU and D for Dropout-ReLU,
    xlin = D, A after two linear maps; xcnlin likewise, then a linear map unless `tail_activation`; xijlin = A after one, then a
    linear map unless `tail_activation`; lin = A after one (after two, each with its A, with `two_layer`), then a map to one
    logit.

    Two things are computed in another order than written, with the same result: the first map of xcnlin is applied to the
    nodes before pooling (a sum commutes with a linear map), and the last maps of the two streams are multiplied into the first
    one of lin. Of seven width-by-width products per pair, five remain.

    `extra_pool` adds a third stream, another xcnlin with weight one. `difference` (NCN-diff) pools the nodes that neighbor one
    of the two alone, N(i) - N(j) and N(j) - N(i). `second` (NCN2) pools N(i) & N_2(j) and N_2(i) & N(j), N_2 the nodes that a
    walk of two edges reaches. The authors' ablations of both run without xlin and `two_layer`; here the head is that of NCN.

    Args:
        channels: Width C of the embeddings and of the head.
        norm: Layer normalization in A.
        transform_pooled: Pool x' = h + xlin(h) instead of h (`use_xlin` in the authors' code).
        tail_activation: No last linear maps in the two streams (`tailact`).
        two_layer: Two hidden layers in lin (`twolayerlin`).
        dropout: Probability in [0, 1) in A and D.
        common_neighbor_dropout: Probability in [0, 1) with which each directed adjacency entry is left out before the
            intersection, in training (`preedp`); i's and j's entries are dropped independently.
        beta: Initial weight of the common-neighbor stream.
        extra_pool: What a third stream pools: `none`, `difference` or `second`.

    Raises:
        ValueError: A probability out of range, or an unknown `extra_pool`.

    Source: Wang, Yang and Zhang, "Neural Common Neighbor with Completion for Link Prediction", ICLR 2024. The paper
    concatenates the two streams; this follows the authors' code, which adds them with a learned weight.
    """

    def __init__(
        self,
        channels: int,
        *,
        norm: bool = True,
        transform_pooled: bool = True,
        tail_activation: bool = True,
        two_layer: bool = False,
        dropout: float = 0.0,
        common_neighbor_dropout: float = 0.0,
        beta: float = 1.0,
        extra_pool: str = "none",
    ) -> None:
        super().__init__()
        check_choice(EXTRA_POOLS, extra_pool=extra_pool)
        check_probability(common_neighbor_dropout=common_neighbor_dropout)

        def linear() -> nn.Linear:
            return nn.Linear(channels, channels)

        def act(normed: bool = norm) -> NormDropoutReLU:
            return NormDropoutReLU(channels, norm=normed, dropout=dropout)

        self.channels = channels
        self.common_neighbor_dropout = common_neighbor_dropout
        self.initial_beta = beta
        self.beta = nn.Parameter(torch.tensor([float(beta)]))
        self.xlin = nn.Sequential(linear(), act(False), linear(), act()) if transform_pooled else None
        self.pooled_in = linear()
        self.pooled_hidden = nn.Sequential(act(False), linear(), act())
        self.pooled_out = None if tail_activation else linear()
        self.product_hidden = nn.Sequential(linear(), act())
        self.product_out = None if tail_activation else linear()
        self.extra_pool = extra_pool
        extra = extra_pool != "none"
        self.extra_in = linear() if extra else None
        self.extra_hidden = nn.Sequential(act(False), linear(), act()) if extra else None
        self.extra_out = linear() if extra and not tail_activation else None
        self.merge = linear()
        self.merged = nn.Sequential(act(), linear(), act()) if two_layer else act()
        self.out = nn.Linear(channels, 1)

    def reset_parameters(self) -> None:
        """Draw new weights and set beta to its initial value."""
        nn.init.constant_(self.beta, self.initial_beta)
        for module in self.modules():
            if isinstance(module, nn.Linear | NormDropoutReLU):
                module.reset_parameters()

    def node_features(self, h: Float[Tensor, "N {self.channels}"]) -> tuple[Tensor, ...]:
        """The embeddings h and, for every stream that pools, W x' of every node, W without its bias."""
        return h, *self._mapped(self._transformed(h))

    def _transformed(self, h: Tensor) -> Tensor:
        """The nodes as they are pooled, x'."""
        return h if self.xlin is None else h + self.xlin(h)

    def _mapped(self, x: Tensor) -> tuple[Tensor, ...]:
        """W x' of every node for every stream that pools."""
        streams = [self.pooled_in] if self.extra_in is None else [self.pooled_in, self.extra_in]
        return tuple(F.linear(x, stream.weight).to(x.dtype) for stream in streams)

    def pair_features(
        self, nodes: tuple[Tensor, ...], adj: CSR | NeighborSets, pairs: Int[Tensor, "2 P"]
    ) -> tuple[Tensor, ...]:
        """h_i * h_j and the pooled sums of W x'_u, over common neighbors and over what `extra_pool` says, each [P, C]."""
        sets = self._dropped(NeighborSets.of(adj))
        features = pair_product(nodes[0], pairs), sets.pool(pairs, nodes[1])
        if self.extra_pool == "difference":
            return *features, sets.pool(pairs, nodes[2], "left") + sets.pool(pairs, nodes[2], "right")
        if self.extra_pool == "second":
            return *features, SecondOrderSets(sets).pool(pairs, nodes[2])
        return features

    def from_sources(
        self, nodes: tuple[Tensor, ...], adj: CSR, sources: Int[Tensor, " S"]
    ) -> Callable[[Int[Tensor, "2 P"]], tuple[Tensor, ...]]:
        """The neighbors of a source are walked once for all its pairs, see `PairScore.from_sources`; not with `extra_pool`."""
        if self.extra_in is not None or self.training:
            return super().from_sources(nodes, adj, sources)
        shared = SharedNeighbors(adj, sources)
        pooled = shared.pool(nodes[1])
        return lambda pairs: (pair_product(nodes[0], pairs), shared.rows(pooled, pairs))

    def _dropped(self, sets: NeighborSets) -> NeighborSets:
        """In training the sets without the entries that `common_neighbor_dropout` leaves out, a new draw."""
        if not self.training or self.common_neighbor_dropout == 0:
            return sets
        return NeighborSets(sets.adj.dropout(self.common_neighbor_dropout, rescale=False), sets.method)

    def head(self, *features: Float[Tensor, "P {self.channels}"]) -> Float[Tensor, " P"]:
        """Logits."""
        product, pooled = features[:2]
        q = self.product_hidden(product)
        r = self.pooled_hidden(pooled + self.pooled_in.bias)
        extra = None
        if self.extra_in is not None and self.extra_hidden is not None:
            extra = self.extra_hidden(features[2] + self.extra_in.bias)
        if self.pooled_out is None or self.product_out is None:
            z = torch.addcmul(q, self.beta.to(q.dtype), r)
            z = self.merge(z if extra is None else z + extra)
        else:
            with torch.autocast(q.device.type, enabled=False):
                merge = self.merge.weight
                by_pooled = self.beta * (merge @ self.pooled_out.weight)
                by_product = merge @ self.product_out.weight
                bias = self.merge.bias + merge @ (self.beta * self.pooled_out.bias + self.product_out.bias)
            z = torch.addmm(F.linear(r, by_pooled, bias), q, by_product.t().to(q.dtype))
            if extra is not None and self.extra_out is not None:
                with torch.autocast(q.device.type, enabled=False):
                    by_extra, bias = merge @ self.extra_out.weight, merge @ self.extra_out.bias
                z = z + F.linear(extra, by_extra, bias)
        return logit(self.out, self.merged(z))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels})"
