"""Directed pattern aggregation (ADPA): attention over the hops of each pattern, then over patterns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice, check_probability, check_within
from graphkit.layers.conv.patterns import PATTERNS, Hops, Pattern, directed_patterns, propagate_patterns
from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import CSR, Adjacency, as_csr, dropout, remember, untraced

PATTERN_ATTENTIONS = ("scalar", "node")


class PatternOptions(TypedDict, total=False):
    """Arguments of `DirectedPatternAggregation` that a network passes on."""

    num_hops: int
    num_layers: int
    exponent: float
    decay: bool
    pattern_attention: str


class DirectedPatternAggregation(nn.Module):
    r"""Adaptive aggregation along directed patterns (ADPA): attention over the hops of each pattern, then over patterns.

    1. X_0 = X, X_1, ..., X_K along each of six patterns: see `propagate_patterns`.
    2. Hop attention of each pattern, for each node by itself: z = sum_k c_k x_k with
       c_k = softmax over k of sigmoid(s (x_0 || ... || x_K || x_k) + t).
    3. A branch per pattern and one for X: dropout(relu(W z + b)), more such layers where asked for.
    4. Pattern attention: each branch is multiplied by its weight, and all seven are put side by side.

    Weights of step 4 are free numbers (`scalar`), or `node`: for each node the softmax over branches of
    sigmoid(s (y_1 || ... || y_7 || y_p) + t).

    Step 2 needs no sums wider than a branch: W z = sum_k c_k W x_k, so that each x_k meets one product with (W, s); features
    that are narrower are summed first. Step 1 of dense X is made once, as neither weights nor dropout come before: a call with
    the same tensors, unchanged, finds its 6 K copies of the features again; with features or edge weights that need gradients
    they are made in every call, differentiably. Propagation fills sparse X, so that X meets (W, s) first and what is
    propagated, in every call, has the width of the branches: equal, as both are linear, and cheaper on bags of words.

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
        *,
        num_hops: int = 2,
        num_layers: int = 1,
        exponent: float = 0.5,
        decay: bool = True,
        pattern_attention: str = "scalar",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels, num_hops=num_hops, num_layers=num_layers)
        check_within(0, 1, exponent=exponent)
        check_probability(dropout=dropout)
        check_choice(PATTERN_ATTENTIONS, pattern_attention=pattern_attention)
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
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw linear maps as `nn.Linear` does, and the weights of `scalar` pattern attention standard normal."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()
        if self.pattern_weight is not None:
            nn.init.normal_(self.pattern_weight)

    def forward(
        self, x: Float[Tensor, "N F"] | CSR, edge_index: Adjacency, edge_weight: Float[Tensor, " E"] | None = None
    ) -> Float[Tensor, "N {7*self.out_channels}"]:
        """Aggregate.

        Args:
            x: Features, a tensor or a sparse operator of that shape; their width is in_channels.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Non-negative weights of an `edge_index`.

        Returns:
            The branches of `PATTERNS`, then that of x, side by side.

        Raises:
            ValueError: If x has another width.
        """
        if len(x.shape) != 2 or x.shape[1] != self.in_channels:
            raise ValueError(f"x must have shape [N, {self.in_channels}], got {list(x.shape)}")
        if isinstance(x, Tensor):
            attend = self._attend_narrow if self.in_channels <= self.out_channels else self._attend_hops
            parts = attend(x, self.propagated(x, edge_index, edge_weight))
        else:
            parts = self._attend_hops(x, self._patterns(x.shape[0], edge_index, edge_weight))
        for p, layers in enumerate(self.rest):
            part = dropout(F.relu(parts[p]), self.dropout, self.training)
            for layer in cast(nn.ModuleList, layers):
                part = dropout(F.relu(layer(part)), self.dropout, self.training)
            parts[p] = part
        branches = torch.stack(parts, dim=1)
        if self.pattern_score is not None:
            shares = _attention(branches, self.pattern_score)
        else:
            shares = cast(Tensor, self.pattern_weight)
        return (branches * shares.unsqueeze(-1)).flatten(1)

    @untraced
    def propagated(
        self, x: Float[Tensor, "N F"], edge_index: Adjacency, edge_weight: Float[Tensor, " E"] | None = None
    ) -> Hops:
        """Step 1, from memory where possible: for each pattern, X_1 to X_K [N, in_channels]; arguments as in `forward`."""
        graph = as_csr(edge_index, x.size(0), edge_weight)

        def build() -> Hops:
            return propagate_patterns(graph, x, self.num_hops, self.exponent, self.decay)

        return remember(build, ("pattern hops", self.num_hops, self.exponent, self.decay), x, graph)

    @untraced
    def _patterns(self, num_nodes: int, edge_index: Adjacency, edge_weight: Tensor | None) -> list[Pattern]:
        return directed_patterns(as_csr(edge_index, num_nodes, edge_weight), self.exponent, self.decay)

    def _attend_hops(self, x: Tensor | CSR, ahead: Hops | list[Pattern]) -> list[Tensor]:
        """W z + b of each pattern, then W x + b [N, out_channels], with what lies ahead of x: its hops, or how to make them."""
        *firsts, last = _linear_maps(self.first)
        hop_scores = _linear_maps(self.hop_scores)
        of_all, own = zip(
            *(score.weight.view(-1, self.in_channels).split([self.num_hops + 1, 1]) for score in hop_scores), strict=True
        )
        bias = torch.cat([score.bias for score in hop_scores])

        def maps(group: list[int], hops: list[int]) -> Tensor:
            """W, own score and scores of these hops of each pattern [patterns (out_channels + 1 + hops), in_channels]."""
            return torch.cat([part for p in group for part in (firsts[p].weight, own[p], of_all[p][hops])])

        # Hop 0 is the same for all patterns: one product. The scores of later hops come along if they are not mapped yet.
        groups = _same(ahead)
        mapped = [0] if isinstance(x, Tensor) else list(range(self.num_hops, -1, -1))
        weights = [*(maps(group, mapped) for group in groups), last.weight]
        *starts, plain = linear(x, torch.cat(weights)).split([len(weight) for weight in weights], dim=1)
        parts = [plain] * len(PATTERNS)
        for group, start in zip(groups, starts, strict=True):
            shape = (len(group), -1)
            # Columns: out_channels of W x_k, its own score, scores that wait for later hops, that of k.
            hop = start.unflatten(1, shape)
            outs, own_scores, total = [], [], bias[group]
            for k in range(self.num_hops + 1):
                if k > 0:
                    way = ahead[group[0]]
                    hop = way.step(hop.flatten(1), k) if isinstance(way, Pattern) else F.linear(way[k - 1], maps(group, [k]))
                    hop = hop.unflatten(1, shape)
                hop, score = hop.split([hop.size(2) - 1, 1], dim=2)
                out, own_score, _ = hop.split([self.out_channels, 1, hop.size(2) - self.out_channels - 1], dim=2)
                outs.append(out)
                own_scores.append(own_score)
                total = total + score.squeeze(2)
            shares = _shares(torch.stack(own_scores) + total.unsqueeze(2), dim=0)
            z = torch.stack([firsts[p].bias for p in group])
            for share, out in zip(shares, outs, strict=True):
                z = z + share * out
            for p, part in zip(group, z.unbind(1), strict=True):
                parts[p] = part
        return [*parts, plain + last.bias]

    def _attend_narrow(self, x: Tensor, hops: Hops) -> list[Tensor]:
        """`_attend_hops` for features that are no wider than a branch: z in their width, and W z at last."""
        *firsts, last = _linear_maps(self.first)
        parts = []
        for first, score, ahead in zip(firsts, _linear_maps(self.hop_scores), hops, strict=True):
            rows = torch.stack([x, *ahead], dim=1)
            parts.append(first((_attention(rows, score).unsqueeze(2) * rows).sum(1)))
        return [*parts, last(x)]

    def __repr__(self) -> str:
        attention = "scalar" if self.pattern_score is None else "node"
        widths = f"{self.in_channels}, {self.out_channels}, num_hops={self.num_hops}, exponent={self.exponent:g}"
        return f"{type(self).__name__}({widths}, decay={self.decay}, pattern_attention={attention!r})"


def _linear_maps(modules: nn.ModuleList) -> list[nn.Linear]:
    return [cast(nn.Linear, module) for module in modules]


def _attention(rows: Tensor, score: nn.Linear) -> Tensor:
    """Of rows x_r [N, R, F]: the softmax over r of sigmoid(s (x_1 || ... || x_R || x_r) + t) [N, R]."""
    of_all, own = score.weight[0].split([score.in_features - rows.size(2), rows.size(2)])
    return _shares((rows.flatten(1) @ of_all).unsqueeze(1) + rows @ own + score.bias, dim=1)


def _shares(scores: Tensor, dim: int) -> Tensor:
    """Softmax of squashed scores: no share exceeds another e-fold."""
    return torch.sigmoid(scores).softmax(dim)


def _same(items: Sequence[object]) -> list[list[int]]:
    """Positions of each distinct object."""
    places: dict[int, list[int]] = {}
    for place, item in enumerate(items):
        places.setdefault(id(item), []).append(place)
    return list(places.values())
