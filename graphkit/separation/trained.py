"""BREC's protocol: train a network on each pair, and test whether its outputs differ by more than relabeling explains."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import f as fisher
from torch import Tensor, nn

from graphkit.cli import tell
from graphkit.data.graph_pairs import GraphPair
from graphkit.errors import RequestError, RunError
from graphkit.separation.collection import Collection
from graphkit.separation.networks import Network
from graphkit.separation.refinement import Refinement
from graphkit.sparse.egonets import Bags

OUT_CHANNELS = 16
_SIGNIFICANCE = 0.05
_SAME = 1e-6
"""A statistic this close to that of the reliability set says nothing."""


@dataclass(frozen=True)
class Training:
    """How a network is trained on a pair.

    Attributes:
        width: Channels.
        layers: Layers.
        relabelings: Copies R of each graph; more than the 16 output channels.
        epochs: At most.
        lr: Of Adam, divided by 10 where the loss has not improved for 10 epochs.
        weight_decay: Of Adam.
        batch_size: Graphs per step, half of each kind.
        stop_loss: Training ends below it.
    """

    width: int = 16
    layers: int = 6
    relabelings: int = 32
    epochs: int = 20
    lr: float = 1e-4
    weight_decay: float = 1e-4
    batch_size: int = 16
    stop_loss: float = 0.2

    @property
    def threshold(self) -> float:
        """(R - 1) d / (R - d) F_0.95(d, R - d) for d = 16 outputs: 72.34 for R = 32."""
        copies, d = self.relabelings, OUT_CHANNELS
        quantile: float = fisher.ppf(1 - _SIGNIFICANCE, d, copies - d)
        return (copies - 1) * d / (copies - d) * quantile

    def facts(self) -> dict[str, Any]:
        """As a dictionary."""
        return asdict(self)


class Siamese(nn.Module):
    """An embedding and a linear map to 16 numbers per graph.

    Args:
        network: What to build.
        how: Width and layers.
    """

    def __init__(self, network: Network, how: Training) -> None:
        super().__init__()
        self.embedding = network.embedding(how.width, how.layers, trained=True)
        self.head = nn.Linear(how.width, OUT_CHANNELS)

    def forward(self, bags: Bags) -> Tensor:
        """Outputs [G, 16]."""
        out: Tensor = self.head(self.embedding(bags))
        return out


def train_pair(network: Network, collection: Collection, places: Sequence[int], how: Training, seed: int) -> dict[str, Any]:
    """Train a new network on a pair and test it.

        loss       mean over the copies of max(0, cos(f(G_r), f(H_r)))
        statistic  T^2 = m^T S^+ m,  m and S the mean and covariance over r of f(G_r) - f(H_r), G_r and H_r relabeled copies

    Args:
        network: What to build.
        collection: The pairs.
        places: The two graphs of the pair.
        how: How to train.
        seed: Of weights and relabelings.

    Returns:
        `statistic`; `reliability`, the statistic of copies of one graph against other copies of it; `separated`, whether the
        statistic exceeds the threshold and is not that of reliability; `reliable`, whether that stays below the threshold;
        `loss` and `epochs` of the training.

    Source: Wang and Zhang, "An Empirical Study of Realized GNN Expressiveness", ICML 2024, whose code we follow: T^2 lacks
    Hotelling's factor R on both sides of the comparison, so that the test is stricter than its level says.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Siamese(network, how)
    test = network.ceiling
    batches = _batches(test, collection, [places[0], places[1]], how, generator)
    control = _batches(test, collection, [places[0], places[0]], how, generator)
    loss, epochs = _train(model, batches, how)
    model.eval()
    statistic, reliability = _statistic(model, batches), _statistic(model, control)
    same = math.isclose(statistic, reliability, rel_tol=1e-5, abs_tol=_SAME)
    return {
        "statistic": statistic,
        "reliability": reliability,
        "separated": statistic > how.threshold and not same,
        "reliable": reliability < how.threshold,
        "loss": loss,
        "epochs": epochs,
    }


