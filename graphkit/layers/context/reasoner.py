"""From contexts to an explanation vector, from that back to what the network made of the node, and into the network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_probability
from graphkit.layers.dense.dropout import Dropout


class ContextReasoner(nn.Module):
    """A perceptron from the contexts of a node to its explanation vector e, a decoder of e, and ways for e into a network.

    e = W_2 dropout(relu(W_1 c + b_1)) + b_2

    The decoder rebuilds a node's embedding, h_hat = V e + d, and `reconstruction` is its loss: whatever of h follows from the
    contexts can be found in e, and R^2 says how much that is. Injection adds e to states of a network, h + U_p e at place p.
    U_p is zero at first: a network starts as it would without contexts.

    The layer knows neither convolutions nor graphs, so that it goes beside any of them:

        e = reasoner(context())
        h = reasoner.inject(conv1(x, edge_index).relu(), e, 0)
        h = conv2(h, edge_index)
        loss = cross_entropy(h[train], y) + alpha * reasoner.reconstruction(e, h)

    Args:
        in_channels: Width of the contexts, `NodeContext.out_channels`.
        out_channels: Width of e.
        decoded_channels: Width of h.
        injected: Width of the state at each place of injection; empty: e goes nowhere, and explains alone.
        hidden_channels: Width inside the perceptron.
        dropout: Probability in [0, 1) of dropping an entry inside it.

    Raises:
        ValueError: If a width is below 1, or `dropout` is out of its range.

    Source: designed after the idea of X-Node (arXiv:2508.10461). Its code pulls e towards random noise and never compares the
    decoded vector with h; here the loss is that of the reconstruction.

    Example:
        >>> reasoner = ContextReasoner(8, 16, 64, injected=(64,))
        >>> e = reasoner(context)  # [N, 8] -> [N, 16]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        decoded_channels: int,
        *,
        injected: Sequence[int] = (),
        hidden_channels: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels, decoded_channels=decoded_channels)
        check_at_least(1, hidden_channels=hidden_channels, **{f"injected[{p}]": width for p, width in enumerate(injected)})
        check_probability(dropout=dropout)
        self.in_channels, self.out_channels, self.decoded_channels = in_channels, out_channels, decoded_channels
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise((in_channels, hidden_channels, out_channels)))
        self.decoder = nn.Linear(out_channels, decoded_channels)
        self.injection = nn.ModuleList(nn.Linear(out_channels, width, bias=False) for width in injected)
        self.dropout = Dropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights, as `nn.Linear` does; zeros for injection."""
        for layer in (*self.encoder, self.decoder, *self.injection):
            cast(nn.Linear, layer).reset_parameters()
        for layer in self.injection:
            nn.init.zeros_(cast(nn.Linear, layer).weight)

    def forward(self, context: Float[Tensor, "N {self.in_channels}"]) -> Float[Tensor, "N {self.out_channels}"]:
        """The explanation vector of each node.

        Args:
            context: Standardized contexts, with flags.
        """
        first, second = self.encoder
        e: Tensor = second(self.dropout(F.relu(first(context))))
        return e

    def decode(self, e: Float[Tensor, "N {self.out_channels}"]) -> Float[Tensor, "N {self.decoded_channels}"]:
        """h_hat, the embeddings as far as the explanation vectors tell them."""
        decoded: Tensor = self.decoder(e)
        return decoded

    def reconstruction(
        self, e: Float[Tensor, "N {self.out_channels}"], h: Float[Tensor, "N {self.decoded_channels}"]
    ) -> Float[Tensor, ""]:
        """Mean squared error of h_hat against h, over nodes and channels; no gradient reaches h."""
        return F.mse_loss(self.decode(e), h.detach())

    def inject(self, h: Float[Tensor, "N C"], e: Float[Tensor, "N {self.out_channels}"], place: int) -> Float[Tensor, "N C"]:
        """Add U e to a state, at a place of injection.

        Args:
            h: A state of the network.
            e: Explanation vectors.
            place: Number of the place, from 0.

        Returns:
            The state that goes on.
        """
        added: Tensor = self.injection[place](e)
        return h + added

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, {self.decoded_channels})"


def r_squared(decoded: Float[Tensor, "N C"], h: Float[Tensor, "N C"]) -> float:
    """Share of the variance of embeddings that is rebuilt: 1 - |h - h_hat|^2 / |h - mean h|^2, over all nodes and channels.

    1 is a perfect reconstruction, 0 as good as the mean embedding, below 0 worse. Embeddings without variance give 0.

    Args:
        decoded: h_hat.
        h: What was to be rebuilt.
    """
    h = h.detach().double()
    spread = (h - h.mean(0)).square().sum()
    missed = (h - decoded.detach().double()).square().sum()
    return float(1.0 - missed / spread) if bool(spread > 0) else 0.0
