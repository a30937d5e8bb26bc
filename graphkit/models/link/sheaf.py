"""Link prediction by sheaf diffusion: what neighbors have to agree on is learned before pairs are scored."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor, nn

from graphkit.layers import Dropout, FeatureLinear, HadamardScore, SheafDiffusion
from graphkit.layers.checks import check_at_least
from graphkit.layers.sheaf.diffusion import SheafOptions
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.inputs import NodeInput
from graphkit.sparse import CSR


class SheafEncoderOptions(SheafOptions, total=False):
    """Arguments of `SheafEncoder` that `SheafGAE` passes on."""

    maps: str
    low_pass: bool
    high_pass: bool
    edge_weights: bool
    num_layers: int
    feature_dropout: float
    dropout: float


class SheafEncoder(nn.Module):
    """Node embeddings by sheaf diffusion.

    X_0 = dropout(W dropout(x) + b), or dropout of a table that is orthogonal at first where there are no features; then
    `SheafDiffusion` steps, each with a sheaf of its own that is learned from its input. Self-loops have no effect.

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes, read only without features.
        hidden_channels: Width C of a node's state: a multiple of stalk_dim + low_pass + high_pass.
        stalk_dim: Learned dimensions of a stalk.
        maps: `identity`, `diagonal`, `orthogonal` or `general`.
        low_pass: Add a stalk dimension with the fixed operator D + A, normalized.
        high_pass: Add one with D - A.
        edge_weights: Learn a weight of each edge beside its maps.
        num_layers: Steps of diffusion, at least 1.
        feature_dropout: Dropout of the features, in [0, 1).
        dropout: Dropout of X_0 and of every step's input, in [0, 1).
        **options: Arguments of `SheafDiffusion`.

    Raises:
        ValueError: If a number is out of its range, a name is unknown, or the width does not fit the stalks.
    """

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        hidden_channels: int,
        *,
        stalk_dim: int = 2,
        maps: str = "diagonal",
        low_pass: bool = False,
        high_pass: bool = False,
        edge_weights: bool = False,
        num_layers: int = 2,
        feature_dropout: float = 0.0,
        dropout: float = 0.0,
        **options: Unpack[SheafOptions],
    ) -> None:
        super().__init__()
        check_at_least(1, num_layers=num_layers)
        self.input = NodeInput(in_channels, num_nodes, hidden_channels, fill=nn.init.orthogonal_)
        self.lin = FeatureLinear(in_channels, hidden_channels, dropout=feature_dropout) if in_channels else nn.Identity()
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            SheafDiffusion(
                hidden_channels,
                stalk_dim,
                maps=maps,
                low_pass=low_pass,
                high_pass=high_pass,
                edge_weights=edge_weights,
                dropout=dropout,
                map_dropout=dropout if layer else 0.0,
                **options,
            )
            for layer in range(num_layers)
        )

    def forward(self, x: Tensor | CSR | None, adj: CSR) -> Tensor:
        """Embeddings [N, C] from features [N, in_channels], or None with a learned table."""
        h: Tensor = self.dropout(self.lin(self.input(x)))
        for layer in self.layers:
            h = layer(h, adj)
        return h


class SheafGAE(EncodedPairs):
    """Sheaf diffusion for links: embeddings by `SheafEncoder`, pairs scored by MLP(h_i * h_j).

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        stalk_dim: Learned dimensions of a stalk.
        hidden_channels: Width of embeddings and head: a multiple of stalk_dim + low_pass + high_pass.
        head_layers: Linear maps of the head, at least 1.
        head_norm: Layer normalization in the head.
        head_dropout: Dropout in the head, in [0, 1).
        **options: Arguments of `SheafEncoder`.

    Source: the diffusion of Bodnar et al., NeurIPS 2022, below the decoder of the OGB baselines. Sheaf4Rec (Purificato et al.,
    arXiv:2304.09097) claims a gain on ogbl-ddi in its first version, without code for it.
    """

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        *,
        stalk_dim: int = 2,
        hidden_channels: int = 256,
        head_layers: int = 3,
        head_norm: bool = True,
        head_dropout: float = 0.0,
        **options: Unpack[SheafEncoderOptions],
    ) -> None:
        super().__init__(
            encoder=SheafEncoder(in_channels, num_nodes, hidden_channels, stalk_dim=stalk_dim, **options),
            score=HadamardScore(hidden_channels, num_layers=head_layers, norm=head_norm, dropout=head_dropout),
        )
