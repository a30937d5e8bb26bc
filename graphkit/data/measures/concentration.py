"""Topological concentration of the nodes of a link data set: which nodes will be hard, and where a split shifts."""

from __future__ import annotations

from torch import Tensor

from graphkit.data.dataset import LinkData
from graphkit.sparse import CSR
from graphkit.sparse.graph_measures import topological_concentration


def link_concentration(data: LinkData, *, hops: int = 1) -> dict[str, Tensor]:
    """Topological concentration of every node in the training graph, by the split that its neighbors are taken from.

    Message passing predicts the links of nodes of high concentration well. Where the concentration on test edges is lower than
    that on training edges, the split shifts.

    Args:
        data: A graph with held-out edges.
        hops: Length of the longest walks, at least 1.

    Returns:
        Concentrations [N], float64, of `train`, `valid` and `test`.

    Source: Wang et al., "A Topological Perspective on Demystifying GNN-Based Link Prediction Performance", ICLR 2024.
    """
    adj = CSR.from_edge_index(data.graph.edge_index, data.graph.num_nodes)
    found = {"train": topological_concentration(adj, hops=hops)}
    for name in ("valid", "test"):
        found[name] = topological_concentration(adj, data.splits[name].positive, hops=hops)
    return found
