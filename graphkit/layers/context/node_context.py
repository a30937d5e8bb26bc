"""Named contexts of the nodes of a graph, computed once and kept as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.layers.context.measures import FirstPass, Surroundings
from graphkit.layers.context.registry import CONTEXTS, DEFAULT, check_contexts
from graphkit.sparse import CSR, Adjacency, as_csr, untraced


@dataclass(frozen=True)
class ContextReading:
    """A context of one node, to be shown.

    Attributes:
        name: Which context.
        value: Its number, in its unit; None: unknown.
        unit: What the number counts.
        percentile: Share of the training nodes with a smaller number, in percent; None: unknown.
        effect: What it adds to a score, against an average training node; None: not asked.
    """

    name: str
    value: float | None
    unit: str
    percentile: float | None
    effect: float | None = None


class NodeContext(nn.Module):
    """Chosen contexts of every node, standardized, with flags where they are unknown.

    z_ik = (f_k(c_ik) - mean_k) / deviation_k for context k of node i; mean and deviation are those of labeled training nodes
    that have it, and f_k is the identity or a logarithm (`CONTEXTS`). An unknown context gets z = 0, the average training node,
    and a flag of 1. A context that is the same on all training nodes is left at 0.

    `fit` computes them, once; the layer is bound to the nodes that it was made for. Labels outside of training are never
    asked for: `y` holds -1 there.

    Args:
        num_nodes: Number of nodes N.
        contexts: Names of contexts, keys of `graphkit.layers.context.registry.CONTEXTS`.

    Attributes:
        contexts: The names, in the order of the columns of `raw`.
        raw: The numbers in their units [N, K], NaN where unknown.
        table: The standardized numbers, then the flags of contexts that may be unknown [N, out_channels].
        trained: Which nodes are labeled training nodes [N].

    Raises:
        ValueError: If `num_nodes` is below 1, or a name is unknown or given twice.

    Source: designed after the idea of X-Node (arXiv:2508.10461), whose code hands true labels of test nodes to the model.

    Example:
        >>> context = NodeContext(12)
        >>> context.fit(x, edge_index, y)  # y is -1 outside of training
        >>> context()  # [12, context.out_channels]
    """

    raw: Tensor
    table: Tensor
    trained: Tensor

    def __init__(self, num_nodes: int, *, contexts: Sequence[str] = DEFAULT) -> None:
        super().__init__()
        check_at_least(1, num_nodes=num_nodes)
        self.num_nodes = num_nodes
        self.contexts = check_contexts(contexts)
        flagged = [k for k, name in enumerate(self.contexts) if CONTEXTS[name].may_be_unknown]
        self.columns = (*range(len(self.contexts)), *flagged)
        """The context of each column of the table."""
        self.register_buffer("raw", torch.full((num_nodes, len(self.contexts)), torch.nan))
        self.register_buffer("table", torch.zeros(num_nodes, len(self.columns)))
        self.register_buffer("trained", torch.zeros(num_nodes, dtype=torch.bool))

    @property
    def out_channels(self) -> int:
        """Columns of the table: contexts and flags."""
        return len(self.columns)

    @property
    def needs_first_pass(self) -> bool:
        """Whether some of the contexts are about a first pass of the model."""
        return any(CONTEXTS[name].of_first_pass for name in self.contexts)

    def reset_parameters(self) -> None:
        """Do nothing; the layer has no parameters."""

    @untraced
    @torch.no_grad()
    def fit(
        self, x: Float[Tensor, "N F"] | CSR, edge_index: Adjacency, y: Int[Tensor, " N"], first: FirstPass | None = None
    ) -> None:
        """Compute the contexts.

        Args:
            x: Features, dense or sparse.
            edge_index: The graph, in any layout of `as_csr`; rows are targets.
            y: Classes of the labeled training nodes; -1 for every other node.
            first: What a first pass of the model said; without it the contexts about it are unknown.

        Raises:
            ValueError: If there are more or fewer nodes than the layer was made for, or none is labeled.
        """
        if x.shape[0] != self.num_nodes or y.shape != (self.num_nodes,):
            raise ValueError(f"contexts were made for {self.num_nodes} nodes, got features of {x.shape[0]} and {len(y)} labels")
        if not bool((y >= 0).any()):
            raise ValueError("contexts are standardized by labeled training nodes, of which there is none")
        around = Surroundings(x=x, adj=as_csr(edge_index, self.num_nodes), y=y, first=first)
        known, chosen = y >= 0, [CONTEXTS[name] for name in self.contexts]
        values = [context.measure(around) for context in chosen]
        columns = [_standardized(context.scaled(value), known) for context, value in zip(chosen, values, strict=True)]
        flags = [values[k].isnan() for k in self.columns[len(chosen) :]]
        # New tensors: a backward pass may still ask for the old ones.
        self.raw = torch.stack(values, dim=1).to(self.raw)
        self.table = torch.stack([*columns, *(flag.to(values[0]) for flag in flags)], dim=1).to(self.table)
        self.trained = known.to(self.trained)

    def forward(self) -> Float[Tensor, "{self.num_nodes} {self.out_channels}"]:
        """The table."""
        return self.table

    def percentiles(self, node: int) -> list[float | None]:
        """Of each context, the share of training nodes with a smaller number than this node, in percent; None: unknown."""
        value, others = self.raw[node], self.raw[self.trained]
        known = ~others.isnan()
        share = 100.0 * ((others < value) & known).sum(0).double() / known.sum(0).clamp(min=1)
        given = (~value.isnan() & known.any(0)).tolist()
        return [one if there else None for one, there in zip(share.tolist(), given, strict=True)]

    def readings(self, node: int, effects: Sequence[float] | None = None) -> tuple[ContextReading, ...]:
        """The contexts of a node, to be shown.

        Args:
            node: Its id.
            effects: What each context adds to a score, in the order of `contexts`; None: not asked.
        """
        values = [None if isnan(value) else value for value in self.raw[node].tolist()]
        given = [None] * len(values) if effects is None else list(effects)
        rows = zip(self.contexts, values, self.percentiles(node), given, strict=True)
        return tuple(
            ContextReading(name=name, value=value, unit=CONTEXTS[name].unit, percentile=percentile, effect=effect)
            for name, value, percentile, effect in rows
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num_nodes}, contexts={self.contexts})"


def _standardized(value: Tensor, trained: Tensor) -> Tensor:
    """(value - mean) / deviation of the training nodes that have one; 0 where it is unknown, or the same on all of these."""
    known = value[trained & ~value.isnan()]
    if known.numel() == 0:
        return torch.zeros_like(value)
    mean = known.mean()
    deviation = (known - mean).square().mean().sqrt()
    # Rounding alone must not become a context: a deviation that small against the mean is none.
    told = deviation > 1e-9 * mean.abs().clamp(min=1.0)
    return torch.where(told, (value - mean) / torch.where(told, deviation, 1.0), 0.0).nan_to_num(0.0)
