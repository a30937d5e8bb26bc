"""What the graph task asks of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from graphkit.sparse import GraphBatch, GraphIndex

_I = TypeVar("_I")


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
        """Embeddings of the nodes [N, C]; NotImplementedError where the model has none."""
        raise NotImplementedError(f"{type(self).__name__} has no embeddings of nodes.")

    def forward(self, batch: GraphBatch) -> Tensor:
        """Scores of the graphs [G, out_channels]. The index of `prepare` must be in the batch."""
        scores: Tensor = self.head(self.embed(batch))
        return scores
