"""Connected components."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.structure import untraced


@untraced
def connected_components(adj: CSR) -> Tensor:
    """The component of each node, numbered from 0. Computed on the CPU, wherever the graph lies: once per graph.

    Args:
        adj: A [N, N]; an edge in one direction counts as one in both, values do not matter, absent entries do not count.

    Returns:
        [N], int64.

    Raises:
        ValueError: The operator is not square.
    """
    if adj.shape[0] != adj.shape[1]:
        raise ValueError(f"components need a square operator, got {adj.shape[0]} x {adj.shape[1]}.")
    from scipy.sparse import coo_array, csgraph  # which takes time to import, and serves this function alone

    source, target = adj.edge_index().cpu().numpy()
    matrix = coo_array((torch.ones(len(source)).numpy(), (target, source)), shape=adj.shape)
    labels = csgraph.connected_components(matrix, directed=False)[1]
    return torch.from_numpy(labels).long().to(adj.device)
