"""Link prediction: held-out edges should score above non-edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphkit.conf.schema import LinkTask, Train
from graphkit.data.dataset import LinkData, Pairs
from graphkit.data.splits.negatives import NonEdges, pair_keys
from graphkit.errors import RequestError
from graphkit.metrics.candidates import PairCounts
from graphkit.metrics.choice import choose
from graphkit.metrics.pairs import link_metric
from graphkit.models.link.base import LinkModel
from graphkit.sparse import CSR, sparse_features
from graphkit.tasks.make_model import MakeModel
from graphkit.tasks.operators import weighted_operator
from graphkit.tasks.stored import stored
from graphkit.tasks.tables import link_table
from graphkit.training.protocol import Evaluation
from graphkit.training.result import Metrics
from graphkit.training.stages import Backward, Stage
from graphkit.training.table import Columns

EVALUATED = ("valid", "test")
_KINDS = ("positive", "negative")


@dataclass(frozen=True)
class PairBatch:
    """Positive pairs [2, B] with the entries of the operator they come from [B], and negatives [2, B n], n for each in turn."""

    positive: Tensor
    entries: Tensor
    negative: Tensor


class LinkPrediction:
    """Score pairs of nodes; fulfills `graphkit.training.protocol.Task`.

    The loss is the model's, by default mean softplus(-s) over a batch's positives plus mean softplus(s) over random negatives,
    `task.num_negatives` for each positive. With target link removal the batch's own edges are absent from the message passing
    graph and from the neighbor sets while it is scored; other batches' edges are there. Evaluation uses the whole training
    graph, at test time with validation edges where the protocol says so.

    Args:
        dataset: Graph with link splits; features are optional.
        settings: The task's settings.
        make_model: Makes the model, given `in_channels` (0 without features) and `num_nodes`.
        train: The loop's settings, of which `lr`, `head_lr`, `batch_size` and `eval_batch_size` are read.
        device: Where to compute.

    Raises:
        RequestError: If a split is empty, a metric is unknown or cannot decide, or no negatives exist.
    """

    judged_by = tuple(f"{split}_{kind}_scores" for split in EVALUATED for kind in _KINDS)

    def __init__(
        self, dataset: LinkData, settings: LinkTask, make_model: MakeModel[LinkModel], train: Train, device: torch.device
    ) -> None:
        self._dataset = dataset
        splits = {name: _pairs(dataset, name) for name in ("train", *EVALUATED)}
        self._make_model, self._train, self._settings, self._device = make_model, train, settings, device
        self.protocol = dataset.protocol
        negatives = {name: _negatives(dataset, name) for name in EVALUATED}
        counts = {name: PairCounts(splits[name].num_candidates) for name in EVALUATED}
        choice = choose("link", settings.metric, dataset.metric, dataset.metrics, dataset.fallbacks, counts)
        self.metric, self.metrics, self.notes = choice.metric, tuple(choice.metrics), (*dataset.notes, *choice.notes)
        self.lower_is_better = choice.lower_is_better
        num_nodes = dataset.graph.num_nodes
        self._x = None if dataset.graph.x is None else sparse_features(dataset.graph.x.to(device))
        self._adj = weighted_operator(dataset.graph, device)
        test = self._adj if dataset.test_graph is None else weighted_operator(dataset.test_graph, device)
        self._seen = {"valid": self._adj, "test": test}
        self._rows = {name: splits[name].positive.size(1) if splits[name].own_negatives else 0 for name in EVALUATED}
        self._positive = splits["train"].positive.to(device)
        self._evaluated = {name: (splits[name].positive.to(device), negatives[name].to(device)) for name in EVALUATED}
        self._entries = self._adj.positions(self._positive) if settings.target_link_removal else self._positive[0]
        known = [dataset.graph.edge_index] + [splits[name].positive for name in EVALUATED if settings.reject_negatives == "all"]
        try:
            self._non_edges = NonEdges(num_nodes, torch.unique(pair_keys(torch.cat(known, dim=1), num_nodes)))
        except ValueError as error:
            raise RequestError(f"data set {dataset.name!r}: {error}; link prediction needs non-edges to train on") from error
        count = self._positive.size(1)
        self._batch_size = min(train.batch_size or count, count)
        self.num_batches = count // self._batch_size if settings.drop_last else -(-count // self._batch_size)

    def build_model(self) -> LinkModel:
        """A freshly initialized model on the task's device; consumes torch's global random state.

        Raises:
            RequestError: If the model's settings do not go together.
        """
        in_channels = 0 if self._x is None else self._x.shape[1]
        try:
            model = self._make_model(in_channels=in_channels, num_nodes=self._adj.shape[0])
        except ValueError as error:
            raise RequestError(f"model={self._make_model.name}: {error}") from error
        return model.to(self._device)

    def stages(self, model: LinkModel) -> Sequence[Stage]:
        """What the model says; by default one stage: the head's parameters at `head_lr`, all others at `lr`."""
        return model.stages(self.step, lr=self._train.lr, head_lr=self._train.head_lr)

    def batches(self, generator: torch.Generator) -> Iterator[PairBatch]:
        """Positives in random order, each with fresh random negatives."""
        order = torch.randperm(self._positive.size(1), generator=generator)
        for batch in order.split(self._batch_size)[: self.num_batches]:
            negative = self._non_edges.sample(batch.numel() * self._settings.num_negatives, generator).to(self._device)
            chosen = batch.to(self._device)
            yield PairBatch(self._positive[:, chosen], self._entries[chosen], negative)

    def step(self, model: LinkModel, batch: PairBatch, backward: Backward) -> Tensor:
        """The batch's loss; its gradient is accumulated over micro-batches of pairs.

        The encoder and all graph access run once for the whole batch. The head runs over `micro_batch` pairs at a time, whose
        activations then stay in cache; the gradients it leaves on the pair features go back through the graph in one piece.
        """
        adj = self._adj
        if self._settings.target_link_removal:
            adj = adj.without(batch.entries, mirror=True)
        pairs = torch.cat([batch.positive, batch.negative], dim=1)
        features = model.pair_features(self._encode(model, adj), adj, pairs)
        leaves = [feature.detach() for feature in features]
        gradients = [torch.empty_like(leaf) for leaf in leaves]
        total = torch.zeros((), device=self._device, dtype=torch.float64)
        count, negatives = batch.positive.size(1), self._settings.num_negatives
        size = self._settings.micro_batch or pairs.size(1)
        for rows, positives in _blocks(count, negatives, size) if model.coupled else _runs(count, pairs.size(1), size):
            inputs = [_joined([leaf[part] for part in rows]).requires_grad_() for leaf in leaves]
            loss = model.training_loss(model.head(*inputs), positives, negatives) / count
            backward(loss)
            for gradient, block in zip(gradients, inputs, strict=True):
                assert block.grad is not None
                for part, piece in zip(rows, block.grad.split([part.stop - part.start for part in rows]), strict=True):
                    gradient[part] = piece
            total += loss.detach()
        reached = [(feature, flow) for feature, flow in zip(features, gradients, strict=True) if feature.requires_grad]
        with torch.autocast(self._device.type, enabled=False):
            torch.autograd.backward([feature for feature, _ in reached], [flow for _, flow in reached])
        return total

    @torch.no_grad()
    def evaluate(self, model: LinkModel, splits: tuple[str, ...] = EVALUATED) -> Evaluation:
        """Metrics of each split, in percent, and the loss of the validation pairs."""
        results, valid_loss = {}, None
        for split, (positive, negative) in self._scored(model, splits):
            results[split] = self._judge(split, positive, negative)
            if split == "valid":
                valid_loss = partial(_mean_loss, positive, negative)
        return Evaluation(results, valid_loss)

    def _judge(self, split: str, positive: Tensor, negative: Tensor) -> dict[str, float]:
        ranked = negative.view(self._rows[split], -1) if self._rows[split] else negative
        return {metric: link_metric(metric, positive, ranked) for metric in self.metrics}

    def rescore(self, predictions: Mapping[str, np.ndarray]) -> Metrics:
        """As `Task.rescore`."""
        results = {}
        for split in EVALUATED:
            sizes = (pairs.size(1) for pairs in self._evaluated[split])
            scores = (stored(predictions, f"{split}_{kind}_scores", size) for kind, size in zip(_KINDS, sizes, strict=True))
            results[split] = self._judge(split, *scores)
        return results

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        """The message passing graph, with that of test where it is another one; positives and negatives of each split."""
        graphs = (self._dataset.graph, self._dataset.test_graph)
        splits = {name: (part.positive, part.negative) for name, part in self._dataset.splits.items()}
        found = {name: tuple(pairs for pairs in both if pairs is not None) for name, both in splits.items()}
        return {"graph": tuple(graph.edge_index for graph in graphs if graph is not None), **found}

    @torch.no_grad()
    def predictions(self, model: LinkModel) -> dict[str, np.ndarray]:
        """Pairs and their scores of both evaluated splits, positives and negatives apart."""
        arrays = {}
        for split, scores in self._scored(model, EVALUATED):
            for kind, pairs, found in zip(_KINDS, self._evaluated[split], scores, strict=True):
                arrays[f"{split}_{kind}_pairs"] = pairs.cpu().numpy()
                arrays[f"{split}_{kind}_scores"] = found.cpu().numpy()
        return arrays

    def table(self, predictions: dict[str, np.ndarray]) -> Columns:
        """The columns of predictions.csv, see `graphkit.tasks.tables.link_table`."""
        return link_table(self._dataset, predictions)

    def facts(self) -> dict[str, Any]:
        """What the data set tells of itself."""
        return self._dataset.facts()

    def inputs(self, model: LinkModel) -> tuple[Tensor | CSR | None, CSR]:
        """Features in the precision of the model and the training graph, as `LinkModel.encode` takes them."""
        parameter = next(model.parameters(), None)
        if self._x is not None and parameter is not None and parameter.dtype != self._x.dtype:
            self._x = self._x.to(dtype=parameter.dtype)  # precision=64-true; converted once
        return self._x, self._adj

    def _encode(self, model: LinkModel, adj: CSR) -> tuple[Tensor, ...]:
        return model.encode(self.inputs(model)[0], adj)

    def _scored(self, model: LinkModel, splits: tuple[str, ...]) -> Iterator[tuple[str, tuple[Tensor, Tensor]]]:
        """Scores of the positives and the negatives of each split; a graph that several splits see is encoded once."""
        encoded: tuple[CSR, tuple[Tensor, ...]] | None = None
        for split in splits:
            adj = self._seen[split]
            if encoded is None or encoded[0] is not adj:
                encoded = adj, self._encode(model, adj)
            positive, negative = (self._scores(model, encoded[1], adj, pairs) for pairs in self._evaluated[split])
            yield split, (positive, negative)

    def _scores(self, model: LinkModel, nodes: tuple[Tensor, ...], adj: CSR, pairs: Tensor) -> Tensor:
        """Scores [P], in blocks; no block size changes a score."""
        size = self._settings.micro_batch or self._train.eval_batch_size
        scores = [torch.zeros(0, device=self._device)]
        for block in pairs.split(self._train.eval_batch_size, dim=1):
            features = model.pair_features(nodes, adj, block)
            scores += [model.head(*part) for part in zip(*(feature.split(size) for feature in features), strict=True)]
        return torch.cat(scores)


