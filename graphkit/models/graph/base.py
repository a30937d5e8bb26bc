"""What the graph task asks of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from graphkit.sparse import GraphBatch, GraphIndex
from graphkit.training.stages import Stage, Step, head_apart

_I = TypeVar("_I")


@dataclass(frozen=True)
class GraphView:
    """All that a graph model may know of the data while it is trained.

    Attributes:
        kind: `classes`, `labels` or `numbers`.
        num_graphs: Size of the collection that graph ids count in.
        graphs: Ids of the training graphs.
        y: Their targets: classes [B], or [B, T] labels or numbers, NaN where unknown.
        batches: The training graphs in the order of `graphs`, as batches with the index that `prepare` made.
    """

    kind: str
    num_graphs: int
    graphs: Tensor
    y: Tensor
    batches: Callable[[], Iterator[GraphBatch]]


class GraphModel(nn.Module, ABC):
    """A model that gives every graph of a batch a row of scores: `head(embed(batch))`.

    The order of calls: construct, `prepare` once with all graphs, then `forward` for batch after batch:

        whole = whole.with_index(model.prepare(whole))
        model(whole.take(graphs))  # [B, out_channels]

    A model that draws a sample of subgraphs (`sampled`) is prepared again for every epoch, with another seed. It is evaluated
    by the mean of its outputs over `votes` samples of one seed, which estimates the mean over all samples without bias.

    Constructors take `in_channels` (0 without node features) and `out_channels`, and by keyword `edge_channels` (0 without
    edge features) and `max_degree`, the largest number of in-neighbors, where they have a use for it.

    Subclasses set `head` in their constructor.
    """

    reads_edges: ClassVar[bool] = True
    """Whether the output depends on edges."""

    head: nn.Module
    """From embeddings [G, width] to scores."""

    votes: int = 1
    """How many samples are averaged at evaluation; 1 where nothing is drawn."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of channels of `embed`."""

    @property
    def node_width(self) -> int:
        """Number of channels of `embed_nodes`."""
        return self.width

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters: what features and operators are converted to."""
        return next(self.parameters()).dtype

    @property
    def sampled(self) -> bool:
        """Whether `prepare` draws a sample, another one for every vote and seed."""
        return False

    def prepare(self, batch: GraphBatch, *, vote: int = 0, seed: int = 0) -> GraphIndex | None:
        """What the model computes once for a set of graphs, without gradients; None where there is nothing.

        Args:
            batch: The graphs. On the device of the model.
            vote: Which of the `votes`, from 0 on; models that draw nothing ignore it.
            seed: Of the sample; likewise.

        Raises:
            RequestError: What is to be prepared would take too much memory.
        """
        return None

    def index_bytes(self, batch: GraphBatch) -> int:
        """About how many bytes the index of a batch takes. Asked of models that draw samples: votes are kept if they fit."""
        return 0

    def index_of(self, batch: GraphBatch, kind: type[_I]) -> _I:
        """What `prepare` made of the batch; ValueError where the batch lacks it."""
        if not isinstance(batch.index, kind):
            raise ValueError(f"{type(self).__name__} needs batch.with_index(model.prepare(batch)), or a part of such a batch.")
        return batch.index

    def describe(self, batch: GraphBatch) -> str:
        """One sentence on what was prepared; empty where there is nothing to say."""
        return ""

    @abstractmethod
    def embed(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the graphs [G, width]."""

    def embed_nodes(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the nodes [N, node_width]; NotImplementedError where the model has none."""
        raise NotImplementedError(f"{type(self).__name__} has no embeddings of nodes.")

    def forward(self, batch: GraphBatch) -> Tensor:
        """Scores of the graphs [G, out_channels]. The index of `prepare` must be in the batch."""
        scores: Tensor = self.head(self.embed(batch))
        return scores

    def fit(self, view: GraphView) -> None:
        """Take from the data what is not learned step by step; called once per model, before it is trained or gets its weights.

        Args:
            view: The data, on the device of the model. Its batches can be asked for in `stages`, not yet here.
        """

    def training_loss(self, batch: GraphBatch, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The loss of a step.

        Args:
            batch: Graphs.
            y: Their targets.
            loss: The task's loss of scores [B, out_channels] and targets.

        Returns:
            A scalar.
        """
        return loss(self(batch), y)

    def stages(self, view: GraphView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """How the model is trained: at once, or in stages; empty for a model that is not.

        Args:
            view: The data.
            step: The task's step, of `training_loss` over a batch of graphs; a stage that has none uses it.
            lr: `train.lr`.
            head_lr: `train.head_lr`, the rate of the head; None: `lr`.

        Returns:
            The stages, in order.
        """
        return head_apart(self, self.head.parameters(), lr, head_lr)

    def extra_predictions(self, view: GraphView, everything: Callable[[], Iterator[GraphBatch]]) -> dict[str, Tensor]:
        """What predictions.npz gets beside scores and predictions, by name.

        Args:
            view: The data.
            everything: All graphs in index order, as batches with the index that `prepare` made.
        """
        return {}
