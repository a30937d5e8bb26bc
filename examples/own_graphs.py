"""Classify graphs of your own, from CSV files, beside a model that sees no edge.

python examples/own_graphs.py             # writes three small files first
python examples/own_graphs.py my-folder   # with graphs.csv, edges.csv and nodes.csv
"""

import csv
import sys
from pathlib import Path

import networkx

from graphkit.run import run
from graphkit.training.result import RunResult

ATOMS = ("C", "N", "O")


def write_example(folder: Path) -> None:
    """120 small molecules of equal atoms and bonds: an atom hangs on a ring, or a chain hangs on a smaller one."""
    graphs, edges, nodes = [("graph", "kind")], [("graph", "source", "target")], [("graph", "node", *ATOMS)]
    for number in range(120):
        size, large = 6 + number // 2 % 4, number % 2 == 0
        molecule = networkx.lollipop_graph(3, size - 3) if not large else networkx.cycle_graph(size - 1)
        if large:
            molecule.add_edge(0, size - 1)
        graphs.append((f"m{number}", "large ring" if large else "small ring"))
        edges += [(f"m{number}", source, target) for source, target in molecule.edges]
        kinds = [(node + number // 8) % 3 for node in molecule]
        nodes += [
            (f"m{number}", node, *(int(kind == place) for place in range(3)))
            for node, kind in zip(molecule, kinds, strict=True)
        ]
    for name, rows in {"graphs.csv": graphs, "edges.csv": edges, "nodes.csv": nodes}.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def main(folder: Path, epochs: int = 60, seeds: int = 3) -> dict[str, RunResult]:
    """Train GIN beside Deep Sets, which sees the nodes alone, on the same folds, and return both results."""
    files = {"graphs": "graphs.csv", "edges": "edges.csv", "features": "nodes.csv"}
    data = {key: str(folder / name) for key, name in files.items()}
    train = {"epochs": epochs, "batch_size": 32}
    return {name: run("graph", "custom", name, data=data, train=train, seeds=seeds) for name in ("deepsets", "gin")}


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    if len(sys.argv) == 1:
        write_example(given)
    for model, result in main(given).items():
        test = result.metrics["test"][result.metric]
        print(f"{model:>8}  test {result.metric}: {test['mean']:.2f} +- {test['std']:.2f}   ({result.folder})")