def _runs(positives: int, total: int, size: int) -> Iterator[tuple[list[slice], int]]:
    """Runs of `size` of a batch's pairs, and how many of each are positives, which come first in the batch."""
    for start in range(0, total, size):
        stop = min(start + size, total)
        yield [slice(start, stop)], min(max(positives - start, 0), stop - start)


def _blocks(positives: int, negatives: int, size: int) -> Iterator[tuple[list[slice], int]]:
    """Blocks of about `size` of a batch's pairs, positives and then the negatives of these, and how many are positives."""
    step = max(1, size // (1 + negatives))
    for start in range(0, positives, step):
        stop = min(start + step, positives)
        yield [slice(start, stop), slice(positives + start * negatives, positives + stop * negatives)], stop - start


def _joined(parts: list[Tensor]) -> Tensor:
    """Rows of several slices as one leaf of autograd; a single slice is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _mean_loss(positive: Tensor, negative: Tensor) -> float:
    """Mean softplus(-s) over the scores of positives plus mean softplus(s) over those of negatives."""
    return (F.softplus(-positive.double()).mean() + F.softplus(negative.double()).mean()).item()


def _pairs(dataset: LinkData, split: str) -> Pairs:
    pairs = dataset.splits[split]
    if pairs.positive.size(1) == 0:
        raise RequestError(f"the {split} split of data set {dataset.name!r} has no edge; give more edges or another data.split")
    return pairs


def _negatives(dataset: LinkData, split: str) -> Tensor:
    negative = _pairs(dataset, split).negative
    if negative is None or negative.size(1) == 0:
        raise RequestError(f"the {split} split of data set {dataset.name!r} has no negative pairs to rank against")
    return negative
