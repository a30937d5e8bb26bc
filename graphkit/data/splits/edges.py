"""Splits that cannot leak: held-out edges leave the message passing graph, negatives are true non-edges of the whole graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphkit.data.dataset import Pairs
from graphkit.data.splits.negatives import pair_keys, sample_non_edges, unpack_keys
from graphkit.data.splits.shares import Shares, share_of
from graphkit.errors import DataError

_NAMES = ("train", "valid", "test")


def undirected_pairs(edge_index: Tensor, num_nodes: int) -> Tensor:
    """Each undirected edge once.

    Args:
        edge_index: Edges [2, E] in any direction, with or without duplicates and self-loops.
        num_nodes: Number of nodes N.

    Returns:
        Pairs [2, P] with the smaller id first, sorted, without duplicates and self-loops.
    """
    edges = edge_index[:, edge_index[0] != edge_index[1]]
    return unpack_keys(torch.unique(pair_keys(edges, num_nodes)), num_nodes)


def both_directions(pairs: Tensor, num_nodes: int) -> Tensor:
    """The message passing graph of undirected pairs.

    Args:
        pairs: Pairs [2, P] of different nodes in any order; repeated ones count once.
        num_nodes: Number of nodes N.

    Returns:
        `edge_index` [2, 2P]: both directions, sorted by source, then target, without duplicates.
    """
    source, target = torch.cat([pairs, pairs.flip(0)], dim=1)
    keys = torch.unique(source * num_nodes + target)
    return unpack_keys(keys, num_nodes)


def message_graph(edge_index: Tensor, num_nodes: int, *, directed: bool) -> Tensor:
    """The message passing graph of a list of edges.

    Args:
        edge_index: Edges [2, E], with or without duplicates and self-loops.
        num_nodes: Number of nodes N.
        directed: Whether edges keep their direction and self-loops stay; else both directions are there, self-loops are not.

    Returns:
        `edge_index` [2, E'], sorted by source, then target, without duplicates.
    """
    if directed:
        return unpack_keys(torch.unique(edge_index[0] * num_nodes + edge_index[1]), num_nodes)
    return both_directions(undirected_pairs(edge_index, num_nodes), num_nodes)


def split_edges(
    edge_index: Tensor, num_nodes: int, shares: Shares, generator: torch.Generator
) -> tuple[Tensor, dict[str, Pairs]]:
    """Hold out edges for validation and test, and draw distinct true non-edges as their negatives.

    With E undirected edges, floor(shares[1] E) go to validation, floor(shares[2] E) to test, the rest to training. Both get as
    many negatives as the larger of the two has edges, so that hits@K asks the same of both.

    Args:
        edge_index: The whole graph [2, E'] in any direction, read as undirected.
        num_nodes: Number of nodes N.
        shares: Shares of training, validation and test; they sum to 1.
        generator: Source of randomness.

    Returns:
        The message passing graph of training edges alone, and the pairs of `train`, `valid` and `test`.

    Raises:
        DataError: If a split would be empty, or the graph has too few non-edges.
    """
    valid, test = shares[1], shares[2]
    return _split(edge_index, num_nodes, valid, test, generator, returned=0.0)


def split_edges_with_equal_negatives(
    edge_index: Tensor, num_nodes: int, shares: Shares, generator: torch.Generator
) -> tuple[Tensor, dict[str, Pairs]]:
    """As `split_edges`, but validation and test have as many negatives as positives each.

    Args:
        edge_index: The whole graph [2, E'] in any direction, read as undirected.
        num_nodes: Number of nodes N.
        shares: Shares of training, validation and test; they sum to 1.
        generator: Source of randomness.

    Returns:
        The message passing graph of training edges alone, and the pairs of `train`, `valid` and `test`.

    Raises:
        DataError: If a split would be empty, or the graph has too few non-edges.

    Source:
        The counts of PyG's `RandomLinkSplit`, with which Chamberlain et al., "Graph Neural Networks for Link Prediction with
        Subgraph Sketching", ICLR 2023, split.
    """
    edges, splits = split_edges(edge_index, num_nodes, shares, generator)
    return edges, {name: _cut_negatives(pairs) for name, pairs in splits.items()}


def _cut_negatives(pairs: Pairs) -> Pairs:
    negative = pairs.negative
    return pairs if negative is None else Pairs(pairs.positive, negative[:, : pairs.positive.size(1)])


def split_edges_at_times(
    edge_index: Tensor, num_nodes: int, time: Tensor, shares: Shares, generator: torch.Generator
) -> tuple[Tensor, dict[str, Pairs]]:
    """Hold out the latest edges for test, those before them for validation; negatives as in `split_edges`.

    With E undirected edges in order of time, validation begins at the time of the edge of number E - floor(shares[1] E) -
    floor(shares[2] E), test at that of number E - floor(shares[2] E), from 0 on. Edges of one time are never divided.

    Args:
        edge_index: The whole graph [2, E'] in any direction, read as undirected.
        num_nodes: Number of nodes N.
        time: When each edge came to be [E']; of an edge that is there several times the first counts.
        shares: Shares of training, validation and test; they sum to 1.
        generator: Source of the negatives.

    Returns:
        The message passing graph of training edges alone, and the pairs of `train`, `valid` and `test`, each in order of time.

    Raises:
        DataError: If a split would be empty, or the graph has too few non-edges.
    """
    kept = edge_index[0] != edge_index[1]
    keys, place = torch.unique(pair_keys(edge_index[:, kept], num_nodes), return_inverse=True)
    first = torch.full((keys.numel(),), torch.inf, dtype=torch.float64).scatter_reduce_(0, place, time[kept].double(), "amin")
    first, order = first.sort(stable=True)
    pairs, total = unpack_keys(keys[order], num_nodes), keys.numel()
    num_valid, num_test = share_of(shares[1], total), share_of(shares[2], total)
    starts = first[[min(total - num_valid - num_test, total - 1), min(total - num_test, total - 1)]]
    cuts = [0, *torch.searchsorted(first, starts).tolist(), total]
    parts = [pairs[:, start:stop] for start, stop in zip(cuts, cuts[1:], strict=False)]
    if min(part.size(1) for part in parts) < 1:
        sizes = ", ".join(f"{part.size(1)} for {name}" for part, name in zip(parts, _NAMES, strict=True))
        raise DataError(
            f"{total} undirected edges of {first.unique().numel()} different times leave {sizes}, since edges of one time stay "
            "together; use finer times, more edges or other shares"
        )
    return _with_negatives(parts, num_nodes, max(num_valid, num_test), generator)


def split_edges_as_ncn(edge_index: Tensor, num_nodes: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Pairs]]:
    """NCN's protocol for Cora, CiteSeer and PubMed.

    With E undirected edges and m = floor(0.2 E): m positives and m negatives for test; m negatives for validation, of whose m
    positives the first floor(m / 2) are kept and the others return to training. Cora: 3,696 / 527 / 1,055 of 5,278.

    Args:
        edge_index: The whole graph [2, E'] in any direction, read as undirected.
        num_nodes: Number of nodes N.
        generator: Source of randomness.

    Returns:
        The message passing graph of training edges alone, and the pairs of `train`, `valid` and `test`.

    Raises:
        DataError: If a split would be empty, or the graph has too few non-edges.

    Source:
        The code of "Neural Common Neighbor with Completion for Link Prediction", ICLR 2024; negatives there are distinct
        non-edges too, from another random generator.
    """
    return _split(edge_index, num_nodes, 0.2, 0.2, generator, returned=0.5)


def _split(
    edge_index: Tensor, num_nodes: int, valid: float, test: float, generator: torch.Generator, returned: float
) -> tuple[Tensor, dict[str, Pairs]]:
    pairs = undirected_pairs(edge_index, num_nodes)
    total = pairs.size(1)
    num_valid, num_test = share_of(valid, total), share_of(test, total)
    kept = share_of(1.0 - returned, num_valid)
    if min(kept, num_test, total - num_valid - num_test) < 1:
        raise DataError(
            f"a graph of {total} undirected edges is too small to hold out {kept} for validation and {num_test} for test; "
            "use a larger graph or other shares"
        )
    shuffled = pairs[:, torch.randperm(total, generator=generator)]
    held_out, train = shuffled[:, : num_valid + num_test], shuffled[:, num_valid + num_test :]
    train = torch.cat([held_out[:, kept:num_valid], train], dim=1)
    parts = [train, held_out[:, :kept], held_out[:, num_valid:]]
    return _with_negatives(parts, num_nodes, max(num_valid, num_test), generator)


def _with_negatives(
    parts: Sequence[Tensor], num_nodes: int, count: int, generator: torch.Generator
) -> tuple[Tensor, dict[str, Pairs]]:
    """The graph of the first part, and all parts as splits, of which all but the first have `count` negatives each."""
    known = torch.unique(pair_keys(torch.cat([*parts], dim=1), num_nodes))
    try:
        negatives = sample_non_edges(2 * count, num_nodes, known, generator, distinct=True)
    except ValueError as error:
        raise DataError(f"no negatives for validation and test: {error}") from error
    of = (None, negatives[:, :count], negatives[:, count:])
    splits = {name: Pairs(part, negative) for name, part, negative in zip(_NAMES, parts, of, strict=True)}
    return both_directions(parts[0], num_nodes), splits
