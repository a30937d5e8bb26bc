"""predictions.csv: what predictions.npz holds, by name, a row for each node, pair or listed item."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphkit.training.table import as_text

if TYPE_CHECKING:
    from graphkit.data.dataset import Dataset

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]


def prediction_table(dataset: Dataset, arrays: Arrays) -> Arrays:
    """The columns of predictions.csv.

    - node classification, every node: node, split (empty: in none), label (empty: not known), predicted class, and
      `probability of CLASS` for each class;
    - link prediction, the held-out pairs: source, target, split, kind (positive or negative), score;
    - recommendation, the lists of the users with held-out items: user, rank from 1, item, score, split.

    Nodes, classes, users and items go by the names that the data has, else by their numbers from 0 on.

    Args:
        dataset: The data set with its names.
        arrays: What the task's `predictions` gave.
    """
    return _TABLES[dataset.task](dataset, arrays)


def _node_table(dataset: Dataset, arrays: Arrays) -> Arrays:
    probabilities, predicted = arrays["probabilities"], arrays["predicted"]
    count, width = probabilities.shape
    classes = _names(dataset.class_names, width)
    split, label = as_text([""]).repeat(count), as_text([""]).repeat(count)
    for name in ("train", "valid", "test"):
        split[arrays[f"{name}_nodes"]] = name
    assert dataset.graph.y is not None  # task=node has looked
    labels = dataset.graph.y.numpy()
    label[labels >= 0] = classes[labels[labels >= 0]]
    shares = {f"probability of {name}": probabilities[:, number] for number, name in enumerate(classes.tolist())}
    return {"node": _named(dataset.node_names, np.arange(count)), "split": split, "label": label,
            "predicted": classes[predicted], **shares}  # fmt: skip


def _link_table(dataset: Dataset, arrays: Arrays) -> Arrays:
    parts = [(split, kind) for split in ("valid", "test") for kind in ("positive", "negative")]
    sizes = [len(arrays[f"{split}_{kind}_scores"]) for split, kind in parts]
    pairs = np.concatenate([arrays[f"{split}_{kind}_pairs"] for split, kind in parts], axis=1)
    return {
        "source": _named(dataset.node_names, pairs[0]),
        "target": _named(dataset.node_names, pairs[1]),
        "split": as_text([split for split, _ in parts]).repeat(sizes),
        "kind": as_text([kind for _, kind in parts]).repeat(sizes),
        "score": np.concatenate([arrays[f"{split}_{kind}_scores"] for split, kind in parts]),
    }


def _recommend_table(dataset: Dataset, arrays: Arrays) -> Arrays:
    splits = [split for split in ("valid", "test") if f"{split}_items" in arrays]  # task.protocol=lightgcn has no validation
    places = [(arrays[f"{split}_items"] >= 0).nonzero() for split in splits]  # -1: no item is left
    users = [arrays[f"{split}_users"][row] for split, (row, _) in zip(splits, places, strict=True)]
    items, scores = (
        np.concatenate([arrays[f"{split}_{what}"][place] for split, place in zip(splits, places, strict=True)])
        for what in ("items", "scores")
    )
    return {
        "user": _named(dataset.node_names, np.concatenate(users)),
        "rank": np.concatenate([rank for _, rank in places]) + 1,
        "item": _named(dataset.item_names, items),
        "score": scores,
        "split": as_text(splits).repeat([len(row) for row, _ in places]),
    }


def _names(names: tuple[str, ...], count: int) -> Array:
    """Names [count]; numbers where there are none."""
    return as_text(names) if names else np.arange(count).astype(np.dtypes.StringDType())


def _named(names: tuple[str, ...], numbers: Array) -> Array:
    return as_text(names)[numbers] if names else numbers


_TABLES: dict[str, Callable[[Dataset, Arrays], Arrays]] = {
    "node": _node_table,
    "link": _link_table,
    "recommend": _recommend_table,
}
