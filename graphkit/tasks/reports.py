"""Further sections of report.html, per task: made of a seed's data and predictions, which say what the model has to tell."""

from __future__ import annotations

import torch

from graphkit.data.dataset import NodeData
from graphkit.data.graph import required
from graphkit.data.graph_set import GraphSet
from graphkit.data.image_set import ImageSet
from graphkit.tasks import graph_pictures, image_pictures, prototype_report
from graphkit.tasks.prototype_report import Arrays
from graphkit.training.report import Section


def node(dataset: NodeData, arrays: Arrays) -> list[Section]:
    """Prototypes or contexts, where the model has some.

    Args:
        dataset: The graph.
        arrays: The predictions of the seed.
    """

    def name(sample: int, part: int) -> str:
        names = [dataset.node_names[node] if dataset.node_names else f"node {node}" for node in (sample, part)]
        return names[0] if sample == part else f"{names[1]}, near {names[0]}"

    splits = {split: torch.from_numpy(arrays[f"{split}_nodes"]) for split in ("valid", "test")}
    found = prototype_report.sections(arrays, required(dataset.graph.y), splits, dataset.class_names, name)
    return [*found, *_contexts(arrays)]


def _contexts(arrays: Arrays) -> list[Section]:
    """How much of the embeddings the contexts of nodes tell; none of a model without."""
    if "context_r_squared" not in arrays:
        return []
    share = float(arrays["context_r_squared"])
    text = (
        f"<p>R\u00b2 = {share:.3f}: the share of the variance of all nodes' embeddings that contexts alone rebuild. "
        "What they do not rebuild of an embedding they cannot explain either.</p>"
    )
    return [Section("Contexts of the first seed", text)]


def graph(dataset: GraphSet, arrays: Arrays) -> list[Section]:
    """Pictures of test graphs, and prototypes, where the model has some.

    Args:
        dataset: The graphs.
        arrays: The predictions of the seed.
    """

    def name(sample: int, part: int) -> str:
        graph = dataset.graph_names[sample] if dataset.graph_names else f"graph {sample}"
        return graph if part < 0 else f"node {part} of {graph}"

    splits = {split: torch.from_numpy(arrays[f"{split}_graphs"]) for split in ("valid", "test")}
    found = prototype_report.sections(arrays, dataset.graphs.y, splits, dataset.class_names, name)
    return [*graph_pictures.sections(dataset, arrays), *found]


def image(dataset: ImageSet, arrays: Arrays) -> list[Section]:
    """Pictures of prototypes and of test images, and the figures of prototypes, where the model has some.

    Args:
        dataset: The images.
        arrays: The predictions of the seed.
    """

    def name(sample: int, part: int) -> str:
        image = dataset.image_names[sample] if dataset.image_names else f"image {sample}"
        return f"patch {part} of {image}"

    found = []
    if dataset.kind == "classes":
        splits = {split: torch.from_numpy(arrays[f"{split}_images"]) for split in ("valid", "test")}
        found = prototype_report.sections(arrays, dataset.y, splits, dataset.class_names, name)
    return [*found, *image_pictures.sections(dataset, arrays)]
