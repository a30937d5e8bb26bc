"""A plain graph autoencoder that is tuned: orthogonal embeddings, shared propagation, a deep residual head."""

from __future__ import annotations

from typing import TypedDict, Unpack

import torch
from torch import Tensor, nn

from graphkit.layers import Dropout, FeatureLinear, GCNConv, Propagation, ResidualHadamardScore
from graphkit.layers.checks import check_at_least, check_choice, check_positive
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.inputs import NodeInput
from graphkit.sparse import CSR

PROPAGATIONS = ("shared", "averaged")


class SharedPropagationOptions(TypedDict, total=False):
    """Arguments of `SharedPropagation` that `TunedGAE` passes on."""

    num_steps: int
    propagation: str
    residual: float
    step_norm: bool
    dropout: float
    decay: float


class SharedPropagation(nn.Module):
    """Message passing in a few steps without activation that share their weights.

    With P = D^-1/2 (A + I) D^-1/2 and X the features, or an orthogonal table where there are none:

    - `shared`: H_1 = P X W_1 + b_1 + r X, H_k = P n(H_(k-1)) W_2 + b_2 + r X; the embeddings are the last step's. With features
      r X is r H_1, from the second step on.
    - `averaged`: H_1 = P X W_1, H_k = P n(H_(k-1)); the embeddings are the sum over k of a_k H_k, a = softmax of learned
      numbers that begin as decay^(k-1).

    n is layer normalization and dropout between the steps, or nothing.

    Args:
        in_channels: Width of node features; 0 for learned embeddings, orthogonal at first.
        num_nodes: Number of nodes, read only without features.
        hidden_channels: Width C.
        num_steps: Steps, at least 1.
        propagation: `shared` or `averaged`.
        residual: r, at least 0; read by `shared`.
        step_norm: Whether n normalizes and drops.
        dropout: Probability in [0, 1) of n.
        decay: Above 0; read by `averaged`.

    Raises:
        ValueError: If a number is out of its range, or a name is unknown.

    Source: Ma, Wang, Wang and Zhang, "Reconsidering the Performance of GAE in Link Prediction", CIKM 2025; the authors' code
    calls the first GCN and the second LightGCN.
    """

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        hidden_channels: int,
        *,
        num_steps: int = 2,
        propagation: str = "shared",
        residual: float = 0.1,
        step_norm: bool = False,
        dropout: float = 0.0,
        decay: float = 1.0,
    ) -> None:
        super().__init__()
        check_at_least(1, num_steps=num_steps)
        check_at_least(0, residual=residual)
        check_positive(decay=decay)
        check_choice(PROPAGATIONS, propagation=propagation)
        width, shared = hidden_channels, propagation == "shared"
        self.residual, self.num_steps = residual, num_steps
        self.input = NodeInput(in_channels, num_nodes, width, fill=nn.init.orthogonal_)
        self.lin = None if shared else FeatureLinear(self.input.channels, width, bias=False)
        self.first = GCNConv(self.input.channels, width) if shared else None
        self.later = GCNConv(width, width) if shared and num_steps > 1 else None
        self.propagate = Propagation("gcn")
        between = num_steps - 1 if step_norm else 0
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(between))
        self.dropout = Dropout(dropout)
        self.weights = None if shared else nn.Parameter(decay ** torch.arange(float(num_steps)))

    def forward(self, x: Tensor | CSR | None, adj: CSR) -> Tensor:
        """Embed the nodes.

        Args:
            x: Features [N, in_channels], sparse ones as an operator of that shape; None with a learned table.
            adj: The message passing graph.

        Returns:
            Embeddings [N, hidden_channels].
        """
        given = self.input(x)
        if self.first is None:
            return self._averaged(given, adj)
        h: Tensor = self.first(given, adj)
        root = h
        if self.input.table is not None:
            root = self.input.table
            h = h + self.residual * root
        for k in range(self.num_steps - 1):
            assert self.later is not None
            h = self.later(self._between(h, k), adj) + self.residual * root
        return h

    def _averaged(self, given: Tensor | CSR, adj: CSR) -> Tensor:
        assert self.lin is not None and self.weights is not None
        h: Tensor = self.propagate(self.lin(given), adj)
        share = self.weights.softmax(dim=0)
        total = share[0] * h
        for k in range(self.num_steps - 1):
            h = self.propagate(self._between(h, k), adj)
            total = total + share[k + 1] * h
        return total

    def _between(self, h: Tensor, k: int) -> Tensor:
        return self.dropout(self.norms[k](h)) if len(self.norms) else h


class TunedGAE(EncodedPairs):
    """Tuned GAE: embeddings by `SharedPropagation`, pairs scored by a residual perceptron on h_i * h_j.

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        hidden_channels: Width of embeddings and head, at least 1.
        head_layers: Linear maps of the head, at least 1.
        head_residual: Add the product of the pair to every hidden map's output.
        head_norm: Layer normalization in the head.
        head_dropout: Dropout in the head, in [0, 1).
        activation: Of the head: `relu`, `silu` or `gelu`.
        **options: Arguments of `SharedPropagation`.

    Source: Ma, Wang, Wang and Zhang, CIKM 2025 (Refined-GAE).
    """

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        *,
        hidden_channels: int = 256,
        head_layers: int = 4,
        head_residual: bool = True,
        head_norm: bool = False,
        head_dropout: float = 0.0,
        activation: str = "relu",
        **options: Unpack[SharedPropagationOptions],
    ) -> None:
        super().__init__(
            encoder=SharedPropagation(in_channels, num_nodes, hidden_channels, **options),
            score=ResidualHadamardScore(
                hidden_channels,
                num_layers=head_layers,
                residual=head_residual,
                norm=head_norm,
                dropout=head_dropout,
                activation=activation,
            ),
        )
