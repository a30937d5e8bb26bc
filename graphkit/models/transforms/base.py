"""What a run asks of something that acts on the graph before any model sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from graphkit.sparse import CSR


@dataclass(frozen=True)
class Changed:
    """What became of a graph.

    Attributes:
        edge_index: Its edges [2, E] (source, target).
        told: What was done, in a sentence.
        edge_weight: Weights [E]; None: all are 1.
        x: Features [N, F'] in the place of the given ones; None: these stay.
    """

    edge_index: Tensor
    told: str
    edge_weight: Tensor | None = None
    x: Tensor | None = None


class Transform(ABC):
    """Changes a graph, and perhaps its features, once per seed, before the task is made. It sees no label."""

    @abstractmethod
    def __call__(self, x: Tensor | None, adj: CSR, seed: int) -> Changed:
        """Change a graph.

        Args:
            x: Features [N, F]; None where there are none.
            adj: The graph on the CPU; rows are targets, values the weights of edges.
            seed: Of whatever is drawn; torch's global random state is left as it was.

        Raises:
            ValueError: The graph lacks what is needed.
        """
