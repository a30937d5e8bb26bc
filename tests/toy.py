"""A task as a newcomer would write it: on which side of a line does a point lie? No file of graphkit knows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.conf.catalog import MODELS, TASKS
from graphkit.conf.entries import ModelEntry, TaskEntry
from graphkit.conf.schema import Train
from graphkit.conf.setting import probability, weight
from graphkit.data.catalog import DATASETS, DatasetEntry, Protocol
from graphkit.data.dataset import Dataset
from graphkit.data.sources import DataRequest
from graphkit.errors import DataError
from graphkit.explain.explainer import Explainer
from graphkit.explain.explanation import Account, Explanation, Term
from graphkit.serving.names import Names
from graphkit.tasks.make_model import MakeModel
from graphkit.tasks.stored import stored
from graphkit.training.protocol import Evaluation
from graphkit.training.result import Metrics
from graphkit.training.stages import Backward, Stage, one_stage
from graphkit.training.table import Columns, as_text

SPLITS = {"train": slice(0, 60), "valid": slice(60, 80), "test": slice(80, 100)}


@dataclass
class ToyTask:
    """The task's settings."""

    name: str = "toy"
    smoothing: float = probability(0.0, "how much of a label is given to the other side")


@dataclass
class LineModel:
    """The model's settings."""

    name: str = "line"
    spread: float = weight(0.1, "deviation of the first slope")


@dataclass(frozen=True, kw_only=True)
class Points(Dataset):
    """Points [N, 2] and on which side of a line each lies [N]."""

    points: Tensor
    sides: Tensor

    @property
    def fallbacks(self) -> tuple[str, ...]:
        return ()

    def facts(self) -> dict[str, Any]:
        return {"points": len(self.points), "splits": {name: len(self.sides[part]) for name, part in SPLITS.items()}}

    def names(self) -> dict[str, tuple[str, ...]]:
        return {"points": tuple(f"p{number}" for number in range(len(self.points)))}

    def sizes(self) -> dict[str, int]:
        return {"points": len(self.points)}

    def check(self) -> None:
        if not bool(torch.isfinite(self.points).all()):
            raise DataError("a point is nowhere")


def read(request: DataRequest) -> Tensor:
    """The data set's reader."""
    return torch.randn(100, 2, generator=request.generator)


def build(request: DataRequest) -> Points:
    """What the task makes of it."""
    points: Tensor = request.read()
    return Points(
        name=request.entry.name,
        protocol=request.statement("Nothing was left out."),
        metric=request.protocol.metric,
        metrics=request.protocol.metrics,
        source=request.entry.source,
        notes=("points are only points",),
        points=points,
        sides=(points.sum(dim=1) > 0).float(),
    )


class Line(nn.Module):
    """The model: a plane's height over each point."""

    def __init__(self, *, spread: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(spread * torch.randn(2))

    def forward(self, points: Tensor) -> Tensor:
        return points @ self.slope


class Siding:
    """The task; fulfills `graphkit.training.protocol.Task`."""

    num_batches = 3
    judged_by = ("heights",)

    def __init__(
        self, dataset: Points, settings: ToyTask, make_model: MakeModel[Line], train: Train, device: torch.device
    ) -> None:
        self.lower_is_better = False
        self.metric, self.metrics, self.protocol, self.notes = dataset.metric, dataset.metrics, dataset.protocol, dataset.notes
        self._dataset, self._settings, self._train = dataset, settings, train
        self.build_model = make_model

    def stages(self, model: Line) -> list[Stage]:
        return one_stage([{"params": list(model.parameters()), "lr": self._train.lr}])

    def batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        yield from torch.randperm(60, generator=generator).chunk(self.num_batches)

    def step(self, model: Line, batch: Tensor, backward: Backward) -> Tensor:
        smoothing = self._settings.smoothing
        sides = self._dataset.sides[batch] * (1 - 2 * smoothing) + smoothing
        loss = F.binary_cross_entropy_with_logits(model(self._dataset.points[batch]), sides)
        backward(loss)
        return loss.detach()

    def evaluate(self, model: Line, splits: tuple[str, ...] = ("valid", "test")) -> Evaluation:
        return Evaluation(self._judged(model(self._dataset.points), splits))

    def _judged(self, heights: Tensor, splits: tuple[str, ...]) -> Metrics:
        right = (heights > 0) == (self._dataset.sides > 0)
        return {split: {"right": 100.0 * float(right[SPLITS[split]].float().mean())} for split in splits}

    def rescore(self, predictions: Mapping[str, np.ndarray]) -> Metrics:
        return self._judged(stored(predictions, "heights", len(self._dataset.points)), ("valid", "test"))

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        return {name: (self._dataset.points[part], self._dataset.sides[part]) for name, part in SPLITS.items()}

    def predictions(self, model: Line) -> dict[str, np.ndarray]:
        return {"heights": model(self._dataset.points).numpy()}

    def table(self, predictions: dict[str, np.ndarray]) -> Columns:
        return {"point": as_text(self._dataset.names()["points"]), "height": predictions["heights"]}

    def facts(self) -> dict[str, Any]:
        return self._dataset.facts()


class WhyThere(Explainer):
    """Why a point is on its side: coordinate x slope = contribution."""

    def identity(self) -> tuple[Tensor, ...]:
        return (self.opened.dataset.points,)

    def find(self, asked: Mapping[str, str]) -> list[int]:
        names = self.opened.dataset.names()["points"]
        return Names("point", len(names), names).find_all([asked["point"]])

    def explain(self, sample: int, top: int, *, with_receipt: bool = True) -> Explanation:
        place, slope = self.opened.dataset.points[sample].tolist(), self.opened.model.slope.tolist()
        terms = tuple(Term(f"axis {n}", x, w, x * w) for n, (x, w) in enumerate(zip(place, slope, strict=True)))
        account = Account("its height", sum(term.contribution for term in terms), 0.0, terms, value_name="coordinate")
        return Explanation(f"point p{sample}", f"Point p{sample} is there.", account, verdict=str(account.score > 0))


def register(patch: Callable[[dict[str, Any], str, Any], None]) -> None:
    """Put the rows of the task, its model and its data set into their tables, and nothing else."""
    patch(
        TASKS,
        "toy",
        TaskEntry(
            ToyTask,
            "tests.toy:Siding",
            "tests.toy:build",
            "line",
            "points",
            "on which side a point lies",
            refuses={"data.scale": "takes points where they lie"},
            explain="tests.toy:WhyThere",
            asks={"point": "a point by its name"},
        ),
    )
    patch(MODELS, "toy", {"line": ModelEntry(LineModel, "tests.toy:Line", "a line through the origin")})
    protocol = Protocol("Points drawn by the seed, 60 to train on.", "right", ("right",))
    patch(DATASETS, "points", DatasetEntry("points", "100 points", {"toy": protocol}, "nobody", reader="tests.toy:read"))
