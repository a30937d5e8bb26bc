"""`GraphSet`: what `graphkit.data.load` returns for task=graph, a collection of graphs with its splits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from graphkit.data import validate
from graphkit.data.dataset import Dataset
from graphkit.data.graphs import Graphs
from graphkit.data.leaks.nodes import in_two, overlaps
from graphkit.data.leaks.report import LeakReport
from graphkit.data.own.collected import Attributes
from graphkit.data.scaling import Scaling, fit_scaling
from graphkit.data.splits.shares import Shares
from graphkit.errors import RequestError, shown
from graphkit.nearest import did_you_mean

METRICS = {"classes": ("accuracy",), "labels": ("roc-auc", "ap", "accuracy"), "numbers": ("mae",)}
"""What judges each kind of targets."""


@dataclass(frozen=True, kw_only=True)
class GraphSet(Dataset):
    """A collection of graphs, each with a class, labels or numbers to predict.

    Attributes:
        graphs: The graphs.
        kind: What is predicted: `classes`, `labels` (yes or no for each of several) or `numbers`.
        splits: Graph ids, int64, of `train`, `valid` and `test`.
        fold: Number of the fold that `splits` tests, from 0.
        num_folds: How many folds or published splits there are; 1: the split is fixed.
        by_shares: A random split in `shares`; None where the name fixes the split.
        shares: Shares of training, validation and test of that split.
        scale: What is done to the columns of the node features: `auto`, `standard` or `none`, see `features`.
        graph_names: The user's own graph ids in index order, for own files; else empty.
        class_names: Names of the classes in index order, where known.
        target_names: Names of the labels or numbers in index order, where known.
        directed: Whether edges keep their direction; else both directions are there.
        attributes: How attributes of nodes and of edges became columns, of own graphs from a folder.
    """

    graphs: Graphs
    kind: str
    splits: dict[str, Tensor]
    fold: int
    num_folds: int
    by_shares: dict[str, Tensor] | None = None
    shares: Shares
    scale: str = "none"
    graph_names: tuple[str, ...] = field(default=(), repr=False)
    class_names: tuple[str, ...] = field(default=(), repr=False)
    target_names: tuple[str, ...] = field(default=(), repr=False)
    directed: bool = False
    attributes: tuple[Attributes, Attributes] = field(default=((), ()), repr=False)

    @property
    def num_targets(self) -> int:
        """Number of classes, labels or numbers."""
        if self.kind == "classes":
            return max(int(self.graphs.y.max()) + 1, len(self.class_names))
        return int(self.graphs.y.size(1))

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """What judges the kind of targets."""
        return METRICS[self.kind]

    def alone(self, target: str) -> GraphSet:
        """The same graphs with one of the labels or numbers.

        Args:
            target: Its name.

        Raises:
            RequestError: If there is none of that name.
        """
        if target not in self.target_names:
            others = did_you_mean(target, self.target_names) or f": choose all or one of {', '.join(self.target_names)}"
            lacks = f"no such target{others}" if self.target_names else "no targets with names, leave it out"
            raise RequestError(f"task.target={shown(target)}: data set {self.name!r} has {lacks}")
        column = self.target_names.index(target)
        graphs = replace(self.graphs, y=self.graphs.y[:, column : column + 1])
        metrics = tuple(name for name in self.metrics if ":" not in name)
        return replace(self, graphs=graphs, target_names=(target,), metrics=metrics)

    def features(self, train: Tensor) -> tuple[Tensor | None, Scaling | None, tuple[str, ...]]:
        """Features of the nodes, their columns scaled by the nodes of training graphs as `scale` says.

        Args:
            train: Ids of the training graphs.

        Returns:
            The features [N, F], how they were scaled, and a sentence on that; None and no sentence where they stay.

        Raises:
            RequestError: If features are to be scaled and there are none.
        """
        x = self.graphs.x
        if x is None and self.scale == "standard":
            raise RequestError(f"data.scale=standard: data set {self.name!r} has no node features, leave it out")
        if x is None or self.scale == "none":
            return x, None, ()
        seen = torch.zeros(self.graphs.num_graphs, dtype=torch.bool)
        seen[train] = True
        scaling = fit_scaling(x, seen.repeat_interleave(self.graphs.sizes).nonzero().view(-1), every=self.scale == "standard")
        if not scaling.num_scaled:
            return x, None, ()
        note = (
            f"features: {scaling.num_scaled:,} of {x.size(1):,} columns are standardized by mean and deviation of the nodes of "
            f"the training graphs (data.scale={self.scale}); data.scale=none leaves them as they are"
        )
        return scaling.apply(x), scaling, (note,)

    def facts(self) -> dict[str, Any]:
        """Numbers of graphs, nodes and edges, sizes of graphs, isolated nodes, targets and splits."""
        graphs, sizes = self.graphs, self.graphs.sizes
        linked = torch.unique(graphs.edge_index).numel()
        return {
            "graphs": graphs.num_graphs,
            "nodes": graphs.num_nodes,
            "edges": int(graphs.edge_index.size(1)) // (1 if self.directed else 2),
            "directed": self.directed,
            "nodes_per_graph": {"least": int(sizes.min()), "median": int(sizes.median()), "most": int(sizes.max())},
            "isolated_nodes": graphs.num_nodes - linked,
            "node_features": 0 if graphs.x is None else int(graphs.x.size(1)),
            "edge_features": 0 if graphs.edge_attr is None else int(graphs.edge_attr.size(1)),
            **self._target_facts(),
            "splits": {name: part.numel() for name, part in self.splits.items()},
        }

    def _target_facts(self) -> dict[str, Any]:
        if self.kind != "classes":
            names = self.target_names or tuple(str(number) for number in range(self.num_targets))
            known = (~self.graphs.y.isnan()).sum(dim=0).tolist()
            return {"targets": self.kind, "known": dict(zip(names, known, strict=True))}
        names = self.class_names or tuple(str(number) for number in range(self.num_targets))
        counts = self.graphs.y.bincount(minlength=self.num_targets).tolist()
        return {"targets": self.kind, "graphs_per_class": dict(zip(names, counts, strict=True))}

    def names(self) -> dict[str, tuple[str, ...]]:
        """Graphs, classes, and labels or numbers."""
        return {"graphs": self.graph_names, "classes": self.class_names, "targets": self.target_names}

    def sizes(self) -> dict[str, int]:
        """Graphs, nodes, edges, features, and classes or targets."""
        graphs = self.graphs
        sizes = {"graphs": graphs.num_graphs, "nodes": graphs.num_nodes, "edges": int(graphs.edge_index.size(1))}
        widths = {"features": graphs.x, "edge features": graphs.edge_attr}
        sizes |= {what: int(part.size(1)) for what, part in widths.items() if part is not None}
        return {**sizes, "classes" if self.kind == "classes" else "targets": self.num_targets}

    def check(self) -> None:
        """As `Dataset.check`; all training graphs of one class are of no use either."""
        validate.check_graphs(self.name, self.graphs)
        for name, part in self.splits.items():
            validate.check_part(self.name, name, part, self.graphs.num_graphs, "graph")
        if self.kind == "classes":
            validate.check_labels(self.name, self.graphs.y, self.splits["train"], "graph")

    def leaks(self) -> LeakReport:
        """Graphs in two splits."""
        return LeakReport((in_two("graph"),), tuple(overlaps(self.splits, "graph", self.graph_names)))
