"""Compare five link predictors on a CSV file of your own, and take the winner's suggestions by name.

python examples/suggest_links.py                       # writes a small file first
python examples/suggest_links.py my-edges.csv Ada      # two columns, source and target, and a node in them
"""

import csv
import sys
from pathlib import Path

from networkx import les_miserables_graph

from graphkit.predict import load
from graphkit.run import run
from graphkit.serving.pairs import Suggested

PREDICTORS = {"cn": 0, "aa": 0, "ra": 0, "katz": 0, "ncn": 30}
"""Models, and the epochs that they are trained for."""


def write_example(path: Path) -> None:
    """Who appears with whom in Les Misérables: 77 characters, 254 pairs."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["source", "target"])
        rows.writerows(les_miserables_graph().edges)


def main(edges: Path, node: str, k: int = 5, seeds: int = 3, trained: int | None = None) -> tuple[str, list[Suggested]]:
    """The predictor with the best validation score over some splits, and the links that it suggests for a node.

    Args:
        edges: The file.
        node: A node by its name.
        k: Suggestions.
        seeds: Splits, the same for all predictors.
        trained: Epochs of the models that are trained; default: as the table above says.
    """
    found = {}
    for model, epochs in PREDICTORS.items():
        epochs = epochs if trained is None or not epochs else trained
        result = run("link", "custom", model, data={"edges": str(edges)}, train={"epochs": epochs}, seeds=seeds)
        valid, test = (result.metrics[split][result.metric]["mean"] for split in ("valid", "test"))
        print(f"{model:>5}  {result.metric}: valid {valid:6.2f}   test {test:6.2f}")
        found[model] = valid, result.folder
    winner = max(found, key=lambda model: found[model][0])  # by validation: the test pairs stay a test
    return winner, load(found[winner][1]).top(node, k)


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("les-miserables.csv")
    if len(sys.argv) == 1:
        write_example(given)
    asked = sys.argv[2] if len(sys.argv) > 2 else "Cosette"
    model, suggestions = main(given, asked)
    print(f"{model} suggests for {asked}:")
    for rank, (other, score) in enumerate(suggestions, start=1):
        print(f"{rank:>2}  {other:<20} {score:6.3f}")
