"""Graphs: a class, labels or numbers for every graph of a collection."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphkit.conf.schema import GraphTask, Train
from graphkit.data.graph_set import GraphSet
from graphkit.errors import RequestError, RunError
from graphkit.metrics.candidates import TargetCounts
from graphkit.metrics.choice import choose
from graphkit.metrics.registry import Metric
from graphkit.models.graph.base import GraphModel, GraphView
from graphkit.sparse import GraphBatch
from graphkit.tasks.folds import choose_splits
from graphkit.tasks.make_model import MakeModel
from graphkit.tasks.memory import available_memory
from graphkit.tasks.stored import stored
from graphkit.tasks.tables import graph_table
from graphkit.training.protocol import Evaluation
from graphkit.training.result import Metrics
from graphkit.training.stages import Backward, Stage
from graphkit.training.table import Columns

EVALUATED = ("valid", "test")
_VOTES = 0  # seed of the samples that are averaged in evaluation


@dataclass(frozen=True)
class Drawn:
    """A training batch: ids of its graphs [B], and the seed of the sample that a model draws for the whole epoch."""

    graphs: Tensor
    sample: int


class GraphPrediction:
    """Predict a class, labels or numbers for every graph; fulfills `graphkit.training.protocol.Task`.

    All graphs are one block-diagonal operator that is built once, and so is what the model prepares of them; a batch copies
    the blocks of its graphs. The loss is the mean over a batch's graphs: cross-entropy of classes; binary cross-entropy of
    labels and absolute error of numbers, over those that are known. A model that draws subgraphs draws them again for every
    epoch, and is evaluated by the mean of its outputs over `votes` samples, always the same ones.

    Args:
        dataset: The graphs with their splits.
        settings: The task's settings.
        make_model: Makes the model.
        train: The loop's settings, of which `lr`, `head_lr`, `batch_size`, `eval_batch_size` and `patience` are read.
        device: Where to compute.

    Raises:
        RequestError: If the protocol does not go with the data or the loop's settings, there is no such target, numbers are to
            be standardized that are none, or the metric is unknown or undefined for the data.
    """

    def __init__(
        self, dataset: GraphSet, settings: GraphTask, make_model: MakeModel[GraphModel], train: Train, device: torch.device
    ) -> None:
        self._make_model, self._train, self._device = make_model, train, device
        chosen = choose_splits(dataset, settings, train)
        self._splits, self.protocol, self._last = chosen.splits, chosen.statement, chosen.last
        dataset = dataset if settings.target == "all" else dataset.alone(settings.target)
        self._dataset = replace(dataset, splits=self._splits)
        y = dataset.graphs.y
        counts = {split: _counts(dataset, y[self._splits[split]]) for split in EVALUATED}
        choice = choose("graph", settings.metric, dataset.metric, dataset.metrics, dataset.fallbacks, counts)
        self.metric, self.metrics, self._metrics = choice.metric, tuple(choice.metrics), choice.metrics
        self.lower_is_better = choice.lower_is_better
        x, self._scaling, told = dataset.features(self._splits["train"])
        self.notes = (*dataset.notes, *told, *_missing_classes(self._dataset), *choice.notes)
        if settings.standardize and dataset.kind != "numbers":
            raise RequestError(f"task.standardize=true: data set {dataset.name!r} has {dataset.kind} to predict, leave it out")
        self._y = y.to(device)
        self._center, self._spread = _moments(y[self._splits["train"]] if settings.standardize else y.new_zeros(1, 1))
        graphs = dataset.graphs
        edge_attr = graphs.edge_attr if settings.edge_features else None
        self._whole = GraphBatch.of(graphs.edge_index, graphs.ptr, x, edge_attr).to(device)
        self._prepared: tuple[GraphModel, int, GraphBatch] | None = None
        self._kept: tuple[GraphModel, list[GraphBatch]] | None = None
        self.notes += self._sampling()
        self.num_batches = -(-self._splits["train"].numel() // (train.batch_size or self._splits["train"].numel()))

    def build_model(self) -> GraphModel:
        """A freshly initialized model on the task's device; consumes torch's global random state.

        Raises:
            RequestError: If the model's settings do not go together.
        """
        model = self._made(self._make_model).to(self._device)
        model.fit(self.view(model))
        return model

    def _made(self, make: Callable[..., GraphModel]) -> GraphModel:
        """A model of the data's dimensions; RequestError where its settings do not go together."""
        whole = self._whole
        try:
            return make(
                in_channels=0 if whole.x is None else whole.x.size(1),
                out_channels=self._dataset.num_targets,
                edge_channels=0 if whole.edge_attr is None else whole.edge_attr.size(1),
                max_degree=int(whole.adj.degree().max()),
                graphs=whole,
            )
        except ValueError as error:
            raise RequestError(f"model={self._make_model.name}: {error}") from error

    def _sampling(self) -> tuple[str, ...]:
        """A sentence where the model draws subgraphs."""
        model = self._made(self._make_model.outline)
        if not model.sampled:
            return ()
        return (f"subgraphs are drawn again for every epoch; predictions are means over {model.votes} samples (model.votes)",)

    def stages(self, model: GraphModel) -> list[Stage]:
        """What the model says; by default one stage, its head with `train.head_lr` where that is set."""
        stages = model.stages(self.view(model), self.step, lr=self._train.lr, head_lr=self._train.head_lr)
        return [replace(stage, last=self._last and stage.selects) for stage in stages]

    def batches(self, generator: torch.Generator) -> Iterator[Drawn]:
        """The training graphs of an epoch in random order, `train.batch_size` at a time."""
        graphs = self._splits["train"]
        sample = int(torch.randint(2**31, (), generator=generator))
        graphs = graphs[torch.randperm(graphs.numel(), generator=generator)]
        for batch in torch.split(graphs, self._train.batch_size or graphs.numel()):
            yield Drawn(batch.to(self._device), sample)

    def step(self, model: GraphModel, batch: Drawn, backward: Backward) -> Tensor:
        """The model's loss of the batch's graphs, by default their mean loss, with its gradient by `backward`."""
        graphs = self._ready(model, batch.sample).take(batch.graphs)
        loss = model.training_loss(graphs, self._y[batch.graphs], self._loss)
        backward(loss)
        return loss.detach()

    def evaluate(self, model: GraphModel, splits: tuple[str, ...] = EVALUATED) -> Evaluation:
        """Metrics of each split, those of classes and labels in percent, and the mean loss over the validation graphs."""
        chosen, place = torch.cat([self._splits[split] for split in splits]).unique(return_inverse=True)
        scores = self._scores(model, chosen)
        if bool(scores.isnan().any()):
            raise RunError("the model scores graphs with NaN: lower train.lr or train.head_lr, or use precision=32-true")
        predicted = self.in_unit(scores).cpu()
        rows = place.split([self._splits[split].numel() for split in splits])
        results = {split: self._judge(split, predicted[part]) for split, part in zip(splits, rows, strict=True)}
        if "valid" not in splits:
            return Evaluation(results)
        valid = torch.searchsorted(chosen, self._splits["valid"]).to(self._device)
        return Evaluation(results, partial(self._valid_loss, scores[valid]))

    def _judge(self, split: str, predicted: Tensor) -> dict[str, float]:
        """The metrics of a split from what is predicted of its graphs."""
        y = self._y.cpu()[self._splits[split]]
        return {name: self._value(metric, predicted, y) for name, metric in self._metrics.items()}

    @property
    def judged_by(self) -> tuple[str, ...]:
        """Numbers in the unit of the targets, or scores."""
        return ("predicted",) if self._dataset.kind == "numbers" else ("scores",)

    def rescore(self, predictions: Mapping[str, np.ndarray]) -> Metrics:
        """As `Task.rescore`."""
        predicted = stored(predictions, self.judged_by[0], self._whole.num_graphs, self._dataset.num_targets)
        return {split: self._judge(split, predicted[self._splits[split]]) for split in EVALUATED}

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        """All graphs; those of each split, with their targets."""
        graphs, y = self._dataset.graphs, self._y.cpu()
        splits = {split: (chosen, y[chosen]) for split, chosen in self._splits.items()}
        return {"graphs": (graphs.edge_index, graphs.ptr), **splits}

    def _value(self, metric: Metric, rows: Tensor, y: Tensor) -> float:
        if metric.target:
            column = self._dataset.target_names.index(metric.target)
            rows, y = rows[:, column : column + 1], y[:, column : column + 1]
        return metric(rows, y)

    def _valid_loss(self, scores: Tensor) -> float:
        return self._loss(scores.double(), self._y[self._splits["valid"].to(self._device)]).item()

    def predictions(self, model: GraphModel) -> dict[str, np.ndarray]:
        """Of all graphs in index order the scores, probabilities and predictions, and the graph ids of each split.

        Scores of numbers are what the model gives, predictions are in the unit of the targets. With what the model has to
        add, and where features or targets were scaled, their mean and deviation by column, too.
        """
        extra = model.extra_predictions(self.view(model), lambda: self._batches(model, torch.arange(self._whole.num_graphs)))
        arrays = {name: part.cpu().numpy() for name, part in extra.items()}
        if self._scaling is not None:
            arrays |= {"feature_mean": self._scaling.mean.numpy(), "feature_std": self._scaling.std.numpy()}
        if self._dataset.kind == "numbers":
            arrays |= {"target_mean": self._center.numpy(), "target_std": self._spread.numpy()}
        return {**arrays, **self.answers(model, self.scores(model))}

    @property
    def targets(self) -> Tensor:
        """Classes [G], or labels or numbers [G, T], NaN where not known, of all graphs."""
        return self._dataset.graphs.y

    def scores(self, model: GraphModel) -> Tensor:
        """Scores [G, T] of all graphs, on the CPU."""
        return self._all_scores(model).cpu()

    def probabilities(self, model: GraphModel, scores: Tensor) -> Tensor:
        """Probabilities of scores, of the classes of a graph or of each of its labels."""
        return scores.softmax(dim=1) if self._dataset.kind == "classes" else scores.sigmoid()

    def answers(self, model: GraphModel, scores: Tensor) -> dict[str, np.ndarray]:
        """Scores, their probabilities and predictions, and the graph ids of each split: what `table` reads."""
        arrays = {f"{split}_graphs": graphs.numpy() for split, graphs in self._splits.items()}
        arrays["scores"] = scores.numpy()
        if self._dataset.kind == "numbers":
            return {**arrays, "predicted": self.in_unit(scores).numpy()}
        probabilities = self.probabilities(model, scores)
        predicted = probabilities.argmax(dim=1) if self._dataset.kind == "classes" else (probabilities > 0.5).long()
        return {**arrays, "probabilities": probabilities.numpy(), "predicted": predicted.numpy()}

    def on(self, dataset: GraphSet) -> GraphPrediction:
        """The same task on other graphs with the same features and targets, to ask and not to train.

        Args:
            dataset: The graphs, their features as files have them; no split holds one of them.
        """
        task, graphs = copy.copy(self), dataset.graphs
        task._dataset, task._splits = dataset, {split: torch.empty(0, dtype=torch.int64) for split in self._splits}
        x = graphs.x if graphs.x is None or self._scaling is None else self._scaling.apply(graphs.x)
        edge_attr = None if self._whole.edge_attr is None else graphs.edge_attr
        task._whole = GraphBatch.of(graphs.edge_index, graphs.ptr, x, edge_attr).to(self._device)
        task._prepared = task._kept = None
        return task

    def table(self, predictions: dict[str, np.ndarray]) -> Columns:
        """The columns of predictions.csv, see `graphkit.tasks.tables.graph_table`."""
        return graph_table(self._dataset, predictions)

    def facts(self) -> dict[str, Any]:
        """What the data set tells of itself, with the splits that are used."""
        return self._dataset.facts()

    def _ready(self, model: GraphModel, sample: int) -> GraphBatch:
        """All graphs with what the model prepares of them; of models that draw nothing it is the same for all samples."""
        sample = sample if model.sampled else 0
        if self._prepared is None or self._prepared[0] is not model or self._prepared[1] != sample:
            with torch.no_grad():
                self._prepared = model, sample, self._whole.with_index(model.prepare(self._whole, seed=sample))
        return self._prepared[2]

    def prepared(self, model: GraphModel) -> Iterable[GraphBatch]:
        """All graphs as the model is evaluated on them: once, or once per sample of which the outputs are averaged."""
        return self._votes(model) if model.sampled else [self._ready(model, 0)]

    def _scores(self, model: GraphModel, *groups: Tensor) -> Tensor:
        """Outputs [B, C] of groups of graphs, at least in single precision; of sampled subgraphs their mean over the votes.

        A block holds graphs of one group.
        """
        votes = self.prepared(model)
        # Without gradients four batches take no more memory than one of training.
        sizes = (min(self._train.eval_batch_size, 4 * (self._train.batch_size or group.numel())) for group in groups)
        blocks = [part for group, size in zip(groups, sizes, strict=True) for part in group.to(self._device).split(size)]
        outputs = [torch.cat([_wide(model(whole.take(part)).detach()) for part in blocks]) for whole in votes]
        return torch.stack(outputs).mean(dim=0) if len(outputs) > 1 else outputs[0]

    def _all_scores(self, model: GraphModel) -> Tensor:
        """Outputs [G, C] of all graphs: those that `evaluate` judges bit for bit, which depend on what is in a block."""
        judged = torch.zeros(self._whole.num_graphs, dtype=torch.bool)
        judged[torch.cat([self._splits[split] for split in EVALUATED])] = True
        parts = [part for part in (judged.nonzero().view(-1), (~judged).nonzero().view(-1)) if part.numel()]
        scores = self._scores(model, *parts)
        return scores[torch.cat(parts).argsort().to(scores.device)]

    def view(self, model: GraphModel) -> GraphView:
        """The data as the model may know it: training graphs and their targets."""
        graphs = self._splits["train"].to(self._device)
        batches, total = partial(self._batches, model, graphs), self._whole.num_graphs
        return GraphView(kind=self._dataset.kind, num_graphs=total, graphs=graphs, y=self._y[graphs], batches=batches)

    def _batches(self, model: GraphModel, graphs: Tensor) -> Iterator[GraphBatch]:
        """Some graphs in blocks, with what the model prepares of them."""
        ready = self._ready(model, 0)
        for part in graphs.to(self._device).split(self._train.eval_batch_size):
            yield ready.take(part)

    def _votes(self, model: GraphModel) -> Iterator[GraphBatch]:
        """All graphs once per vote; kept for the next evaluation where all votes together leave half of the memory free."""
        if self._kept is None or self._kept[0] is not model:
            self._kept = model, []
        kept = self._kept[1]
        yield from kept
        for vote in range(len(kept), model.votes):
            whole = self._whole.with_index(model.prepare(self._whole, vote=vote, seed=_VOTES))
            free = available_memory()
            if len(kept) == vote and (free is None or 2 * (model.votes - vote) * model.index_bytes(whole) <= free):
                kept.append(whole)
            yield whole

    def _loss(self, scores: Tensor, y: Tensor) -> Tensor:
        """The mean loss of scores [B, C] against targets, at least in single precision."""
        scores = _wide(scores)
        if self._dataset.kind == "classes":
            return F.cross_entropy(scores, y)
        known = ~y.isnan()
        if not bool(known.any()):
            return scores.sum() * 0.0
        if self._dataset.kind == "labels":
            return F.binary_cross_entropy_with_logits(scores[known], y[known].to(scores.dtype))
        wanted = (y - self._center.to(y)) / self._spread.to(y)
        return F.l1_loss(scores[known], wanted[known].to(scores.dtype))

    def in_unit(self, scores: Tensor) -> Tensor:
        """Scores of numbers in the unit of the targets; others as they are."""
        return scores * self._spread.to(scores) + self._center.to(scores) if self._dataset.kind == "numbers" else scores


