"""NBFNet on graphs of one relation: a Bellman-Ford iteration from the ends of each pair, with learned messages."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from graphkit.layers import BellmanFordLayer
from graphkit.layers.checks import check_at_least
from graphkit.models.link.base import LinkModel
from graphkit.sparse import CSR, gather

_CELLS = 2**23  # numbers of the representations [nodes, sources, channels] of a layer that are held at a time


class NBFNet(LinkModel):
    """NBFNet: s_ij is the mean of f(h_j seen from i) and f(h_i seen from j).

    h^0 is a learned query at the source and zero elsewhere; T layers `BellmanFordLayer` follow, with the same boundary in each;
    f is a perceptron on the last representation beside the query. Features of nodes are not read.

    The work is that of the distinct sources: all pairs with an end in common share it. Sources are taken in blocks; in training
    the layers of a block run again in the backward pass, so that memory is that of one block.

    Args:
        hidden_channels: Width C, at least 1.
        num_layers: Layers T, at least 1.
        aggregate: `pna`, `sum` or `mean`, see `BellmanFordLayer`.
        shortcut: Add a layer's input to its output.
        self_loops: Whether a node is a neighbor of itself.
        symmetric: Score both ways; else f(h_j seen from i) alone, which knows a direction.

    Raises:
        ValueError: If a number is out of its range, or a name unknown.

    Source: Zhu, Zhang, Xhonneux and Tang, "Neural Bellman-Ford Networks", NeurIPS 2021, with the settings of their code for
        homogeneous graphs: one relation, self-loops, both directions. Training removes the edges of a batch from the graph
        (`task.target_link_removal`), as theirs does.
    """

    def __init__(
        self,
        *,
        hidden_channels: int = 32,
        num_layers: int = 6,
        aggregate: str = "pna",
        shortcut: bool = True,
        self_loops: bool = True,
        symmetric: bool = True,
    ) -> None:
        super().__init__()
        check_at_least(1, num_layers=num_layers, hidden_channels=hidden_channels)
        self.channels, self.self_loops, self.symmetric = hidden_channels, self_loops, symmetric
        self.query = nn.Parameter(torch.randn(hidden_channels))
        self.layers = nn.ModuleList(
            BellmanFordLayer(hidden_channels, aggregate=aggregate, shortcut=shortcut) for _ in range(num_layers)
        )
        self.mlp = nn.Sequential(
            nn.Linear(2 * hidden_channels, 2 * hidden_channels), nn.ReLU(), nn.Linear(2 * hidden_channels, 1)
        )

    def encode(self, x: Tensor | CSR | None, adj: CSR) -> tuple[Tensor, ...]:
        """Nothing: what is known of a node depends on the source."""
        return ()

    def pair_features(self, nodes: tuple[Tensor, ...], adj: CSR, pairs: Tensor) -> tuple[Tensor, ...]:
        """h_j seen from i and, with `symmetric`, h_i seen from j, each [P, C]."""
        graph = adj.with_self_loops() if self.self_loops else adj
        source, target = torch.cat([pairs, pairs.flip(0)], dim=1) if self.symmetric else pairs
        starts, place = torch.unique(source, return_inverse=True)
        order = place.argsort(stable=True)
        width = max(1, _CELLS // max(adj.shape[0] * self.channels, 1))
        bounds = torch.arange(0, starts.numel() + width, width, device=source.device)
        cuts = torch.searchsorted(place[order], bounds).tolist()
        seen = [self.query.new_zeros(0, self.channels)]
        for block, (first, last) in enumerate(zip(cuts, cuts[1:], strict=False)):
            if first == last:
                continue
            mine, of = order[first:last], starts[block * width : (block + 1) * width]
            columns = place[mine] - block * width
            seen.append(self._block(graph, of, target[mine] * of.numel() + columns))
        found = torch.empty_like(order).scatter_(0, order, torch.arange(order.numel(), device=order.device))
        both = gather(torch.cat(seen), found)
        return tuple(both.chunk(2)) if self.symmetric else (both,)

    def _block(self, graph: CSR, starts: Tensor, wanted: Tensor) -> Tensor:
        """Representations [M, C] at rows of [N B, C], seen from B sources."""
        if torch.is_grad_enabled():
            seen: Tensor = checkpoint(self._seen, graph, starts, wanted, use_reentrant=False, preserve_rng_state=False)
            return seen
        return self._seen(graph, starts, wanted)

    def _seen(self, graph: CSR, starts: Tensor, wanted: Tensor) -> Tensor:
        n, count = graph.shape[0], starts.numel()
        boundary = self.query.new_zeros(n, count, self.channels)
        boundary = boundary.index_put((starts, torch.arange(count, device=starts.device)), self.query.expand(count, -1))
        h = boundary
        for layer in self.layers:
            h = layer(h, boundary, graph)
        return gather(h.flatten(0, 1), wanted)

    def head(self, *features: Tensor) -> Tensor:
        """Scores [P]."""
        scores = [self.mlp(torch.cat([h, self.query.to(h.dtype).expand_as(h)], dim=1)).squeeze(1) for h in features]
        return torch.stack(scores).mean(dim=0)

    def head_parameters(self) -> Iterable[nn.Parameter]:
        """Those of the perceptron."""
        return self.mlp.parameters()

    def node_inputs(self, x: Tensor | CSR | None, adj: CSR) -> Tensor | CSR:
        """No rows at all [N, 0]: features are not read, and nothing is known of a node alone."""
        return self.query.new_zeros(adj.shape[0], 0)
