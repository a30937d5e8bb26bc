"""The nodes around a node: who can reach it in some steps, and the drawing of the heaviest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graphkit.explain.drawing import MOST_NODES
from graphkit.explain.explanation import Drawing
from graphkit.sparse import CSR


@dataclass(frozen=True)
class Scene:
    """What drawings of one graph have in common.

    Attributes:
        adj: The graph; rows are targets.
        names: Names of the nodes in index order.
        colors: A kind per node [N].
        legend: What each kind is.
        directed: Whether edges have a direction.
    """

    adj: CSR
    names: Sequence[str]
    colors: Tensor
    legend: tuple[str, ...]
    directed: bool = False

    def around(self, node: int, weights: Tensor | None = None, hops: int = 2) -> Drawing:
        """Draw what is around a node.

        Args:
            node: The node.
            weights: How much each node matters [N], at least 0; None: nearer ones matter more.
            hops: Steps along edges, towards the node.
        """
        steps = steps_to(self.adj, node, hops)
        reached = (steps >= 0).nonzero().flatten()
        if weights is None:
            weights = 1.0 / (1.0 + steps)
        order = torch.where(reached == node, torch.inf, weights[reached]).argsort(descending=True, stable=True)
        return self.of(reached[order[:MOST_NODES]], weights, node, left_out=max(0, reached.numel() - MOST_NODES))

    def of(self, nodes: Tensor, weights: Tensor | None, target: int | None, left_out: int = 0) -> Drawing:
        """Draw some nodes and the edges between them.

        Args:
            nodes: Their ids [n].
            weights: How much each node of the graph matters [N], at least 0; None: all alike.
            target: The node that it is about.
            left_out: How many nodes are not drawn.
        """
        place = torch.full((self.adj.shape[0],), -1).index_copy(0, nodes.cpu(), torch.arange(nodes.numel()))
        edges = place[self.adj.edge_index().cpu()]
        edges = edges[:, (edges >= 0).all(dim=0)]
        if not self.directed:
            edges = edges[:, edges[0] < edges[1]]
        ids = nodes.tolist()
        strength: tuple[float, ...] = ()
        if weights is not None:
            own = weights[nodes].double()
            others = own[nodes != (-1 if target is None else target)]
            largest = float(others.max()) if others.numel() else 0.0
            strength = tuple((own / largest).clamp(max=1.0).tolist()) if largest > 0 else (0.0,) * len(ids)
        return Drawing(
            nodes=tuple(self.names[node] for node in ids),
            edges=tuple((int(u), int(v)) for u, v in edges.t().tolist()),
            target=None if target is None else int(place[target]),
            node_weights=strength,
            colors=tuple(self.colors[nodes].tolist()),
            legend=self.legend,
            directed=self.directed,
            left_out=left_out,
        )


def steps_to(adj: CSR, node: int, hops: int) -> Tensor:
    """The number of steps from every node to one along edges [N], int64; -1 where it takes more than `hops`.

    Args:
        adj: The graph; rows are targets.
        node: Where they lead.
        hops: Most steps.
    """
    source, target = adj.edge_index()
    steps = torch.full((adj.shape[0],), -1, device=adj.device)
    steps[node] = 0
    for step in range(1, hops + 1):
        new = source[steps[target] >= 0]
        new = new[steps[new] < 0]
        steps[new] = step
    return steps
