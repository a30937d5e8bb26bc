"""The layer of subgraph networks: chosen aggregations of a pair tensor, each with a perceptron of its own, added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice
from graphkit.layers.subgraph.aggregations import AGGREGATIONS, LOCAL, Pool, aggregate, messages, operator_of
from graphkit.sparse import gather, propagate_and_keep
from graphkit.sparse.egonets import Bags

SelfTerm = Literal["all", "local", "none"]
Root = Literal["shared", "extra", "separate"]


class SubgraphConv(nn.Module):
    """A layer on pair tensors h(u, v), u the root of a bag and v a node in it.

        h'(u, v) = ReLU(BN(sum over the aggregations o of MLP_o(x_o(u, v)))),   x_o = (1 + eps_o) h + o(h)
        MLP_o = Linear, BN, ReLU, Linear

    The self term (1 + eps_o) h is there where `self_term` says so. Batch statistics are those of the rows that exist:
    nothing is padded. With `edge_channels`, `uL` and `vL` add up ReLU(h_w + W_o e_w) over the edges.

    Args:
        in_channels: Input width.
        out_channels: Output width, also inside the perceptrons.
        aggregations: Which of `aggregations.AGGREGATIONS`, each at most once.
        self_term: Which aggregations get the self term: `all` (without `uv`, which is it, and `vGL`), `local` (`uL` and
            `vL`), `none`.
        root: `shared`: rows (u, u) are like all others. `extra`: they begin with h(u, u) + W h(u, u) (ID-GNN). `separate`: they
            have perceptrons of their own (SUN).
        pool: How `uG`, `vG` and `vGL` pool: `sum` or `mean`.
        num_layers: 2 for MLP_o as above, 1 for a linear map.
        edge_channels: Width D of edge features; 0 for none.
        norm: Batch normalization.
        residual: Add h at the end; needs equal widths.
        activation: The last ReLU.

    Raises:
        ValueError: A width below 1, an unknown or repeated name, or `residual` with unequal widths.

    Source: Zhang et al., "A Complete Expressiveness Hierarchy for Subgraph GNNs via Subgraph Weisfeiler-Lehman Tests", 2023.
    The first linear map of a perceptron has no bias where a normalization follows and takes it away again.

    Example:
        >>> bags = ego_bags(edge_index, ptr, hops=3)
        >>> SubgraphConv(64, 64, ("uL", "vL", "vv"))(h, bags)  # [T, 64] -> [T, 64]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        aggregations: Sequence[str] = ("uL", "vL", "vv"),
        *,
        self_term: SelfTerm = "all",
        root: Root = "shared",
        pool: Pool = "sum",
        num_layers: int = 2,
        edge_channels: int = 0,
        norm: bool = True,
        residual: bool = False,
        activation: bool = True,
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels)
        check_choice(("all", "local", "none"), self_term=self_term)
        check_choice(("shared", "extra", "separate"), root=root)
        check_choice(("sum", "mean"), pool=pool)
        for name in aggregations:
            check_choice(AGGREGATIONS, aggregation=name)
        if not aggregations or len(set(aggregations)) < len(aggregations):
            raise ValueError(f"aggregations must be at least one, each at most once, got {tuple(aggregations)}.")
        if num_layers not in (1, 2) or edge_channels < 0:
            raise ValueError(f"num_layers must be 1 or 2 and edge_channels at least 0, got {num_layers} and {edge_channels}.")
        if residual and in_channels != out_channels:
            raise ValueError(f"residual needs equal widths, got in_channels={in_channels}, out_channels={out_channels}.")
        self.in_channels, self.out_channels, self.aggregations = in_channels, out_channels, tuple(aggregations)
        self.self_term, self.root, self.pool, self.residual, self.activation = self_term, root, pool, residual, activation
        with_self = [o for o in self.aggregations if o in LOCAL or (self_term == "all" and o not in ("uv", "vGL"))]
        self.eps = nn.ParameterDict({o: nn.Parameter(torch.zeros(1)) for o in with_self if self_term != "none"})
        edges = [o for o in self.aggregations if o in LOCAL] if edge_channels else []
        self.edge_maps = nn.ModuleDict({o: nn.Linear(edge_channels, in_channels) for o in edges})
        sets = ["all"] if root != "separate" else ["others", "roots"]
        self.maps = nn.ModuleDict({f"{s}_{o}": self._map(num_layers, norm) for s in sets for o in aggregations})
        self.root_map = nn.Linear(in_channels, in_channels, bias=False) if root == "extra" else None
        self.norm = nn.BatchNorm1d(out_channels) if norm else None

    def _map(self, num_layers: int, norm: bool) -> nn.Module:
        if num_layers == 1:
            return nn.Linear(self.in_channels, self.out_channels)
        first = nn.Linear(self.in_channels, self.out_channels, bias=not norm)
        middle = [nn.BatchNorm1d(self.out_channels)] if norm else []
        return nn.Sequential(first, *middle, nn.ReLU(inplace=True), nn.Linear(self.out_channels, self.out_channels))

    def reset_parameters(self) -> None:
        """Draw new weights; set every eps to zero and the normalizations to the identity."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.BatchNorm1d):
                module.reset_parameters()
        for eps in self.eps.values():
            nn.init.zeros_(eps)

    def forward(
        self, h: Float[Tensor, "T C"], bags: Bags, edge_attr: Float[Tensor, "nnz D"] | None = None
    ) -> Float[Tensor, "T {self.out_channels}"]:
        """Update the pair tensor.

        Args:
            h: Rows (u, v), in_channels wide.
            bags: Whose rows they are.
            edge_attr: Edge features, edge_channels wide, in the order of the entries of `bags.adj`; with `edge_channels` alone.

        Returns:
            The new rows.

        Raises:
            ValueError: h or `edge_attr` does not fit, or the bags lack an aggregation.
        """
        if h.shape != (bags.num_rows, self.in_channels):
            raise ValueError(f"h must have shape [{bags.num_rows}, {self.in_channels}], got {list(h.shape)}.")
        if (edge_attr is not None) != bool(self.edge_maps):
            raise ValueError("edge_attr and edge_channels come together, with uL or vL among the aggregations.")
        if edge_attr is not None and edge_attr.size(0) != bags.adj.nnz:
            raise ValueError(f"edge_attr must have {bags.adj.nnz} rows, one per entry of bags.adj, got {edge_attr.size(0)}.")
        start = h
        if self.root_map is not None:
            h = h + self.root_map(h) * bags.is_root.unsqueeze(1)
        rows: dict[str, Tensor | None] = {"all": None}
        if self.root == "separate":
            rows = {"roots": bags.is_root.nonzero().flatten(), "others": (~bags.is_root).nonzero().flatten()}
        parts: dict[str, Tensor] = {}
        for name in self.aggregations:
            x = self._read(h, bags, name, edge_attr)
            for which, at in rows.items():
                part = self.maps[f"{which}_{name}"](x if at is None else gather(x, at))
                parts[which] = parts[which] + part if which in parts else part
        if self.root == "separate":
            out = h.new_zeros(bags.num_rows, self.out_channels)
            for which, at in rows.items():
                out = out.index_copy(0, cast(Tensor, at), parts[which])
        else:
            out = parts["all"]
        if self.norm is not None:
            out = self.norm(out)
        if self.activation:
            out = out.relu_()
        return out + start if self.residual else out

    def _read(self, h: Tensor, bags: Bags, name: str, edge_attr: Tensor | None) -> Tensor:
        """x_o(u, v)."""
        if edge_attr is not None and name in LOCAL:
            x = messages(h, bags, name, self.edge_maps[name](edge_attr))
        elif name in self.eps and (operator := operator_of(bags, name)) is not None:
            return propagate_and_keep(operator, h, self.eps[name])
        else:
            x = aggregate(h, bags, name, self.pool)
        return torch.addcmul(x, h, 1 + self.eps[name]) if name in self.eps else x

    def __repr__(self) -> str:
        names = ", ".join(self.aggregations)
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, ({names}), root={self.root!r})"
