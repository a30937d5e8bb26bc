"""Aggregation along patterns of up to two steps in a directed graph: ahead, behind, and by way of a shared neighbor."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers.convolution import check_widths
from graphkit.sparse.convert import Adjacency, as_csr
from graphkit.sparse.csr import CSR
from graphkit.sparse.structure import lasting, untraced

PATTERNS = ("A", "A^T", "AA", "AA^T", "A^TA", "A^TA^T")
"""With A[i, j] for an edge i -> j; the order of whatever has one part a pattern."""

PATTERN_ATTENTIONS = ("scalar", "node")

Hops: TypeAlias = list[list[Tensor]]


def propagate_patterns(graph: CSR, x: Tensor, num_hops: int, exponent: float = 0.5, decay: bool = True) -> Hops:
    r"""Features after one, two, ... propagations along each of the six patterns.

    X_k = beta_k D^(r-1) P D^-r X_(k-1), X_0 = X, for P of A + I, A^T + I, AA, AA^T, A^TA, A^TA^T, with D the row sums of P on
    both sides. Entries of the products count paths (or add up products of weights); the diagonals of AA^T and A^TA stay, and
    I is added to the first two alone, also where a node has a self-loop. A power of a sum that is not positive is 0, with
    exponent 0 it is 1.

    No product of matrices is ever made: P X is A applied to A^T X, say, and D is P applied to ones. Memory is linear in the
    edges, where a product may fill a matrix N x N, and time is that of ten products with A for each hop (three where the
    graph is symmetric, since the patterns then coincide).

    Args:
        graph: A^T [N, N] as an operator whose rows are targets, non-negative.
        x: Features [N, C].
        num_hops: Propagations K.
        exponent: r; 0.5 is symmetric, 0 gives rows that sum to one.
        decay: Whether beta_k = ln(1/k) + 1 + 1e-6, else 1.

    Returns:
        For each pattern in the order of `PATTERNS`, X_1 to X_K [N, C]; differentiable once in x and in the graph's values.
    """
    a, a_t = graph.t(), graph
    made: dict[tuple[int, ...], list[Tensor]] = {}
    result = []
    for pattern in ((a,), (a_t,), (a, a), (a, a_t), (a_t, a), (a_t, a_t)):
        key = tuple(map(id, pattern))
        if key not in made:
            made[key] = _propagate(pattern, x, num_hops, exponent, decay)
        result.append(made[key])
    return result


def _propagate(pattern: tuple[CSR, ...], x: Tensor, num_hops: int, exponent: float, decay: bool) -> list[Tensor]:
    total = _times(pattern, x.new_ones(x.size(0), 1, dtype=torch.float64))
    left, right = (_power(total, p).to(x.dtype) for p in (exponent - 1.0, -exponent))
    hops = [x]
    for k in range(1, num_hops + 1):
        beta = math.log(1.0 / k) + 1.0 + 1e-6 if decay else 1.0
        hops.append(beta * left * _times(pattern, right * hops[-1]))
    return hops[1:]


def _times(pattern: tuple[CSR, ...], x: Tensor) -> Tensor:
    """P x; a pattern of one step has I added."""
    if len(pattern) == 1:
        return pattern[0].matmul(x) + x
    return pattern[0].matmul(pattern[1].matmul(x))


def _power(total: Tensor, exponent: float) -> Tensor:
    if exponent == 0.0:
        return torch.ones_like(total)
    positive = total > 0
    return torch.where(positive, torch.where(positive, total, 1.0) ** exponent, 0.0)


class DirectedPatternAggregation(nn.Module):
    r"""Adaptive aggregation along directed patterns (ADPA): attention over the hops of each pattern, then over patterns.

    1. X_0 = X, X_1, ..., X_K along each of six patterns: see `propagate_patterns`. Made once: neither weights nor dropout
       come before. A call with the same tensors, unchanged, finds them again; with features or edge weights that need
       gradients they are made in every call, differentiably.
    2. Hop attention of each pattern, for each node by itself: z = sum_k c_k x_k with
       c_k = softmax over k of sigmoid(s (x_0 || ... || x_K || x_k) + t).
    3. A branch a pattern and one for X: dropout(relu(W z + b)), more such layers where asked for.
    4. Pattern attention: each branch is multiplied by its weight, and all seven are put side by side.

    Weights of step 4 are free numbers (`scalar`), or `node`: for each node the softmax over branches of
    sigmoid(s (y_1 || ... || y_7 || y_p) + t).

    Step 2 needs no feature-wide sums: W z = sum_k c_k W x_k, so that each x_k meets one product with (W, s) and all else is in
    the width of the branch. Kept for step 1 are 6 K copies of the features.

    Args:
        in_channels: Input width F.
        out_channels: Width of a branch; the output is seven times as wide.
        num_hops: Propagations K, at least 1.
        num_layers: Layers of a branch, at least 1.
        exponent: r of the normalization, in [0, 1].
        decay: Multiply hop k by beta_k = ln(1/k) + 1 + 1e-6 as the authors' code does: 1, 0.31, then negative. Else by 1.
        pattern_attention: `scalar` as in the authors' code, or `node`, nearer to the text of the paper.
        dropout: Probability in [0, 1) of dropping an entry of a branch, after each of its layers.

    Raises:
        ValueError: If a number is out of its range or `pattern_attention` is unknown.

    Source: Sun et al., ICDE 2024, and the code published with it. There, the scores of step 2 come hop by hop and are read as
    if they came node by node, so that a node gets scores of others; here each node gets its own.

    Example:
        >>> layer = DirectedPatternAggregation(16, 32)
        >>> layer(x, edge_index)  # [N, 16] -> [N, 224]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_hops: int = 2,
        num_layers: int = 1,
        exponent: float = 0.5,
        decay: bool = True,
        pattern_attention: str = "scalar",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_widths(in_channels, out_channels)
        if num_hops < 1 or num_layers < 1:
            raise ValueError(f"num_hops and num_layers must be at least 1, got {num_hops} and {num_layers}")
        if not 0.0 <= exponent <= 1.0 or not 0.0 <= dropout < 1.0:
            raise ValueError(f"exponent must lie in [0, 1] and dropout in [0, 1), got {exponent} and {dropout}")
        if pattern_attention not in PATTERN_ATTENTIONS:
            raise ValueError(f"pattern_attention must be 'scalar' or 'node', got {pattern_attention!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_hops = num_hops
        self.exponent = exponent
        self.decay = decay
        self.dropout = dropout
        parts = len(PATTERNS) + 1
        self.first = nn.ModuleList(nn.Linear(in_channels, out_channels) for _ in range(parts))
        self.rest = nn.ModuleList(
            nn.ModuleList(nn.Linear(out_channels, out_channels) for _ in range(num_layers - 1)) for _ in range(parts)
        )
        self.hop_scores = nn.ModuleList(nn.Linear((num_hops + 2) * in_channels, 1) for _ in PATTERNS)
        node = pattern_attention == "node"
        self.pattern_score = nn.Linear((parts + 1) * out_channels, 1) if node else None
        self.pattern_weight = None if node else nn.Parameter(torch.empty(parts))
        self._memo = _Memo()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw linear maps as `nn.Linear` does, and the weights of `scalar` pattern attention standard normal."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()
        if self.pattern_weight is not None:
            nn.init.normal_(self.pattern_weight)

    def forward(self, x: Tensor, edge_index: Adjacency, edge_weight: Tensor | None = None) -> Tensor:
        """Aggregate.

        Args:
            x: Features [N, in_channels].
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Non-negative weights [E] of an `edge_index`.

        Returns:
            Features [N, 7 out_channels]: the branches of `PATTERNS`, then that of x.

        Raises:
            ValueError: If x has another width.
        """
        if x.dim() != 2 or x.size(1) != self.in_channels:
            raise ValueError(f"x must have shape [N, {self.in_channels}], got {list(x.shape)}")
        hops = self.propagated(x, edge_index, edge_weight)
        parts = self._attend_hops(x, hops)
        for p, layers in enumerate(self.rest):
            part = F.dropout(F.relu(parts[p]), self.dropout, self.training)
            for layer in cast(nn.ModuleList, layers):
                part = F.dropout(F.relu(layer(part)), self.dropout, self.training)
            parts[p] = part
        if self.pattern_weight is not None:
            shares = self.pattern_weight.view(1, -1)
        else:
            shares = self._attend_patterns(torch.stack(parts, dim=1))
        return (torch.stack(parts, dim=1) * shares.unsqueeze(-1)).flatten(1)

    @untraced
    def propagated(self, x: Tensor, edge_index: Adjacency, edge_weight: Tensor | None = None) -> Hops:
        """Step 1, from memory where possible: for each pattern, X_1 to X_K [N, in_channels]; arguments as in `forward`."""
        graph = as_csr(edge_index, x.size(0), edge_weight)

        def build() -> Hops:
            return propagate_patterns(graph, x, self.num_hops, self.exponent, self.decay)

        # Inference tensors count no versions: a change in place would pass unseen.
        if x.requires_grad or graph.requires_grad or x.is_inference():
            return build()
        return self._memo.get(x, graph, lasting(build))

    def _attend_hops(self, x: Tensor, hops: Hops) -> list[Tensor]:
        """W z + b of each pattern, then W x + b [N, out_channels]."""
        *firsts, last = _linear_maps(self.first)
        hop_scores = _linear_maps(self.hop_scores)
        maps = []
        for first, score in zip(firsts, hop_scores, strict=True):
            of_all, own = score.weight.view(-1, self.in_channels).split([self.num_hops + 1, 1])
            maps.append([torch.cat([first.weight, one.unsqueeze(0), own]) for one in of_all])
        # Hop 0 is the same for all patterns: one product.
        width = self.out_channels
        on_x = F.linear(x, torch.cat([*(one[0] for one in maps), last.weight]))
        *starts, plain = on_x.split([width + 2] * len(maps) + [width], dim=1)
        parts = []
        for p, start in enumerate(starts):
            mapped = torch.stack([start, *map(F.linear, hops[p], maps[p][1:])], dim=1)  # [N, K + 1, out_channels + 2]
            scores = mapped[..., width].sum(1, keepdim=True) + mapped[..., width + 1] + hop_scores[p].bias
            parts.append((_shares(scores).unsqueeze(-1) * mapped[..., :width]).sum(1) + firsts[p].bias)
        return [*parts, plain + last.bias]

    def _attend_patterns(self, parts: Tensor) -> Tensor:
        """Weights [N, 7] of the branches [N, 7, out_channels]."""
        assert self.pattern_score is not None
        of_all, own = self.pattern_score.weight[0].split([parts[0].numel(), self.out_channels])
        scores = (parts.flatten(1) @ of_all).unsqueeze(1) + parts @ own + self.pattern_score.bias
        return _shares(scores)

    def __repr__(self) -> str:
        attention = "scalar" if self.pattern_score is None else "node"
        widths = f"{self.in_channels}, {self.out_channels}, num_hops={self.num_hops}, exponent={self.exponent:g}"
        return f"{type(self).__name__}({widths}, decay={self.decay}, pattern_attention={attention!r})"


def _linear_maps(modules: nn.ModuleList) -> list[nn.Linear]:
    return [cast(nn.Linear, module) for module in modules]


def _shares(scores: Tensor) -> Tensor:
    """Each node's softmax [N, K] of squashed scores: no share exceeds another e-fold."""
    return torch.sigmoid(scores).softmax(dim=1)


class _Memo:
    """What was made of a tensor and a graph, for as long as both are the same objects and the tensor is unchanged."""

    def __init__(self) -> None:
        self._origin: tuple[weakref.ref[Tensor], int, weakref.ref[CSR]] | None = None
        self._made: Hops = []

    def get(self, x: Tensor, graph: CSR, build: Callable[[], Hops]) -> Hops:
        origin = self._origin
        if origin is None or origin[0]() is not x or origin[1] != x._version or origin[2]() is not graph:
            self._origin, self._made = None, []  # the old copies go before new ones are made
            self._made = build()
            self._origin = (weakref.ref(x), x._version, weakref.ref(graph))
        return self._made

    def __reduce__(self) -> tuple[type[_Memo], tuple[()]]:
        return _Memo, ()  # a copy of the layer starts without
