"""The command that trains networks to count: records, pages, batches."""

import json

import pytest
import torch

from benchmarks import counting as command
from benchmarks.counting import batches, main
from graphkit.data.generated.counting import counting_set
from graphkit.separation.networks import NETWORKS


def test_a_small_training(tmp_path, capsys):
    small = ["--graphs", "40", "--epochs", "2", "--width", "8", "--layers", "2", "--batch", "8", "--out", str(tmp_path)]
    asked = ["--patterns", "5-cycle", "--models", "gin", "sswl", *small, "--write"]
    assert main(asked) == 0
    record = json.loads((tmp_path / "graph-5-cycle-sswl.json").read_text())
    assert len(record["curve"]) == 2 and record["graphs"] == 40 and record["parameters"] > 0
    best = min(record["curve"], key=lambda one: one["valid"])
    assert record["test"] == best["test"] and record["environment"]["versions"]
    assert "| graph-5-cycle-gin |" in (tmp_path / "README.md").read_text()
    before = (tmp_path / "graph-5-cycle-gin.json").stat().st_mtime_ns
    assert main(asked) == 0 and (tmp_path / "graph-5-cycle-gin.json").stat().st_mtime_ns == before
    assert main(["--patterns", "triangle", "--models", "sswl+", "--level", "node", *small, "--write"]) == 0
    assert json.loads((tmp_path / "node-triangle-sswl+.json").read_text())["level"] == "node"
    capsys.readouterr()
    assert main(["--minutes", "0", *small]) == 0 and "0 minutes are over" in capsys.readouterr().err


@pytest.mark.parametrize("level", ["graph", "node"])
def test_batches_hold_their_graphs_and_targets(level):
    data = counting_set("triangle", level=level, num_graphs=40)
    graphs = torch.tensor([33, 2, 17])
    ((bags, y),) = batches(data, NETWORKS["sswl"], graphs, 10)
    assert bags.node_ptr.diff().tolist() == [30, 10, 15]
    dense = torch.zeros(bags.num_nodes, bags.num_nodes, dtype=torch.float64)
    dense[bags.adj.row, bags.adj.col] = 1.0
    closed = (dense @ dense @ dense).diagonal()
    counts = closed / 2 if level == "node" else torch.stack([part.sum() / 6 for part in closed.split([30, 10, 15])])
    torch.testing.assert_close(y.double() * data.scale, counts, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--level", "node", "--patterns", "star"], "give --patterns of triangle, 4-cycle"),
        (["--level", "node", "--patterns", "triangle", "--models", "gin", "sswl"], "gin have no bag per node"),
    ],
)
def test_wrong_requests(arguments, says, capsys):
    assert command.main(arguments) == 2 and says in capsys.readouterr().err
