"""Recommendation: of all items a user has not been seen with, those the user takes next should rank first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphkit.conf.schema import RecommendTask, Train
from graphkit.data.dataset import InteractionData
from graphkit.data.interactions import Interactions, unseen
from graphkit.errors import RequestError
from graphkit.metrics.choice import choose
from graphkit.metrics.ranking import count_items, ranking_metrics
from graphkit.models.recommend.base import Recommender
from graphkit.sparse import CSR, Triples, TripleSampler
from graphkit.tasks.make_model import MakeModel
from graphkit.tasks.memory import require_memory
from graphkit.tasks.new_users import PART, NewUsers, has_past
from graphkit.tasks.ranking import rank_items
from graphkit.tasks.stored import stored_lists
from graphkit.tasks.tables import recommend_table
from graphkit.training.protocol import Evaluation
from graphkit.training.result import Metrics
from graphkit.training.stages import Backward, Stage, one_stage
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
    `loss` is the model's own. Evaluation ranks all items a user has not been seen with, block by block. Of a split at one date,
    users without a training interaction are judged apart, see `graphkit.tasks.new_users`.

    Args:
        dataset: Bipartite graph with interaction splits.
        settings: The task's settings.
        make_model: Makes the model, given `num_users` and `num_items`.
        train: The loop's settings, of which `lr`, `batch_size` and `eval_batch_size` are read.
        device: Where to compute.

    Raises:
        RequestError: If a metric is unknown or cannot decide, a user to train on has interacted with every item, or a batch
            would not fit in memory.
    """

    def __init__(
        self,
        dataset: InteractionData,
        settings: RecommendTask,
        make_model: MakeModel[Recommender],
        train: Train,
        device: torch.device,
    ) -> None:
        self._dataset = dataset
        self._make_model, self._train, self._device = make_model, train, device
        self._shape, pairs = (dataset.num_users, dataset.num_items), dataset.splits
        trained_on, judged, self.protocol = pairs["train"], {"valid": pairs["valid"]}, dataset.protocol
        if settings.protocol == "lightgcn":
            trained_on, judged = torch.cat([trained_on, pairs["valid"]], dim=1), {}
            self.protocol = f"{_SELECTED_ON_TEST} Split: {dataset.split}." if dataset.split else _SELECTED_ON_TEST
        interactions = self._matrix(trained_on)
        self._interactions = interactions.to(device)
        known = self._matrix(trained_on, *judged.values()).to(device)
        judged["test"] = pairs["test"]
        self._new, apart = self._new_users(trained_on, judged)
        self._judged = {
            name: self._judge(name, part, known if name == "test" else self._interactions) for name, part in judged.items()
        }
        counts = {name: count_items(part.relevant, part.seen) for name, part in self._judged.items()}
        choice = choose("recommend", settings.metric, dataset.metric, dataset.metrics, dataset.fallbacks, counts)
        self.metric, self.metrics = choice.metric, tuple(choice.metrics)
        self.lower_is_better = choice.lower_is_better
        self._k = min(max(metric.k for metric in choice.metrics.values()), self._shape[1])
        self.notes = (
            *dataset.notes,
            *unseen(Interactions({"train": trained_on}, *self._shape)),
            *apart,
            *choice.notes,
        )
        self._sampler = self._make_sampler(dataset.name, interactions, settings)
        batch_size = train.batch_size or interactions.nnz
        self.num_batches = -(-interactions.nnz // batch_size) if self._sampler else 0
        if self._sampler:
            ids = min(batch_size, interactions.nnz) * (2 + settings.num_negatives)
            with _errors_of_models():
                width = make_model.outline(**self._dims).batch_channels
            require_memory(  # ids, embeddings and their gradients
                ids * (8 + 2 * 4 * width), "a batch of triples", "lower train.batch_size or task.num_negatives"
            )

    @property
    def _dims(self) -> dict[str, int]:
        """What the data decides of a model."""
        return dict(zip(("num_users", "num_items"), self._shape, strict=True))

    def build_model(self) -> Recommender:
        """A freshly initialized model on the task's device, fitted; consumes torch's global random state.

        Raises:
            RequestError: If the model cannot be fitted: a setting, memory or a library does not allow it.
        """
        with _errors_of_models():
            model = self._make_model(**self._dims).to(self._device)
            model.fit(self._interactions)
        return model

    def stages(self, model: Recommender) -> list[Stage]:
        """One stage: all parameters at `lr`; none for models that are not trained."""
        parameters = list(model.parameters()) if self._sampler else []
        return one_stage([{"params": parameters, "lr": self._train.lr}])

    def batches(self, generator: torch.Generator) -> Iterator[Triples]:
        """The triples of an epoch, on the task's device."""
        if self._sampler is None:
            return
        for batch in self._sampler.epoch(generator, self._train.batch_size):
            yield Triples(*(part.to(self._device) for part in batch))

    def step(self, model: Recommender, batch: Triples, backward: Backward) -> Tensor:
        """The model's loss of the triples, with its gradient by `backward`."""
        loss = model.loss(*batch)
        backward(loss)
        return loss.detach()

    @torch.no_grad()
    def evaluate(self, model: Recommender, splits: tuple[str, ...] = ("valid", "test")) -> Evaluation:
        """Metrics of each split, in percent; with task.protocol=lightgcn those of validation are those of test.

        With those of test come those of its new users, where they are judged apart.

        There is no loss on validation: one of triples depends on which negatives are drawn.
        """
        model.prepare()
        judged = {split: split if split in self._judged else "test" for split in splits}
        results = {}
        for split in dict.fromkeys(judged.values()):
            part = self._judged[split]
            results[split] = ranking_metrics(self.metrics, self._rank(model, part)[1], part.users, part.relevant)
        found = {split: dict(results[judged[split]]) for split in splits}
        if self._new is not None and "test" in splits:
            rows, _, items = self._rank_new(model, self._new)
            found[PART] = ranking_metrics(self.metrics, items, rows, self._new.relevant)
        return Evaluation(found)

    @torch.no_grad()
    def predictions(self, model: Recommender) -> dict[str, np.ndarray]:
        """Of each judged split the users with held-out items [U], their best items [U, K] and scores [U, K], best first.

        Those of new users go by `new`.
        """
        model.prepare()
        lists = {split: (part.users, *self._rank(model, part)) for split, part in self._judged.items()}
        if (new := self._new) is not None:
            lists["new"] = new.users, *self._rank_new(model, new)[1:]
        return {
            f"{split}_{name}": array.cpu().numpy()
            for split, arrays in lists.items()
            for name, array in zip(("users", "scores", "items"), arrays, strict=True)
        }

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The items of the lists."""
        return tuple(f"{name}_items" for name in (*self._judged, *(["new"] if self._new else [])))

    def rescore(self, predictions: Mapping[str, np.ndarray]) -> Metrics:
        """As `Task.rescore`; an item that a list has twice, or that the user has been seen with, fits no data."""
        results = {}
        for name, part in self._judged.items():
            lists = stored_lists(predictions, f"{name}_items", part.users.cpu(), self._k, part.seen.to("cpu"))
            results[name] = ranking_metrics(self.metrics, lists, part.users.cpu(), part.relevant.to("cpu"))
        found = {split: dict(results[split if split in results else "test"]) for split in ("valid", "test")}
        if (new := self._new) is not None:
            rows, relevant = torch.arange(new.users.numel()), new.relevant.to("cpu")
            lists = stored_lists(predictions, "new_items", rows, self._k, new.given.to("cpu"))
            found[PART] = ranking_metrics(self.metrics, lists, rows, relevant)
        return found

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        """The interactions of each split, users and items; of a split at one date, which of them come first."""
        splits, earlier = self._dataset.splits, self._dataset.earlier
        return {name: (part, *([earlier[name]] if name in earlier else [])) for name, part in splits.items()}

    def table(self, predictions: dict[str, np.ndarray]) -> Columns:
        """The columns of predictions.csv, see `graphkit.tasks.tables.recommend_table`."""
        return recommend_table(self._dataset, predictions)

    def facts(self) -> dict[str, Any]:
        """What the data set tells of itself."""
        return self._dataset.facts()

    def _rank(self, model: Recommender, part: _Judged) -> tuple[Tensor, Tensor]:
        return rank_items(model.scores, part.users, self._shape[1], self._k, part.seen, self._train.eval_batch_size)

    def _rank_new(self, model: Recommender, new: NewUsers) -> tuple[Tensor, Tensor, Tensor]:
        """The numbers of new users [U], and their lists [U, K]: scores and items."""
        rows = torch.arange(new.users.numel(), device=self._device)
        scores = partial(new.scores, model)
        return rows, *rank_items(scores, rows, self._shape[1], self._k, new.given, self._train.eval_batch_size)

    def _matrix(self, *pairs: Tensor) -> CSR:
        return CSR.from_edge_index(torch.cat(pairs, dim=1).flip(0), self._shape, duplicates="first")

    def _judge(self, name: str, pairs: Tensor, seen: CSR) -> _Judged:
        relevant = self._matrix(pairs).to(self._device)
        users = relevant.degree().nonzero().flatten()
        if not users.numel():
            told = f"no user with {name} interactions has one in training"
            raise RequestError(f"{told}: take another data.split, or data.time_split=user")
        return _Judged(users, relevant, seen)

    def _new_users(self, trained_on: Tensor, judged: dict[str, Tensor]) -> tuple[NewUsers | None, list[str]]:
        """Of a split at one date, take the users without a past out of the judged pairs; sentences on who they are.

        Args:
            trained_on: Pairs of training.
            judged: Held-out pairs by split; those of new users are taken out.
        """
        if not self._dataset.earlier:
            return None, []
        new = NewUsers.of(self._dataset, trained_on, judged.get("valid", trained_on[:, :0]))
        able = self._make_model.model_class.folds_in
        past, notes = has_past(trained_on, self._shape[0]), []
        for name, pairs in list(judged.items()):
            judged[name] = pairs[:, past[pairs[0]]]
            every, kept = (part[0].unique().numel() for part in (pairs, judged[name]))
            apart = "are judged apart, as new users" if name == "test" and able else "do not count"
            if kept < every:
                notes.append(f"{every - kept:,} of {every:,} users with {name} interactions have none in training and {apart}.")
        if not able and new.users.numel():
            notes.append("This model cannot score new users: model=lightgcn, model=ials and model=itemknn can.")
        if able and new.strangers:
            notes.append(f"Of {new.strangers:,} new users nothing is known before their one test item: no figure counts them.")
        return (new.to(self._device) if able and new.users.numel() else None), notes

    def _make_sampler(self, name: str, interactions: CSR, settings: RecommendTask) -> TripleSampler | None:
        """The source of triples; None for a model that is done once it is fitted."""
        if not self._make_model.model_class.trained:
            return None
        try:
            return TripleSampler(interactions, settings.sampler, settings.num_negatives)
        except ValueError as error:
            raise RequestError(f"data set {name!r} cannot be trained on: {error}") from error


@contextmanager
def _errors_of_models() -> Iterator[None]:
    """A setting or a library that a model does not work with makes the request a wrong one."""
    try:
        yield
    except (ValueError, ModuleNotFoundError) as error:
        raise RequestError(str(error)) from error
