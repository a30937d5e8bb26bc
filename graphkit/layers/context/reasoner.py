"""From contexts to an explanation vector, from that back to what a network makes of the node, and into the network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_probability, check_within
from graphkit.layers.dense.dropout import Dropout


class ContextReasoner(nn.Module):
    """A perceptron from the contexts of a node to its explanation vector e, decoders of e, and a way of e into a network.

    e = W_2 dropout(relu(W_1 c + b_1)) + b_2

    A decoder rebuilds a state of the network, h_hat_p = V_p e + d_p for state number p; the last one is the embedding.
    `reconstruction` is the loss of that, so that e holds what contexts tell of the states, and R^2 says how much that is.
    Injection adds what is rebuilt to the state itself, h_p + g_p * h_hat_p, by gates g_p, one per channel. Gates are zero at
    first: a network starts as it would without contexts. In training no gradient of the network's own loss passes through
    h_hat_p: encoder and decoders learn from the reconstruction alone. Where a few labels could train them, they would learn
    these by heart, since the contexts of a node, taken together, are nearly its name.

    The layer knows neither convolutions nor graphs, so that it goes beside any of them:

        e = reasoner(context())
        first = conv1(x, edge_index).relu()
        last = conv2(reasoner.inject(first, e, 0), edge_index)
        loss = cross_entropy(last[train], y) + alpha * reasoner.reconstruction(e, [first, last])

    Args:
        in_channels: Width of the contexts, `NodeContext.out_channels`.
        out_channels: Width of e.
        decoded: Width of each state that is rebuilt, at least one.
        injected: To how many of them, from the first on, what is rebuilt is added; 0: e explains alone.
        hidden_channels: Width inside the perceptron.
        dropout: Probability in [0, 1) of dropping an entry inside it.

    Raises:
        ValueError: If a width is below 1, there is nothing to rebuild, `injected` exceeds what is rebuilt, or `dropout` is out
            of its range.

    Source: designed after the idea of X-Node (arXiv:2508.10461). Its code adds 0.1 times the decoded vector after the last
    layer, pulls e towards random noise and never compares the decoded vector with h.

    Example:
        >>> reasoner = ContextReasoner(8, 16, decoded=(64, 64), injected=1)
        >>> e = reasoner(context)  # [N, 8] -> [N, 16]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        decoded: Sequence[int],
        injected: int = 0,
        hidden_channels: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels, hidden_channels=hidden_channels)
        check_at_least(1, states=len(decoded), **{f"decoded[{p}]": width for p, width in enumerate(decoded)})
        check_within(0, len(decoded), injected=injected)
        check_probability(dropout=dropout)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise((in_channels, hidden_channels, out_channels)))
        self.decoders = nn.ModuleList(nn.Linear(out_channels, width) for width in decoded)
        self.gates = nn.ParameterList(nn.Parameter(torch.empty(width)) for width in decoded[:injected])
        self.dropout = Dropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights, as `nn.Linear` does; zeros for gates."""
        for layer in (*self.encoder, *self.decoders):
            cast(nn.Linear, layer).reset_parameters()
        for gate in self.gates:
            nn.init.zeros_(gate)

    def forward(self, context: Float[Tensor, "N {self.in_channels}"]) -> Float[Tensor, "N {self.out_channels}"]:
        """The explanation vector of each node.

        Args:
            context: Standardized contexts, with flags.
        """
        first, second = self.encoder
        e: Tensor = second(self.dropout(F.relu(first(context))))
        return e

    def decode(self, e: Float[Tensor, "N {self.out_channels}"], place: int = -1) -> Float[Tensor, "N C"]:
        """h_hat, a state as far as the explanation vectors tell it.

        Args:
            e: Explanation vectors.
            place: Number of the state, from 0; the last one by default.
        """
        decoded: Tensor = self.decoders[place](e)
        return decoded

    def reconstruction(self, e: Float[Tensor, "N {self.out_channels}"], states: Sequence[Tensor]) -> Float[Tensor, ""]:
        """Mean squared error of h_hat against h, over nodes, channels and states; no gradient reaches h.

        Args:
            e: Explanation vectors.
            states: Each state that is rebuilt, before anything was added to it.
        """
        losses = [F.mse_loss(self.decode(e, place), h.detach()) for place, h in enumerate(states)]
        return torch.stack(losses).mean()

    def inject(self, h: Float[Tensor, "N C"], e: Float[Tensor, "N {self.out_channels}"], place: int) -> Float[Tensor, "N C"]:
        """Add to a state what is rebuilt of it: h + g * h_hat.

        Args:
            h: The state.
            e: Explanation vectors.
            place: Number of the state, from 0, below `injected`.

        Returns:
            The state that goes on. In training its gradient reaches h and the gate alone.
        """
        decoded = self.decode(e, place)
        return torch.addcmul(h, self.gates[place], decoded.detach() if self.training else decoded)

    def __repr__(self) -> str:
        widths = tuple(cast(nn.Linear, layer).out_features for layer in self.decoders)
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, decoded={widths}, injected={len(self.gates)})"


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
