"""Bags of subgraphs: extraction by policy, rows (bag, node) with their operators, samples, and sizes told before building."""

from graphkit.sparse.egonets.bags import Bags
from graphkit.sparse.egonets.blocks import Blocks
from graphkit.sparse.egonets.budget import MAX_BYTES, BagSize, ball_budget
from graphkit.sparse.egonets.extract import edge_deleted_bags, ego_bags, node_deleted_bags, path_bags, whole_bags
from graphkit.sparse.egonets.lift import ball_sizes, balls
from graphkit.sparse.egonets.pairs import BagPairs
from graphkit.sparse.egonets.sampling import BagSample

__all__ = [
    "MAX_BYTES",
    "BagPairs",
    "BagSample",
    "BagSize",
    "Bags",
    "Blocks",
    "ball_budget",
    "ball_sizes",
    "balls",
    "edge_deleted_bags",
    "ego_bags",
    "node_deleted_bags",
    "path_bags",
    "whole_bags",
]
