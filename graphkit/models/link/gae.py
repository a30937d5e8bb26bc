"""Graph autoencoder: an encoder and a perceptron on the Hadamard product, the plain baseline of every link table."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from graphkit.layers import HadamardScore
from graphkit.layers.checks import check_at_least
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.encoder import LinkEncoder, LinkEncoderOptions
from graphkit.sparse import CSR, normalize
from graphkit.sparse.graph_measures import reweighted

_ROWS = 2**14  # edges that are scored at a time, to weigh them


class GAE(EncodedPairs):
    """GAE: node embeddings by message passing, pairs scored by MLP(h_i * h_j).

    With `reweight`, message passing runs twice: the embeddings H of the first time score every edge j -> i by the head on
    (P H)_i * H_j, P = D^-1/2 (A + I) D^-1/2, and the second time takes P with these edges weighed up by
    `graphkit.sparse.graph_measures.reweighted`. The weights have no gradient.

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        hidden_channels: Width of embeddings and head, at least 1.
        encoder_norm: Layer normalization in the encoder.
        head_norm: Layer normalization in the head.
        head_layers: Linear maps of the head, at least 1.
        head_dropout: Dropout in the head, in [0, 1).
        reweight: Strength of the weights, at least 0; above 0 with `conv="puregcn"` alone.
        **options: Arguments of `LinkEncoder`.

    Raises:
        ValueError: If a number is out of its range, or `reweight` meets another conv.

    Source: Kipf and Welling, "Variational Graph Auto-Encoders", 2016, with the perceptron decoder that the link tables use.
        Re-weighting: Wang et al., "A Topological Perspective on Demystifying GNN-Based Link Prediction Performance", ICLR 2024,
        whose code takes new weights every few epochs, after a warm-up; here they are always those of the present parameters.
    """

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        *,
        hidden_channels: int = 256,
        encoder_norm: bool = True,
        head_norm: bool = True,
        head_layers: int = 3,
        head_dropout: float = 0.0,
        reweight: float = 0.0,
        **options: Unpack[LinkEncoderOptions],
    ) -> None:
        check_at_least(0, reweight=reweight)
        if reweight > 0:
            if options.get("conv", "puregcn") != "puregcn":
                raise ValueError(f"reweight={reweight:g} goes with conv=puregcn, not with {options['conv']}")
            options["conv"] = "puresum"  # of an operator that is normalized already
        super().__init__(
            encoder=LinkEncoder(in_channels, num_nodes, hidden_channels, norm=encoder_norm, **options),
            score=HadamardScore(hidden_channels, num_layers=head_layers, norm=head_norm, dropout=head_dropout),
        )
        self.reweight = reweight

    def encode(self, x: Tensor | CSR | None, adj: CSR) -> tuple[Tensor, ...]:
        """What the score reads of the embeddings, see `LinkModel.encode`."""
        if self.reweight == 0:
            return super().encode(x, adj)
        operator = normalize(adj, "gcn")
        with torch.no_grad():
            h = self.encoder(x, operator)
            near, row, col = operator @ h, operator.row, operator.col
            blocks = zip(row.split(_ROWS), col.split(_ROWS), strict=True)
            scores = torch.cat([self.score.head(near[i] * h[j]).sigmoid() for i, j in blocks])
        return super().encode(x, reweighted(operator, scores, self.reweight))
