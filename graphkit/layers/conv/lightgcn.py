"""LightGCN's propagation: a weighted mean over rounds of weightless message passing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.layers.conv.operators import operator
from graphkit.sparse import Adjacency, polynomial, polynomial_rows


class LightGCNPropagation(nn.Module):
    r"""Several rounds of message passing without weights or activation, their results summed.

    X' = sum_k alpha_k A_hat^k X over k = 0, ..., K, with A_hat = D^-1/2 A D^-1/2, no self-loops added, that is for node i
    x^(k+1)_i = sum over edges j -> i of w_ji (d_i d_j)^-1/2 x^(k)_j with d the sums of the weights that arrive.

    Any graph will do, bipartite or not. For fixed weights one pass of Horner's scheme computes the sum, and one more its
    gradient; no round's result is kept. Nodes without edges give alpha_0 x_i.

    Args:
        num_layers: Rounds K, at least 0.
        weights: `mean` for alpha_k = 1 / (K + 1), `learned` for a parameter [K + 1] that starts there, or K + 1 numbers.

    Raises:
        ValueError: If `num_layers` is negative or `weights` is none of these.

    Example:
        >>> layer = LightGCNPropagation(num_layers=3)
        >>> layer(x, edge_index)  # [N, C] -> [N, C]

    Source: He et al., LightGCN, SIGIR 2020, equations 3 to 8; the paper fixes alpha_k = 1 / (K + 1).
    """

    def __init__(self, num_layers: int = 3, *, weights: str | Sequence[float] = "mean") -> None:
        super().__init__()
        check_at_least(0, num_layers=num_layers)
        if isinstance(weights, str) and weights not in ("mean", "learned"):
            raise ValueError(f"weights must be 'mean', 'learned' or {num_layers + 1} numbers, got {weights!r}")
        if not isinstance(weights, str) and len(weights) != num_layers + 1:
            raise ValueError(f"weights must be {num_layers + 1} numbers, one for each of 0 to K rounds, got {len(weights)}")
        self.num_layers = num_layers
        self.weights = weights if isinstance(weights, str) else tuple(float(weight) for weight in weights)
        self.alpha = nn.Parameter(torch.empty(num_layers + 1)) if weights == "learned" else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set learned weights to the mean's."""
        if self.alpha is not None:
            nn.init.constant_(self.alpha, 1.0 / (self.num_layers + 1))

    def coefficients(self) -> Sequence[float] | Tensor:
        """The weights alpha_0, ..., alpha_K: a parameter [K + 1] where they are learned, else numbers."""
        if self.alpha is not None:
            return self.alpha
        if isinstance(self.weights, str):
            return (1.0 / (self.num_layers + 1),) * (self.num_layers + 1)
        return self.weights

    def forward(
        self,
        x: Float[Tensor, "N C"],
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
        rows: Int[Tensor, " R"] | None = None,
    ) -> Float[Tensor, "M C"]:
        """Propagate.

        Args:
            x: Features.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights of an `edge_index`.
            rows: Ids of the nodes whose result is wanted, repeats allowed; None for all. The last round forward and the
                first backward then touch the edges of these nodes alone.

        Returns:
            The new features of all nodes, M = N, or of `rows`, M = R.
        """
        a_hat = operator(x, edge_index, edge_weight, norm="gcn", self_loops=False)
        if rows is None:
            return polynomial(a_hat, self.coefficients(), x)
        distinct, place = rows.unique(return_inverse=True)
        return polynomial_rows(a_hat, self.coefficients(), x, distinct)[0][place]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_layers={self.num_layers}, weights={self.weights!r})"
