"""SIR-GCN's convolution: what a node hears of a neighbor depends on both of them, before anything is summed."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice, check_one_graph, check_probability
from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import (
    CSR,
    Adjacency,
    as_csr,
    as_entries,
    at_cols,
    at_rows,
    dropout,
    normalize,
    segment_max,
    segment_sum,
    untraced,
)

AGGREGATIONS = {"sum": "sum", "mean": "mean", "symmetric": "directed", "max": "sum"}
"""The normalization of the graph from which each aggregation takes its coefficients."""
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu, "elu": F.elu, "tanh": torch.tanh}


class SIRConv(nn.Module):
    r"""Contextualized messages: a perceptron on both ends of an edge, then a sum over edges.

    x'_i = W_R (sum over edges j -> i of c_ji m_ji) + b_R with m_ji = sigma(W_Q x_i + W_K x_j + W_E f_ji + b)

    where c_ji is w_ji (`sum`), w_ji / (sum over k of w_ki) (`mean`) or w_ji / (d_i o_j)^1/2 (`symmetric`), with d_i the weights
    that arrive at i and o_j those that leave j. With `max` it is x'_i = max over j of w_ji W_R m_ji, per channel, plus b_R: the
    map comes before the maximum, of which it is no part otherwise. A node where nothing arrives gets b_R.

    Args:
        in_channels: Input width.
        out_channels: Output width.
        hidden_channels: Width of messages; None: `out_channels`.
        aggregation: `sum`, `mean`, `symmetric` or `max`.
        activation: sigma: `relu`, `gelu`, `elu` or `tanh`.
        edge_channels: Width of the features f_ji of the edges; 0 for none.
        dropout: Probability in [0, 1) of dropping an entry of W_Q x + b and of W_K x, once per node.

    Raises:
        ValueError: If a width is out of its range, a name unknown, or `dropout` no probability.

    Source: Lim et al., Contextualized Messages Boost Graph Representations, arXiv:2403.12529. A bias in W_K and W_E, as their
    code has it, would only add to that of W_Q: there is one. `symmetric` is the paper's; their code takes the number of
    arriving edges at both ends, which is the same on undirected graphs.

    Example:
        >>> layer = SIRConv(16, 32, aggregation="max")
        >>> layer(x, edge_index)  # [N, 16] -> [N, 32]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int | None = None,
        aggregation: str = "sum",
        activation: str = "relu",
        edge_channels: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        hidden_channels = out_channels if hidden_channels is None else hidden_channels
        check_at_least(1, in_channels=in_channels, out_channels=out_channels, hidden_channels=hidden_channels)
        check_at_least(0, edge_channels=edge_channels)
        check_choice(AGGREGATIONS, aggregation=aggregation)
        check_choice(ACTIVATIONS, activation=activation)
        check_probability(dropout=dropout)
        self.in_channels, self.out_channels, self.edge_channels = in_channels, out_channels, edge_channels
        self.aggregation, self.activation, self.dropout = aggregation, activation, dropout
        self.query = nn.Linear(in_channels, hidden_channels)
        self.key = nn.Linear(in_channels, hidden_channels, bias=False)
        self.edge = nn.Linear(edge_channels, hidden_channels, bias=False) if edge_channels else None
        self.relation = nn.Linear(hidden_channels, out_channels)

    def reset_parameters(self) -> None:
        """Draw new parameters."""
        for module in self.children():
            if isinstance(module, nn.Linear):
                module.reset_parameters()

    def forward(
        self,
        x: Float[Tensor, "N {self.in_channels}"] | CSR,
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
        edge_attr: Float[Tensor, "E D"] | None = None,
    ) -> Float[Tensor, "N {self.out_channels}"]:
        """Convolve.

        Args:
            x: Features, dense or sparse.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights of an `edge_index`.
            edge_attr: Features of the edges, in the order of `edge_index` or of the entries of a sparse layout; with
                `edge_channels` alone.

        Returns:
            The new features.

        Raises:
            ValueError: `edge_attr` without `edge_channels`, or the other way round.
        """
        if (edge_attr is None) != (self.edge is None):
            raise ValueError("edge_attr and edge_channels come together: give both or neither.")
        check_one_graph(x=x)
        query = dropout(linear(x, self.query.weight, self.query.bias), self.dropout, self.training)
        key = dropout(linear(x, self.key.weight), self.dropout, self.training)
        csr = as_csr(edge_index, x.shape[0], edge_weight)
        return self._aggregated(query, key, csr, self._of_edges(edge_index, x, edge_attr))

    def _of_edges(self, adj: Adjacency, x: Tensor | CSR, edge_attr: Tensor | None) -> Tensor | None:
        """W_E f of each entry."""
        if self.edge is None or edge_attr is None:
            return None
        mapped: Tensor = self.edge(as_entries(adj, x.shape[0]).gather(edge_attr))
        return mapped

    @untraced
    def _aggregated(self, query: Tensor, key: Tensor, csr: CSR, of_edges: Tensor | None) -> Tensor:
        total = at_rows(query, csr.structure) + at_cols(key, csr.structure)
        sent = ACTIVATIONS[self.activation](total if of_edges is None else total + of_edges)
        shares = normalize(csr, AGGREGATIONS[self.aggregation], dtype=torch.promote_types(sent.dtype, torch.float32))
        weighted = shares.value is not None or shares.mask is not None
        weight = shares.weights(sent.dtype).unsqueeze(1) if weighted else 1.0
        if self.aggregation != "max":
            heard = segment_sum(sent * weight, csr.rowptr, csr.row)
            return linear(heard, self.relation.weight, self.relation.bias)
        mapped = linear(sent, self.relation.weight) * weight
        if csr.mask is not None:
            mapped = mapped.masked_fill(~csr.mask.unsqueeze(1), -torch.inf)
        largest = segment_max(mapped, csr.rowptr)
        largest = torch.where(largest == -torch.inf, 0.0, largest)  # all edges of a node absent
        return largest if self.relation.bias is None else largest + self.relation.bias

    def __repr__(self) -> str:
        edges = f", edge_channels={self.edge_channels}" if self.edge_channels else ""
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, aggregation={self.aggregation!r}{edges})"
