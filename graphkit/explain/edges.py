"""A score attributed to edges by a stated rule, of any model that `explain/masked.py` can ask."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from graphkit.explain.attribution import STEPS, integrated_gradients
from graphkit.explain.masked import Masked

Rule = Literal["gradients", "occlusion"]
Quantity = Literal["score", "log-probability"]
RULES: tuple[Rule, ...] = ("gradients", "occlusion")

_MASKS = 1 << 24
"""Entries of masks that are held at a time."""


def attribute_to_edges(
    masked: Masked,
    label: int,
    rule: Rule = "gradients",
    *,
    of: Quantity = "score",
    steps: int = STEPS,
    among: Tensor | None = None,
) -> Tensor:
    """What every edge contributes to the score of a class, or to the logarithm of its probability.

    - `gradients`: integrated gradients from all edges with weight 0 to weight 1, so that contributions add up to the score
      minus that of the graph without messages, as the number of steps grows. Where a model normalizes so that a common factor
      of all weights cancels (`sage`, `dir-gnn`), they compare edges, but add up to 0.
    - `occlusion`: what the score loses when the edge is removed, both directions of an undirected edge together. What edges do
      together belongs to none of them.

    An undirected edge is stored twice, and each direction has its own number: under `gradients` what messages along it
    contribute, under `occlusion` half of what the edge does. The numbers of a group add up to that of the edge.

    Args:
        masked: The prediction.
        label: The class.
        rule: `gradients` or `occlusion`.
        of: `score`, the output as it is, or `log-probability`, to which the other classes belong as well.
        steps: Of `gradients`.
        among: The edges that are asked about by `occlusion` [E], bool, e.g. those that reach a node; the others get 0.

    Returns:
        Contributions [E].

    Raises:
        ValueError: An unknown rule or quantity; or gradients of a module that has no convolution of PyG's to be masked.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}.")
    if of not in ("score", "log-probability"):
        raise ValueError(f"of must be score or log-probability, got {of!r}.")
    count = masked.edge_index.size(1)
    if rule == "occlusion":
        return _occlusion(masked, label, of, among)
    ones = torch.ones(count, device=masked.edge_index.device, dtype=masked.dtype)

    def scores(weight: Tensor) -> Tensor:
        return _quantity(masked, masked.weighted(weight).unsqueeze(0), label, of)

    return integrated_gradients(scores, ones, steps)[0].double()


def _quantity(masked: Masked, scores: Tensor, label: int, of: Quantity) -> Tensor:
    return (scores if of == "score" else masked.log_probabilities(scores))[:, label]


def _occlusion(masked: Masked, label: int, of: Quantity, among: Tensor | None) -> Tensor:
    groups, count = masked.groups, masked.edge_index.size(1)
    asked = (groups if among is None else groups[among]).unique()
    size = torch.bincount(groups)
    everything = torch.ones(1, count, dtype=torch.bool, device=groups.device)
    whole = _quantity(masked, masked.scores(everything), label, of).double()
    share = torch.zeros_like(size, dtype=torch.float64)
    for part in asked.split(max(1, _MASKS // max(count, 1))):
        left = _quantity(masked, masked.scores(groups != part.unsqueeze(1)), label, of).double()
        share[part] = (whole - left) / size[part]
    return share[groups]
