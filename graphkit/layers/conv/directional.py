"""Convolution on directed graphs: neighbors that an edge comes from and neighbors that an edge goes to, told apart."""

from __future__ import annotations

import math
from typing import TypedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice, check_one_graph, check_within
from graphkit.layers.conv.gat import GATConv
from graphkit.layers.conv.operators import propagate_and_map
from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import CSR, Adjacency, as_csr, normalize, untraced

CONVS = ("gcn", "sage", "gat")


class DirectionalConvOptions(TypedDict, total=False):
    """Arguments of `DirectionalConv` that a network passes on to every layer."""

    conv: str
    alpha: float
    learn_alpha: bool
    bound_alpha: bool


class DirectionalConv(nn.Module):
    r"""Directional convolution (Dir-GNN): one map for the neighbors behind leaving edges, one for those behind arriving edges.

    With A[i, j] = w_ij for an edge i -> j, so that (A X)_i sums over the nodes that i points to,

    `gcn`: X' = alpha S(A) X W_out^T + (1 - alpha) S(A^T) X W_in^T + b, S(A) = D_out^-1/2 A D_in^-1/2, S(A^T) = S(A)^T

    `sage`: X' = X W_root^T + alpha D_out^-1 A X W_out^T + (1 - alpha) D_in^-1 A^T X W_in^T + b

    `gat`: X' = alpha GAT_out(X, A^T) + (1 - alpha) GAT_in(X, A) + b, one head each, self-loops added

    **alpha weights the branch of the out-neighbors**; D_out and D_in hold the sums of the weights that leave and arrive. A
    branch in which a node has no neighbor gives it zeros (`gat`: its own features, by the self-loop). A fixed alpha of 1 or 0
    leaves out the branch that would not count, and its parameters.

    Args:
        in_channels: Input width.
        out_channels: Output width.
        conv: `gcn`, `sage` or `gat`.
        alpha: Weight of the out-neighbors, in [0, 1]; where it is learned, its start.
        learn_alpha: Make alpha a parameter, as the authors do without bounds.
        bound_alpha: Keep a learned alpha in (0, 1): it is the sigmoid of the parameter. Its start must lie there too.
        bias: Add b, initially zero. The authors add one bias a branch; their weighted sum is the same function.

    Raises:
        ValueError: If a width is below 1, `conv` is unknown, `alpha` is out of range, or bounds are asked for without learning.

    Source: Rossi et al., Edge Directionality Improves Learning on Heterophilic Graphs, LoG 2023. Maps start as those of
    `nn.Linear`. The authors share a learned alpha between layers, here each has its own. PyG's `DirGNNConv` around its
    `GCNConv` divides by the target's degree at both ends, D_in^-1/2 A^T D_in^-1/2 for arriving edges, which is another
    operator, and takes no weights.

    Example:
        >>> layer = DirectionalConv(16, 32, alpha=1.0)
        >>> layer(x, edge_index)  # [N, 16] -> [N, 32]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        conv: str = "gcn",
        alpha: float = 0.5,
        learn_alpha: bool = False,
        bound_alpha: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels)
        check_choice(CONVS, conv=conv)
        check_within(0, 1, alpha=alpha)
        if bound_alpha and not learn_alpha:
            raise ValueError("bound_alpha=True needs learn_alpha=True: a fixed alpha stays where it is")
        if bound_alpha and alpha in (0.0, 1.0):
            raise ValueError(f"alpha must lie in (0, 1), got {alpha}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.conv = conv
        self.initial_alpha = float(alpha)
        self.bound_alpha = bound_alpha
        self.learned_alpha = nn.Parameter(torch.empty(())) if learn_alpha else None
        self.out_branch = self._branch() if learn_alpha or alpha > 0 else None
        self.in_branch = self._branch() if learn_alpha or alpha < 1 else None
        self.lin_root = nn.Linear(in_channels, out_channels, bias=False) if conv == "sage" else None
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def _branch(self) -> nn.Linear | GATConv:
        if self.conv == "gat":
            return GATConv(self.in_channels, self.out_channels, bias=False)
        return nn.Linear(self.in_channels, self.out_channels, bias=False)

    def reset_parameters(self) -> None:
        """Draw new maps, set the bias to zero and a learned alpha to its start."""
        for module in (self.out_branch, self.in_branch, self.lin_root):
            if module is not None:
                module.reset_parameters()
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        if self.learned_alpha is not None:
            start = self.initial_alpha
            nn.init.constant_(self.learned_alpha, math.log(start / (1.0 - start)) if self.bound_alpha else start)

    @property
    def alpha(self) -> float | Tensor:
        """The weight of the out-neighbors: a number, or a tensor without dimensions where it is learned."""
        if self.learned_alpha is None:
            return self.initial_alpha
        return torch.sigmoid(self.learned_alpha) if self.bound_alpha else self.learned_alpha

    def forward(
        self,
        x: Float[Tensor, "N {self.in_channels}"] | CSR,
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
    ) -> Float[Tensor, "N {self.out_channels}"]:
        """Convolve.

        Args:
            x: Features, dense or sparse.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights of an `edge_index`; `gat` takes none that are negative.

        Returns:
            The new features.
        """
        check_one_graph(x=x)
        alpha = self.alpha
        operators = _operators(x, edge_index, edge_weight, self.conv)
        parts: list[Tensor] = [] if self.lin_root is None else [linear(x, self.lin_root.weight)]
        for branch, operator, share in zip((self.out_branch, self.in_branch), operators, (alpha, 1.0 - alpha), strict=True):
            if isinstance(branch, GATConv):
                parts.append(share * branch(x, operator))
            elif branch is not None:
                parts.append(propagate_and_map(operator, x, share * branch.weight))
        out = parts[0]
        for part in parts[1:]:
            out = out + part
        return out if self.bias is None else out + self.bias

    def __repr__(self) -> str:
        alpha = f"alpha={self.initial_alpha:g}"
        if self.learned_alpha is not None:
            alpha += ", learn_alpha=True" + (", bound_alpha=True" if self.bound_alpha else "")
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, conv={self.conv!r}, {alpha})"


@untraced
def _operators(x: Tensor | CSR, adj: Adjacency, edge_weight: Tensor | None, conv: str) -> tuple[CSR, CSR]:
    """What a node receives from the nodes it points to, and of those that point to it; both [N, N], kept with the graph."""
    arriving = as_csr(adj, x.shape[0], edge_weight)
    dtype = torch.promote_types(x.dtype or torch.float32, torch.float32)
    if conv == "gcn":
        normalized = normalize(arriving, "directed", dtype=dtype)
        return normalized.t(), normalized
    leaving = arriving.t()
    if conv == "sage":
        return normalize(leaving, "mean", dtype=dtype), normalize(arriving, "mean", dtype=dtype)
    return leaving, arriving
