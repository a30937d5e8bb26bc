"""Full ranking of items for users, block by block, and the metrics of what comes out on top."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from graphkit.errors import RequestError, RunError
from graphkit.sparse import CSR, UnrankedScore, top_columns

_KINDS = ("recall", "ndcg", "precision", "hit")
_SCORES = 1 << 23
"""Scores that a block of users may have: 32 MiB in float32. Larger blocks are not faster, they leave the processor's cache."""
_LEAST = 16
"""A product of fewer rows takes another path through the linear algebra library, which rounds differently."""


def rank_items(
    scores: Callable[[Tensor], Tensor], users: Tensor, num_items: int, k: int, seen: CSR | None = None, block: int = 0
) -> tuple[Tensor, Tensor]:
    """The k best items of each user among those the user has not been seen with; users x items is never in memory.

    Ties go to the lower item. The block size changes nothing.

    Args:
        scores: Gives the scores [B, num_items] of users [B].
        users: Users [U], int64, on the device of the scores.
        num_items: Number of items.
        k: Items wanted, at least 1.
        seen: Items to leave out, users x items, on the same device.
        block: Users scored at a time; 0, or more than keep a block of scores within 32 MiB: as many as do.

    Returns:
        Scores [U, k], best first, and items [U, k], int64; -inf and -1 where no item is left.

    Raises:
        RunError: If a score is NaN.
    """
    size = max(1, _SCORES // max(1, num_items))
    if block:
        size = min(size, block)
    # Results have a place of their own from the start: made between two blocks of scores, they would lie in the memory that the
    # first leaves, and the next block would have to take new one.
    items = users.new_empty(users.numel(), k)
    best: Tensor | None = None
    for start in range(0, users.numel(), size):
        part = users[start : start + size]
        asked = part if len(part) >= _LEAST else torch.cat([part, part[-1:].expand(_LEAST - len(part))])
        found = scores(asked)[: len(part)]
        try:
            top = top_columns(found, k, seen, part)
        except UnrankedScore as error:
            raise RunError("the model scores items with NaN: lower train.lr or use precision=32-true") from error
        del found  # before the next block is made
        if best is None:
            best = top[0].new_empty(users.numel(), k)
        best[start : start + size], items[start : start + size] = top
    return torch.empty(0, k, device=users.device) if best is None else best, items


def check_metric(name: str) -> int:
    """The K of a metric's name.

    Raises:
        RequestError: If the name is not recall@K, ndcg@K, precision@K or hit@K with K >= 1.
    """
    kind, _, k = name.partition("@")
    if kind not in _KINDS or not (k.isascii() and k.isdigit() and int(k) >= 1):
        choices = ", ".join(f"{kind}@K" for kind in _KINDS)
        raise RequestError(f"unknown metric {name!r} for task=recommend; choose one of {choices} with a number K (recall@20)")
    return int(k)


def ranking_metrics(names: Sequence[str], top: Tensor, users: Tensor, relevant: CSR) -> dict[str, float]:
    r"""Metrics by name, in percent, averaged over users with relevant items.

    With :math:`T_u` the relevant items of user u and :math:`h_{ur}` one if the item at rank r is among them, else zero:

    .. math::
        \mathrm{recall@K} = \frac{\sum_{r \le K} h_{ur}}{|T_u|}, \quad
        \mathrm{precision@K} = \frac{\sum_{r \le K} h_{ur}}{K}, \quad
        \mathrm{hit@K} = \max_{r \le K} h_{ur}, \quad
        \mathrm{ndcg@K} = \frac{\sum_{r \le K} h_{ur} / \log_2(r + 1)}{\sum_{r \le \min(K, |T_u|)} 1 / \log_2(r + 1)}

    Args:
        names: recall@K, ndcg@K, precision@K or hit@K, any K up to the width of `top`.
        top: Items [U, k], best first; -1 for none.
        users: The user of each row [U].
        relevant: Users x items.

    Returns:
        A percentage for each name.

    Raises:
        RequestError: If a name is unknown.
        ValueError: If a K exceeds k, or no user has a relevant item.

    Source:
        The evaluation of the LightGCN authors' code (SIGIR 2020), which leaves out users without test items.
    """
    largest = max(check_metric(name) for name in names)
    if largest > top.size(1):
        raise ValueError(f"metrics up to K = {largest} need that many ranked items, got {top.size(1)}.")
    counts = relevant.degree()[users]
    judged = counts > 0
    if not bool(judged.any()):
        raise ValueError("no user has a relevant item to find.")
    top, users, counts = top[judged], users[judged], counts[judged].double()
    hits = relevant.structure.contains(users.view(-1, 1), top).double()
    gains = torch.arange(2, top.size(1) + 2, device=top.device, dtype=torch.float64).log2().reciprocal()
    ideal = gains.cumsum(0)
    results = {}
    for name in names:
        kind, k = name.partition("@")[0], check_metric(name)
        first = hits[:, :k]
        if kind == "recall":
            each = first.sum(1) / counts
        elif kind == "precision":
            each = first.sum(1) / k
        elif kind == "hit":
            each = first.amax(1)
        else:
            each = (first * gains[:k]).sum(1) / ideal[counts.long().clamp(max=k) - 1]
        results[name] = 100.0 * each.mean().item()
    return results
