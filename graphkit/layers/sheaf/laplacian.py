"""The normalized Laplacian of a sheaf as an operator: applied without ever being built."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphkit.sparse import CSR, normalize, untraced
from graphkit.sparse.sheaf import EdgeEnds, Fixed, diffuse, inverse_root


@dataclass(frozen=True, eq=False, kw_only=True)
class SheafLaplacian:
    r"""Delta = (D + I)^-1/2 (D - T) (D + I)^-1/2 on stalks of dimension f = d + low_pass + high_pass.

    D_v = sum over edges of w F_v^T F_v and T_vu = w F_v^T F_u for the d learned dimensions; w and 1 (high-pass) or w and -1
    (low-pass) for one fixed dimension each. Symmetric, positive semi-definite, all eigenvalues in [0, 2).

    Attributes:
        ends: The edges.
        stalk_dim: d.
        low_pass: Whether a low-pass dimension follows the learned ones: the signless Laplacian.
        high_pass: Whether a high-pass dimension follows: the Laplacian of the graph.
        adjacency: The graph with the weights that fixed dimensions have; None without any.
        fixed: S and T of the fixed dimensions beside learned maps; None without any, and for identity maps.
        identity: (D + I)^-1/2 (A + I) (D + I)^-1/2 with all weights, what identity maps propagate with; None for other maps.
        transport: T [2 m, d, d] or its diagonals [2 m, 1, d]; empty for identity maps.
        root: (D + I)^-1/2 [N, d, d] or its diagonals [N, d, 1] or [N, 1, 1]; empty for identity maps.
    """

    ends: EdgeEnds
    stalk_dim: int
    low_pass: bool
    high_pass: bool
    adjacency: CSR | None
    fixed: Fixed | None
    identity: CSR | None
    transport: Tensor
    root: Tensor

    @property
    def num_stalks(self) -> int:
        """f, the dimension of a stalk with the fixed ones."""
        return self.stalk_dim + self.low_pass + self.high_pass

    def _fixed_operator(self) -> CSR | None:
        """(D + I)^-1/2 (A + I) (D + I)^-1/2 of the fixed dimensions; None without any."""
        return normalize(self.adjacency, "gcn", dtype=self.transport.dtype) if self.adjacency else None

    @untraced
    def matmul(self, x: Tensor) -> Tensor:
        """Delta x for node signals [N, f h], the h channels of the first stalk dimension before those of the second.

        Raises:
            ValueError: x has another number of rows, or a width that is no multiple of f.
        """
        n, f, d = self.ends.num_nodes, self.num_stalks, self.stalk_dim
        if x.dim() != 2 or x.size(0) != n or x.size(1) % f:
            raise ValueError(f"x must have shape [{n}, {f} h], got {list(x.shape)}.")
        h = x.size(1) // f
        if self.identity is None:
            # S D S = I - S^2 with S = (D + I)^-1/2.
            root = self.root if self.root.size(2) > 1 else self.root.transpose(1, 2).expand(-1, 1, d)
            return diffuse(self.transport, root, x.reshape(n, f, h), self.ends, self.fixed).view(n, f * h)
        learned, rest = x[:, : d * h], x[:, d * h :]
        fixed = self._fixed_operator()
        if fixed is None:
            return learned - self.identity.matmul(learned)
        if fixed is self.identity:
            moved, moved_rest = self.identity.matmul(x).split([d * h, x.size(1) - d * h], dim=1)
        else:
            moved, moved_rest = self.identity.matmul(learned), fixed.matmul(rest)
        return torch.cat([learned - moved, *self._fixed_parts(fixed, rest, moved_rest)], dim=1)

    __matmul__ = matmul

    def _fixed_parts(self, fixed: CSR, x: Tensor, moved: Tensor) -> list[Tensor]:
        """What fixed dimensions become beside identity maps, from x and (D + I)^-1/2 (A + I) (D + I)^-1/2 x."""
        count = self.low_pass + self.high_pass
        stalks, neighbors = x.chunk(count, dim=1), moved.chunk(count, dim=1)
        out = []
        if self.low_pass:
            # D + A where the operator holds A + I: its diagonal 1 / (D + 1) is taken off twice, 1 - 2 / (D + 1) + 1 / (D + 1).
            diagonal = 1 - 2 * fixed.weights(x.dtype)[fixed.structure.diagonal].unsqueeze(1)
            out.append(diagonal * stalks[0] + neighbors[0])
        if self.high_pass:
            out.append(stalks[-1] - neighbors[-1])
        return out

    def to_sparse(self) -> Tensor:
        """The matrix itself, a torch sparse COO tensor [N f, N f]; node v owns rows v f to v f + f - 1. For inspection."""
        n, f, d = self.ends.num_nodes, self.num_stalks, self.stalk_dim
        row, col = self.ends.structure.row, self.ends.structure.col
        if self.identity is not None:
            pattern, entries = self.identity.structure, self.identity.weights(self.identity.dtype or torch.float64)
            unit = torch.eye(d, dtype=entries.dtype, device=row.device)
            loop = pattern.row == pattern.col
            off, on = -entries[~loop].view(-1, 1, 1) * unit, (1 - entries[loop]).view(-1, 1, 1) * unit
        else:
            root = _blocks(self.root, d)
            transport = torch.diag_embed(self.transport.squeeze(1)) if self.transport.size(1) < d else self.transport
            off, on = -root[row] @ transport @ root[col], torch.eye(d, dtype=root.dtype, device=row.device) - root @ root
        values, places = [off.flatten(), on.flatten()], []
        units = torch.arange(d, device=row.device)
        nodes = torch.arange(n, device=row.device)
        for i, j in ((row, col), (nodes, nodes)):
            rows = (i.view(-1, 1, 1) * f + units.view(1, -1, 1)).expand(-1, -1, d)
            columns = (j.view(-1, 1, 1) * f + units.view(1, 1, -1)).expand(-1, d, -1)
            places.append(torch.stack([rows.flatten(), columns.flatten()]))
        fixed = self._fixed_operator()
        if fixed is not None:
            pattern, entries = fixed.structure, fixed.weights(off.dtype)
            for k, sign in enumerate([1.0] * self.low_pass + [-1.0] * self.high_pass):
                values.append(torch.where(pattern.row == pattern.col, 1 - entries, sign * entries))
                places.append(torch.stack([pattern.row, pattern.col]) * f + d + k)
        matrix = torch.sparse_coo_tensor(torch.cat(places, dim=1), torch.cat(values), (n * f, n * f), check_invariants=True)
        return matrix.coalesce()


@untraced
def sheaf_laplacian(
    transport: Tensor | None,
    degree: Tensor | None,
    ends: EdgeEnds,
    stalk_dim: int,
    *,
    adjacency: CSR | None = None,
    gated: CSR | None = None,
    low_pass: bool = False,
    high_pass: bool = False,
    dtype: torch.dtype = torch.float32,
) -> SheafLaplacian:
    """The operator of given restriction maps, or rather of what `transports` makes of them.

    Args:
        transport: T [2 m, d, d], diagonals [2 m, 1, d], or None for identity maps.
        degree: D as `transports` gives it; None for orthogonal maps, F^T F = I, and for the identity.
        ends: The edges.
        stalk_dim: d.
        adjacency: The edges with their weights; None for ones.
        gated: The edges with the weights that the learned dimensions have, where they are others; T and D have them already.
        low_pass: Add the low-pass dimension.
        high_pass: Add the high-pass dimension.
        dtype: What is computed in, float32 or float64.

    Returns:
        The operator.
    """
    adjacency = adjacency or ends.adjacency(None)
    gated = gated or adjacency
    plain = adjacency if low_pass or high_pass else None
    fixed = identity = None
    if transport is None:
        identity = normalize(gated, "gcn", dtype=dtype)
        transport = root = torch.empty(0, dtype=dtype, device=ends.structure.col.device)
    elif degree is None:
        root = (gated.row_sum(dtype).view(-1, 1, 1) + 1).rsqrt()
    elif transport.size(1) == 1:
        root = (degree.unsqueeze(2) + 1).rsqrt()
    else:
        rows, columns = torch.triu_indices(stalk_dim, stalk_dim, device=degree.device)
        triangle = torch.zeros(stalk_dim, stalk_dim, dtype=torch.long, device=degree.device)
        triangle[rows, columns] = triangle[columns, rows] = torch.arange(rows.numel(), device=degree.device)
        root = inverse_root(degree[:, triangle] + torch.eye(stalk_dim, dtype=dtype, device=degree.device))
    if plain is not None and identity is None:
        # (D + I)^-1/2 (D + A) (D + I)^-1/2 = I - S (I - A) S for the low-pass dimension, the other signs for the high-pass one.
        signs = transport.new_tensor([-1.0] * low_pass + [1.0] * high_pass)
        fixed = Fixed((plain.row_sum(dtype) + 1).rsqrt(), plain.weights(dtype), signs)
    return SheafLaplacian(
        ends=ends,
        stalk_dim=stalk_dim,
        low_pass=low_pass,
        high_pass=high_pass,
        adjacency=plain,
        fixed=fixed,
        identity=identity,
        transport=transport,
        root=root,
    )


def _blocks(matrices: Tensor, d: int) -> Tensor:
    """Diagonals as matrices [N, d, d]."""
    return matrices if matrices.size(2) > 1 else torch.diag_embed(matrices.squeeze(2).expand(-1, d))
