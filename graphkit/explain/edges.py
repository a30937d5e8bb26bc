"""A score attributed to edges by a stated rule, of any model that `explain/masked.py` can ask."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from graphkit.explain.attribution import STEPS, integrated_gradients
from graphkit.explain.masked import Masked

Rule = Literal["gradients", "occlusion"]
RULES: tuple[Rule, ...] = ("gradients", "occlusion")

_MASKS = 1 << 24
"""Entries of masks that are held at a time."""


def attribute_to_edges(
    masked: Masked, label: int, rule: Rule = "gradients", *, steps: int = STEPS, among: Tensor | None = None
) -> Tensor:
    """What every edge contributes to the score of a class.

    - `gradients`: integrated gradients from all edges with weight 0 to weight 1, so that contributions add up to the score
    minus
      the score of the graph without messages, as the number of steps grows.
    - `occlusion`: what the score loses when the edge is removed, both directions of an undirected edge together. What edges do
      together belongs to none of them.

    An undirected edge is stored twice, and each direction has its own number: under `gradients` what messages along it
    contribute, under `occlusion` half of what the edge does. The numbers of a group add up to that of the edge.

    Args:
        masked: The prediction.
        label: The class.
        rule: `gradients` or `occlusion`.
        steps: Of `gradients`.
        among: The edges that are asked about by `occlusion` [E], bool, e.g. those that reach a node; the others get 0.

    Returns:
        Contributions [E].

    Raises:
        ValueError: An unknown rule, or the model does not read weights of edges where gradients are asked for.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}.")
    count = masked.edge_index.size(1)
    if rule == "occlusion":
        return _occlusion(masked, label, among)
    ones = torch.ones(count, device=masked.edge_index.device, dtype=masked.dtype)
    found = integrated_gradients(lambda weight: masked.weighted(weight)[label : label + 1], ones, steps)[0]
    return found.double()


def _occlusion(masked: Masked, label: int, among: Tensor | None) -> Tensor:
    groups, count = masked.groups, masked.edge_index.size(1)
    asked = (groups if among is None else groups[among]).unique()
    size = torch.bincount(groups)
    whole = masked.scores(torch.ones(1, count, dtype=torch.bool, device=groups.device))[0, label].double()
    share = torch.zeros_like(size, dtype=torch.float64)
    for part in asked.split(max(1, _MASKS // max(count, 1))):
        left = masked.scores(groups != part.unsqueeze(1))[:, label].double()
        share[part] = (whole - left) / size[part]
    return share[groups]
