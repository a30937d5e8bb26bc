"""Node features in different units: as they are, and standardized by the training nodes, which is what own files get.

python examples/scale_features.py
"""

import csv
from pathlib import Path

import numpy as np

from graphkit.run import run
from graphkit.training.result import RunResult

PEOPLE = 200


def write_example(folder: Path) -> None:
    """Two groups whose members differ in age and in the hours they work; income, in the thousands, tells nothing."""
    source = np.random.default_rng(0)
    group = np.arange(PEOPLE) % 2
    columns = {
        "age": source.normal(35 + 10 * group, 6),
        "hours": source.normal(6 + 1.5 * group, 1),
        "income": source.normal(60_000, 20_000, PEOPLE),
        "owner": source.integers(0, 2, PEOPLE),
    }
    pairs = source.integers(0, PEOPLE, (3 * PEOPLE, 2))
    alike = (group[pairs[:, 0]] == group[pairs[:, 1]]) | (source.random(len(pairs)) < 0.5)
    tables = {
        "edges": [("source", "target"), *pairs[alike].tolist()],
        "features": [("node", *columns), *([node, *row] for node, row in enumerate(zip(*columns.values(), strict=True)))],
        "labels": [("node", "group"), *([node, "ab"[one]] for node, one in enumerate(group))],
    }
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def main(folder: Path, epochs: int = 100, seeds: int = 5) -> dict[str, RunResult]:
    """Train a GCN on the same files twice and return both results."""
    files = {name: str(folder / f"{name}.csv") for name in ("edges", "features", "labels")}
    return {
        scale: run(
            task="node", dataset="custom", model="gcn", data={**files, "scale": scale}, train={"epochs": epochs}, seeds=seeds
        )
        for scale in ("none", "auto")
    }


if __name__ == "__main__":
    write_example(Path())
    for scale, result in main(Path()).items():
        test = result.metrics["test"]["accuracy"]
        print(f"data.scale={scale:>4}  test accuracy {test['mean']:.1f} +- {test['std']:.1f}   {'; '.join(result.notes)}")
