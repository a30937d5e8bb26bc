"""The message passing half of link predictors: features or learned embeddings in, node embeddings out."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor, nn

from graphkit.layers import Dropout, FeatureLinear, GCNConv, NormDropoutReLU, Propagation
from graphkit.layers.checks import check_choice, check_probability
from graphkit.sparse import CSR

_WEIGHTLESS = {"puregcn": "gcn", "puresum": "sum", "puremean": "mean"}
_WEIGHTED = {"gcn": "gcn", "mean": "mean"}


class LinkEncoderOptions(TypedDict, total=False):
    """Arguments of `LinkEncoder` that link predictors pass on."""

    num_layers: int
    conv: str
    jumping_knowledge: bool
    residual: bool
    feature_dropout: float
    dropout: float
    tail_dropout: float
    edge_dropout: float


class LinkEncoder(nn.Module):
    """Node embeddings for link prediction, as in NCN's code.

    Without node features: an embedding table [num_nodes + 1, C] (orthogonal at first; the authors' table has one spare row)
    and dropout. With features: dropout, and for weightless convs a linear map to C and dropout. Then `num_layers` rounds of
    message passing, with a residual where widths agree, and optionally a learned sum over the rounds ("jumping knowledge":
    plain weights drawn from N(0, 1), no softmax).

    Weightless convs: round t is x <- P x, dropout after the last. Convs with weights: LayerNorm-Dropout-ReLU after every round
    but the last, which stays bare unless it is the only one.

    Args:
        in_channels: Width of node features; 0 for a learned embedding of each node.
        num_nodes: Number of nodes, read only without features.
        hidden_channels: Width C.
        num_layers: Rounds of message passing.
        conv: `puregcn`, `puresum`, `puremean` (no weights), `gcn` or `mean`.
        jumping_knowledge: Sum the rounds' outputs with learned weights.
        residual: Add a round's input to its output where the widths agree.
        norm: Layer normalization after convs with weights.
        feature_dropout: Dropout of the input features; like the others a probability in [0, 1).
        dropout: Dropout after the table or input map, and between rounds.
        tail_dropout: Dropout after the last weightless round.
        edge_dropout: Dropout of directed adjacency entries, a new draw per round, kept ones rescaled.

    Raises:
        ValueError: An unknown conv, or a dropout that is no probability.
    """

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        hidden_channels: int,
        *,
        num_layers: int = 1,
        conv: str = "puregcn",
        jumping_knowledge: bool = False,
        residual: bool = False,
        norm: bool = True,
        feature_dropout: float = 0.0,
        dropout: float = 0.0,
        tail_dropout: float = 0.0,
        edge_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_choice((*_WEIGHTLESS, *_WEIGHTED), conv=conv)
        check_probability(
            feature_dropout=feature_dropout, dropout=dropout, tail_dropout=tail_dropout, edge_dropout=edge_dropout
        )
        self.residual, self.edge_dropout = residual, edge_dropout
        width = hidden_channels
        if in_channels == 0:
            self.table: nn.Parameter | None = nn.Parameter(torch.empty(num_nodes + 1, width))
            nn.init.orthogonal_(self.table)
            self.input: nn.Module = Dropout(dropout)
        else:
            self.table = None
            if conv in _WEIGHTLESS or num_layers == 0:
                self.input = nn.Sequential(FeatureLinear(in_channels, width, dropout=feature_dropout), Dropout(dropout))
            else:
                self.input = Dropout(feature_dropout)
                width = in_channels
        self.convs = nn.ModuleList()
        self.afters = nn.ModuleList()
        for layer in range(num_layers):
            last = layer == num_layers - 1
            if conv in _WEIGHTLESS:
                self.convs.append(Propagation(_WEIGHTLESS[conv]))
                self.afters.append(Dropout(tail_dropout) if last else nn.Identity())
            else:
                self.convs.append(GCNConv(width, hidden_channels, norm=_WEIGHTED[conv]))
                bare = last and num_layers > 1
                self.afters.append(nn.Identity() if bare else NormDropoutReLU(hidden_channels, norm=norm, dropout=dropout))
                width = hidden_channels
        self.jump = nn.Parameter(torch.randn(num_layers)) if jumping_knowledge and num_layers > 0 else None

    def forward(self, x: Tensor | CSR | None, adj: CSR) -> Tensor:
        """Embed the nodes.

        Args:
            x: Features [N, in_channels], sparse ones as an operator of that shape; None with a learned table, or rows [N, C] to
                be taken instead of its own.
            adj: The message passing graph.

        Returns:
            Embeddings [N, hidden_channels].
        """
        if x is None and self.table is not None:
            x = self.table[: adj.shape[0]]
        if x is None:
            raise ValueError("this encoder was built for node features; pass x [N, in_channels].")
        if isinstance(x, CSR) and not isinstance(self.input, nn.Sequential):
            x = x.to_dense(next(self.parameters()).dtype)  # convs with weights take dense features
        h: Tensor = self.input(x)
        rounds = []
        for conv, after in zip(self.convs, self.afters, strict=True):
            operator = adj.dropout(self.edge_dropout) if self.training else adj
            new = after(conv(h, operator))
            h = new + h if self.residual and new.shape == h.shape else new
            rounds.append(h)
        if self.jump is not None:
            h = sum((weight * r for weight, r in zip(self.jump, rounds, strict=True)), start=torch.zeros_like(h))
        return h
