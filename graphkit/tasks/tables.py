"""predictions.csv: what predictions.npz holds, by the names that the data has, else by numbers from 0 on."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphkit.data.dataset import InteractionData, LinkData, NodeData
from graphkit.data.graph import required
from graphkit.data.graph_set import GraphSet
from graphkit.data.image_set import ImageSet
from graphkit.training.table import as_text

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]


def node_table(dataset: NodeData, arrays: Arrays) -> Arrays:
    """A row per node: node, split (empty: in none), label (empty: not known), predicted, `probability of CLASS` of each.

    Args:
        dataset: The data with its names and labels.
        arrays: What the task's `predictions` gave.
    """
    probabilities, predicted = arrays["probabilities"], arrays["predicted"]
    count, width = probabilities.shape
    classes = _names(dataset.class_names, width)
    split, label = as_text([""]).repeat(count), as_text([""]).repeat(count)
    for name in ("train", "valid", "test"):
        split[arrays[f"{name}_nodes"]] = name
    labels = required(dataset.graph.y).numpy()
    label[labels >= 0] = classes[labels[labels >= 0]]
    shares = {f"probability of {name}": probabilities[:, number] for number, name in enumerate(classes.tolist())}
    return {"node": _named(dataset.node_names, np.arange(count)), "split": split, "label": label,
            "predicted": classes[predicted], **shares}  # fmt: skip


def link_table(dataset: LinkData, arrays: Arrays) -> Arrays:
    """A row per held-out pair: source, target, split, kind (positive or negative), score.

    Args:
        dataset: The data with its names.
        arrays: What the task's `predictions` gave.
    """
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


def image_table(dataset: ImageSet, arrays: Arrays) -> Arrays:
    """A row per image: image, split, and what was known and predicted, as in `graph_table`.

    Args:
        dataset: The data with its names and targets.
        arrays: What the task's `predictions` gave.
    """
    return _set_table("image", dataset, dataset.y.numpy(), dataset.image_names, arrays)


def graph_table(dataset: GraphSet, arrays: Arrays) -> Arrays:
    """A row per graph: graph, split, and what was known and predicted.

    Of classes label, predicted, and `probability of CLASS` of each; of labels `NAME`, 0, 1 or empty where not known, and
    `probability of NAME`; of numbers `NAME` and `predicted NAME`.

    Args:
        dataset: The data with its names and targets.
        arrays: What the task's `predictions` gave.
    """
    return _set_table("graph", dataset, dataset.graphs.y.numpy(), dataset.graph_names, arrays)


def _set_table(what: str, dataset: GraphSet | ImageSet, y: Array, own_names: tuple[str, ...], arrays: Arrays) -> Arrays:
    """The table of graphs or images, `what`, with their targets and names."""
    predicted = arrays["predicted"]
    split = as_text([""]).repeat(len(y))
    for name in ("train", "valid", "test"):
        split[arrays[f"{name}_{what}s"]] = name
    columns: Arrays = {what: _named(own_names, np.arange(len(y))), "split": split}
    if dataset.kind == "classes":
        probabilities = arrays["probabilities"]
        classes, label = _names(dataset.class_names, probabilities.shape[1]), as_text([""]).repeat(len(y))
        label[y >= 0] = classes[y[y >= 0]]
        columns |= {"label": label, "predicted": classes[predicted]}
        return columns | {f"probability of {name}": probabilities[:, place] for place, name in enumerate(classes.tolist())}
    named = dataset.target_names or (("target",) if y.shape[1] == 1 else ())
    for place, name in enumerate(_names(named, y.shape[1]).tolist()):
        known = y[:, place].astype(np.str_).astype(np.dtypes.StringDType())
        known[np.isnan(y[:, place])] = ""
        columns[name] = known
        labels = dataset.kind == "labels"
        columns[f"probability of {name}" if labels else f"predicted {name}"] = (
            arrays["probabilities"] if labels else predicted
        )[:, place]
    return columns


def recommend_table(dataset: InteractionData, arrays: Arrays) -> Arrays:
    """A row per listed item of the users with held-out items: user, rank from 1, item, score, split.

    Args:
        dataset: The data with its names.
        arrays: What the task's `predictions` gave.
    """
    splits = [split for split in ("valid", "test", "new") if f"{split}_items" in arrays]  # some protocols lack one or another
    places = [(arrays[f"{split}_items"] >= 0).nonzero() for split in splits]  # -1: no item is left
    users = [arrays[f"{split}_users"][row] for split, (row, _) in zip(splits, places, strict=True)]
    items, scores = (
        np.concatenate([arrays[f"{split}_{what}"][place] for split, place in zip(splits, places, strict=True)])
        for what in ("items", "scores")
    )
    return {
        "user": _named(dataset.user_names, np.concatenate(users)),
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
