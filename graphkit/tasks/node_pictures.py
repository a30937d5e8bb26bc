"""Pictures for the report of a node run: accuracy by degree, and by how many neighbors are of the node's own class."""

from __future__ import annotations

import torch

from graphkit.charts import Axis, Bars, Mark, Rule, chart, quantile_groups
from graphkit.data.dataset import NodeData
from graphkit.data.graph import required
from graphkit.data.measures.homophily import homophily_of_nodes
from graphkit.tasks.class_pictures import by_group
from graphkit.tasks.report_parts import Array, Arrays, row
from graphkit.training.report import Baseline, Section


def sections(dataset: NodeData, arrays: Arrays, baseline: Baseline) -> list[Section]:
    """Accuracy of test nodes in groups of about equal size.

    Args:
        dataset: The graph.
        arrays: The predictions of the seed.
        baseline: Its accuracy is a line in the charts.
    """
    nodes, y = arrays["test_nodes"], required(dataset.graph.y).numpy()
    right = arrays["predicted"][nodes] == y[nodes]
    simple = baseline.value("test", "accuracy")
    rules: list[Mark] = [] if simple is None else [Rule(f"{baseline.name} {simple:.2f}", simple)]
    source, target = dataset.graph.edge_index
    others = source != target
    degree = torch.bincount(source[others], minlength=len(y)).numpy()[nodes]
    homophily = homophily_of_nodes(dataset.graph.edge_index, required(dataset.graph.y)).numpy()[nodes]
    known = homophily == homophily
    return [
        Section(
            "Where test nodes are classified right, first seed",
            row(
                _chart("Accuracy by degree", "neighbors, and number of nodes", degree, right, rules),
                _chart("Accuracy by homophily", "share of neighbors of the own class", homophily[known], right[known], rules),
            ),
        )
    ]


def _chart(title: str, label: str, values: Array, right: Array, rules: list[Mark]) -> str:
    """Bars by groups of the values; empty where there is one group alone."""
    groups = quantile_groups(values)
    if len(groups) < 2:
        return ""
    names, shares, notes = by_group(groups, right)
    return chart(title, [Bars("", shares, notes=notes), *rules], x=Axis(label, names=names), y=Axis("accuracy, %", 0, 100))
