"""Propagation without weights: the linear step that convolutions, LightGCN and the encoders of link prediction share."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_choice
from graphkit.layers.conv.operators import NORMS, operator
from graphkit.sparse import CSR, Adjacency


class Propagation(nn.Module):
    r"""One step of weightless message passing.

    X' = D^-1/2 (A + I) D^-1/2 X (`gcn`, degrees of A + I), X' = D^-1 A X (`mean`), X' = A X (`sum`) or
    X' = D^-1/2 A O^-1/2 X (`directed`), that is for node i

    x'_i = sum over edges j -> i of c_ji w_ji x_j, with c_ji = (d_i d_j)^-1/2, 1 / d_i, 1 or (d_i o_j)^-1/2

    where d_i is the sum of the weights that arrive at i, so that `mean` is the weighted mean, and o_j the sum of those that
    leave j. A node where none arrives gets itself with `gcn` and zeros otherwise.

    Two node sets (users and items, the nodes of a sampled block) come as a pair (x_src, x_dst). The features of the targets
    are not read, their number is. `gcn` needs one node set.

    Args:
        norm: `gcn`, `mean`, `sum` or `directed`.

    Raises:
        ValueError: If `norm` is unknown.

    Example:
        >>> layer = Propagation("mean")
        >>> layer(x, edge_index)  # [N, C] -> [N, C]
        >>> layer((users, None), edge_index, size=(100, 20))  # [100, C] -> [20, C]
    """

    def __init__(self, norm: str = "gcn") -> None:
        super().__init__()
        check_choice(NORMS, norm=norm)
        self.norm = norm

    def forward(
        self,
        x: Float[Tensor, "N C"] | tuple[Float[Tensor, "S C"], Float[Tensor, "N D"] | CSR | None],
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
        size: tuple[int, int] | None = None,
    ) -> Float[Tensor, "N C"]:
        """Propagate.

        Args:
            x: Features, or a pair of those of S sources and N targets (or None).
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights of an `edge_index`.
            size: (S, N), for an `edge_index` and a pair without targets.

        Returns:
            The new features of the targets.

        Raises:
            ValueError: A pair with `gcn`, or sizes that contradict each other or are missing.
        """
        source = x[0] if isinstance(x, tuple) else x
        return operator(x, edge_index, edge_weight, norm=self.norm, size=size).matmul(source)

    def reset_parameters(self) -> None:
        """Do nothing; the layer has no parameters."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(norm={self.norm!r})"