def _batches(
    test: Refinement, collection: Collection, places: list[int], how: Training, generator: torch.Generator
) -> list[Bags]:
    """Bags of relabeled copies of the two graphs in turn, in batches; made once, they serve every epoch."""
    found = []
    per_batch = max(1, how.batch_size // 2)
    for start in range(0, how.relabelings, per_batch):
        copies = min(per_batch, how.relabelings - start)
        batch = collection.batch(np.array(places * copies)).relabeled(generator)
        found.append(test.bags(batch.edge_index, batch.ptr))
    return found


def _train(model: Siamese, batches: list[Bags], how: Training) -> tuple[float, int]:
    """The last epoch's loss, and how many epochs it took."""
    optimizer = torch.optim.Adam(model.parameters(), lr=how.lr, weight_decay=how.weight_decay)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    criterion = nn.CosineEmbeddingLoss()
    model.train()
    mean, epochs = math.inf, 0
    while epochs < how.epochs and mean >= how.stop_loss:
        epochs += 1
        total = 0.0
        for bags in batches:
            optimizer.zero_grad()
            out = model(bags)
            apart = torch.full((out.size(0) // 2,), -1)
            loss = criterion(out[0::2], out[1::2], apart)
            loss.backward()
            optimizer.step()
            total += loss.item() * apart.numel()
        mean = total / how.relabelings
        schedule.step(mean)
    return mean, epochs


def _statistic(model: Siamese, batches: list[Bags]) -> float:
    with torch.no_grad():
        out = torch.cat([model(bags) for bags in batches])
    difference = (out[0::2] - out[1::2]).double()
    mean = difference.mean(0)
    return float(mean @ torch.linalg.pinv(torch.cov(difference.t())) @ mean)


class Results:
    """Results of trainings in a file of JSON lines, so that an interrupted command goes on where it was.

    The first line of each set of settings holds them; a line per pair and seed follows. Several networks may share a file.

    Args:
        path: The file; made if there is none.
        settings: What the results belong to.

    Raises:
        RequestError: The file is no such file, or holds results of this network under other settings.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path, self.settings = path, settings
        self.done: dict[tuple[str, str, int], dict[str, Any]] = {}
        try:
            lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        except OSError as error:
            raise RequestError(f"out={path} cannot be read ({error.strerror}): give another file") from error
        if lines and not lines[-1].endswith(b"\n"):  # the last write was cut off
            lines.pop()
            self._write(b"".join(lines), "wb")
        self._read(lines)

    def _read(self, lines: list[bytes]) -> None:
        known = False
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                if "settings" in row:
                    same_model = row["settings"]["model"] == self.settings["model"]
                    if same_model and row["settings"] != self.settings:
                        raise RequestError(
                            f"out={self.path}, line {number}: results of model={self.settings['model']} under other settings: "
                            "give another file, or the same settings"
                        )
                    known |= same_model
                elif row["model"] == self.settings["model"]:
                    self.done[row["pair"], row["graphs"], row["seed"]] = row
            except (ValueError, KeyError, TypeError) as error:
                raise RequestError(f"out={self.path}, line {number}: no result of this command: give another file") from error
        if not known:
            self._add({"settings": self.settings})

    def complete(
        self, network: Network, collection: Collection, how: Training, seeds: Sequence[int]
    ) -> list[list[dict[str, Any]]]:
        """The results of every pair [P] by seed, trained where they are missing."""
        found = []
        for pair, places in zip(collection.pairs, collection.places.tolist(), strict=True):
            keys = [(pair.name, _digest(pair), seed) for seed in seeds]
            for key in keys:
                if key not in self.done:
                    self._run(network, collection, pair, places, how, key)
            found.append([self.done[key] for key in keys])
        return found

    def _run(
        self,
        network: Network,
        collection: Collection,
        pair: GraphPair,
        places: list[int],
        how: Training,
        key: tuple[str, str, int],
    ) -> None:
        begun = time.perf_counter()
        name, graphs, seed = key
        row = {"model": self.settings["model"], "pair": name, "category": pair.category, "graphs": graphs, "seed": seed}
        row |= train_pair(network, collection, places, how, seed) | {"seconds": round(time.perf_counter() - begun, 3)}
        self._add(row)
        self.done[key] = row
        verdict = "separated" if row["separated"] and row["reliable"] else "not separated"
        tell(f"{row['model']}, {name}, seed {seed}: {verdict} (T^2 = {row['statistic']:.4g}, {row['epochs']} epochs)")

    def _add(self, row: dict[str, Any]) -> None:
        self._write(json.dumps(row).encode() + b"\n", "ab")

    def _write(self, content: bytes, mode: str) -> None:
        try:
            with self.path.open(mode) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RunError(f"cannot write {self.path} ({error.strerror}): free space or give another out=") from error


def _digest(pair: GraphPair) -> str:
    """What two pairs of one name, of different files, differ in."""
    digest = hashlib.sha256()
    for graph in (pair.first, pair.second):
        digest.update(graph.num_nodes.to_bytes(8, "little") + graph.edge_index.numpy().tobytes())
    return digest.hexdigest()[:16]
