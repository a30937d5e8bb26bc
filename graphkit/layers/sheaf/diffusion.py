"""Neural sheaf diffusion: learned linear maps on the edges decide what neighbors have to agree on."""

from __future__ import annotations

from typing import TypedDict

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_choice, check_probability
from graphkit.layers.sheaf.laplacian import SheafLaplacian, sheaf_laplacian
from graphkit.layers.sheaf.maps import check_maps, num_map_parameters, orthogonal_maps
from graphkit.sparse import CSR, Adjacency, as_csr, dropout, untraced
from graphkit.sparse.sheaf import EdgeEnds, at_ends, tanh_transports, transports, undirected

_ACTIVATIONS = {"elu": F.elu, "tanh": torch.tanh, None: None}
RIGHT_INITS = ("identity", "orthogonal")


class SheafOptions(TypedDict, total=False):
    """Arguments of `SheafDiffusion` that a network passes on to every layer as they are."""

    orthogonal: str
    left_weights: bool
    right_weights: bool
    right_init: str
    learned_step: bool


class SheafDiffusionOptions(SheafOptions, total=False):
    """All keyword arguments of `SheafDiffusion`."""

    maps: str
    low_pass: bool
    high_pass: bool
    edge_weights: bool
    activation: str | None
    map_activation: str | None
    dropout: float
    map_dropout: float


