"""Propagation without weights: the linear step that convolutions, LightGCN and the encoders of link prediction share."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_choice
from graphkit.layers.conv.operators import NORMS, operator
from graphkit.sparse import Adjacency


class Propagation(nn.Module):
    r"""One step of weightless message passing.

    X' = D^-1/2 (A + I) D^-1/2 X (`gcn`, degrees of A + I), X' = D^-1 A X (`mean`) or X' = A X (`sum`), that is for node i

    x'_i = sum over edges j -> i of c_ji w_ji x_j, with c_ji = (d_i d_j)^-1/2, 1 / d_i or 1

    where d_i is the sum of the weights that arrive at i, so that `mean` is the weighted mean. A node where none arrives gets
    itself with `gcn` and zeros otherwise.

    Args:
        norm: `gcn`, `mean` or `sum`.

    Raises:
        ValueError: If `norm` is unknown.

    Example:
        >>> layer = Propagation("mean")
        >>> layer(x, edge_index)  # [N, C] -> [N, C]
    """

    def __init__(self, norm: str = "gcn") -> None:
        super().__init__()
        check_choice(NORMS, norm=norm)
        self.norm = norm

    def forward(
        self, x: Float[Tensor, "N C"], edge_index: Adjacency, edge_weight: Float[Tensor, " E"] | None = None
    ) -> Float[Tensor, "N C"]:
        """Propagate.

        Args:
            x: Features.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights of an `edge_index`.

        Returns:
            The new features.
        """
        return operator(x, edge_index, edge_weight, norm=self.norm).matmul(x)

    def reset_parameters(self) -> None:
        """Do nothing; the layer has no parameters."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(norm={self.norm!r})"
