"""What the link prediction task asks of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers.pairs.base import PairScore
from graphkit.models.reasons import Reasons
from graphkit.sparse import CSR, NeighborSets, copies, pointers, stacked
from graphkit.training.stages import Stage, Step, head_apart

_COPIED = 1 << 16
"""Nodes of copies of a graph that are scored at a time."""


class LinkModel(nn.Module, ABC):
    """A model that scores pairs of nodes, in three steps.

    s = head(*pair_features(encode(x, adj), adj, pairs)). `encode` runs once per graph. `pair_features` runs once per batch of
    pairs and does all that is left to do on the graph. `head` works row by row, so that a caller may run it in blocks. A score
    depends on its own pair alone.

    What a model does otherwise than by cross-entropy in one go, it says by `training_loss` and `stages`.
    """

    trained: ClassVar[bool] = True
    """Whether there is something to learn; False for heuristics."""

    coupled: ClassVar[bool] = False
    """Whether a block of pairs must hold positives with their negatives: `training_loss` compares them, or they are normalized
    together."""

    @abstractmethod
    def encode(self, x: Tensor | CSR | None, adj: CSR) -> tuple[Tensor, ...]:
        """What pairs read of the nodes.

        Args:
            x: Features [N, F], sparse ones as an operator of that shape; None for graphs without features.
            adj: The message passing graph, N x N.

        Returns:
            Tensors whose first dimension is N.
        """

    @abstractmethod
    def pair_features(self, nodes: tuple[Tensor, ...], adj: CSR, pairs: Tensor) -> tuple[Tensor, ...]:
        """What the head reads of each pair.

        Args:
            nodes: What `encode` gave for this graph.
            adj: The message passing graph; models that intersect neighborhoods take `NeighborSets.of(adj)`.
            pairs: Node ids [2, P], int64.

        Returns:
            Tensors [P, C].
        """

    def from_sources(self, nodes: tuple[Tensor, ...], adj: CSR, sources: Tensor) -> Callable[[Tensor], tuple[Tensor, ...]]:
        """`pair_features` of pairs whose first node is one of a few, without gradients; models let those share work.

        Args:
            nodes: What `encode` gave for this graph.
            adj: The message passing graph.
            sources: Node ids [S], int64.

        Returns:
            Called with pairs [2, P], gives what `pair_features` gives for them.
        """
        return lambda pairs: self.pair_features(nodes, adj, pairs)

    @abstractmethod
    def head(self, *features: Tensor) -> Tensor:
        """Scores [P], higher for pairs that are more likely linked, row by row from what `pair_features` gave."""

    @property
    def bound_to_nodes(self) -> bool:
        """Whether it has learned a row for each node of the graph it was trained on, and so knows no other graph."""
        return any(isinstance(getattr(module, "table", None), Tensor) for module in self.modules())

    def head_parameters(self) -> Iterable[nn.Parameter]:
        """The parameters that `train.head_lr` is for; by default none."""
        return ()

    def training_loss(self, scores: Tensor, num_positive: int, num_negatives: int) -> Tensor:
        """The loss of a block of a batch's pairs: a sum over positives, of which the task makes the mean of the batch.

        By default softplus(-s) of each positive, and of each negative softplus(s) / num_negatives.

        Args:
            scores: Scores [P], first of the positives and then of the negatives. With `coupled` the negatives of the first
                positive come first, then those of the second one, and so on; else a block may hold one kind alone.
            num_positive: How many of them are of positives.
            num_negatives: Negatives per positive.

        Returns:
            A scalar.
        """
        sign = torch.ones_like(scores)
        sign[num_positive:] = -1.0
        losses = F.softplus(-sign * scores)
        if num_negatives > 1:
            losses = torch.cat([losses[:num_positive], losses[num_positive:] / num_negatives])
        return losses.sum()

    def stages(self, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """How the model is trained: at once, or in stages; empty for a model that is not.

        Args:
            step: The task's step, of `training_loss` over a batch; a stage that has none uses it.
            lr: `train.lr`.
            head_lr: `train.head_lr`, the rate of the head; None: `lr`.

        Returns:
            The stages, in order.
        """
        return head_apart(self, self.head_parameters(), lr, head_lr)

    def forward(self, x: Tensor | CSR | None, adj: CSR, pairs: Tensor) -> Tensor:
        """Score pairs.

        Args:
            x: Features as for `encode`.
            adj: The message passing graph.
            pairs: Node ids [2, P], int64.

        Returns:
            Scores [P].
        """
        return self.head(*self.pair_features(self.encode(x, adj), adj, pairs))

    def node_inputs(self, x: Tensor | CSR | None, adj: CSR) -> Tensor | CSR:
        """Rows of the nodes that `encode` computes the same from, and which can be given to copies of the graph as well.

        Raises:
            NotImplementedError: There are neither features nor rows that the model has learned.
        """
        if x is None:
            raise NotImplementedError(
                f"{type(self).__name__} has no rows of nodes to copy: it can explain graphs with features."
            )
        return x

    @torch.no_grad()
    def reasons(self, x: Tensor | CSR | None, adj: CSR, pairs: Tensor) -> Reasons:
        """Which nodes make the scores of pairs, and by how much; the model must be in evaluation mode.

        Models that sum over common neighbors give those. The others are asked by occlusion: node u, a neighbor of i or j,
        contributes s_ij minus the score without the edges between u and the pair, computed on the whole graph without them. The
        bias is the score without any neighbor of i and j, and the remainder is what neighbors do together.

        Args:
            x: Features as for `encode`.
            adj: The message passing graph.
            pairs: Node ids [2, P], int64.

        Raises:
            RuntimeError: The model is in training mode, in which scores are random.
            NotImplementedError: The model cannot be asked on copies of the graph.
        """
        self.check_evaluated()
        ptr, nodes = _ends_neighbors(adj, pairs)
        of_node = torch.arange(pairs.size(1), device=ptr.device).repeat_interleave(ptr.diff())
        score = self(x, adj, pairs).double()
        alone = self._without(x, adj, pairs, (of_node, nodes), alone=False)
        return Reasons(
            ptr=ptr,
            ids=nodes,
            contributions=score[of_node] - alone,
            score=score,
            bias=self._without(x, adj, pairs, (of_node, nodes), alone=True),
            rule="A neighbor of the two nodes contributes what the score loses without its edges to them. The remainder is "
            "what neighbors do together.",
            exact=False,
        )

    def check_evaluated(self) -> None:
        """RuntimeError in training mode."""
        if self.training:
            raise RuntimeError("call eval() before asking for reasons: in training mode scores are random.")

    def _without(
        self, x: Tensor | CSR | None, adj: CSR, pairs: Tensor, neighbors: tuple[Tensor, Tensor], *, alone: bool
    ) -> Tensor:
        """Scores without the edges between a pair and one of its neighbors [K], or all of them [P]."""
        inputs, n = self.node_inputs(x, adj), adj.shape[0]
        of_node, nodes = neighbors
        count = pairs.size(1) if alone else nodes.numel()
        which = of_node if alone else torch.arange(count, device=nodes.device)
        ends = pairs[:, of_node]
        rows, cols = torch.cat([ends.flatten(), nodes, nodes]), torch.cat([nodes, nodes, ends.flatten()])
        entries, present = adj.structure.find(rows * n + cols)
        entries, which = entries[present], which.repeat(4)[present]
        order = which.sort(stable=True).indices
        entries, which = entries[order], which[order]
        found = []
        size = max(1, _COPIED // max(n, 1))
        for start in range(0, count, size):
            block = torch.arange(start, min(start + size, count), device=nodes.device)
            kept = torch.ones(block.numel(), adj.nnz, dtype=torch.bool, device=nodes.device)
            bounds = torch.searchsorted(which, torch.stack([block[0], block[-1] + 1])).tolist()
            kept[which[bounds[0] : bounds[1]] - start, entries[bounds[0] : bounds[1]]] = False
            own = pairs[:, block if alone else of_node[block]] + (block - start) * n
            found.append(self(stacked(inputs, block.numel()), copies(adj, kept), own).double())
        return torch.cat([torch.zeros(0, dtype=torch.float64, device=nodes.device), *found])


class EncodedPairs(LinkModel):
    """A link model of two parts: an encoder of the nodes, and a score of pairs of embeddings.

    Args:
        encoder: Called with (x, adj), gives embeddings [N, C].
        score: Scores pairs of such embeddings.
    """

    def __init__(self, encoder: nn.Module, score: PairScore) -> None:
        super().__init__()
        self.encoder = encoder
        self.score = score

    def encode(self, x: Tensor | CSR | None, adj: CSR) -> tuple[Tensor, ...]:
        """What the score reads of the embeddings, see `LinkModel.encode`."""
        return self.score.node_features(self.encoder(x, adj))

    def pair_features(self, nodes: tuple[Tensor, ...], adj: CSR, pairs: Tensor) -> tuple[Tensor, ...]:
        """Those of the score, see `LinkModel.pair_features`."""
        return self.score.pair_features(nodes, adj, pairs)

    def from_sources(self, nodes: tuple[Tensor, ...], adj: CSR, sources: Tensor) -> Callable[[Tensor], tuple[Tensor, ...]]:
        """That of the score, see `LinkModel.from_sources`."""
        return self.score.from_sources(nodes, adj, sources)

    def head(self, *features: Tensor) -> Tensor:
        """That of the score, see `LinkModel.head`."""
        return self.score.head(*features)

    def head_parameters(self) -> Iterable[nn.Parameter]:
        """All parameters of the score."""
        return self.score.parameters()

    def node_inputs(self, x: Tensor | CSR | None, adj: CSR) -> Tensor | CSR:
        """Features, or the rows that the encoder has learned, see `LinkModel.node_inputs`."""
        table = getattr(self.encoder, "table", None)
        return table[: adj.shape[0]] if x is None and isinstance(table, Tensor) else super().node_inputs(x, adj)


def _ends_neighbors(adj: CSR, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Boundaries [P + 1] of pairs, and for each the nodes from which messages reach one of its ends, ascending.

    An edge between the two nodes is listed once, as neighbor j of i; a self-loop is no neighbor.
    """
    sets, n = NeighborSets.of(adj), adj.shape[0]
    keys = []
    for which in ("common", "left", "right"):
        ptr, members = sets.members(pairs, which)
        pair = torch.arange(pairs.size(1), device=ptr.device).repeat_interleave(ptr.diff())
        keys.append(pair * n + members)
    key = torch.cat(keys).sort().values
    pair, node = key // n, key % n
    kept = (node != pairs[0, pair]) & ((node != pairs[1, pair]) | adj.structure.contains(pairs[0, pair], node))
    return pointers(torch.bincount(pair[kept], minlength=pairs.size(1))), node[kept]
