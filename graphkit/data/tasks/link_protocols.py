"""The protocols of link prediction by name: which edges are held out, what they are ranked against, which graph is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphkit.data.catalog import Protocol
from graphkit.data.catalog.shared import EDGE_SPLIT, HITS_AT_100, LINKS, NCN_SPLIT
from graphkit.data.dataset import Pairs
from graphkit.data.graph import Graph
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.splits.edges import (
    both_directions,
    split_edges,
    split_edges_as_ncn,
    split_edges_at_times,
    split_edges_with_equal_negatives,
)
from graphkit.data.splits.hard_negatives import hard_negatives
from graphkit.errors import DataError, RequestError
from graphkit.sparse import CSR
from graphkit.sparse.graph_measures import connected_components

RANKED = ("mrr", "hits@1", "hits@3", "hits@10", "hits@20")
HARD_NEGATIVES = 500
_HEART_SEED = 0
_HEART_SHARES = (0.85, 0.05, 0.1)


@dataclass(frozen=True)
class LinkSplit:
    """Edges as a protocol holds them out.

    Attributes:
        graph: The graph of the training edges.
        pairs: The pairs of `train`, `valid` and `test`.
        node_names: Names of the nodes of the graph.
        protocol: What was done in plain sentences, and what it is judged by; None: as the data set's own protocol says.
        test_graph: The graph at test time; None: that of the training edges.
    """

    graph: Graph
    pairs: dict[str, Pairs]
    node_names: tuple[str, ...]
    protocol: Protocol | None = None
    test_graph: Graph | None = None


def split_as(request: DataRequest, source: GraphSource) -> LinkSplit:
    """Hold out edges as `request.asked_protocol` says.

    Args:
        request: What was asked for.
        source: The whole graph, features prepared.

    Raises:
        RequestError: If the protocol does not go with the data.
        DataError: If a split would be empty, or the graph has too few non-edges.
    """
    name = request.asked_protocol
    if name == "auto" and source.edge_time is not None:
        name = "time"
    if source.edge_time is not None and name != "time":
        raise RequestError(f"data.time_column goes with task.protocol=time, not with {name}: leave one of them out")
    if source.pairs is not None and name not in ("auto", "ogb", "heart"):
        raise RequestError(
            f"task.protocol={name}: data set {request.entry.name!r} has the published split of OGB: choose ogb or heart"
        )
    usual = type(request.options)().split
    if name in ("ncn", "buddy") and list(request.shares) != usual:
        raise RequestError(f"task.protocol={name} has shares of its own: leave out data.split")
    return _PROTOCOLS[name](request, source)


def _own(request: DataRequest, source: GraphSource) -> LinkSplit:
    if source.pairs is not None:
        return LinkSplit(source.graph, source.pairs, source.node_names)
    if source.split_edges is None:
        split = split_edges(source.graph.edge_index, source.graph.num_nodes, request.shares, request.generator)
    else:
        split = source.split_edges(source.graph.edge_index, source.graph.num_nodes, request.generator)
    return _held_out(source, split)


def _ogb(request: DataRequest, source: GraphSource) -> LinkSplit:
    if source.pairs is None:
        raise RequestError(
            f"task.protocol=ogb: data set {request.entry.name!r} has no split of OGB: choose random, ncn, buddy or heart"
        )
    return _own(request, source)


def _ncn(request: DataRequest, source: GraphSource) -> LinkSplit:
    split = split_edges_as_ncn(source.graph.edge_index, source.graph.num_nodes, request.generator)
    return _held_out(source, split, _judged(f"{NCN_SPLIT}.", HITS_AT_100))


def _random(request: DataRequest, source: GraphSource) -> LinkSplit:
    split = split_edges(source.graph.edge_index, source.graph.num_nodes, request.shares, request.generator)
    return _held_out(source, split, _judged(EDGE_SPLIT.format(f"in shares of {_percent(request.shares)}"), LINKS))


def _buddy(request: DataRequest, source: GraphSource) -> LinkSplit:
    source, left = _largest_component(source)
    graph = source.graph
    split = split_edges_with_equal_negatives(graph.edge_index, graph.num_nodes, (0.7, 0.1, 0.2), request.generator)
    statement = (
        f"BUDDY's protocol: the largest connected component alone ({left:,} nodes are left out), its undirected edges split "
        "70/10/20 at random, with a new draw for every seed; validation and test have as many negatives as positives, distinct "
        "pairs that are no edge of the component. Messages pass along training edges, at test time along those of validation, "
        "too. Training draws new negatives in every epoch, where the authors draw them once."
    )
    held_out = _held_out(source, split, _judged(statement, HITS_AT_100))
    seen = torch.cat([held_out.pairs[name].positive for name in ("train", "valid")], dim=1)
    return replace(held_out, test_graph=_part(graph, both_directions(seen, graph.num_nodes)))


def _time(request: DataRequest, source: GraphSource) -> LinkSplit:
    if source.edge_time is None:
        needs = "give data.time_column=COLUMN" if request.entry.own else f"data set {request.entry.name!r} has none"
        raise RequestError(f"task.protocol=time needs the times of edges: {needs}")
    graph = source.graph
    split = split_edges_at_times(graph.edge_index, graph.num_nodes, source.edge_time, request.shares, request.generator)
    statement = (
        "Edges are held out by time: the latest are test, those before them validation, in shares of about "
        f"{_percent(request.shares)}; edges of one time stay together, and an edge that is named several times counts from the "
        "first. Negatives are distinct pairs of nodes that are no edge at any time. Messages pass along training edges only, "
        "also at test time."
    )
    return _held_out(source, split, _judged(statement, LINKS))


def _heart(request: DataRequest, source: GraphSource) -> LinkSplit:
    generator = torch.Generator().manual_seed(_HEART_SEED)
    if source.pairs is not None:
        base, told = LinkSplit(source.graph, source.pairs, source.node_names), "on the published split of the edges"
    else:
        shares = request.shares if request.entry.takes_split else _HEART_SHARES
        split = split_edges(source.graph.edge_index, source.graph.num_nodes, shares, generator)
        base, told = _held_out(source, split), f"on one split of the edges in shares of {_percent(shares)}"
    n = base.graph.num_nodes
    seen = CSR.from_edge_index(base.graph.edge_index, n)
    before_test = torch.cat([base.pairs[name].positive for name in ("train", "valid")], dim=1)
    known = {"valid": seen, "test": CSR.from_edge_index(both_directions(before_test, n), n)}
    pairs, x = dict(base.pairs), base.graph.x
    try:
        for name, edges in known.items():
            positive = pairs[name].positive
            negative = hard_negatives(positive, seen, edges, generator, count=HARD_NEGATIVES, x=x)
            pairs[name] = Pairs(positive, negative, own_negatives=True)
    except ValueError as error:
        raise DataError(f"data set {request.entry.name!r}: {error}: use a larger graph or another task.protocol") from error
    counts = " and ".join(f"{pairs[name].num_candidates:,} ({name})" for name in known)
    statement = (
        f"HeaRT's protocol {told}, the same for every seed: each held-out edge is ranked against its own hard negatives, "
        f"{counts}, half with another first end, half with another second end, which score high by resource allocation, "
        f"personalized PageRank{' or the cosine of features' if x is not None else ''} in the training graph. Training edges "
        "are no negatives, at test validation edges are none either. Messages pass along training edges only, also at test "
        "time."
    )
    return replace(base, pairs=pairs, protocol=_judged(statement, RANKED))


def _judged(statement: str, metrics: tuple[str, ...]) -> Protocol:
    """A protocol whose first metric selects."""
    return Protocol(statement, metrics[0], metrics)


def _held_out(source: GraphSource, split: tuple[Tensor, dict[str, Pairs]], protocol: Protocol | None = None) -> LinkSplit:
    edge_index, pairs = split
    return LinkSplit(_part(source.graph, edge_index), pairs, source.node_names, protocol)


def _part(graph: Graph, edge_index: Tensor) -> Graph:
    """A graph with some of its edges, both sorted by source, then target, and their weights."""
    weight = graph.edge_weight
    if weight is not None:
        of, asked = (edges[0] * graph.num_nodes + edges[1] for edges in (graph.edge_index, edge_index))
        weight = weight[torch.searchsorted(of, asked)]
    return replace(graph, edge_index=edge_index, edge_weight=weight, edge_truth=None)


def _largest_component(source: GraphSource) -> tuple[GraphSource, int]:
    """The part of a source on its largest component (of several as large the one of the first node), and how many are left."""
    graph, n = source.graph, source.graph.num_nodes
    component = connected_components(CSR.from_edge_index(graph.edge_index, n))
    kept = component == torch.bincount(component).argmax()
    number, inside = kept.cumsum(0) - 1, kept[graph.edge_index[0]]
    part = replace(
        graph,
        edge_index=number[graph.edge_index[:, inside]],
        num_nodes=int(kept.sum()),
        x=None if graph.x is None else graph.x[kept],
        y=None if graph.y is None else graph.y[kept],
        edge_truth=None,
        edge_weight=None if graph.edge_weight is None else graph.edge_weight[inside],
    )
    names = tuple(name for name, stays in zip(source.node_names, kept.tolist(), strict=False) if stays)
    return replace(source, graph=part, node_names=names), n - part.num_nodes


def _percent(shares: tuple[float, float, float]) -> str:
    return "/".join(f"{100 * share:g}" for share in shares)


_PROTOCOLS: dict[str, Callable[[DataRequest, GraphSource], LinkSplit]] = {
    "auto": _own,
    "ogb": _ogb,
    "ncn": _ncn,
    "buddy": _buddy,
    "random": _random,
    "time": _time,
    "heart": _heart,
}
