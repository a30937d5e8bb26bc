"""A point of the plot: a model at a depth, trained by `graphkit.run`, and how smooth its last hidden representation is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.reproduce.execute import finish
from benchmarks.reproduce.record import command
from benchmarks.reproduce.table import Row
from graphkit.conf.compose import compose
from graphkit.data.catalog import DATASETS
from graphkit.errors import RequestError

if TYPE_CHECKING:
    from torch import Tensor

    from graphkit.models.node.base import NodeModel
    from graphkit.training.restore import Restored

LAYERS = (2, 4, 8, 16, 32, 64)
MODELS: dict[str, dict[str, Any]] = {
    "gcn": {"model.hidden_channels": 48},
    **{
        f"sheaf-{maps}": {
            "model.maps": maps,
            "model.stalk_dim": 3,
            "model.hidden_channels": 16,
            "model.right_init": "orthogonal",
        }  # fmt: skip
        for maps in ("identity", "diagonal", "orthogonal", "general")
    },
    "dagnn": {"model.hidden_channels": 48},
    "air-gcn": {"model.hidden_channels": 48, "model.base": "gcn"},
}
"""What is drawn, all of width 48; a name's first part is the model's."""
DEPTH = {"dagnn": "model.num_hops", "air": "model.num_hops"}
"""What depth is, where it is not `model.num_layers`: hops of the scores of a perceptron of two layers; convolutions."""
SETTINGS: dict[str, Any] = {
    "recipe": "none", "model.dropout": 0.0, "model.input_dropout": 0.5,
    "train.lr": 0.01, "train.weight_decay": 5e-4, "train.eval_every": 5,
}  # fmt: skip
"""What all have in common."""


@dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
        dataset: An undirected data set for node classification.
        models: Keys of `MODELS`.
        layers: Depths.
        seeds: Number of seeds.
        epochs: Epochs of every run.
    """

    dataset: str = "cora"
    models: tuple[str, ...] = tuple(MODELS)
    layers: tuple[int, ...] = LAYERS
    seeds: int = 3
    epochs: int = 200

    def rows(self) -> dict[tuple[str, int], Row]:
        """The run of every model and depth, checked.

        Raises:
            RequestError: If the data set does not fit, or a setting is wrong.
        """
        entry = DATASETS.get(self.dataset)
        if entry is not None and entry.directed:
            raise RequestError(f"{self.dataset} is directed: the energy is that of an undirected graph")
        metric = entry.protocols["node"].metric if entry and "node" in entry.protocols else ""
        rows = {(name, depth): self._row(name, depth, metric) for name in self.models for depth in self.layers}
        for row in rows.values():
            row.request()
        return rows

    def _row(self, name: str, depth: int, metric: str) -> Row:
        model, _, kind = name.partition("-")
        overrides = {**MODELS[name], **SETTINGS, DEPTH.get(model, "model.num_layers"): depth, "train.epochs": self.epochs}
        variant = f"{kind}-{depth}" if kind else f"{depth}"
        return Row("node", self.dataset, model, self.seeds, metric, overrides, variant=variant)


def measure(row: Row, runs: Path) -> dict[str, Any]:
    """Bring a point's run to its end, or read it, and measure the models that it selected.

    Args:
        row: The point.
        runs: Where run folders lie.

    Returns:
        Plain values by seed: test metric and energies, None where a representation is zero; with command and environment.

    Raises:
        GraphkitError: As `graphkit.run.run`.
    """
    import json

    from graphkit.tasks.experiment import Experiment
    from graphkit.training.restore import restore

    folder = finish(row, (), runs / row.name)
    stored = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    resolved = compose(row.request())
    experiment = Experiment(resolved.run)
    energies = []
    for seed in stored["seeds"]:
        trainer = restore(folder, resolved.config, experiment, seed, experiment.device)
        edge_index = experiment.dataset(seed).data.edge_index.to(experiment.device)
        energies.append(_energies(trainer, edge_index))
    metrics = {split: stored["metrics"][split][row.metric]["per_seed"] for split in ("valid", "test")}
    kept = ("seeds", "best_epochs", "num_parameters", "seconds", "environment")
    together = {name: [one[name] for one in energies] for name in energies[0]}
    return {**metrics, **together, **{key: stored[key] for key in kept}, "command": command(row)}


def _energies(trainer: Restored[NodeModel], edge_index: Tensor) -> dict[str, float | None]:
    """Dirichlet energy of what the head is given, and its energy under the sheaf that the last layer learns from it."""
    from graphkit.layers import SheafDiffusion
    from graphkit.metrics.smoothness import dirichlet_energy, rayleigh_quotient
    from graphkit.sparse import CSR

    with trainer.evaluating():
        hidden = trainer.task.embed(trainer.model)
    adj = CSR.from_edge_index(edge_index, hidden.size(0))
    found: dict[str, float | None] = {"energy": _number(dirichlet_energy(hidden, adj)), "sheaf_energy": None}
    layers: Any = getattr(trainer.model, "layers", None)
    if layers and isinstance(layers[-1], SheafDiffusion):
        with trainer.evaluating():
            last, x = layers[-1].double(), hidden.double()  # rounding would hide small energies
            found["sheaf_energy"] = _number(rayleigh_quotient(x, last.sheaf(x, adj)))
    return found


def _number(value: float) -> float | None:
    """None for NaN, which JSON lacks."""
    return value if value == value else None
