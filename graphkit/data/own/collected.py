"""What a reader of own graphs collects, whatever the form of the files."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

Attributes = tuple[tuple[str, dict[str, int] | None], ...]
"""Attributes in the order of their columns: the name of each, and the places of its texts, None where it holds numbers."""


@dataclass
class Collected:
    """Graphs as they stand in the files: nodes numbered through, edges as listed, targets as text.

    Attributes:
        names: The graphs' ids in their order [G].
        sizes: Nodes of each graph [G].
        edges: Edges as listed [E, 2] (source, target), ids of all nodes.
        targets: The label or targets of each graph, as text; empty where not known.
        target_lines: The line of each graph's targets.
        targets_from: The file that they stand in.
        edges_from: The file that the edges stand in.
        first_target_column: The column of the first target, from 1; None where the file has no columns.
        target_names: The names of the targets, where the file has some.
        x: Node features [N, F], float32.
        edge_attr: Edge features [E, D], float32.
        attributes: How attributes of nodes and of edges became columns, of graphs from a folder.
    """

    names: list[str]
    sizes: np.ndarray
    edges: np.ndarray
    targets: list[list[str]]
    target_lines: list[int]
    targets_from: str
    edges_from: str
    first_target_column: int | None = None
    target_names: list[str] = field(default_factory=list)
    x: np.ndarray | None = None
    edge_attr: np.ndarray | None = None
    attributes: tuple[Attributes, Attributes] = ((), ())


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def in_order(names: list[str], order: dict[str, int]) -> np.ndarray:
    """The place of each name in an order."""
    return np.fromiter((order[name] for name in names), dtype=np.int64, count=len(names))
