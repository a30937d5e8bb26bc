"""Further sections of report.html, per task: made of a seed's data and predictions, which say what the model has to tell."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.data.dataset import NodeData
from graphkit.data.graph import required
from graphkit.data.graph_set import GraphSet
from graphkit.data.image_set import ImageSet
from graphkit.data.measures.homophily import homophily_of_nodes
from graphkit.tasks import graph_pictures, image_pictures, prototype_report
from graphkit.tasks.prototype_report import Arrays
from graphkit.training.report import Section


def node(dataset: NodeData, arrays: Arrays) -> list[Section]:
    """Prototypes or contexts, where the model has some, and accuracy by homophily.

    Args:
        dataset: The graph.
        arrays: The predictions of the seed.
    """

    def name(sample: int, part: int) -> str:
        names = [dataset.node_names[node] if dataset.node_names else f"node {node}" for node in (sample, part)]
        return names[0] if sample == part else f"{names[1]}, near {names[0]}"

    splits = {split: torch.from_numpy(arrays[f"{split}_nodes"]) for split in ("valid", "test")}
    found = prototype_report.sections(arrays, required(dataset.graph.y), splits, dataset.class_names, name)
    return [*found, *_contexts(arrays), *_by_homophily(dataset, arrays)]


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


def accuracy_by_homophily(edge_index: Tensor, y: Tensor, predicted: Tensor, nodes: Tensor) -> dict[str, tuple[float, int]]:
    """Accuracy in percent, and number of nodes, of the less and of the more homophilous half of some nodes.

    Args:
        edge_index: Edges [2, E].
        y: Class of each node [N]; below 0: unlabeled.
        predicted: Predicted classes [N].
        nodes: Ids of labeled nodes; those without a labeled neighbor are left out, and of equal ones the first are in the lower
            half.

    Returns:
        By `lower` and `upper`; empty where fewer than two nodes are left.
    """
    homophily = homophily_of_nodes(edge_index, y)[nodes]
    order = homophily.argsort(stable=True)
    known = nodes[order[: int((~homophily.isnan()).sum())]]  # NaN is sorted to the end
    if known.numel() < 2:
        return {}
    halves = {"lower": known[: known.numel() // 2], "upper": known[known.numel() // 2 :]}
    return {name: (100 * float((predicted[half] == y[half]).double().mean()), half.numel()) for name, half in halves.items()}


def _by_homophily(dataset: NodeData, arrays: Arrays) -> list[Section]:
    """How well test nodes are classified whose neighbors are like them, and those whose are not."""
    nodes, predicted = torch.from_numpy(arrays["test_nodes"]), torch.from_numpy(arrays["predicted"])
    found = accuracy_by_homophily(dataset.graph.edge_index, required(dataset.graph.y), predicted, nodes)
    if not found:
        return []
    rows = {"upper": "the half with the larger share of neighbors of its own class", "lower": "the other half"}
    cells = "".join(
        f"<tr><td>{text}</td><td>{found[half][1]:,}</td><td>{found[half][0]:.2f}</td></tr>" for half, text in rows.items()
    )
    head = "<tr><th>test nodes</th><th>number</th><th>accuracy, %</th></tr>"
    return [Section("Accuracy by homophily, first seed", f"<table>{head}{cells}</table>")]


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
