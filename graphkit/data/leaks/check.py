"""`check_leaks`: look for leaks in a data set of graphkit's, or in PyG's `Data` with its splits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from graphkit.data.dataset import Dataset
from graphkit.data.leaks.nodes import check_nodes
from graphkit.data.leaks.pairs import ScoredPairs, check_pairs
from graphkit.data.leaks.report import LeakReport, joined
from graphkit.errors import RequestError

_SPLITS = ("train", "valid", "test")
_MASKS = ("train_mask", "val_mask", "test_mask")


def check_leaks(*data: Any, names: Sequence[str] = (), directed: bool = False) -> LeakReport:
    """Look for what leaks from training into evaluation.

        check_leaks(load("cora", task="link"))
        check_leaks(*RandomLinkSplit(is_undirected=True)(data))
        check_leaks(data)  # with train_mask, val_mask and test_mask

    Args:
        *data: A data set as `graphkit.data.load` returns it; or what PyG's `RandomLinkSplit` returns, `Data` of training,
            validation and test; or one `Data` with masks of nodes, or with `edge_label_index` of its own.
        names: Names of the nodes in index order, of PyG's data; default: they go by number.
        directed: Whether (u, v) and (v, u) are two things, of PyG's data; else one of them gives away the other.

    Returns:
        What was looked for and found; `clean` where nothing was.

    Raises:
        RequestError: If it is none of these.
    """
    if len(data) == 1 and isinstance(data[0], list | tuple):
        data = tuple(data[0])
    if len(data) == 1 and isinstance(data[0], Dataset):
        return data[0].leaks()
    if not 1 <= len(data) <= len(_SPLITS) or not all(map(_is_graph, data)):
        kinds = ", ".join(type(one).__name__ for one in data) or "nothing"
        raise RequestError(
            f"check_leaks got {kinds}: give a data set of graphkit.data.load, PyG's Data, or the Data of training, validation "
            "and test that RandomLinkSplit returns"
        )
    found = list(_nodes(data[0], names)) if len(data) == 1 else []
    labeled = {split: one for split, one in zip(_SPLITS, data, strict=False) if _pairs(one) is not None}
    if len(labeled) == len(data):
        found.append(_links(labeled, names, directed))
    if not found:
        raise RequestError(
            "check_leaks: the data has no split: give train_mask, val_mask and test_mask, or edge_label_index as "
            "RandomLinkSplit makes it"
        )
    return joined(found)


def _is_graph(data: Any) -> bool:
    return isinstance(getattr(data, "edge_index", None), Tensor) and hasattr(data, "num_nodes")


def _nodes(data: Any, names: Sequence[str]) -> Iterator[LeakReport]:
    """A report per split of the nodes."""
    masks = [getattr(data, mask, None) for mask in _MASKS]
    present = {split: mask.cpu() for split, mask in zip(_SPLITS, masks, strict=True) if isinstance(mask, Tensor)}
    if len(present) < 2:
        return
    columns = {split: mask if mask.dim() == 2 else mask.unsqueeze(1) for split, mask in present.items()}
    x, y = (part.cpu() if isinstance(part, Tensor) else None for part in (data.x, data.y))
    for number in range(max(column.size(1) for column in columns.values())):
        splits = {
            split: column[:, min(number, column.size(1) - 1)].nonzero().flatten()  # one mask may serve all splits
            for split, column in columns.items()
        }
        yield check_nodes(splits, int(data.num_nodes), data.edge_index.cpu(), x=x, y=y, names=names)


def _pairs(data: Any) -> tuple[Tensor, Tensor | None] | None:
    """Positive and negative pairs; None where the data has none."""
    positive = getattr(data, "pos_edge_label_index", None)
    if isinstance(positive, Tensor):
        negative = getattr(data, "neg_edge_label_index", None)
        return positive.cpu(), negative.cpu() if isinstance(negative, Tensor) else None
    pairs, label = getattr(data, "edge_label_index", None), getattr(data, "edge_label", None)
    if not isinstance(pairs, Tensor):
        return None
    pairs = pairs.cpu()
    linked = label.cpu() > 0 if isinstance(label, Tensor) else torch.ones(pairs.size(1), dtype=torch.bool)
    return pairs[:, linked], None if bool(linked.all()) else pairs[:, ~linked]


def _links(data: dict[str, Any], names: Sequence[str], directed: bool) -> LeakReport:
    first = next(iter(data.values()))
    splits = {}
    for split, one in data.items():
        found = _pairs(one)
        assert found is not None
        splits[split] = ScoredPairs(one.edge_index.cpu(), *found)
    x = getattr(first, "x", None)
    num_nodes = max(int(one.num_nodes) for one in data.values())
    return check_pairs(splits, num_nodes, names=names, x=x.cpu() if isinstance(x, Tensor) else None, directed=directed)
