"""The score of graph autoencoders: a perceptron on the Hadamard product of the pair."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_probability
from graphkit.layers.dense.norm_dropout_relu import NormDropoutReLU
from graphkit.layers.pairs.base import PairScore, logit
from graphkit.sparse import CSR, NeighborSets, dropout, pair_product


class HadamardScore(PairScore):
    """A multilayer perceptron on the product of the two embeddings: s_ij = MLP(h_i * h_j). The graph is not looked at.

    Args:
        channels: Width C of the embeddings and of the hidden layers.
        num_layers: Linear maps, the last one to a single logit.
        norm: Layer normalization after every hidden linear map.
        dropout: Probability in [0, 1) before every ReLU.
        input_dropout: The same before the first map.

    Source: the decoder of the OGB baselines and of the ablation `cn0` in Wang, Yang and Zhang, ICLR 2024.
    """

    def __init__(
        self, channels: int, *, num_layers: int = 3, norm: bool = True, dropout: float = 0.0, input_dropout: float = 0.0
    ) -> None:
        super().__init__()
        check_at_least(1, num_layers=num_layers)
        check_probability(input_dropout=input_dropout)
        self.channels, self.num_layers, self.input_dropout = channels, num_layers, input_dropout
        self.lins = nn.ModuleList(nn.Linear(channels, channels) for _ in range(num_layers - 1))
        self.acts = nn.ModuleList(NormDropoutReLU(channels, norm=norm, dropout=dropout) for _ in range(num_layers - 1))
        self.out = nn.Linear(channels, 1)

    def reset_parameters(self) -> None:
        """Draw new weights."""
        for module in (*self.lins, *self.acts, self.out):
            module.reset_parameters()

    def node_features(self, h: Float[Tensor, "N {self.channels}"]) -> tuple[Tensor, ...]:
        """The embeddings themselves."""
        return (h,)

    def pair_features(
        self, nodes: tuple[Tensor, ...], adj: CSR | NeighborSets, pairs: Int[Tensor, "2 P"]
    ) -> tuple[Tensor, ...]:
        """h_i * h_j [P, C]."""
        return (pair_product(nodes[0], pairs),)

    def head(self, *features: Float[Tensor, "P {self.channels}"]) -> Float[Tensor, " P"]:
        """Logits."""
        z = dropout(features[0], self.input_dropout, self.training)
        for lin, act in zip(self.lins, self.acts, strict=True):
            z = act(lin(z))
        return logit(self.out, z)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels}, num_layers={self.num_layers})"
