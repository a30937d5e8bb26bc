"""A graph and pairs with the corners where pair scores go wrong."""

import torch


def graph_and_pairs(seed=0, num_nodes=30):
    """Duplicates and self-loops in the input; the last four nodes are isolated; repeated pairs and pairs of one node."""
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(num_nodes - 4, (2, 120), generator=generator)
    edge_index = torch.cat([edge_index, edge_index.flip(0), edge_index[:, :9]], dim=1)
    pairs = torch.randint(num_nodes, (2, 40), generator=generator)
    pairs[:, 0], pairs[:, 1], pairs[:, 2] = pairs[:, 3], 5, num_nodes - 1
    return edge_index, pairs, num_nodes
