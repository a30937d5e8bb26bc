"""Pictures for the report of a recommend run: recall by K, by user and by item, coverage, and some users' lists by name."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphkit.charts import Axis, Bars, Line, Mark, chart, quantile_groups
from graphkit.charts.text import escaped
from graphkit.data.dataset import InteractionData
from graphkit.metrics.ranking import recall
from graphkit.sparse import CSR
from graphkit.tasks.baselines import Judged
from graphkit.tasks.report_parts import Array, named, row
from graphkit.training.report import Section

LISTED = 10
"""Items of a user's list that are named."""
_NAMED = 8


def sections(dataset: InteractionData, judged: Judged, lists: dict[str, Tensor]) -> list[Section]:
    """The test split of the first seed.

    Args:
        dataset: Who took what, with names.
        judged: The test split.
        lists: Items [U, K] of the users that count, best first, -1 for none: of the model, and of what it is compared with.
    """
    hits = {name: judged.relevant.structure.contains(judged.users.view(-1, 1), items) for name, items in lists.items()}
    wanted = judged.relevant.degree()[judged.users].double()
    k = next(iter(lists.values())).size(1)
    activity = judged.seen.degree()[judged.users].numpy()
    share = {name: (100 * found.sum(dim=1).double() / wanted).numpy() for name, found in hits.items()}
    users = _bars(f"Recall@{k} by activity", "items known of the user, and number of users", activity, share, f"recall@{k}, %")
    popularity, found = by_item(judged, lists)
    label = "training users of the item, and test pairs"
    items = _bars(f"Found in lists of {k} by popularity", label, popularity, found, "found, %")
    return [
        Section("Lists of test users, first seed", row(_by_k(hits, wanted), users, items) + _coverage(judged, lists)),
        Section("Three users, first seed", _users(dataset, judged, next(iter(lists.values())), next(iter(hits.values())))),
    ]


def _by_k(hits: dict[str, Tensor], wanted: Tensor) -> str:
    """Recall against K, up to the length of the lists."""
    marks: list[Mark] = []
    for style, (name, found) in enumerate(hits.items()):
        points = [(float(k), 100 * recall(found.double(), wanted, k)) for k in range(1, found.size(1) + 1)]
        marks.append(Line(name, points, style))
    return chart("Recall against K", marks[::-1], x=Axis("K", whole=True), y=Axis("recall@K, %", 0)) if len(points) > 1 else ""


def _bars(title: str, label: str, values: Array, shares: dict[str, Array], unit: str) -> str:
    """The mean share of groups of about equal size by a value; empty where there is one group alone."""
    groups = quantile_groups(values)
    if len(groups) < 2:
        return ""
    marks: list[Mark] = []
    for slot, (name, share) in enumerate(shares.items()):
        means: list[float | None] = [float(share[members].mean()) for _, members in groups]
        notes = [f"{mean:.2f} % of {len(members):,}" for mean, (_, members) in zip(means, groups, strict=True)]
        marks.append(Bars(name, means, slot, notes, slot, len(shares)))
    return chart(title, marks, x=Axis(label, names=[f"{name}\n{len(members):,}" for name, members in groups]), y=Axis(unit))


def by_item(judged: Judged, lists: dict[str, Tensor]) -> tuple[Array, dict[str, Array]]:
    """Held-out pairs one by one.

    Args:
        judged: The split.
        lists: Items [U, K] of the users that count, by name.

    Returns:
        Of every pair the number of training users of its item, and by name 100 where the item is in the user's list, else 0.
    """
    counts = torch.zeros(judged.relevant.shape[0], dtype=torch.bool)
    counts[judged.users] = True
    user, item = judged.relevant.row, judged.relevant.col.long()
    user, item = user[counts[user]], item[counts[user]]
    width = judged.relevant.shape[1]
    found = {}
    for name, items in lists.items():
        listed = (judged.users.view(-1, 1) * width + items)[items >= 0]
        found[name] = 100.0 * torch.isin(user * width + item, listed).double().numpy()
    return judged.popularity[item].numpy(), found


def _coverage(judged: Judged, lists: dict[str, Tensor]) -> str:
    """How many different items the lists hold."""
    total = judged.relevant.shape[1]
    distinct = {name: items[items >= 0].unique().numel() for name, items in lists.items()}
    told = ", ".join(f"{escaped(name).capitalize()}: {number:,} ({number / total:.1%})" for name, number in distinct.items())
    return f"<p>Coverage: how many of the {total:,} items are in the list of some test user. {told}.</p>"


def _users(dataset: InteractionData, judged: Judged, items: Tensor, hits: Tensor) -> str:
    """The users of highest, median and lowest recall, the first of equal ones."""
    share = hits.sum(dim=1).double() / judged.relevant.degree()[judged.users].double()
    order = share.argsort(descending=True, stable=True)
    chosen = dict.fromkeys(order[[0, len(order) // 2, len(order) - 1]].tolist())
    return f'<div class="lists">{"".join(_user(dataset, judged, place, items, hits) for place in chosen)}</div>'


def _user(dataset: InteractionData, judged: Judged, place: int, items: Tensor, hits: Tensor) -> str:
    """What a user had, what is recommended, and what was held out; items that were found are marked."""
    user = int(judged.users[place])
    had, held = (_of_user(matrix, user) for matrix in (judged.seen, judged.relevant))
    listed = "".join(
        f'<li class="found">{_item(dataset, item)} ✓</li>' if hit else f"<li>{_item(dataset, item)}</li>"
        for item, hit in zip(items[place, :LISTED].tolist(), hits[place, :LISTED].tolist(), strict=True)
        if item >= 0
    )
    name, found = escaped(named(dataset.user_names, user, "user")), int(hits[place].sum())
    return (
        f"<div><h3>{name}: {found} of {len(held)} found</h3><p><small>had {len(had):,}</small><br>{_items(dataset, had)}</p>"
        f"<small>recommended, ✓ was held out</small><ol>{listed}</ol>"
        f"<p><small>held out {len(held):,}</small><br>{_items(dataset, held)}</p></div>"
    )


def _of_user(matrix: CSR, user: int) -> list[int]:
    start, end = matrix.rowptr[user : user + 2].tolist()
    return [int(item) for item in matrix.col[start:end]]


def _items(dataset: InteractionData, items: Sequence[int]) -> str:
    more = f" and {len(items) - _NAMED:,} more" if len(items) > _NAMED else ""
    return ", ".join(_item(dataset, item) for item in items[:_NAMED]) + more


def _item(dataset: InteractionData, item: int) -> str:
    return escaped(named(dataset.item_names, item, "item"))
