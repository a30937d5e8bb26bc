"""Convolution by attention: each node decides how much it hears of each neighbor."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_probability
from graphkit.layers.conv.lazy_widths import LazyWidths
from graphkit.layers.conv.operators import graph_shape
from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import (
    CSR,
    Adjacency,
    EdgeList,
    as_csr,
    as_entries,
    at_cols,
    at_rows,
    dropout,
    gather,
    segment_softmax,
    segment_sum,
    untraced,
)


class GATConv(LazyWidths):
    r"""Graph attention: a weighted mean over neighbors, with weights that are learned from both ends of an edge.

    x'_i = sum over edges j -> i of c_ji W x_j + b, with the attention of each head

    c_ji = w_ji exp(e_ji) / sum over edges k -> i of w_ki exp(e_ki), e_ji = leaky_relu(<a_src, W x_j> + <a_dst, W x_i>)

    An edge weight w_ji counts like as many parallel edges: 2 is the edge given twice, 0 no edge; a negative one is refused. A
    node where nothing arrives gets b, which happens only where no self-loops are added.

    With `edge_dim`, features f_ji of the edges take part: leaky_relu(... + <a_edge, W_edge f_ji>). An added self-loop has the
    mean of the features that arrive at its node (weighted by w_ji, zero where none arrives). Features of repeated edges are
    refused: merge those edges first.

    Two node sets (users and items, the nodes of a sampled block) come as a pair (x_src, x_dst): x_j is taken of the first, x_i
    of the second, and where that is None the term of x_i is left out. With one input width both share W. With two, W is W_src
    for the sources and W_dst for the targets. A pair gets no self-loops.

    Args:
        in_channels: Input width, or (width of the sources, width of the targets); -1 takes one from the first input.
        out_channels: Output width of a head.
        heads: Independent attentions H, at least 1.
        concat: Put the heads side by side; else their mean is taken.
        negative_slope: Slope of leaky_relu below zero.
        dropout: Probability in [0, 1) with which each c_ji is dropped in training; those that stay are divided by 1 - dropout.
        add_self_loops: Let nodes of one node set hear themselves, with weight 1; a node that has a self-loop keeps its own.
        edge_dim: Width of the edges' features; None for none.
        bias: Add b, initially zero.

    Raises:
        ValueError: If a width or `heads` is below 1, or `dropout` no probability.

    Source: Velickovic et al., ICLR 2018. Parameters are named as in PyG, so that its state dicts load; W and a are Glorot
    uniform at first. PyG replaces self-loops where we keep them, and adds i -> i to a pair for i < min(S, N), as if equal ids
    were equal nodes; its `HeteroConv` takes a layer for two node types only with `add_self_loops=False`.

    Example:
        >>> layer = GATConv(16, 8, heads=4)
        >>> layer(x, edge_index)  # [N, 16] -> [N, 32]
        >>> GATConv((16, 5), 8, heads=4)((x_src, x_dst), edge_index)  # [S, 16], [N, 5] -> [N, 32]
    """

    ENDS = {"lin": 0, "lin_src": 0, "lin_dst": 1}

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        *,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        add_self_loops: bool = True,
        edge_dim: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels)
        check_at_least(1, out_channels=out_channels, heads=heads)
        if edge_dim is not None:
            check_at_least(1, edge_dim=edge_dim)
        check_probability(dropout=dropout)
        self.out_channels = out_channels
        self.heads = heads
        self.concat = concat
        self.negative_slope = negative_slope
        self.dropout = dropout
        self.add_self_loops = add_self_loops
        self.edge_dim = edge_dim
        if isinstance(in_channels, int):
            self.lin = self._map(0, heads * out_channels)
        else:
            self.lin_src = self._map(0, heads * out_channels)
            self.lin_dst = self._map(1, heads * out_channels)
        self.att_src = nn.Parameter(torch.empty(1, heads, out_channels))
        self.att_dst = nn.Parameter(torch.empty(1, heads, out_channels))
        self.lin_edge = None if edge_dim is None else nn.Linear(edge_dim, heads * out_channels, bias=False)
        self.att_edge = None if edge_dim is None else nn.Parameter(torch.empty(1, heads, out_channels))
        self.bias = nn.Parameter(torch.empty(heads * out_channels if concat else out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw Glorot uniform weights and set the bias to zero."""
        if self._waits:
            return
        for lin in dict.fromkeys(self._linears):
            nn.init.xavier_uniform_(lin.weight)
        bound = (6.0 / (self.heads + self.out_channels)) ** 0.5
        nn.init.uniform_(self.att_src, -bound, bound)
        nn.init.uniform_(self.att_dst, -bound, bound)
        if self.lin_edge is not None and self.att_edge is not None:
            nn.init.xavier_uniform_(self.lin_edge.weight)
            nn.init.uniform_(self.att_edge, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def _linears(self) -> tuple[nn.Linear, nn.Linear]:
        """The maps of the sources and of the targets."""
        return (self.lin, self.lin) if isinstance(self.in_channels, int) else (self.lin_src, self.lin_dst)

    def forward(
        self,
        x: Float[Tensor, "N {self._widths[0]}"]
        | CSR
        | tuple[Float[Tensor, "S {self._widths[0]}"] | CSR, Float[Tensor, "N {self._widths[1]}"] | CSR | None],
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
        edge_attr: Float[Tensor, "E D"] | None = None,
        size: tuple[int, int] | None = None,
        return_attention_weights: bool = False,
    ) -> Float[Tensor, "N C"] | tuple[Float[Tensor, "N C"], tuple[Int[Tensor, "2 M"], Float[Tensor, "M {self.heads}"]]]:
        """Convolve.

        Args:
            x: Features, dense or sparse, or a pair of those of S sources and N targets (or None).
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Non-negative weights of an `edge_index`.
            edge_attr: Features of the edges, those of a matrix in the order of its entries; given exactly with `edge_dim`.
            size: (S, N), for an `edge_index` and a pair without targets.
            return_attention_weights: Also return the edges, ascending by target and then source, with added self-loops and
                repeated edges merged, and their c_ji, after dropout.

        Returns:
            The new features of the targets, those of the heads side by side or, without `concat`, their mean; with
            `return_attention_weights` as (features, (edges, c)).

        Raises:
            ValueError: If a weight is negative, `edge_attr` does not fit `edge_dim` or the edges, an edge that has features is
                repeated, or sizes contradict each other or are missing.
        """
        source, target = x if isinstance(x, tuple) else (x, x)
        lin_src, lin_dst = self._linears
        sent = linear(source, lin_src.weight).view(-1, self.heads, self.out_channels)
        sends, hears = (sent * self.att_src).sum(-1), None
        if target is not None:
            same = target is source and lin_dst is lin_src
            heard = sent if same else linear(target, lin_dst.weight).view(-1, self.heads, self.out_channels)
            hears = (heard * self.att_dst).sum(-1)
        heads, csr, shares = self._attend(
            sent,
            (sends, hears, self._edge_scores(edge_attr)),
            edge_index,
            edge_weight,
            shape=graph_shape(x, edge_index, size),
            loops=self.add_self_loops and not isinstance(x, tuple),
        )
        out = heads.flatten(1) if self.concat else heads.mean(1)
        out = out if self.bias is None else out + self.bias
        return (out, _present(csr, shares)) if return_attention_weights else out

    def _edge_scores(self, edge_attr: Tensor | None) -> Tensor | None:
        """<a_edge, W_edge f> of each edge and head [E, H]."""
        if self.lin_edge is None or self.att_edge is None:
            if edge_attr is not None:
                raise ValueError("edge_attr needs a layer with edge_dim, the width of these features")
            return None
        if edge_attr is None or edge_attr.dim() != 2 or edge_attr.size(1) != self.edge_dim:
            given = "none" if edge_attr is None else list(edge_attr.shape)
            raise ValueError(f"edge_dim={self.edge_dim} needs edge_attr of shape [E, {self.edge_dim}], got {given}")
        # a^T (W f) = (a^T W) f: a product as wide as the heads, instead of one as wide as the output.
        maps = self.lin_edge.weight.view(self.heads, self.out_channels, -1)
        return linear(edge_attr, torch.einsum("hc,hcd->hd", self.att_edge[0], maps))

    @untraced
    def _attend(
        self,
        sent: Tensor,
        scores: tuple[Tensor, Tensor | None, Tensor | None],
        adj: Adjacency,
        edge_weight: Tensor | None,
        *,
        shape: tuple[int, int],
        loops: bool,
    ) -> tuple[Tensor, CSR, Tensor]:
        """Weighted means [N, H, C] of W x_j [S, H, C], from scores of sources, targets and edges [., H]; the graph and c."""
        sends, hears, of_edges = scores
        csr = as_csr(adj, shape, edge_weight)
        if isinstance(csr, EdgeList):
            means, shares = _listed(csr, sent, scores, self.negative_slope, loops)
            return means, csr, shares
        if of_edges is not None:
            of_edges = as_entries(adj, shape).gather(of_edges)
            of_edges = _with_loops(csr, of_edges) if loops else of_edges
        csr = csr.with_self_loops() if loops else csr
        pattern = csr.structure
        total = at_cols(sends, pattern)
        for part in (None if hears is None else at_rows(hears, pattern), of_edges):
            total = total if part is None else total + part
        shares = _shares(csr, F.leaky_relu(total, self.negative_slope))
        shares = dropout(shares, self.dropout, self.training)
        operators = (CSR(pattern, share.contiguous(), symmetric=False) for share in shares.unbind(1))
        means = torch.stack([operator.matmul(one) for operator, one in zip(operators, sent.unbind(1), strict=True)], dim=1)
        return means, csr, shares

    def __repr__(self) -> str:
        loops = "" if self.add_self_loops else ", add_self_loops=False"
        concat = "" if self.concat else ", concat=False"
        edges = "" if self.edge_dim is None else f", edge_dim={self.edge_dim}"
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, heads={self.heads}{concat}{loops}{edges})"


