"""What a run's report says of prototypes: what projection cost, how many decide, and which training parts they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import torch
from torch import Tensor

from graphkit.metrics.classification import accuracy
from graphkit.metrics.prototypes import active_prototypes, distinct_prototypes, projection_cost, purity, sparsity
from graphkit.tasks.report_parts import Arrays, table
from graphkit.training.report import Section

SHOWN = 60
"""Prototypes that are listed."""


def figures(arrays: Arrays, labels: Tensor, samples: Tensor) -> dict[str, float]:
    """What can be said of prototypes on some samples.

    Args:
        arrays: Predictions of a prototype model, see `PrototypeHead.arrays`.
        labels: Classes [N], negative where not known.
        samples: Ids of the samples.

    Returns:
        `active`, `sparsity` and `purity`, as in `graphkit.metrics.prototypes`; of projected prototypes also `distinct`, and the
        accuracies `before`, `after` and `final`, with the classifier trained after the projection, in percent.
    """
    part = {name: torch.from_numpy(values) for name, values in arrays.items() if name.startswith(("prototype_", "scores_"))}
    y, added, near = labels[samples], part["prototype_contributions"][samples], part["prototype_nearest"]
    near = near[:, (near >= 0).all(dim=0)]  # where there are fewer training parts than were looked for
    classes = labels[near].unsqueeze(2) == torch.arange(part["prototype_classes"].size(1))
    found = {
        "active": active_prototypes(added),
        "sparsity": sparsity(added),
        "purity": purity(classes, part["prototype_classes"]),
    }
    if "prototype_source" not in part:
        return found
    final = torch.from_numpy(arrays["probabilities"])[samples]
    cost = projection_cost(part["scores_before_projection"][samples], part["scores_after_projection"][samples], y)
    return {
        **found,
        "distinct": distinct_prototypes(part["prototype_source"]),
        "before": 100 * cost.before,
        "after": 100 * cost.after,
        "final": 100 * accuracy(final, y),
    }


def sections(
    arrays: Arrays, labels: Tensor, splits: dict[str, Tensor], classes: Sequence[str], name: Callable[[int, int], str]
) -> list[Section]:
    """A section on prototypes, if the model has some.

    Args:
        arrays: The predictions of a seed.
        labels: Classes [N].
        splits: Samples by split.
        classes: Names of the classes; empty: their numbers.
        name: What a part is called, of the ids of sample and part.
    """
    if "prototype_classes" not in arrays:
        return []
    told = {split: figures(arrays, labels, splits[split]) for split in ("valid", "test")}
    shown = _figures_table(told, len(arrays["prototype_classes"]))
    return [Section("Prototypes of the first seed", shown + _prototypes_table(arrays, classes, name))]


_ROWS = {
    "before": "accuracy before projection, %",
    "after": "accuracy after projection, the same classifier, %",
    "final": "accuracy with the classifier trained after it, %",
    "active": "prototypes that add more than 5 % to a decision, mean",
    "sparsity": "share of prototypes that do not",
}


def _figures_table(told: dict[str, dict[str, float]], count: int) -> str:
    any_split = next(iter(told.values()))
    rows = [[words, *(f"{values[key]:.2f}" for values in told.values())] for key, words in _ROWS.items() if key in any_split]
    said = f"Of the nearest training parts of a prototype {any_split['purity']:.1%} have its class (purity). "
    if "distinct" in any_split:
        said += f"The {count} prototypes are {any_split['distinct']:g} different training parts."
    else:
        said += f"The {count} prototypes were not projected (model.projects=false): they are no training parts."
    return f"{table(['', *told], rows)}<p>{escape(said)}</p>"


def _prototypes_table(arrays: Arrays, classes: Sequence[str], name: Callable[[int, int], str]) -> str:
    if "prototype_source" not in arrays:
        return ""
    rows = []
    for number, source in enumerate(arrays["prototype_source"][:SHOWN].tolist()):
        own = arrays["prototype_classes"][number].nonzero()[0].tolist()
        words = ", ".join(classes[label] if classes else str(label) for label in own)
        rows.append([str(number), words, name(*source), f"{arrays['prototype_source_similarity'][number]:.3f}"])
    left = len(arrays["prototype_source"]) - len(rows)
    listed = table(["prototype", "class", "is training part", "similarity to it just before"], rows)
    return listed + (f"<p>and {left} more</p>" if left else "")
