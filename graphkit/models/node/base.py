"""What the node classification task asks of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.sparse import CSR, Adjacency, as_csr
from graphkit.training.stages import Stage, Step, head_apart

AfterLayer = Callable[[Tensor, int], Tensor]
"""From the state of the nodes after a layer [N, C], and the number of the layer from 0, to the state that goes on."""


@dataclass(frozen=True)
class NodeView:
    """All that a node model may know of the data while it is trained.

    Attributes:
        x: Features [N, F], dense or sparse, in the precision of the model.
        adj: The graph; rows are targets.
        y: Classes [N] of the labeled training nodes; -1 for every other node, whether its label is known or not.
    """

    x: Tensor | CSR
    adj: CSR
    y: Tensor

    @property
    def nodes(self) -> Tensor:
        """Ids of the labeled training nodes, ascending."""
        return (self.y >= 0).nonzero().view(-1)


class NodeModel(nn.Module, ABC):
    """A model that gives every node class scores: a body that represents the nodes, and a last layer, its `head`.

    logits = head(h) with h = embed(x, adj). A head may also look at the graph (`head_takes_graph`), as the last convolution
    of a GCN does: then logits = head(h, adj). `replace_head` puts another head in place, e.g. one on prototypes.

    A model implements `hidden`; `embed` and `forward` follow from it. What it does otherwise than by cross-entropy in one go,
    it says by `fit`, `training_loss` and `stages`.
    """

    undirected: ClassVar[bool] = False
    """Whether a directed edge is read as an undirected one."""

    trained: ClassVar[bool] = True
    """Whether it has stages of training; else `fit` makes all of it."""

    measures: ClassVar[tuple[str, ...]] = ()
    """Figures of its own that `measure` gives, rows of `graphkit.metrics.registry`."""

    head: nn.Module
    """The last layer; `train.head_lr` is for its parameters."""

    head_takes_graph: bool = False
    """Whether the head is called with (h, adj) instead of h."""

    after_layer: AfterLayer | None = None
    """What is done to the state after each of its layers, see `layer_channels`; None: nothing."""

    @property
    def layer_channels(self) -> tuple[int, ...]:
        """Width of the state after each layer that `hidden` hands to `after_layer`; empty: of a model without such layers."""
        return ()

    @property
    def bound_to_nodes(self) -> str:
        """Why it knows the nodes of its own graph alone, a predicate of the model; empty: it takes any graph."""
        return ""

    @property
    @abstractmethod
    def embedding_channels(self) -> int:
        """Width C of what `embed` gives, and a head is given."""

    @abstractmethod
    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor | CSR:
        """What the head is given: the last hidden representation, in training after its dropout.

        Args:
            x: Features [N, F], sparse ones as an operator of that shape.
            adj: The graph; rows are targets.

        Returns:
            [N, embedding_channels]; an operator only if that is sparse features themselves, of a model that is its head alone.
        """

    def embed(self, x: Tensor | CSR, adj: Adjacency) -> Tensor:
        """The last hidden representation of every node.

        Args:
            x: Features [N, F], dense or sparse.
            adj: The graph, as for `forward`.

        Returns:
            [N, embedding_channels], in training after dropout, as the head is given it.
        """
        return self._dense(self.hidden(x, as_csr(adj, x.shape[0])))

    def forward(self, x: Tensor | CSR, adj: Adjacency) -> Tensor:
        """Class scores of every node.

        Args:
            x: Features [N, F], dense or sparse.
            adj: The graph: `edge_index` [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (fastest: what is made of it is made
                once); rows are targets.

        Returns:
            Logits [N, number of classes].
        """
        csr = as_csr(adj, x.shape[0])
        h = self.hidden(x, csr)
        logits: Tensor = self.head(h, csr) if self.head_takes_graph else self.head(h)
        return logits

    def _dense(self, h: Tensor | CSR) -> Tensor:
        """A representation as a tensor in the model's precision; only an operator is copied."""
        return h.to_dense(next(self.parameters()).dtype) if isinstance(h, CSR) else h

    def replace_head(self, head: nn.Module) -> None:
        """Put another head in place; a new model's, before it is trained.

        Args:
            head: Called with h [N, embedding_channels] alone, gives logits [N, number of classes].
        """
        self.head = head
        self.head_takes_graph = False

    def fit(self, view: NodeView) -> None:
        """Take from the data what is not learned step by step; called once per model, before it is trained or gets its weights.

        Contexts of nodes are made here, and what a model without training consists of.

        Args:
            view: The data, on the device of the model.
        """

    def training_loss(self, view: NodeView, nodes: Tensor) -> Tensor:
        """The loss of a step: the mean cross-entropy of some nodes.

        Args:
            view: The data.
            nodes: Ids [B] of labeled training nodes.

        Returns:
            A scalar, at least in single precision.
        """
        logits = self(view.x, view.adj)[nodes]
        return F.cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), view.y[nodes])

    def stages(self, view: NodeView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """How the model is trained: at once, or in stages; empty for a model that is not.

        Args:
            view: The data.
            step: The task's step, of `training_loss` over a batch of nodes; a stage that has none uses it.
            lr: `train.lr`.
            head_lr: `train.head_lr`, the rate of the head; None: `lr`.

        Returns:
            The stages, in order.
        """
        return head_apart(self, self.head.parameters(), lr, head_lr)

    def measure(self, view: NodeView, splits: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
        """Figures of its own over the nodes of each split, beside the metrics of the task, by the names of `measures`.

        Args:
            view: The data; labels of other nodes than those of training are not there.
            splits: Ids of the nodes, by split.
        """
        return {split: {} for split in splits}

    def extra_predictions(self, view: NodeView) -> dict[str, Tensor]:
        """What predictions.npz gets beside scores and predictions, by name.

        Args:
            view: The data.
        """
        return {}
