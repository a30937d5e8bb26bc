"""Recommendation: of all items a user has not been seen with, those the user takes next should rank first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphkit.conf.catalog import MODELS
from graphkit.conf.schema import RecommendTask, Train
from graphkit.data.dataset import InteractionData
from graphkit.data.interactions import Interactions, unseen
from graphkit.errors import RequestError
from graphkit.metrics.choice import choose
from graphkit.metrics.ranking import count_items, ranking_metrics
from graphkit.models.recommend.base import Recommender
from graphkit.sparse import CSR, Triples, TripleSampler
from graphkit.tasks.build import construct, resolve
from graphkit.tasks.memory import require_memory
from graphkit.tasks.ranking import rank_items
from graphkit.tasks.tables import recommend_table
from graphkit.training.protocol import Backward, Stage, one_stage
from graphkit.training.table import Columns

_SELECTED_ON_TEST = (
    "Trained on all training interactions, those held out for validation among them; the epoch is SELECTED ON TEST, as "
    "LightGCN's code and the tables beside it do (task.protocol=lightgcn), so that the figures are the best over the "
    "evaluated epochs and no estimate for new data. All items without a training interaction with the user are ranked; users "
    "without test items do not count."
)


@dataclass(frozen=True)
class _Judged:
    """What a split's ranking is judged by: users with relevant items, what they took, what they had been seen with."""

    users: Tensor
    relevant: CSR
    seen: CSR


