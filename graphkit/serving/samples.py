"""A finished run whose samples, nodes, graphs or images, each have a prediction of their own, and answers by name."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, Self, TypedDict

import numpy as np
from torch import Tensor

from graphkit.conf.predict import Prediction
from graphkit.errors import RequestError, RunError
from graphkit.serving.calibration import calibration_error, fit_temperature, scaled
from graphkit.serving.files import Columns
from graphkit.serving.names import Names
from graphkit.serving.opened import Array, Opened

SPLITS = ("train", "valid", "test")


class SampleTask(Protocol):
    """What is asked of the task of such a run; `graphkit.tasks.node.NodeClassification` is one."""

    @property
    def targets(self) -> Tensor:
        """Classes [N], or labels or numbers [N, T], of all samples."""

    def scores(self, model: Any) -> Tensor:
        """Scores of all samples [N, T], on the CPU."""

    def probabilities(self, model: Any, scores: Tensor) -> Tensor:
        """Probabilities of scores."""

    def answers(self, model: Any, scores: Tensor) -> dict[str, Array]:
        """What `table` reads of scores."""

    def table(self, predictions: dict[str, Array]) -> Columns:
        """The columns of predictions.csv."""


class Calibration(TypedDict):
    """How probabilities were calibrated, and the expected calibration error of validation and test before and after."""

    temperature: float
    valid: dict[str, float]
    test: dict[str, float]


class ServedSamples:
    """A finished run of nodes, graphs or images, ready to answer; `graphkit.predict.load` makes one.

    Samples go by the names that the data has, else by their numbers, from 0 on. Predictions are those of the run's own
    evaluation, bit for bit on the same machine: all samples are predicted at once, when the run is opened.

    Args:
        opened: A seed of the run.
        kind: What a sample is called: `node`, `graph` or `image`.

    Attributes:
        kind: As given.
        seed: The seed that answers.
        data_files: The files that the run's data was read from.
        names: Names of the samples.
        num_new: How many of them, the last ones, are new to the run.
        calibration: How probabilities were calibrated; None: they are those of the run.
        columns: Predictions of all samples in the columns of predictions.csv.

    Raises:
        CheckpointError: If the predictions that the run left cannot come from its data as it is now.
        RunError: If the model scores a sample with NaN.
    """

    names: Names
    columns: Columns
    calibration: Calibration | None

    def __init__(self, opened: Opened, kind: str) -> None:
        self._opened, self.kind, self.seed, self.data_files = opened, kind, opened.seed, opened.data_files
        self.num_new, self.calibration = 0, None
        self._base = self
        self._ask(opened.task)
        opened.require_same_data(self._same_splits)

    def _ask(self, task: SampleTask) -> None:
        """Predict all samples of a task."""
        self._task = task
        with self._opened.evaluating():
            self._scores = task.scores(self._opened.model)
            if bool(self._scores.isnan().any()):
                raise RunError(f"the model scores {self.kind}s with NaN: lower train.lr or use precision=32-true")
            self._arrays = task.answers(self._opened.model, self._scores)
        self._name()

    def _name(self) -> None:
        """Put the names beside the predictions."""
        arrays = dict(self._arrays)
        if self.calibration is not None:
            p, temperature = self._arrays["probabilities"], self.calibration["temperature"]
            arrays["probabilities"] = self._scaled(temperature).astype(p.dtype)
        self.columns = self._task.table(arrays)
        own = self.columns[self.kind]
        self.names = Names(self.kind, len(own), () if own.dtype.kind in "iu" else own.tolist())

    def _on(self, task: SampleTask, num_new: int) -> Self:
        """The same run asked about other data."""
        other = copy.copy(self)
        other.num_new = num_new
        other._ask(task)
        return other

    def _same_splits(self, arrays: Mapping[str, Array]) -> bool:
        keys = [*(f"{split}_{self.kind}s" for split in SPLITS), "predicted"]
        return all(arrays[key].shape == self._arrays[key].shape for key in keys) and all(
            np.array_equal(arrays[key], self._arrays[key]) for key in keys[:-1]
        )

    def split(self, request: Prediction) -> list[str]:
        """The names that a request asks for."""
        return self.names.split(request.asked)

    def rows(self, names: Sequence[str | int] | None = None) -> Columns:
        """Predictions in the columns of predictions.csv.

        Args:
            names: Of these samples, in this order; None: of all.

        Raises:
            RequestError: If there is no such sample.
        """
        return self.columns if names is None else self.taken(self.names.find_all(names))

    def taken(self, numbers: Sequence[int]) -> Columns:
        """As `rows`, of samples by their numbers."""
        return {name: column[np.array(numbers, dtype=np.int64)] for name, column in self.columns.items()}

    def predict(self, names: Sequence[str | int] | None = None) -> list[dict[str, Any]]:
        """As `rows`, a dictionary per sample."""
        found = self.rows(names)
        return [dict(zip(found, row, strict=True)) for row in zip(*(column.tolist() for column in found.values()), strict=True)]

    def calibrated(self) -> Self:
        """The same run with probabilities that a temperature, fitted on the validation samples, scales; see `fit_temperature`.

        Predictions stay. Of several labels each is a choice between yes and no, and one temperature scales all of them.

        Raises:
            RequestError: If numbers are predicted, which have no probabilities.
        """
        if "probabilities" not in self._arrays:
            raise RequestError("calibrate=temperature: the run predicts numbers, which have no probabilities: leave it out")
        other = copy.copy(self)
        other.calibration = self._base._calibration
        other._name()
        return other

    @cached_property
    def _calibration(self) -> Calibration:
        """The temperature of the run's validation samples, fitted once."""
        held_out = {split: self._known(self._scaled(1.0), split) for split in ("valid", "test")}
        temperature = fit_temperature(*held_out["valid"])
        errors = {
            split: {"before": calibration_error(p, y), "after": calibration_error(scaled(p, temperature), y)}
            for split, (p, y) in held_out.items()
        }
        return Calibration(temperature=temperature, valid=errors["valid"], test=errors["test"])

    def _scaled(self, temperature: float) -> Array:
        """Probabilities in double precision, scaled."""
        with self._opened.evaluating():
            p: Array = self._task.probabilities(self._opened.model, self._scores.double()).numpy()
        if self._task.targets.dim() == 1:
            return scaled(p, temperature)
        return scaled(np.stack([1 - p, p], axis=-1).reshape(-1, 2), temperature)[:, 1].reshape(p.shape)

    def _known(self, p: Array, split: str) -> tuple[Array, Array]:
        """Probabilities [K, C] and classes [K] of the samples of a split; of labels those that are known, C = 2."""
        chosen, y = self._arrays[f"{split}_{self.kind}s"], self._task.targets.numpy()
        if y.ndim == 1:
            return p[chosen], y[chosen]
        p, y = p[chosen].reshape(-1), y[chosen].reshape(-1)
        known = ~np.isnan(y)
        return np.stack([1 - p[known], p[known]], axis=1), y[known].astype(np.int64)
