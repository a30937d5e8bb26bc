"""The score of tuned graph autoencoders: a deep perceptron on the Hadamard product, which every layer sees again."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice, check_probability
from graphkit.layers.pairs.base import PairScore, logit
from graphkit.sparse import CSR, NeighborSets, dropout, pair_product

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "silu": F.silu, "gelu": F.gelu}


class ResidualHadamardScore(PairScore):
    """A perceptron on the product of the two embeddings, which is added to every hidden map's output.

    z_0 = h_i * h_j, z_l = dropout(sigma(norm(W_l z_(l-1) + b_l + z_0))), s_ij = w z_(L-1) + b. The graph is not looked at.

    Args:
        channels: Width C of the embeddings and of the hidden layers.
        num_layers: Linear maps L, the last one to a single logit; at least 1.
        residual: Add z_0.
        norm: Layer normalization.
        dropout: Probability in [0, 1).
        activation: sigma: `relu`, `silu` or `gelu`.

    Raises:
        ValueError: If a number is out of its range, or the activation is unknown.

    Source: Ma, Wang, Wang and Zhang, "Reconsidering the Performance of GAE in Link Prediction", CIKM 2025.
    """

    def __init__(
        self,
        channels: int,
        *,
        num_layers: int = 3,
        residual: bool = True,
        norm: bool = False,
        dropout: float = 0.0,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_at_least(1, num_layers=num_layers)
        check_probability(dropout=dropout)
        check_choice(ACTIVATIONS, activation=activation)
        self.channels, self.residual, self.dropout, self.activation = channels, residual, dropout, activation
        self.lins = nn.ModuleList(nn.Linear(channels, channels) for _ in range(num_layers - 1))
        self.norms = nn.ModuleList(nn.LayerNorm(channels) if norm else nn.Identity() for _ in range(num_layers - 1))
        self.out = nn.Linear(channels, 1)

    def reset_parameters(self) -> None:
        """Draw new weights."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.LayerNorm):
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
        (product,) = features
        z, sigma = product, ACTIVATIONS[self.activation]
        for lin, norm in zip(self.lins, self.norms, strict=True):
            z = lin(z)
            z = norm(z + product if self.residual else z)
            z = dropout(sigma(z), self.dropout, self.training)
        return logit(self.out, z)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels}, num_layers={len(self.lins) + 1})"
