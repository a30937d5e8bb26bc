"""What each task adds to report.html: made of the first seed's data and predictions, which say what the model has to tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from graphkit.data.dataset import InteractionData, LinkData, NodeData
from graphkit.data.graph import required
from graphkit.data.graph_set import GraphSet
from graphkit.data.image_set import ImageSet
from graphkit.tasks import (
    baselines,
    class_pictures,
    graph_pictures,
    image_pictures,
    link_pictures,
    node_pictures,
    number_pictures,
    prototype_report,
    recommend_pictures,
)
from graphkit.tasks.report_parts import Arrays, Finished, TaskReport, named, typed
from graphkit.training.report import Section

_SPLITS = ("train", "valid", "test")


def node(dataset: NodeData, arrays: Arrays, run: Finished) -> TaskReport:
    """Classes, accuracy by degree and homophily; prototypes or contexts, where the model has some.

    Args:
        dataset: The graph.
        arrays: The predictions of the seed.
        run: The finished run.
    """

    def name(sample: int, part: int) -> str:
        names = [named(dataset.node_names, node, "node") for node in (sample, part)]
        return names[0] if sample == part else f"{names[1]}, near {names[0]}"

    y, test = required(dataset.graph.y), arrays["test_nodes"]
    splits = _splits(arrays, "nodes")
    baseline = baselines.constant(
        "node", "classes", y, splits, reported=_reported(run), num_targets=arrays["probabilities"].shape[1]
    )
    found = [
        *class_pictures.sections("nodes", arrays["probabilities"][test], y.numpy()[test], dataset.class_names),
        *node_pictures.sections(dataset, arrays, baseline),
        *prototype_report.sections(arrays, y, splits, dataset.class_names, name),
        *_contexts(arrays),
    ]
    return TaskReport(found, baseline, {"node": typed(named(dataset.node_names, int(test[0])))})


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


def link(dataset: LinkData, arrays: Arrays, run: Finished) -> TaskReport:
    """Scores, hits against K, and the pairs that are ranked worst.

    Args:
        dataset: The pairs.
        arrays: The predictions of the seed.
        run: The finished run.
    """
    reported = _reported(run)
    simple, why_not = baselines.common_neighbors(dataset, list(reported))
    best = arrays["test_positive_pairs"][:, int(np.argmax(arrays["test_positive_scores"]))].tolist()
    source, target = (named(dataset.node_names, node) for node in best)
    samples = {"pair": typed(source, target), "node": typed(source)}
    sections = link_pictures.sections(dataset, arrays, simple)
    return TaskReport(sections, baselines.of_links(simple, why_not, reported), samples)


def recommend(dataset: InteractionData, arrays: Arrays, run: Finished) -> TaskReport:
    """Recall by K, by user and by item, coverage, and lists of three users.

    Args:
        dataset: Who took what.
        arrays: The predictions of the seed.
        run: The finished run.
    """
    splits = [split for split in ("valid", "test") if f"{split}_users" in arrays]
    trained = ("train",) if "valid" in splits else ("train", "valid")  # task.protocol=lightgcn judges on test alone
    judged, lists = {}, {}
    for split in splits:
        users, items = (torch.from_numpy(arrays[f"{split}_{what}"]) for what in ("users", "items"))
        judged[split] = baselines.Judged.of(dataset, split, users, trained)
        lists[split] = baselines.most_popular(judged[split], items.size(1))
    reported = {split: names for split, names in _reported(run).items() if split in judged}
    baseline = baselines.of_popularity(judged, lists, reported)
    if "valid" not in judged:
        baseline = replace(baseline, metrics={"valid": baseline.metrics["test"], **baseline.metrics})
    compared = {"model": torch.from_numpy(arrays["test_items"]), baseline.name: lists["test"]}
    sample = int(arrays["test_users"][0])
    samples = {
        "user": typed(named(dataset.user_names, sample)),
        "item": typed(named(dataset.item_names, int(arrays["test_items"][0, 0]))),
    }
    return TaskReport(recommend_pictures.sections(dataset, judged["test"], compared), baseline, samples)


def graph(dataset: GraphSet, arrays: Arrays, run: Finished) -> TaskReport:
    """Classes or numbers, drawn test graphs, and prototypes, where the model has some.

    Args:
        dataset: The graphs.
        arrays: The predictions of the seed.
        run: The finished run.
    """

    def name(sample: int, part: int) -> str:
        graph = named(dataset.graph_names, sample, "graph")
        return graph if part < 0 else f"node {part} of {graph}"

    target: str = run.settings.task.target
    dataset = dataset if target == "all" else dataset.alone(target)
    y, splits, test = dataset.graphs.y, _splits(arrays, "graphs"), arrays["test_graphs"]
    found = []
    if dataset.kind == "classes":
        found += class_pictures.sections("graphs", arrays["probabilities"][test], y.numpy()[test], dataset.class_names)
    if dataset.kind == "numbers":
        names = [named(dataset.graph_names, number, "graph") for number in test.tolist()]
        found += number_pictures.sections(arrays["predicted"][test], y.numpy()[test], dataset.target_names, names)
    found += graph_pictures.sections(dataset, arrays)
    found += prototype_report.sections(arrays, y, splits, dataset.class_names, name)
    baseline = baselines.constant(
        "graph", dataset.kind, y, splits,
        reported=_reported(run), num_targets=dataset.num_targets, target_names=dataset.target_names,
    )  # fmt: skip
    return TaskReport(found, baseline, {"graph": typed(named(dataset.graph_names, int(test[0])))})


def image(dataset: ImageSet, arrays: Arrays, run: Finished) -> TaskReport:
    """Classes, pictures of prototypes and of test images, and the figures of prototypes, where the model has some.

    Args:
        dataset: The images.
        arrays: The predictions of the seed.
        run: The finished run.
    """

    def name(sample: int, part: int) -> str:
        return f"patch {part} of {named(dataset.image_names, sample, 'image')}"

    found, splits, test = [], _splits(arrays, "images"), arrays["test_images"]
    if dataset.kind == "classes":
        y = dataset.y.numpy()[test]
        found += class_pictures.sections("images", arrays["probabilities"][test], y, dataset.class_names)
        found += prototype_report.sections(arrays, dataset.y, splits, dataset.class_names, name)
    found += image_pictures.sections(dataset, arrays)
    baseline = baselines.constant(
        "image", dataset.kind, dataset.y, splits, reported=_reported(run), num_targets=dataset.num_targets
    )
    return TaskReport(found, baseline, {"image": typed(named(dataset.image_names, int(test[0])))})


def _splits(arrays: Arrays, what: str) -> dict[str, Tensor]:
    """The ids of each split, as the predictions name them."""
    return {split: torch.from_numpy(arrays[f"{split}_{what}"]) for split in _SPLITS}


def _reported(run: Finished) -> dict[str, list[str]]:
    """The metrics of each split that is reported."""
    return {split: list(metrics) for split, metrics in run.result.metrics.items()}
