"""Splits that cannot leak: held-out edges leave the message passing graph, negatives are true non-edges of the whole graph."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.data.negatives import pair_keys, sample_non_edges, unpack_keys
from graphkit.data.types import Pairs
from graphkit.errors import DataError

Shares = tuple[float, float, float]


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
    """Hold out edges for validation and test, with one distinct true non-edge as negative for each of them.

    With E undirected edges, floor(shares[1] E) go to validation, floor(shares[2] E) to test, the rest to training.

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
    num_valid, num_test = _share(valid, total), _share(test, total)
    kept = _share(1.0 - returned, num_valid)
    if min(kept, num_test, total - num_valid - num_test) < 1:
        raise DataError(
            f"a graph of {total} undirected edges is too small to hold out {kept} for validation and {num_test} for test; "
            "use a larger graph or other shares"
        )
    shuffled = pairs[:, torch.randperm(total, generator=generator)]
    held_out, train = shuffled[:, : num_valid + num_test], shuffled[:, num_valid + num_test :]
    train = torch.cat([held_out[:, kept:num_valid], train], dim=1)
    try:
        negatives = sample_non_edges(num_valid + num_test, num_nodes, pair_keys(pairs, num_nodes), generator, distinct=True)
    except ValueError as error:
        raise DataError(f"no negatives for validation and test: {error}") from error
    splits = {
        "train": Pairs(train),
        "valid": Pairs(held_out[:, :kept], negatives[:, :num_valid]),
        "test": Pairs(held_out[:, num_valid:], negatives[:, num_valid:]),
    }
    return both_directions(train, num_nodes), splits


def split_nodes(labels: Tensor, shares: Shares, generator: torch.Generator) -> dict[str, Tensor]:
    """Split the labeled nodes class by class.

    Of n nodes of a class floor(shares[1] n) go to validation, floor(shares[2] n) to test, the rest to training.

    Args:
        labels: Class of each node [N]; -1 is unlabeled and in no split.
        shares: Shares of training, validation and test; they sum to 1.
        generator: Source of randomness.

    Returns:
        Sorted node ids of `train`, `valid` and `test`.

    Raises:
        DataError: If validation or test would be empty.
    """
    parts: dict[str, list[Tensor]] = {"train": [], "valid": [], "test": []}
    for nodes in _shuffled_classes(labels, generator):
        num_valid, num_test = _share(shares[1], nodes.numel()), _share(shares[2], nodes.numel())
        sizes = [nodes.numel() - num_valid - num_test, num_valid, num_test]
        for part, chunk in zip(parts.values(), torch.split(nodes, sizes), strict=True):
            part.append(chunk)
    splits = {name: torch.cat(chunks).sort().values for name, chunks in parts.items()}
    for name, nodes in splits.items():
        if nodes.numel() == 0:
            raise DataError(f"too few labeled nodes: the {name} split would be empty; label more nodes or use other shares")
    return splits


def split_nodes_by_count(
    labels: Tensor, per_class: int, num_valid: int, generator: torch.Generator, always: tuple[int, ...] = ()
) -> dict[str, Tensor]:
    """Split as Planetoid does: a number of training nodes a class, a number for validation, the rest for test.

    Args:
        labels: Class of each node [N]; every node is labeled.
        per_class: Training nodes of each class.
        num_valid: Validation nodes, of any class.
        generator: Source of randomness.
        always: Nodes that are among the training nodes of their class.

    Returns:
        Sorted node ids of `train`, `valid` and `test`.
    """
    first = torch.tensor(always, dtype=torch.long)
    classes = [
        torch.cat([first[labels[first] == labels[nodes[0]]], nodes[~torch.isin(nodes, first)]])
        for nodes in _shuffled_classes(labels, generator)
    ]
    train = torch.cat([nodes[:per_class] for nodes in classes])
    rest = torch.ones_like(labels, dtype=torch.bool)
    rest[train] = False
    others = rest.nonzero().view(-1)
    others = others[torch.randperm(others.numel(), generator=generator)]
    return {
        "train": train.sort().values,
        "valid": others[:num_valid].sort().values,
        "test": others[num_valid:].sort().values,
    }


def _shuffled_classes(labels: Tensor, generator: torch.Generator) -> list[Tensor]:
    """Node ids of each class in random order, classes ascending."""
    order = torch.randperm(labels.numel(), generator=generator)
    return [order[labels[order] == label] for label in torch.unique(labels[labels >= 0])]


def _share(share: float, total: int) -> int:
    """floor(share * total), where a product that misses an integer by rounding alone counts as that integer."""
    return int(share * total + 1e-9)