def _shares(csr: CSR, scores: Tensor) -> Tensor:
    """Attention of the entries [nnz, H] from their scores [nnz, H]; zero at absent entries."""
    if csr.mask is not None:
        scores = scores.masked_fill(~csr.mask[:, None], -torch.inf)
    shares = segment_softmax(scores, csr.rowptr, csr.row)
    if csr.value is None:
        return shares
    weight = csr.weights(shares.dtype)
    if bool((weight < 0).any()):
        raise ValueError("attention needs edge weights that are not negative")
    shares = shares * weight[:, None]
    total = segment_sum(shares, csr.rowptr, csr.row)
    return shares / at_rows(torch.where(total > 0, total, 1.0), csr.structure)


def _listed(
    edges: EdgeList, sent: Tensor, scores: tuple[Tensor, Tensor | None, Tensor | None], slope: float, loops: bool
) -> tuple[Tensor, Tensor]:
    """Weighted means [N, H, C] and c, of the edges as listed, where a model is exported and nothing is dropped.

    Weights below 0 and repeated edges with features cannot be refused here: the program is made before it sees a graph.
    """
    sends, hears, of_edges = scores
    if loops:
        whole = edges.with_self_loops()
        if of_edges is not None:
            weight = edges.weights(of_edges.dtype)
            total = edges.add_up(weight)
            mean = edges.add_up(of_edges * weight[:, None]) / torch.where(total > 0, total, 1.0)[:, None]
            of_edges = torch.cat([of_edges, mean])
        edges = whole
    total = sends.index_select(0, edges.source)
    for part in (None if hears is None else hears.index_select(0, edges.target), of_edges):
        total = total if part is None else total + part
    weight = edges.weights(total.dtype)[:, None]
    total = F.leaky_relu(total, slope).masked_fill(weight == 0, -torch.inf)
    place = edges.target[:, None].expand_as(total)
    top = total.new_full((edges.shape[0], total.size(1)), -torch.inf).scatter_reduce(0, place, total, "amax")
    top = torch.where(top > -torch.inf, top, 0.0)
    raw = (total - top.index_select(0, edges.target)).exp() * weight
    whole_share = edges.add_up(raw)
    shares = raw / torch.where(whole_share > 0, whole_share, 1.0).index_select(0, edges.target)
    return edges.add_up(sent.index_select(0, edges.source) * shares[:, :, None]), shares


