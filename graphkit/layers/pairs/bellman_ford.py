"""A layer of NBFNet: one step of a Bellman-Ford iteration from many sources at once, with learned messages."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice
from graphkit.sparse import CSR, Adjacency, as_csr, neighbor_statistics

AGGREGATES = ("pna", "sum", "mean")
_STATISTICS, _SCALERS = 4, 3
_LEAST = 1e-6  # variance, below which a deviation has no gradient
_SMALLEST_SCALE = 1e-2


class BellmanFordLayer(nn.Module):
    r"""One step of the representations h_v^b of nodes v seen from sources b.

    h'_v = ReLU(LayerNorm(W [h_v | AGG({w * h_u : u in N(v)} and start_v)])) (+ h_v)

    with a learned relation w and the boundary `start`, which is a query at its source and zero elsewhere. AGG is the sum or the
    mean of the set, or PNA: mean, maximum, minimum and deviation of the set, each times 1, s_v and 1 / s_v, with s_v =
    log(d_v + 1) over its mean of all nodes, d_v the size of N(v). All sources share one pass over the edges, and no message is
    stored: memory is that of nodes times sources.

    Args:
        channels: Width C.
        aggregate: AGG: `pna`, `sum` or `mean`.
        shortcut: Add h_v.

    Raises:
        ValueError: If `aggregate` is unknown, or the width below 1.

    Source: Zhu et al., "Neural Bellman-Ford Networks: A General Graph Neural Network Framework for Link Prediction", NeurIPS
        2021, with one relation; PNA: Corso et al., NeurIPS 2020. W [..] is a sum of products, one per scaler, so that the
        aggregate times all scalers is never formed.
    """

    def __init__(self, channels: int, *, aggregate: str = "pna", shortcut: bool = True) -> None:
        super().__init__()
        check_at_least(1, channels=channels)
        check_choice(AGGREGATES, aggregate=aggregate)
        self.channels, self.aggregate, self.shortcut = channels, aggregate, shortcut
        parts = _STATISTICS * _SCALERS if aggregate == "pna" else 1
        self.relation = nn.Parameter(torch.empty(channels))
        self.lin = nn.Linear((1 + parts) * channels, channels)
        self.norm = nn.LayerNorm(channels)
        nn.init.normal_(self.relation)

    def reset_parameters(self) -> None:
        """Draw new weights."""
        nn.init.normal_(self.relation)
        self.lin.reset_parameters()
        self.norm.reset_parameters()

    def forward(
        self, h: Float[Tensor, "N B {self.channels}"], start: Float[Tensor, "N B {self.channels}"], edge_index: Adjacency
    ) -> Float[Tensor, "N B {self.channels}"]:
        """One step.

        Args:
            h: Representations of the nodes, seen from B sources.
            start: The boundary.
            edge_index: The graph in any layout; values do not matter.

        Returns:
            The next representations.
        """
        adj = as_csr(edge_index, h.size(0))
        own, *others = self.lin.weight.split([self.channels, self.lin.in_features - self.channels], dim=1)
        z = F.linear(h, own, self.lin.bias)
        z = z + self._aggregated(h * self.relation, start, adj, others[0])
        z = F.relu(self.norm(z))
        return z + h if self.shortcut else z

    def _aggregated(self, messages: Tensor, start: Tensor, adj: CSR, weight: Tensor) -> Tensor:
        """W AGG [N, B, C]."""
        count = (adj.degree() + 1).to(messages.dtype).view(-1, 1, 1)
        flat, first = messages.flatten(1), start.flatten(1)
        if self.aggregate != "pna":
            total = ((adj if adj.value is None else adj.with_value(None)) @ flat + first).view_as(messages)
            return F.linear(total if self.aggregate == "sum" else total / count, weight)
        found = [one.view_as(messages) for one in neighbor_statistics(adj, flat, first)]
        mean = found[0] / count
        deviation = (found[1] / count - mean.square()).clamp(min=_LEAST).sqrt()
        features = torch.cat([mean, found[2], found[3], deviation], dim=2)
        scale = count.log()
        scale = scale / scale.mean().clamp(min=_LEAST)
        plain, amplified, attenuated = (F.linear(features, part) for part in weight.chunk(_SCALERS, dim=1))
        return plain + scale * amplified + scale.clamp(min=_SMALLEST_SCALE).reciprocal() * attenuated

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels}, aggregate={self.aggregate!r})"
