"""What the benchmarks of changed graphs share: runs of node classification on graphs that are poisoned or transformed."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from graphkit.conf.arguments import flatten
from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.conf.transforms import NONE
from graphkit.data import load
from graphkit.data.catalog import DATASETS
from graphkit.data.dataset import Dataset
from graphkit.errors import GraphkitError
from graphkit.tasks.build import build_task
from graphkit.tasks.transform import around, change, changed
from graphkit.training.environment import environment
from graphkit.training.files import write_atomic
from graphkit.training.protocol import AnyTask
from graphkit.training.runner import train_run

RESULTS = Path(__file__).parent / "results"
_CPU = torch.device("cpu")


def parser(name: str, description: str, shares: Sequence[float], of: str) -> argparse.ArgumentParser:
    """The options of a command.

    Args:
        name: Its module.
        description: What it does.
        shares: Default points of the curve.
        of: What a share is of.
    """
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description, allow_abbrev=False)
    made.add_argument("--dataset", default="cora", help="data set of task=node (default %(default)s)")
    made.add_argument("--model", default="gcn", help="its recipe is used where there is one (default %(default)s)")
    made.add_argument("--shares", nargs="+", type=float, default=list(shares), metavar="S", help=f"shares of {of}")
    made.add_argument("--seeds", type=int, default=3, metavar="N", help="default %(default)s")
    made.add_argument("--epochs", type=int, default=200, metavar="N", help="at most (default %(default)s)")
    made.add_argument("--write", action="store_true", help=f"write result and page to results/{name}/")
    made.add_argument("--out", default=RESULTS / name, type=Path, metavar="FOLDER", help="another folder")
    return made


def accuracy(
    asked: argparse.Namespace, transform: Mapping[str, Any], attack: Callable[[Dataset, int], Dataset] = lambda data, seed: data
) -> dict[str, float]:
    """Mean and deviation over seeds of a run's metric, in percent, epochs selected on validation.

    Args:
        asked: What the command line says.
        transform: Settings of `transform=`.
        attack: What is done to the data of a seed before.
    """
    with tempfile.TemporaryDirectory() as folder:
        given = {"task": "node", "dataset": asked.dataset, "model": asked.model, "transform": transform, "out": folder}
        given |= {"train": {"epochs": asked.epochs}, "seeds": asked.seeds, "device": "cpu", "progress": False}
        resolved = compose(check(flatten(given), DATASETS))
        settings = resolved.run

        def make_task(seed: int) -> AnyTask:
            data = attack(load(asked.dataset, task="node", seed=seed), seed)
            parts = (settings.task, settings.model, settings.train, _CPU)
            if settings.transform.name == NONE:
                return build_task("node", data, *parts)
            made = changed(data, change(settings.transform, data, seed))
            return build_task("node", made, *parts, lambda make: around(settings.transform, make, data, _CPU))

        result = train_run(resolved.config, make_task)
    found = {}
    for split in ("valid", "test"):
        values = result.metrics[split][result.metric]["per_seed"]
        found |= {split: statistics.mean(values), f"{split}_std": statistics.stdev(values) if len(values) > 1 else 0.0}
    return found


def command(
    parse: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    measure: Callable[[argparse.Namespace], list[dict[str, Any]]],
    page: Callable[[dict[str, Any]], str],
) -> int:
    """Run a command line: measure, print the page, write it where asked.

    Args:
        parse: Its options.
        argv: Its arguments; None: those of the process.
        measure: Gives the rows.
        page: From a record to its page.

    Returns:
        The exit status.
    """
    asked = parse.parse_args(argv)
    try:
        begun = time.perf_counter()
        rows = measure(asked)
        kept = {key: getattr(asked, key) for key in ("dataset", "model", "seeds", "epochs")}
        record = {**kept, "rows": rows, "seconds": round(time.perf_counter() - begun, 1)}
        record["environment"] = environment(_CPU, "32-true")
        print(page(record))
        if asked.write:
            asked.out.mkdir(parents=True, exist_ok=True)
            write_atomic(asked.out / f"{asked.dataset}-{asked.model}.json", (json.dumps(record, indent=1) + "\n").encode())
            write_atomic(asked.out / "README.md", page(record).encode())
        return 0
    except GraphkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def cell(row: Mapping[str, float], split: str) -> str:
    """Mean and deviation as a cell of a table."""
    return f"{row[split]:.1f} ± {row[f'{split}_std']:.1f}"
