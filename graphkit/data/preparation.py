"""How the features of a run's nodes were made from those that its files hold, so that those of new nodes are made alike."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphkit.data.gaps import Gaps
from graphkit.data.scaling import Scaling, row_normalized


@dataclass(frozen=True)
class Preparation:
    """Steps from the features of files to those that a model reads; their statistics are those of the run's training nodes.

    Attributes:
        gaps: How gaps are filled; None: there are no features but those that are made of the graph.
        row_normalized: Whether each node's features are divided by their sum.
        scaling: How columns are scaled; None: not at all.
    """

    gaps: Gaps | None = None
    row_normalized: bool = False
    scaling: Scaling | None = None

    def apply(self, x: Tensor) -> Tensor:
        """Features of files [N, F], NaN where not known, as a model reads them; what is made of the graph is not among them."""
        x = row_normalized(x) if self.row_normalized else x
        x = x if self.gaps is None else self.gaps.fill(x)
        return x if self.scaling is None else self.scaling.apply(x)
