"""Recommendation: who took what, and the bipartite graph of the training part."""

from __future__ import annotations

from graphkit.data.dataset import InteractionData
from graphkit.data.interactions import Interactions, bipartite, unseen
from graphkit.data.sources import DataRequest


def build(request: DataRequest) -> InteractionData:
    """Take interactions as their reader has split them.

    Args:
        request: What was asked for.

    Raises:
        DataError: If the source cannot be read.
    """
    source: Interactions = request.read()
    return InteractionData(
        name=request.entry.name,
        graph=bipartite(source),
        splits=source.splits,
        metric=request.protocol.metric,
        metrics=request.protocol.metrics,
        protocol=request.statement(*source.remarks, *unseen(source)),
        source=request.entry.source,
        split=source.split,
        earlier=source.earlier,
        notes=source.notes,
        user_names=source.user_names,
        item_names=source.item_names,
        times=source.times,
    )
