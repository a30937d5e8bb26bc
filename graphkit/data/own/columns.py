"""What the columns of own files are called, as the settings `data.*_column` say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphkit.conf.schema import Data


@dataclass(frozen=True)
class GraphColumns:
    """Headers, or numbers from 1; None: by their usual names, else by place.

    Attributes:
        source: Ids of the sources of edges.
        target: Ids of their targets.
        weight: Their weights.
        time: When they came to be; None: not read.
        node: Ids of nodes beside features or labels.
        label: Labels of nodes.
        categorical: Columns of features that are categories, though they may look like numbers.
        ignore: Columns of features that are left out.
    """

    source: str | None = None
    target: str | None = None
    weight: str | None = None
    time: str | None = None
    node: str | None = None
    label: str | None = None
    categorical: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: Data) -> GraphColumns:
        """As the settings say."""
        return cls(
            source=options.source_column,
            target=options.target_column,
            weight=options.weight_column,
            time=options.time_column,
            node=options.node_column,
            label=options.label_column,
            categorical=_names(options.categorical),
            ignore=_names(options.ignore),
        )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name for part in (text or "").split(",") if (name := part.strip()))
