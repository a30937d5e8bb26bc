"""BUDDY: features that were propagated once, and counts of nodes by their distances from both ends, from sketches."""

from __future__ import annotations

from typing import ClassVar, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import FeatureLinear, Propagation, SubgraphCountScore
from graphkit.layers.checks import check_at_least, check_probability
from graphkit.layers.pairs.subgraph_counts import SubgraphCountOptions
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.inputs import NodeInput
from graphkit.sparse import CSR, dropout


class PropagatedFeatures(nn.Module):
    """A map of propagated features, without message passing of what is learned but for a table.

    With P = D^-1/2 (A + I) D^-1/2 and X the features, or an orthogonal table where there are none:

    - powers = 0: h = P X W + b;
    - powers = K: h = W [z_0 | ... | z_K] + b with z_k = Dropout(ReLU(n(P^k X W_k))), n batch normalization over the nodes.

    Args:
        in_channels: Width of node features; 0 for a learned table.
        num_nodes: Number of nodes, read only without features.
        hidden_channels: Width C.
        powers: K, at least 0.
        dropout: Probability in [0, 1), read with powers.

    Raises:
        ValueError: If a number is out of its range.

    Source: SIGN (Frasca et al., arXiv:2004.11198), as in BUDDY. P^k (X W_k) is computed, which keeps sparse X sparse.
    """

    def __init__(
        self, in_channels: int, num_nodes: int, hidden_channels: int, *, powers: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        check_at_least(0, powers=powers)
        check_probability(dropout=dropout)
        self.dropout = dropout
        self.input = NodeInput(in_channels, num_nodes, hidden_channels, fill=nn.init.orthogonal_)
        self.propagate = Propagation("gcn")
        width = self.input.channels
        branches = powers + 1 if powers else 0
        self.lin = FeatureLinear(width, hidden_channels, bias=False) if powers == 0 else None
        self.bias = nn.Parameter(torch.zeros(hidden_channels)) if powers == 0 else None
        self.lins = nn.ModuleList(FeatureLinear(width, hidden_channels, bias=False) for _ in range(branches))
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden_channels) for _ in range(branches))
        self.out = nn.Linear(branches * hidden_channels, hidden_channels) if powers else None

    def forward(self, x: Tensor | CSR | None, adj: CSR) -> Tensor:
        """Embeddings [N, C] from features [N, in_channels], or None with a learned table."""
        given = self.input(x)
        if self.lin is not None:
            assert self.bias is not None
            h: Tensor = self.propagate(self.lin(given), adj) + self.bias
            return h
        parts = []
        for power, (lin, norm) in enumerate(zip(self.lins, self.norms, strict=True)):
            z = lin(given)
            for _ in range(power):
                z = self.propagate(z, adj)
            parts.append(dropout(F.relu(norm(z)), self.dropout, self.training))
        assert self.out is not None
        embedded: Tensor = self.out(torch.cat(parts, dim=1))
        return embedded


class BUDDY(EncodedPairs):
    """BUDDY: node embeddings by a map of propagated features, pairs scored by `SubgraphCountScore`.

    Sketches are made again for every training step whose target links are removed (`task.target_link_removal`), and once
    otherwise, as the authors do.

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        hidden_channels: Width of embeddings and head, at least 1.
        powers: Powers of the propagation that are read beside each other; 0: the first one alone.
        dropout: Dropout of the powers, in [0, 1).
        **options: Arguments of `SubgraphCountScore`.

    Source: Chamberlain et al., "Graph Neural Networks for Link Prediction with Subgraph Sketching", ICLR 2023. Left out: a
        stream of resource allocation, and counts divided by degrees.
    """

    coupled: ClassVar[bool] = True  # batch normalization must not see positives and negatives apart

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        *,
        hidden_channels: int = 256,
        powers: int = 0,
        dropout: float = 0.0,
        **options: Unpack[SubgraphCountOptions],
    ) -> None:
        encoder = PropagatedFeatures(in_channels, num_nodes, hidden_channels, powers=powers, dropout=dropout)
        super().__init__(encoder, SubgraphCountScore(hidden_channels, num_nodes=num_nodes, **options))