class SheafDiffusion(nn.Module):
    r"""One step of neural sheaf diffusion.

    X' = (1 + tanh eps) X - sigma(Delta (I kron W_1) X W_2), with the normalized sheaf Laplacian

    (Delta x)_v = S_v sum over edges v ~ u of w_vu F_v^T (F_v S_v x_v - F_u S_u x_u), S_v = (I + sum w_vu F_v^T F_v)^-1/2

    A node carries f = stalk_dim + low_pass + high_pass vectors of h = in_channels / f channels each, one after another in its
    row. The restriction map of edge v ~ u at v comes from both nodes, F_v = phi(W (x_v || x_u)), computed as two products at
    the nodes whose sum is taken at the edges; at u the two change places. Delta itself is never built.

    The graph is undirected: an edge that is given in one direction counts in both, with the mean of the weights given. Repeated
    edges add up their weights. A self-loop has no effect, since a node agrees with itself. At an isolated node Delta x = 0.
    Weights must not be negative. The layer holds nothing of a graph, so that batches of graphs are one graph to it.

    Args:
        in_channels: Width f h of input and output.
        stalk_dim: Dimension d of the learned part of a stalk.
        maps: `identity`, `diagonal`, `orthogonal` or `general`.
        orthogonal: How orthogonal maps are made: `householder`, `cayley`, `exp`, or `rotation` (d = 2).
        low_pass: Add a stalk dimension with the fixed operator (D + I)^-1/2 (D + A) (D + I)^-1/2.
        high_pass: Add one with (D + I)^-1/2 (D - A) (D + I)^-1/2.
        left_weights: Learn W_1 [f, f], initially the identity.
        right_weights: Learn W_2 [h, h].
        right_init: What W_2 starts from: `identity`, or a random `orthogonal` matrix as in the authors' code. Without sigma a
            first step scales an eigenvector of Delta of eigenvalue t by 1 - t with the identity, so that it smooths. With a
            random matrix it lengthens it to about sqrt(1 + t^2): what neighbors disagree in grows, and the model learns the
            training nodes by heart (Cora, public split, orthogonal maps, 3 seeds: accuracy 41 instead of 80).
        edge_weights: Learn a weight of each edge beside its maps: the square of s_vu s_uv, s_vu = sigmoid(a (x_v || x_u)).
        learned_step: Learn eps [f], initially zero; without, it stays zero.
        activation: sigma: `elu`, `tanh` or None.
        map_activation: What phi applies first: `tanh`, `elu` or None.
        dropout: Probability in [0, 1) with which entries of x are dropped before W_1.
        map_dropout: The same for what the maps are learned from.

    Raises:
        ValueError: An unknown name, a width that is no multiple of f, or maps that do not exist for this stalk_dim.

    Source: Bodnar et al., NeurIPS 2022. Differences from the authors' code: S_v is the exact inverse root with its exact
    gradient, so that neither noise during training nor clamping is needed; orthogonal maps have no parameters without effect.

    Example:
        >>> layer = SheafDiffusion(128, stalk_dim=3, maps="general", low_pass=True)
        >>> layer(x, edge_index)  # [N, 128] -> [N, 128]
    """

    def __init__(
        self,
        in_channels: int,
        stalk_dim: int = 2,
        *,
        maps: str = "diagonal",
        orthogonal: str = "householder",
        low_pass: bool = False,
        high_pass: bool = False,
        left_weights: bool = True,
        right_weights: bool = True,
        right_init: str = "identity",
        edge_weights: bool = False,
        learned_step: bool = True,
        activation: str | None = "elu",
        map_activation: str | None = "tanh",
        dropout: float = 0.0,
        map_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_maps(maps, orthogonal, stalk_dim)
        self.num_stalks = stalk_dim + low_pass + high_pass
        if in_channels < 1 or in_channels % self.num_stalks:
            raise ValueError(
                f"in_channels must be a positive multiple of {self.num_stalks}, the stalk_dim of {stalk_dim} and "
                f"{low_pass + high_pass} fixed dimensions, got {in_channels}"
            )
        check_choice(RIGHT_INITS, right_init=right_init)
        for name, given in (("activation", activation), ("map_activation", map_activation)):
            if given not in _ACTIVATIONS:
                raise ValueError(f"{name} must be 'elu', 'tanh' or None, got {given!r}")
        check_probability(dropout=dropout, map_dropout=map_dropout)
        self.in_channels = in_channels
        self.stalk_dim = stalk_dim
        self.maps = maps
        self.orthogonal = orthogonal
        self.low_pass = low_pass
        self.high_pass = high_pass
        self.right_init = right_init
        self.activation = activation
        self.map_activation = map_activation
        self.dropout = dropout
        self.map_dropout = map_dropout
        channels = in_channels // self.num_stalks
        count = num_map_parameters(maps, stalk_dim)
        self.map_learner = nn.Linear(2 * in_channels, count, bias=False) if count else None
        self.weight_learner = nn.Linear(2 * in_channels, 1, bias=False) if edge_weights else None
        self.left = nn.Parameter(torch.empty(self.num_stalks, self.num_stalks)) if left_weights else None
        self.right = nn.Parameter(torch.empty(channels, channels)) if right_weights else None
        self.step = nn.Parameter(torch.empty(self.num_stalks)) if learned_step else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the learners as `nn.Linear` does; W_1 becomes the identity, W_2 what `right_init` says, and eps zero."""
        for learner in (self.map_learner, self.weight_learner):
            if learner is not None:
                learner.reset_parameters()
        if self.left is not None:
            nn.init.eye_(self.left)
        if self.right is not None:
            (nn.init.eye_ if self.right_init == "identity" else nn.init.orthogonal_)(self.right)
        if self.step is not None:
            nn.init.zeros_(self.step)

    def forward(
        self, x: Float[Tensor, "N C"], edge_index: Adjacency, edge_weight: Float[Tensor, " E"] | None = None
    ) -> Float[Tensor, "N C"]:
        """Learn the sheaf and diffuse one step.

        Args:
            x: Features, in_channels wide.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Non-negative weights of an `edge_index`.

        Returns:
            The new features.

        Raises:
            ValueError: x has another width, or a weight is negative.
        """
        return self.diffuse(x, self.sheaf(x, edge_index, edge_weight))

    @untraced
    def sheaf(self, x: Tensor, edge_index: Adjacency, edge_weight: Tensor | None = None) -> SheafLaplacian:
        """The sheaf Laplacian that this layer learns from x, as an operator; arguments as in `forward`."""
        if x.dim() != 2 or x.size(1) != self.in_channels:
            raise ValueError(f"x must have shape [N, {self.in_channels}], got {list(x.shape)}")
        dtype = torch.promote_types(x.dtype, torch.float32)
        ends, adjacency = undirected(as_csr(edge_index, x.size(0), edge_weight))
        gated, transport, degree = adjacency, None, None
        # W (x_v || x_u) = W_a x_v + W_b x_u: two products at the nodes.
        learners = [learner for learner in (self.map_learner, self.weight_learner) if learner is not None]
        halves = [torch.cat(learner.weight.chunk(2, dim=1)) for learner in learners]
        if halves:
            at_nodes = F.linear(dropout(x, self.map_dropout, self.training), torch.cat(halves)).to(dtype)
            numbers = at_nodes.split([len(one) for one in halves], dim=1)
            if self.weight_learner is not None:
                gated = self._gated(numbers[-1], ends, adjacency)
            if self.map_learner is not None:
                transport, degree = self._transports(numbers[0], gated.value, ends)
        return sheaf_laplacian(
            transport,
            degree,
            ends,
            self.stalk_dim,
            adjacency=adjacency,
            gated=gated,
            low_pass=self.low_pass,
            high_pass=self.high_pass,
            dtype=dtype,
        )

    def diffuse(self, x: Tensor, laplacian: SheafLaplacian) -> Tensor:
        """Diffuse one step with a given Laplacian: the layer's own, or that of another layer with the same stalks."""
        y = dropout(x, self.dropout, self.training)
        weight = self._weight()
        if weight is not None:
            y = y @ weight
        y = self._propagate(y.to(torch.promote_types(x.dtype, torch.float32)), laplacian).to(x.dtype)
        sigma = _ACTIVATIONS[self.activation]
        if sigma is not None:
            y = sigma(y)
        if self.step is None:
            return x - y
        gain = (1 + torch.tanh(self.step)).repeat_interleave(self.in_channels // self.num_stalks)
        return (gain * x).sub_(y)

    def _propagate(self, y: Tensor, laplacian: SheafLaplacian) -> Tensor:
        """What sigma is applied to."""
        return laplacian.matmul(y)

    def laplacian(self, x: Tensor, edge_index: Adjacency, edge_weight: Tensor | None = None) -> Tensor:
        """Build Delta, a torch sparse COO tensor [N f, N f], for inspection; node v owns rows v f to v f + f - 1."""
        return self.sheaf(x, edge_index, edge_weight).to_sparse()

    def _gated(self, numbers: Tensor, ends: EdgeEnds, adjacency: CSR) -> CSR:
        """The edges with their given weights times those learned from the numbers at the nodes [N, 2]."""
        score = torch.sigmoid(at_ends(numbers, ends).squeeze(1))
        gate = (score * score.index_select(0, ends.twin)).square()
        given = adjacency.value
        return ends.adjacency(gate if given is None else gate * given.to(gate.dtype))

    def _transports(self, numbers: Tensor, weight: Tensor | None, ends: EdgeEnds) -> tuple[Tensor, Tensor | None]:
        """T and D from the numbers at the nodes that maps are learned from [N, 2 p]."""
        if self.maps != "orthogonal" and self.map_activation == "tanh":
            return tanh_transports(numbers, self.stalk_dim, weight, ends)
        return transports(self._maps(at_ends(numbers, ends)), weight, ends, degree=self.maps != "orthogonal")

    def _maps(self, theta: Tensor) -> Tensor:
        """Restriction maps at the ends from what was learned there [2 m, p]."""
        phi = _ACTIVATIONS[self.map_activation]
        theta = theta if phi is None else phi(theta)
        if self.maps == "orthogonal":
            return orthogonal_maps(theta, self.stalk_dim, self.orthogonal)
        return theta.view(-1, self.stalk_dim, self.stalk_dim) if self.maps == "general" else theta

    def _weight(self) -> Tensor | None:
        """What rows of x are multiplied with [f h, f h]: W_1 and W_2 in one product."""
        given = self.right if self.left is None else self.left
        if given is None:
            return None
        h = self.in_channels // self.num_stalks
        left = given.new_ones(self.num_stalks).diag() if self.left is None else self.left.t().contiguous()
        return torch.kron(left, given.new_ones(h).diag() if self.right is None else self.right)

    def __repr__(self) -> str:
        maps = f"{self.maps} ({self.orthogonal})" if self.maps == "orthogonal" else self.maps
        fixed = "".join(f", {name}=True" for name in ("low_pass", "high_pass") if getattr(self, name))
        return f"{type(self).__name__}({self.in_channels}, stalk_dim={self.stalk_dim}, maps={maps!r}{fixed})"
