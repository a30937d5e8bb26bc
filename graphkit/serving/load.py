"""`load`: a finished run, opened to answer. Importing it needs no torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from graphkit.conf.catalog import TASKS
from graphkit.conf.predict import require_served
from graphkit.paths import expanded
from graphkit.tasks.experiment import given_places, stored_request


def load(
    run: str | os.PathLike[str],
    *,
    seed: int | None = None,
    device: str = "auto",
    root: str | None = None,
    interactions: Any = None,
    data: Mapping[str, Any] | None = None,
) -> Any:
    """Open a finished run; the same as `graphkit.predict.load`.

        served = load("runs/recommend-gowalla-lightgcn-...")
        served.top("42", k=20)

        served = load("runs/link-custom-ncn-...")
        served.top("ada", k=5)
        served.score([("ada", "bob")])

        served = load("runs/node-custom-sage-...")
        served.predict(["ada", "bob"])
        served.with_nodes("new.csv", "new-edges.csv").calibrated().predict()

    Args:
        run: The run folder.
        seed: The seed whose weights answer; default: the best by validation.
        device: `auto`, `cpu` or `cuda`.
        root: Data folder, where it is not the one the run was trained with.
        interactions: The run's own interactions file, where it lies elsewhere now; or, of a run on data in memory, the same.
        data: Further own files likewise, by setting, e.g. `{"edges": "moved.csv"}`.

    Returns:
        The run: of recommendation a `graphkit.serving.served.Served`, of links a `graphkit.serving.pairs.ServedPairs`, of
        nodes, graphs and images a `graphkit.serving.samples.ServedSamples`.

    Raises:
        RequestError: If the folder is no finished run of a task that can be asked, or device or data are not available.
        CheckpointError: If a file of the run, or its data, is missing or was changed.
    """
    from graphkit.training.artifacts import finished_seed

    folder = expanded(run, "run")
    places, memory = given_places(root, {**(data or {}), **({} if interactions is None else {"interactions": interactions})})
    request = stored_request(folder, "run", places)
    require_served(request.task, folder)
    chosen = finished_seed(folder, seed)
    from graphkit.serving.opened import open_seed
    from graphkit.training.runtime import torch_errors

    with torch_errors():
        return resolve_name(TASKS[request.task].serve)(open_seed(folder, request, chosen, device, memory))
