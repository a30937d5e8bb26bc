"""Node classification: the whole graph in every step, the loss on labeled training nodes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphkit.conf.schema import NodeTask, Train
from graphkit.data.dataset import NodeData
from graphkit.data.measures.facts import class_warnings, node_facts
from graphkit.errors import RequestError, RunError
from graphkit.metrics.candidates import ClassCounts
from graphkit.metrics.choice import choose
from graphkit.models.node.base import NodeModel, NodeView
from graphkit.sparse import CSR, sparse_features
from graphkit.tasks.make_model import MakeModel
from graphkit.tasks.operators import weighted_operator
from graphkit.tasks.stored import stored
from graphkit.tasks.tables import node_table
from graphkit.training.protocol import Evaluation
from graphkit.training.result import Metrics
from graphkit.training.stages import Backward, Stage
from graphkit.training.table import Columns

EVALUATED = ("valid", "test")
SPLITS = ("train", *EVALUATED)


class NodeClassification:
    """Predict a class for every node from the labels of some; fulfills `graphkit.training.protocol.Task`.

    The loss is the model's, by default the mean cross-entropy, over labeled training nodes. A node labeled -1 is unlabeled and
    in no split's loss or metric. The graph is whole in every step; `train.batch_size` only says over how many labeled nodes a
    step's loss runs.
    Features that are mostly zeros are held sparse, so that a step costs what is stored.

    What is odd but has a meaning runs: nodes of a class without training nodes count as errors, and `notes` tells of them;
    an isolated node is classified by its own features; nodes whose features are all zero differ by their neighbors alone;
    a model for undirected graphs, such as sheaf, reads directed edges in both directions, and `notes` tells how many.

    Args:
        dataset: Graph with features `x` [N, F], labels `y` [N] and node splits.
        settings: The task's settings.
        make_model: Makes the model, given `in_channels`, `out_channels` (classes) and `num_nodes`.
        train: The loop's settings, of which `lr`, `head_lr` and `batch_size` are read.
        device: Where to compute.

    Raises:
        RequestError: If features or labels are missing, a split has no labeled node, the training labels have a single class,
            or the metric is unknown or undefined for the data.
    """

    judged_by = ("logits",)

    def __init__(
        self, dataset: NodeData, settings: NodeTask, make_model: MakeModel[NodeModel], train: Train, device: torch.device
    ) -> None:
        self._dataset = dataset
        self._name = dataset.name
        x, y = _features(dataset), _labels(dataset)
        self._make_model, self._train = make_model, train
        self.protocol = dataset.protocol
        self._splits = {split: _labeled(dataset, split, y) for split in SPLITS}
        self._num_classes = max(int(y.max()) + 1, len(dataset.class_names))
        self._check_labels(y)
        counts = {split: ClassCounts(self._num_classes, y[self._splits[split]].unique().numel()) for split in EVALUATED}
        choice = choose("node", settings.metric, dataset.metric, dataset.metrics, dataset.fallbacks, counts)
        self.metric, self._metrics = choice.metric, choice.metrics
        self.metrics = (*choice.metrics, *make_model.model_class.measures)
        self.lower_is_better = choice.lower_is_better
        self.notes = (*dataset.notes, *class_warnings(dataset), *choice.notes)
        self._scaling = dataset.scaling
        if dataset.directed and make_model.body_class.undirected:
            self.notes += (_made_undirected(dataset, make_model.name),)
        self._y = y.to(device)
        self._known = torch.full_like(y, -1).index_copy(0, train_nodes := self._splits["train"], y[train_nodes]).to(device)
        self._device = device
        self._x = sparse_features(x.to(device))
        self._adj = weighted_operator(dataset.graph, device)
        batch = train.batch_size or self._splits["train"].numel()
        self.num_batches = -(-self._splits["train"].numel() // batch)

    def build_model(self) -> NodeModel:
        """A freshly initialized model on the task's device; consumes torch's global random state.

        Raises:
            RequestError: If the model's settings do not go together.
        """
        num_nodes, in_channels = self._x.shape
        try:
            model = self._make_model(in_channels=in_channels, out_channels=self._num_classes, num_nodes=num_nodes)
            model = model.to(self._device)
            model.fit(self.view(model))
        except ValueError as error:
            raise RequestError(f"model={self._make_model.name}: {error}") from error
        return model

    def stages(self, model: NodeModel) -> Sequence[Stage]:
        """What the model says; by default one stage, its last layer with `train.head_lr` where that is set."""
        return model.stages(self.view(model), self.step, lr=self._train.lr, head_lr=self._train.head_lr)

    def batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        """The labeled training nodes of an epoch, all at once, or in random order `train.batch_size` at a time."""
        nodes = self._splits["train"]
        if self.num_batches > 1:
            nodes = nodes[torch.randperm(nodes.numel(), generator=generator)]
        for batch in torch.split(nodes, self._train.batch_size or nodes.numel()):
            yield batch.to(self._device)

    def step(self, model: NodeModel, batch: Tensor, backward: Backward) -> Tensor:
        """The model's loss of the batch's nodes, by default the mean cross-entropy, with its gradient by `backward`."""
        loss = model.training_loss(self.view(model), batch)
        backward(loss)
        return loss.detach()

    def evaluate(self, model: NodeModel, splits: tuple[str, ...] = EVALUATED) -> Evaluation:
        """Metrics of each split, the model's own `measures` among them, and the mean cross-entropy on validation."""
        scores = self._logits(model).detach()
        logits = scores.cpu()
        if bool(logits.isnan().any()):
            raise RunError("the model scores nodes with NaN: lower train.lr or train.head_lr, or use precision=32-true")
        measured = model.measure(self.view(model), {split: self._splits[split].to(self._device) for split in splits})
        results = {split: {**found, **measured[split]} for split, found in self._judge(logits, splits).items()}
        return Evaluation(results, partial(self._valid_loss, scores) if "valid" in splits else None)

    def _judge(self, logits: Tensor, splits: Sequence[str]) -> Metrics:
        labels, metrics = self._y.cpu(), self._metrics
        chosen = {split: self._splits[split] for split in splits}
        return {
            split: {name: metric(logits[nodes], labels[nodes]) for name, metric in metrics.items()}
            for split, nodes in chosen.items()
        }

    def rescore(self, predictions: Mapping[str, np.ndarray]) -> Metrics:
        """As `Task.rescore`."""
        return self._judge(stored(predictions, "logits", self._y.numel(), self._num_classes), EVALUATED)

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        """The graph; labeled nodes of each split, with their labels."""
        labels = self._y.cpu()
        splits = {split: (nodes, labels[nodes]) for split, nodes in self._splits.items()}
        return {"graph": (self._dataset.graph.edge_index,), **splits}

    def _valid_loss(self, logits: Tensor) -> float:
        nodes = self._splits["valid"].to(self._device)
        return F.cross_entropy(logits[nodes].double(), self._y[nodes]).item()

    def embed(self, model: NodeModel) -> Tensor:
        """What the model's head is given of every node [N, C]."""
        return model.embed(self._features(model), self._adj)

    def predictions(self, model: NodeModel) -> dict[str, np.ndarray]:
        """Logits, probabilities and predicted classes of all nodes in index order, and the labeled node ids of each split.

        What the model has to add, and where features were scaled, their mean and deviation by column, too: what new nodes
        have to be scaled by.
        """
        arrays = {name: part.cpu().numpy() for name, part in model.extra_predictions(self.view(model)).items()}
        if self._scaling is not None:
            arrays |= {"feature_mean": self._scaling.mean.numpy(), "feature_std": self._scaling.std.numpy()}
        return {**arrays, **self.answers(model, self.scores(model))}

    @property
    def targets(self) -> Tensor:
        """Classes [N] of all nodes, -1 where not known."""
        return _labels(self._dataset)

    def scores(self, model: NodeModel) -> Tensor:
        """Logits [N, C] of all nodes, on the CPU."""
        return self._logits(model).detach().cpu()

    def probabilities(self, model: NodeModel, scores: Tensor) -> Tensor:
        """Class probabilities of logits."""
        return scores.softmax(dim=1)

    def answers(self, model: NodeModel, scores: Tensor) -> dict[str, np.ndarray]:
        """Logits, their probabilities and classes, and the labeled node ids of each split: what `table` reads."""
        return {
            **{f"{split}_nodes": nodes.numpy() for split, nodes in self._splits.items()},
            "logits": scores.numpy(),
            "probabilities": self.probabilities(model, scores).numpy(),
            "predicted": scores.argmax(dim=1).numpy(),
        }

    def on(self, dataset: NodeData) -> NodeClassification:
        """The same task on a graph of other nodes with the same features and classes, to ask and not to train.

        Args:
            dataset: The graph; the nodes of the splits are those of the task's own graph.
        """
        task = copy.copy(self)
        task._dataset, task._y = dataset, _labels(dataset).to(self._device)
        task._known = torch.cat([self._known, self._known.new_full((task._y.numel() - self._known.numel(),), -1)])
        task._x = sparse_features(_features(dataset).to(self._device))
        task._adj = weighted_operator(dataset.graph, self._device)
        return task

    def table(self, predictions: dict[str, np.ndarray]) -> Columns:
        """The columns of predictions.csv, see `graphkit.tasks.tables.node_table`."""
        return node_table(self._dataset, predictions)

    def facts(self) -> dict[str, Any]:
        """What the data set tells of itself, and what can be said of its classes, direction and homophily."""
        return {**self._dataset.facts(), **node_facts(self._dataset)}

    def view(self, model: NodeModel) -> NodeView:
        """The data as the model may know it: without labels of nodes outside of training."""
        return NodeView(self._features(model), self._adj, self._known)

    def _features(self, model: NodeModel) -> Tensor | CSR:
        """The features in the precision of the model."""
        parameter = next(model.parameters(), None)
        if parameter is not None and parameter.dtype != self._x.dtype:  # precision=64-true; converted once
            self._x = self._x.to(dtype=parameter.dtype)
        return self._x

    def _logits(self, model: NodeModel) -> Tensor:
        """Class scores [N, C] of all nodes, at least in single precision."""
        logits: Tensor = model(self._features(model), self._adj)
        return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits

    def _check_labels(self, y: Tensor) -> None:
        classes = torch.unique(y[self._splits["train"]])
        if classes.numel() < 2:
            raise RequestError(
                f"data set {self._name!r}: all labeled training nodes are of class {int(classes[0])}; "
                "give labels of at least two classes or another split"
            )


