"""Which subgraphs a graph becomes: the policies by name, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from graphkit.layers.subgraph.features import Labels
from graphkit.sparse import Adjacency
from graphkit.sparse.egonets import (
    MAX_BYTES,
    Bags,
    BagSample,
    edge_deleted_bags,
    ego_bags,
    node_deleted_bags,
    path_bags,
    whole_bags,
)


@dataclass(frozen=True)
class Policy:
    """How bags are made, and what a row is told of its place in its bag.

    Attributes:
        build: The function of `graphkit.sparse.egonets` that makes the bags.
        needs: The numbers that it takes beside the graph: `hops`, `length`.
        labels: For `BagFeatures`.
        paper: Where it comes from.
    """

    build: Callable[..., Bags]
    needs: tuple[str, ...]
    labels: Labels
    paper: str


_ESAN = "Bevilacqua et al., ICLR 2022"

POLICIES: dict[str, Policy] = {
    "node-marking": Policy(whole_bags, (), labels="mark", paper="Qian et al., NeurIPS 2022"),
    "distance": Policy(whole_bags, (), labels="distance", paper="Zhang et al., ICML 2023"),
    "ego": Policy(ego_bags, ("hops",), labels="none", paper=_ESAN),
    "ego+": Policy(ego_bags, ("hops",), labels="mark", paper=_ESAN),
    "ego-distance": Policy(ego_bags, ("hops",), labels="distance", paper="Zhang and Li, NeurIPS 2021"),
    "node-deleted": Policy(node_deleted_bags, (), labels="none", paper=_ESAN),
    "edge-deleted": Policy(edge_deleted_bags, (), labels="none", paper=_ESAN),
    "path": Policy(
        path_bags, ("length", "hops"), labels="distance", paper="Li et al., 2025; with length 2 Huang et al., ICLR 2023"
    ),
}
"""How bags are made, by name."""


def make_bags(
    adj: Adjacency,
    ptr: Tensor,
    policy: str,
    *,
    hops: int | None = None,
    length: int | None = None,
    sample: BagSample | None = None,
    max_bytes: int = MAX_BYTES,
) -> Bags:
    """The bags of a batch of graphs by the name of their policy.

    Args:
        adj: A batch of graphs as one block-diagonal graph of N nodes, in any layout that layers accept.
        ptr: Boundaries of the graphs' nodes [G + 1].
        policy: A name of `POLICIES`.
        hops: Radius, at least 0; for the policies that need it, and for no other.
        length: Nodes of a path, at least 1; likewise.
        sample: Which bags of each graph to keep; None for all.
        max_bytes: Most memory that the index arrays may take.

    Returns:
        The bags.

    Raises:
        ValueError: An unknown policy, a number that is missing, out of range or not needed, or a wrong `ptr`.
        RequestError: The bags would not fit; told before they are built.
    """
    if policy not in POLICIES:
        raise ValueError(f"unknown policy {policy!r}; choose one of {', '.join(POLICIES)}.")
    chosen, given = POLICIES[policy], {"length": length, "hops": hops}
    for name, value in given.items():
        if (value is not None) != (name in chosen.needs):
            raise ValueError(f"policy {policy!r} {'needs' if name in chosen.needs else 'does not take'} {name}.")
    numbers: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return chosen.build(adj, ptr, **numbers, sample=sample, max_bytes=max_bytes)
