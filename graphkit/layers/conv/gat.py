"""Convolution by attention: each node decides how much it hears of each neighbor."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_probability
from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import CSR, Adjacency, as_csr, dropout, segment_softmax, segment_sum, untraced


class GATConv(nn.Module):
    r"""Graph attention: a weighted mean over neighbors, with weights that are learned from both ends of an edge.

    x'_i = sum over edges j -> i of c_ji W x_j + b, with the attention of each head

    c_ji = w_ji exp(e_ji) / sum over edges k -> i of w_ki exp(e_ki), e_ji = leaky_relu(<a_src, W x_j> + <a_dst, W x_i>)

    An edge weight w_ji counts like as many parallel edges: 2 is the edge given twice, 0 no edge; a negative one is refused. A
    node where nothing arrives gets b, which happens with `add_self_loops=False` alone.

    Args:
        in_channels: Input width.
        out_channels: Output width of a head.
        heads: Independent attentions H, at least 1.
        concat: Put the heads side by side; else their mean is taken.
        negative_slope: Slope of leaky_relu below zero.
        dropout: Probability in [0, 1) with which each c_ji is dropped in training; those that stay are divided by 1 - dropout.
        add_self_loops: Let nodes hear themselves, with weight 1; a node that has a self-loop keeps its own.
        bias: Add b, initially zero.

    Raises:
        ValueError: If a width or `heads` is below 1, or `dropout` no probability.

    Source: Velickovic et al., ICLR 2018. Parameters are named as in PyG, so that its state dicts load; W and a are Glorot
    uniform at first. PyG replaces self-loops where we keep them.

    Example:
        >>> layer = GATConv(16, 8, heads=4)
        >>> layer(x, edge_index)  # [N, 16] -> [N, 32]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        add_self_loops: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels, heads=heads)
        check_probability(dropout=dropout)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.heads = heads
        self.concat = concat
        self.negative_slope = negative_slope
        self.dropout = dropout
        self.add_self_loops = add_self_loops
        self.lin = nn.Linear(in_channels, heads * out_channels, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, out_channels))
        self.att_dst = nn.Parameter(torch.empty(1, heads, out_channels))
        self.bias = nn.Parameter(torch.empty(heads * out_channels if concat else out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw Glorot uniform weights and set the bias to zero."""
        nn.init.xavier_uniform_(self.lin.weight)
        bound = (6.0 / (self.heads + self.out_channels)) ** 0.5
        nn.init.uniform_(self.att_src, -bound, bound)
        nn.init.uniform_(self.att_dst, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(
        self,
        x: Float[Tensor, "N {self.in_channels}"] | CSR,
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
    ) -> Float[Tensor, "N C"]:
        """Convolve.

        Args:
            x: Features, dense or sparse.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Non-negative weights of an `edge_index`.

        Returns:
            The new features, those of the heads side by side or, without `concat`, their mean.

        Raises:
            ValueError: If a weight is negative.
        """
        h = linear(x, self.lin.weight).view(-1, self.heads, self.out_channels)
        heads = self._attend(h, (h * self.att_src).sum(-1), (h * self.att_dst).sum(-1), edge_index, edge_weight)
        out = heads.flatten(1) if self.concat else heads.mean(1)
        return out if self.bias is None else out + self.bias

    @untraced
    def _attend(self, h: Tensor, sends: Tensor, hears: Tensor, edge_index: Adjacency, edge_weight: Tensor | None) -> Tensor:
        """Weighted means [N, H, C] from W x [N, H, C] and both halves of the scores [N, H]."""
        csr = as_csr(edge_index, h.size(0), edge_weight)
        csr = csr.with_self_loops() if self.add_self_loops else csr
        shares = _shares(csr, F.leaky_relu(sends[csr.col] + hears[csr.row], self.negative_slope))
        shares = dropout(shares, self.dropout, self.training)
        operators = (CSR(csr.structure, share.contiguous(), symmetric=False) for share in shares.unbind(1))
        return torch.stack([operator.matmul(one) for operator, one in zip(operators, h.unbind(1), strict=True)], dim=1)

    def __repr__(self) -> str:
        loops = "" if self.add_self_loops else ", add_self_loops=False"
        concat = "" if self.concat else ", concat=False"
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, heads={self.heads}{concat}{loops})"


def _shares(csr: CSR, scores: Tensor) -> Tensor:
    """Attention of the entries [nnz, H] from their scores [nnz, H]; zero at absent entries."""
    if csr.keep is not None:
        scores = scores.masked_fill(~csr.keep[:, None], -torch.inf)
    shares = segment_softmax(scores, csr.rowptr, csr.row)
    if csr.value is None:
        return shares
    weight = csr.weights(shares.dtype)
    if bool((weight < 0).any()):
        raise ValueError("attention needs edge weights that are not negative")
    shares = shares * weight[:, None]
    total = segment_sum(shares, csr.rowptr, csr.row)
    return shares / torch.where(total > 0, total, 1.0)[csr.row]
