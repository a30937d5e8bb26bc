"""HiGCN's convolution: a learned polynomial of the flower-petal Laplacian of every order, side by side."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_one_graph, check_probability, check_within
from graphkit.layers.dense.feature_linear import FeatureLinear
from graphkit.sparse import CSR, Adjacency, as_csr, dropout, normalize, polynomial, remember
from graphkit.sparse.graph_measures import clique_pairs


def flower_petal_laplacian(adj: CSR, order: int, dtype: torch.dtype) -> CSR:
    """L_p = (1 / (p + 1)) D_p^-1/2 H_p H_p^T D_p^-1/2, made once per graph.

    H_p [N, number of p-simplices] says which nodes a clique of p + 1 nodes holds, D_p how many of them a node lies in. L_p has
    eigenvalues from 0 to 1. Rows of nodes in no such clique are zero.

    Args:
        adj: The graph, read as undirected, without weights and self-loops.
        order: p, at least 1; L_1 is (I + D^-1/2 A D^-1/2) / 2.
        dtype: Of its values.
    """

    def make() -> CSR:
        pairs = clique_pairs(adj, order + 1)
        # A row of H H^T sums to (p + 1) D_p, so that the usual normalization gives L_p.
        return normalize(pairs, "gcn", self_loops=False, dtype=dtype)

    laplacian: CSR = remember(make, ("flower-petal Laplacian", order, dtype), adj)
    return laplacian


class FlowerPetalConv(nn.Module):
    r"""Messages along cliques of several sizes, each with a polynomial filter of its own.

    X' = [P_1 (X W_1 + b_1), ..., P_M (X W_M + b_M)] side by side, with P_p = sum_k g_pk L_p^k over k = 0, ..., K

    and L_p the flower-petal Laplacian of order p (`flower_petal_laplacian`): a node reaches, in one step, the nodes with which
    it lies in a clique of p + 1 nodes, so that L_1 walks along edges and L_2 along triangles. A node that lies in none keeps
    g_p0 of its own state.

    The graph is read as undirected, without weights and self-loops. Its cliques are counted once.

    Args:
        in_channels: Input width F.
        out_channels: Output width of every order.
        max_order: Largest order M, at least 1.
        degree: Degree K of the polynomials, at least 0.
        alpha: Where filters start, in [0, 1]: g_pk = alpha (1 - alpha)^k, and (1 - alpha)^K for k = K. They are learned.
        dropout: Probability in [0, 1) of dropping an entry of X W + b before it is propagated.

    Raises:
        ValueError: If a number is out of its range.

    Source: Huang et al., Higher-order Graph Convolutional Network with Flower-Petals Laplacians on Simplicial Complexes,
    AAAI 2024. The authors list cliques in interpreted loops and fill dense N x N matrices; here pairs in cliques are counted.

    Example:
        >>> layer = FlowerPetalConv(16, 32, max_order=2)
        >>> layer(x, edge_index)  # [N, 16] -> [N, 64]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        max_order: int = 2,
        degree: int = 10,
        alpha: float = 0.5,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels, max_order=max_order)
        check_at_least(0, degree=degree)
        check_within(0.0, 1.0, alpha=alpha)
        check_probability(dropout=dropout)
        self.in_channels, self.max_order, self.degree = in_channels, max_order, degree
        self.out_channels = max_order * out_channels
        self.alpha, self.dropout = alpha, dropout
        self.lin = FeatureLinear(in_channels, self.out_channels)  # the maps of all orders, one above the other
        self.filters = nn.Parameter(torch.empty(max_order, degree + 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the maps and set the filters to personalized PageRank."""
        self.lin.reset_parameters()
        start = [self.alpha * (1.0 - self.alpha) ** k for k in range(self.degree)]
        with torch.no_grad():
            self.filters.copy_(torch.tensor([*start, (1.0 - self.alpha) ** self.degree]))

    def forward(
        self, x: Float[Tensor, "N {self.in_channels}"] | CSR, edge_index: Adjacency
    ) -> Float[Tensor, "N {self.out_channels}"]:
        """Convolve.

        Args:
            x: Features, dense or sparse.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR.

        Returns:
            The new features, those of order 1 first.
        """
        check_one_graph(x=x)
        adj = as_csr(edge_index, x.shape[0])
        mapped = dropout(self.lin(x), self.dropout, self.training)
        dtype = torch.promote_types(mapped.dtype, torch.float32)
        found = []
        for number, h in enumerate(mapped.chunk(self.max_order, dim=1)):
            laplacian = flower_petal_laplacian(adj, number + 1, dtype)
            found.append(polynomial(laplacian, self.filters[number], h.contiguous()))
        return torch.cat(found, dim=1)

    def __repr__(self) -> str:
        width = self.out_channels // self.max_order
        return f"{type(self).__name__}({self.in_channels}, {width}, max_order={self.max_order}, degree={self.degree})"