def _with_loops(csr: CSR, scores: Tensor) -> Tensor:
    """Scores [nnz, H] of the entries as those of `csr.with_self_loops()`: an added loop has the mean of those that arrive.

    The scores are linear in the edges' features, so this is the score of the mean feature.
    """
    own = csr.structure.diagonal
    own = own if csr.mask is None else own[csr.mask[own]]
    missing = torch.ones(csr.shape[0], dtype=torch.bool, device=csr.device).index_fill_(0, csr.row[own], False)
    missing = missing.nonzero().flatten()
    weight = csr.weights(scores.dtype)
    total = segment_sum(weight, csr.rowptr, csr.row)
    mean = segment_sum(scores * weight[:, None], csr.rowptr, csr.row) / torch.where(total > 0, total, 1.0)[:, None]
    pattern, place = csr.structure.with_diagonal
    out = scores.new_zeros(pattern.nnz, scores.size(1)).index_copy(0, place, scores)
    return out.index_copy(0, pattern.diagonal[missing], gather(mean, missing))


@untraced
def _present(csr: CSR, shares: Tensor) -> tuple[Tensor, Tensor]:
    """The edges [2, M] that are present, and their shares [M, H]."""
    return csr.edge_index(), shares if csr.mask is None else gather(shares, csr.mask.nonzero().flatten())