class Recommendation:
    """Rank all items for every user; fulfills `graphkit.training.protocol.Task`.

    Trained models see as many triples (user, item taken, items not taken) an epoch as there are training interactions; their
    `loss` is the model's own. Evaluation ranks all items a user has not been seen with, block by block.

    Args:
        dataset: Bipartite graph with interaction splits.
        settings: The task's settings.
        model: A recommender's settings; its `name` selects the model.
        train: The loop's settings, of which `lr`, `batch_size` and `eval_batch_size` are read.
        device: Where to compute.

    Raises:
        RequestError: If a metric is unknown or cannot decide, a user to train on has interacted with every item, or a batch
            would not fit in memory.
    """

    def __init__(
        self, dataset: InteractionData, settings: RecommendTask, model: Any, train: Train, device: torch.device
    ) -> None:
        self._dataset = dataset
        self._model, self._train, self._device = model, train, device
        self._shape, pairs = (dataset.num_users, dataset.num_items), dataset.splits
        trained_on, judged, self.protocol = [pairs["train"]], {"valid": pairs["valid"]}, dataset.protocol
        if settings.protocol == "lightgcn":
            trained_on, judged, self.protocol = [*trained_on, pairs["valid"]], {}, _SELECTED_ON_TEST
        interactions = self._matrix(trained_on)
        self._interactions = interactions.to(device)
        self._judged = {name: self._judge(part, self._interactions) for name, part in judged.items()}
        known = self._matrix([*trained_on, *judged.values()]).to(device)
        self._judged["test"] = self._judge(pairs["test"], known)
        counts = {name: count_items(part.relevant, part.seen) for name, part in self._judged.items()}
        choice = choose("recommend", settings.metric, dataset.metric, dataset.metrics, dataset.fallbacks, counts)
        self.metric, self.metrics = choice.metric, tuple(choice.metrics)
        self._k = min(max(metric.k for metric in choice.metrics.values()), self._shape[1])
        self.notes = (
            *dataset.notes,
            *unseen(Interactions({"train": torch.cat(trained_on, dim=1)}, *self._shape)),
            *choice.notes,
        )
        self._sampler = self._make_sampler(dataset.name, interactions, settings)
        batch_size = train.batch_size or interactions.nnz
        self.num_batches = -(-interactions.nnz // batch_size) if self._sampler else 0
        if self._sampler:
            ids, width = min(batch_size, interactions.nnz) * (2 + settings.num_negatives), int(model.hidden_channels)
            require_memory(  # ids, embeddings and their gradients
                ids * (8 + 2 * 4 * width), "a batch of triples", "lower train.batch_size or task.num_negatives"
            )

    def build_model(self) -> nn.Module:
        """A freshly initialized model on the task's device, fitted; consumes torch's global random state.

        Raises:
            RequestError: If the model cannot be fitted: a setting, memory or a library does not allow it.
        """
        num_users, num_items = self._shape
        target = MODELS["recommend"][self._model.name].target
        try:
            model: Recommender = construct(target, self._model, num_users=num_users, num_items=num_items)
            model = model.to(self._device)
            model.fit(self._interactions)
        except (ValueError, ModuleNotFoundError) as error:
            raise RequestError(str(error)) from error
        return model

    def stages(self, model: nn.Module) -> list[Stage]:
        """One stage: all parameters at `lr`; none for models that are not trained."""
        parameters = list(model.parameters()) if self._sampler else []
        return one_stage([{"params": parameters, "lr": self._train.lr}])

    def batches(self, generator: torch.Generator) -> Iterator[Triples]:
        """The triples of an epoch, on the task's device."""
        if self._sampler is None:
            return
        for batch in self._sampler.epoch(generator, self._train.batch_size):
            yield Triples(*(part.to(self._device) for part in batch))

    def step(self, model: nn.Module, batch: Triples, backward: Backward) -> Tensor:
        """The model's loss of the triples, with its gradient by `backward`."""
        loss = _recommender(model).loss(*batch)
        backward(loss)
        return loss.detach()

    @torch.no_grad()
    def evaluate(self, model: nn.Module, splits: tuple[str, ...] = ("valid", "test")) -> dict[str, dict[str, float]]:
        """Metrics of each split, in percent; with task.protocol=lightgcn those of validation are those of test."""
        _recommender(model).prepare()
        judged = {split: split if split in self._judged else "test" for split in splits}
        results = {}
        for split in dict.fromkeys(judged.values()):
            part = self._judged[split]
            results[split] = ranking_metrics(self.metrics, self._rank(model, part)[1], part.users, part.relevant)
        return {split: dict(results[judged[split]]) for split in splits}

    def valid_loss(self, model: nn.Module) -> None:
        """None: a loss of triples depends on which negatives are drawn."""

    @torch.no_grad()
    def predictions(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Of each judged split the users with held-out items [U], their best items [U, K] and scores [U, K], best first."""
        _recommender(model).prepare()
        arrays = {}
        for split, part in self._judged.items():
            scores, items = self._rank(model, part)
            for name, array in (("users", part.users), ("items", items), ("scores", scores)):
                arrays[f"{split}_{name}"] = array.cpu().numpy()
        return arrays

    def table(self, predictions: dict[str, np.ndarray]) -> Columns:
        """The columns of predictions.csv, see `graphkit.tasks.tables.recommend_table`."""
        return recommend_table(self._dataset, predictions)

    def facts(self) -> dict[str, Any]:
        """What the data set tells of itself."""
        return self._dataset.facts()

    def _rank(self, model: nn.Module, part: _Judged) -> tuple[Tensor, Tensor]:
        scores, block = _recommender(model).scores, self._train.eval_batch_size
        return rank_items(scores, part.users, self._shape[1], self._k, part.seen, block)

    def _matrix(self, pairs: list[Tensor]) -> CSR:
        return CSR.from_edge_index(torch.cat(pairs, dim=1).flip(0), self._shape, duplicates="first")

    def _judge(self, pairs: Tensor, seen: CSR) -> _Judged:
        relevant = self._matrix([pairs]).to(self._device)
        return _Judged(relevant.degree().nonzero().flatten(), relevant, seen)

    def _make_sampler(self, name: str, interactions: CSR, settings: RecommendTask) -> TripleSampler | None:
        """The source of triples; None for a model that is done once it is fitted."""
        if not resolve(MODELS["recommend"][self._model.name].target).trained:
            return None
        try:
            return TripleSampler(interactions, settings.sampler, settings.num_negatives)
        except ValueError as error:
            raise RequestError(f"data set {name!r} cannot be trained on: {error}") from error


def _recommender(model: nn.Module) -> Recommender:
    if not isinstance(model, Recommender):
        raise TypeError(f"task=recommend needs a Recommender, got {type(model).__name__}")
    return model
