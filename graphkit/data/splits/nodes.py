"""Splits of labeled nodes, class by class."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.data.splits.shares import Shares, share_of
from graphkit.errors import DataError


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
    splits = split_classes(labels, shares, generator)
    for name, nodes in splits.items():
        if nodes.numel() == 0:
            raise DataError(f"too few labeled nodes: the {name} split would be empty; label more nodes or use other shares")
    return splits


def split_classes(labels: Tensor, shares: Shares, generator: torch.Generator) -> dict[str, Tensor]:
    """As `split_nodes`, of whatever has the labels; a split may be empty."""
    parts: dict[str, list[Tensor]] = {"train": [], "valid": [], "test": []}
    for nodes in _shuffled_classes(labels, generator):
        num_valid, num_test = share_of(shares[1], nodes.numel()), share_of(shares[2], nodes.numel())
        sizes = [nodes.numel() - num_valid - num_test, num_valid, num_test]
        for part, chunk in zip(parts.values(), torch.split(nodes, sizes), strict=True):
            part.append(chunk)
    return {name: torch.cat(chunks).sort().values for name, chunks in parts.items()}


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
