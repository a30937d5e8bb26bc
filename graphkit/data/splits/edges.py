"""Splits that cannot leak: held-out edges leave the message passing graph, negatives are true non-edges of the whole graph."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.data.dataset import Pairs
from graphkit.data.splits.negatives import pair_keys, sample_non_edges, unpack_keys
from graphkit.data.splits.shares import Shares, share_of
from graphkit.errors import DataError


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
    num_negatives = max(num_valid, num_test)
    try:
        negatives = sample_non_edges(2 * num_negatives, num_nodes, pair_keys(pairs, num_nodes), generator, distinct=True)
    except ValueError as error:
        raise DataError(f"no negatives for validation and test: {error}") from error
    splits = {
        "train": Pairs(train),
        "valid": Pairs(held_out[:, :kept], negatives[:, :num_negatives]),
        "test": Pairs(held_out[:, num_valid:], negatives[:, num_negatives:]),
    }
    return both_directions(train, num_nodes), splits