def _wide(scores: Tensor) -> Tensor:
    return scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores


def _counts(dataset: GraphSet, y: Tensor) -> TargetCounts:
    """What a split knows of the targets y."""
    if dataset.kind == "classes":
        return TargetCounts("classes", dataset.num_targets, y.unique().numel())
    if dataset.kind == "labels":
        both = (y == 1).any(dim=0) & (y == 0).any(dim=0)
        return TargetCounts("labels", dataset.num_targets, int(both.sum()))
    known = (~y.isnan()).sum(dim=0).tolist()
    return TargetCounts("numbers", dataset.num_targets, sum(known), of=dict(zip(dataset.target_names, known, strict=False)))


def _moments(y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each column of targets [G, T] that are known; 0 and 1 where there are not two values."""
    known = ~y.isnan()
    count = known.sum(dim=0).clamp(min=1)
    center = torch.where(known, y, 0.0).double().sum(dim=0) / count
    spread = (torch.where(known, y.double() - center, 0.0).square().sum(dim=0) / count).sqrt()
    return torch.where(spread > 0, center, 0.0), torch.where(spread > 0, spread, 1.0)


def _missing_classes(dataset: GraphSet) -> tuple[str, ...]:
    """A sentence on classes that no training graph has."""
    if dataset.kind != "classes":
        return ()
    seen = dataset.graphs.y[dataset.splits["train"]].bincount(minlength=dataset.num_targets)
    missing = (seen == 0).nonzero().view(-1).tolist()
    names = [dataset.class_names[number] if dataset.class_names else str(number) for number in missing]
    if not names:
        return ()
    which = "these classes" if len(names) > 1 else "it"
    return (f"no training graph is of class {', '.join(names)}: graphs of {which} count as errors",)
