r"""Metrics of ranked lists of items, in [0, 1], averaged over users; higher is better.

With :math:`T_u` the relevant items of user u and :math:`h_{ur}` one if the item at rank r is among them, else zero:

.. math::
    \mathrm{recall@K} = \frac{\sum_{r \le K} h_{ur}}{|T_u|}, \quad
    \mathrm{precision@K} = \frac{\sum_{r \le K} h_{ur}}{K}, \quad
    \mathrm{hit@K} = \max_{r \le K} h_{ur}, \quad
    \mathrm{ndcg@K} = \frac{\sum_{r \le K} h_{ur} / \log_2(r + 1)}{\sum_{r \le \min(K, |T_u|)} 1 / \log_2(r + 1)}

Each function takes the hits [U, R] in the order of ranks, the numbers of relevant items [U], both float64, and K; R is at least
K, or the number of all items.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphkit.metrics.candidates import ItemCounts
from graphkit.metrics.registry import parse
from graphkit.sparse import CSR


def recall(hits: Tensor, relevant: Tensor, k: int) -> float:
    """Share of a user's relevant items among the first K."""
    return (hits[:, :k].sum(1) / relevant).mean().item()


def precision(hits: Tensor, relevant: Tensor, k: int) -> float:
    """Share of the first K items that are relevant."""
    return (hits[:, :k].sum(1) / k).mean().item()


def hit(hits: Tensor, relevant: Tensor, k: int) -> float:
    """Share of users with a relevant item among the first K."""
    return hits[:, :k].amax(1).mean().item()


def ndcg(hits: Tensor, relevant: Tensor, k: int) -> float:
    """Discounted hits among the first K, as a share of what the best order gets."""
    gains = torch.arange(2, hits.size(1) + 2, device=hits.device, dtype=torch.float64).log2().reciprocal()
    ideal = gains.cumsum(0)[relevant.long().clamp(max=k) - 1]
    return ((hits[:, :k] * gains[:k]).sum(1) / ideal).mean().item()


def ranking_metrics(names: Sequence[str], top: Tensor, users: Tensor, relevant: CSR) -> dict[str, float]:
    """Metrics by name, in percent, averaged over users with relevant items.

    Args:
        names: recall@K, ndcg@K, precision@K or hit@K, any K up to the width of `top`, or beyond if it ranks all items.
        top: Items [U, R], best first; -1 for none.
        users: The user of each row [U].
        relevant: Users x items.

    Returns:
        A percentage for each name.

    Raises:
        RequestError: If a name is unknown.
        ValueError: If `top` is too narrow for a K, or no user has a relevant item.

    Source:
        The evaluation of the LightGCN authors' code (SIGIR 2020), which leaves out users without test items.
    """
    metrics = {name: parse(name, "recommend") for name in names}
    largest = min(max(metric.k for metric in metrics.values()), relevant.shape[1])
    if largest > top.size(1):
        raise ValueError(f"metrics up to K = {largest} need that many ranked items, got {top.size(1)}.")
    counts = relevant.degree()[users]
    judged = counts > 0
    if not bool(judged.any()):
        raise ValueError("no user has a relevant item to find.")
    top, users, counts = top[judged], users[judged], counts[judged].double()
    hits = relevant.structure.contains(users.view(-1, 1), top).double()
    return {name: metric(hits, counts) for name, metric in metrics.items()}


def count_items(relevant: CSR, seen: CSR) -> ItemCounts:
    """What is ranked for users with relevant items: all items they have not been seen with.

    Args:
        relevant: Users x items, those to find.
        seen: Users x items, those left out of the ranking, each once.
    """
    users = relevant.degree().nonzero().flatten()
    hidden = torch.zeros(relevant.shape[0], dtype=torch.long, device=users.device)
    row = relevant.row
    hidden.index_add_(0, row, seen.structure.contains(row, relevant.col).long())
    ranked = relevant.shape[1] - seen.degree()[users].long()
    wanted = relevant.degree()[users].long() - hidden[users]
    groups, number = torch.stack([ranked, wanted], dim=1).unique(dim=0, return_counts=True)
    return ItemCounts(tuple((n, r, many) for (n, r), many in zip(groups.tolist(), number.tolist(), strict=True)))
