"""Two graphs to be told apart."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.data.graph import Graph


@dataclass(frozen=True)
class GraphPair:
    """Two graphs that are not isomorphic.

    Attributes:
        name: Unique in its collection.
        category: Pairs of one kind are counted together.
        first: Undirected, without features.
        second: Likewise.
    """

    name: str
    category: str
    first: Graph
    second: Graph
