"""Predict missing links of a graph of your own, from a CSV file of edges.

python examples/own_edges.py                 # writes a small file first
python examples/own_edges.py my-edges.csv    # two columns a row: source, target
"""

import csv
import sys
from pathlib import Path

from networkx import les_miserables_graph

from graphkit.run import run
from graphkit.training.result import RunResult


def write_example(path: Path) -> None:
    """Who appears with whom in Les Misérables: 77 characters, 254 pairs."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["source", "target"])
        rows.writerows(les_miserables_graph().edges)


def main(edges: Path, epochs: int = 30) -> dict[str, RunResult]:
    """Train NCN beside the plain count of common neighbors, on the same splits, and return both results."""
    models = {"cn": {"epochs": 0}, "ncn": {"epochs": epochs}}
    return {
        name: run(task="link", dataset="custom", model=name, data={"edges": str(edges)}, train=train, seeds=3)
        for name, train in models.items()
    }


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("les-miserables.csv")
    if len(sys.argv) == 1:
        write_example(given)
    for model, result in main(given).items():
        test = result.metrics["test"][result.metric]
        print(f"{model:>4}  test {result.metric}: {test['mean']:.2f} +- {test['std']:.2f}   ({result.folder})")