def _features(dataset: NodeData) -> Tensor:
    x = dataset.graph.x
    if x is None:
        raise RequestError(
            f"data set {dataset.name!r} has no node features, which task=node needs; "
            "choose another one (--list datasets), or give data.features=FILE for own files"
        )
    return x


def _labels(dataset: NodeData) -> Tensor:
    y = dataset.graph.y
    if y is None or not bool((y >= 0).any()):
        raise RequestError(
            f"data set {dataset.name!r} has no node labels, which task=node needs; "
            "choose another one (--list datasets), or give data.labels=FILE for own files"
        )
    return y


def _made_undirected(dataset: NodeData, model: str) -> str:
    """What a model for undirected graphs makes of directed edges."""
    source, target = dataset.graph.edge_index
    n = dataset.graph.num_nodes
    one_way = ~torch.isin(source * n + target, target * n + source)
    loops = int((source == target).sum())
    return (
        f"model={model} is for undirected graphs: of the {source.numel():,} directed edges of data set {dataset.name!r} "
        f"{int(one_way.sum()):,} have no reverse and count in both directions"
        + (f", self-loops ({loops:,}) have no effect" if loops else "")
        + "; model=dir-gnn and model=adpa keep the direction"
    )


def _labeled(dataset: NodeData, split: str, y: Tensor) -> Tensor:
    """The split's node ids that have a label, in the split's order."""
    nodes = dataset.splits[split]
    nodes = nodes[y[nodes] >= 0]
    if nodes.numel() == 0:
        raise RequestError(
            f"the {split} split of data set {dataset.name!r} has no labeled node; give more labels or another data.split"
        )
    return nodes
