"""The operator of a data set's graph, with the weights of its edges."""

from __future__ import annotations

import torch

from graphkit.data.graph import Graph
from graphkit.sparse import CSR


def weighted_operator(graph: Graph, device: torch.device) -> CSR:
    """The operator [N, N] of a graph on a device; rows are targets, values the weights of the edges, or ones."""
    weight = None if graph.edge_weight is None else graph.edge_weight.to(device)
    return CSR.from_edge_index(graph.edge_index.to(device), graph.num_nodes, weight)
