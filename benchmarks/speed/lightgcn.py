"""LightGCN at the published settings of Gowalla, as a run makes and trains it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

from benchmarks.speed.harness import Results, Work
from graphkit.conf.arguments import flatten
from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS
from graphkit.data.dataset import InteractionData
from graphkit.models.recommend.lightgcn import LightGCN
from graphkit.sparse import Triples
from graphkit.tasks.build import model_maker
from graphkit.tasks.recommend import Recommendation
from graphkit.training.loop import Trainer
from graphkit.training.protocol import LoopSettings

_NEVER = 10**9


class Training:
    """Task, model and optimizer of `task=recommend dataset=gowalla model=lightgcn task.protocol=lightgcn`.

    Attributes:
        run: The settings.
        task: The task.
        trainer: The loop; its epochs are not evaluated.
        model: The model that it trains.

    Args:
        dataset: Interactions with splits.
        **overrides: Settings, dots written as `__`.
    """

    def __init__(self, dataset: InteractionData, **overrides: Any) -> None:
        request = {"task": "recommend", "dataset": "gowalla", "model": "lightgcn", "task.protocol": "lightgcn"}
        request |= {name.replace("__", "."): value for name, value in overrides.items()}
        self.run = compose(check(flatten(request), DATASETS)).run
        torch.manual_seed(0)
        self.task = Recommendation(
            dataset, self.run.task, model_maker("recommend", self.run.model), self.run.train, torch.device("cpu")
        )
        settings = LoopSettings.of(asdict(self.run.train) | {"epochs": _NEVER, "eval_every": _NEVER})
        fabric = Fabric(accelerator="cpu", devices=1)
        self.trainer = Trainer(self.task, settings, fabric, seed=0, on_step=lambda epoch, share: None)
        self.model = cast(LightGCN, self.trainer.model)

    @property
    def batch_size(self) -> int:
        """Triples a step."""
        return self.run.train.batch_size or self.model.interactions.nnz

    def batches(self, seed: int = 0) -> Iterator[Triples]:
        """The triples of an epoch."""
        return self.task.batches(torch.Generator().manual_seed(seed))

    def first_batches(self, count: int) -> list[Triples]:
        """The first triples of an epoch; no more than it has."""
        return list(islice(self.batches(), count))

    def step(self, batch: Triples) -> Tensor:
        """What the loop does with a batch; gives the loss."""
        optimizer = self.trainer.optimizer
        assert optimizer is not None
        optimizer.zero_grad(set_to_none=True)
        loss = self.task.step(self.model, batch, _backward)
        optimizer.step()
        return loss

    def loss_and_gradient(self, batch: Triples) -> Results:
        """The loss of a batch and the gradient of the table [N, C]."""
        self.model.zero_grad()
        loss = self.task.step(self.model, batch, _backward)
        gradient = self.model.embedding.grad
        assert gradient is not None
        return {"loss": loss[None].double(), "gradient": gradient.clone()}


def work_of_steps(entries: int, table: int, steps: int = 1) -> Work:
    """What steps of three layers cannot avoid, with so many entries in A_hat and a table of so many bytes."""
    return Work(
        "a step: four whole products (the two next to the batch are small), each with 4 bytes an entry and the table read and "
        "written, and seven tables for Adam, at the copy rate",
        bytes=float(steps) * (4 * (4 * entries + 2 * table) + 7 * table),
    )


def _backward(loss: Tensor) -> None:
    loss.backward()
