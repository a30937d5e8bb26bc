"""PLNLP: GraphSAGE embeddings, a perceptron on the pair, and a loss that compares a positive with its negatives."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from graphkit.layers import HadamardScore, NormDropoutReLU, SAGEConv
from graphkit.layers.checks import check_at_least
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.inputs import NodeInput
from graphkit.sparse import CSR


class SAGEEncoder(nn.Module):
    """GraphSAGE layers with ReLU after each, and dropout between them.

    Args:
        in_channels: Width of node features; 0 for learned embeddings, Glorot uniform at first.
        num_nodes: Number of nodes, read only without features.
        hidden_channels: Width C.
        num_layers: Layers, at least 1.
        dropout: Probability in [0, 1).

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self, in_channels: int, num_nodes: int, hidden_channels: int, *, num_layers: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        check_at_least(1, num_layers=num_layers)
        self.input = NodeInput(in_channels, num_nodes, hidden_channels, fill=nn.init.xavier_uniform_)
        widths = [self.input.channels] + [hidden_channels] * num_layers
        self.convs = nn.ModuleList(SAGEConv(width, hidden_channels) for width in widths[:-1])
        self.acts = nn.ModuleList(
            NormDropoutReLU(hidden_channels, norm=False, dropout=dropout if layer < num_layers - 1 else 0.0)
            for layer in range(num_layers)
        )

    def forward(self, x: Tensor | CSR | None, adj: CSR) -> Tensor:
        """Embeddings [N, C] from features [N, in_channels], or None with a learned table."""
        h: Tensor | CSR = self.input(x)
        for conv, act in zip(self.convs, self.acts, strict=True):
            h = act(conv(h, adj))
        assert isinstance(h, Tensor)
        return h


class PLNLP(EncodedPairs):
    """PLNLP: node embeddings by GraphSAGE, pairs scored by MLP(dropout(h_i * h_j)), trained by a squared AUC loss.

    The loss of a positive i and its negatives k is the sum of (1 - (s_i - s_k))^2: a positive should score one more.

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        hidden_channels: Width of embeddings and head, at least 1.
        num_layers: Layers of GraphSAGE, at least 1.
        dropout: Dropout between the layers, before the head and in it, in [0, 1).
        head_layers: Linear maps of the head, at least 1.

    Source: Wang et al., "Pairwise Learning for Neural Link Prediction", arXiv:2112.02936. Of the authors' code we take
    GraphSAGE with the perceptron and the AUC loss, as on ogbl-ddi; features, where there are some, are the only input.
    """

    coupled: ClassVar[bool] = True

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        *,
        hidden_channels: int = 256,
        num_layers: int = 2,
        dropout: float = 0.3,
        head_layers: int = 2,
    ) -> None:
        super().__init__(
            encoder=SAGEEncoder(in_channels, num_nodes, hidden_channels, num_layers=num_layers, dropout=dropout),
            score=HadamardScore(hidden_channels, num_layers=head_layers, norm=False, dropout=dropout, input_dropout=dropout),
        )

    def training_loss(self, scores: Tensor, num_positive: int, num_negatives: int) -> Tensor:
        """The squared AUC loss, a sum over positives and their negatives; see `LinkModel.training_loss`."""
        positive, negative = scores[:num_positive], scores[num_positive:].view(num_positive, num_negatives)
        return (1.0 - (positive.unsqueeze(1) - negative)).square().sum()
