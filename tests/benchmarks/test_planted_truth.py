"""The command that compares explanations with known edges, on a network that is known to listen to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import planted_truth as command
from benchmarks.edge_scorers import ours
from graphkit.explain.masked import MaskedNode
from graphkit.models.node.base import NodeModel
from graphkit.sparse import CSR


class Sum(NodeModel):
    """Scores of a node by the sum of its neighbors: an edge matters by the feature at its other end."""

    embedding_channels = 1

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(1, 2, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[-1.0], [1.0]]))

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        assert isinstance(x, Tensor)
        return adj @ x


def case() -> command.Case:
    """Node 0 listens to 1, 2 and 3, loudly to the first two; 4 - 5 is out of its reach."""
    edges = torch.tensor([[1, 2, 3, 4], [0, 0, 0, 5]])
    adj = CSR.from_edge_index(torch.cat([edges, edges.flip(0)], dim=1), 6)
    x = torch.tensor([[0.3], [1.0], [0.9], [0.1], [5.0], [5.0]])
    masked = MaskedNode(model=Sum().eval(), x=x, adj=adj, node=0)
    truth = torch.tensor([sorted(edge) in ([0, 1], [0, 2], [4, 5]) for edge in adj.edge_index().t().tolist()])
    return command.Case(masked, 1, adj.row == 0, truth)


def test_edges_are_judged_within_reach_and_both_directions_together() -> None:
    for rule in ("gradients", "occlusion"):
        (found,) = command.judged([case()], ours(rule))
        assert found["auc"] == 1 and found["plus"] > found["minus"] >= 0
    (wrong,) = command.judged([case()], lambda masked, label, near: -ours("gradients")(masked, label, near))
    assert wrong["auc"] == 0
    edges = case().masked.edge_index
    one_way = ((edges[1] == 0) & (edges[0] < 3)).double()  # half of each true edge
    (half,) = command.judged([case()], lambda masked, label, near: one_way)
    assert half["auc"] == 1


def test_a_summary_has_an_interval_and_claims_compare_means() -> None:
    better = [{"auc": 0.9, "delta": 0.1, "plus": 0.2, "minus": 0.1}, {"auc": 0.7, "delta": 0.0, "plus": 0.1, "minus": 0.1}]
    worse = [{**one, "auc": 0.5} for one in better]
    found = command.summary(better, seed=0)
    assert found["auc"][0] == 0.8 and found["auc"][1] <= 0.8 <= found["auc"][2]
    claims = command._verdicts("gcn", {"ours, gradients": better, "GNNExplainer": worse, "random": better})
    assert claims == {"gcn: ours, gradients above GNNExplainer": True, "gcn: ours, gradients above random": False}


def test_figures_of_several_runs_are_averaged_case_by_case() -> None:
    runs = [[{"auc": 0.2}, {"auc": 1.0}], [{"auc": 0.4}, {"auc": 0.0}]]
    assert [one["auc"] for one in command.averaged(runs)] == pytest.approx([0.3, 0.5])


@pytest.mark.slow
@pytest.mark.data
def test_the_command_on_real_data(tmp_path: Path) -> None:
    """With few epochs; the claims are those of the full command."""
    small = ["--samples", "2", "--epochs", "40", "--gnn-explainer-epochs", "3", "--write", "--out", str(tmp_path)]
    assert command.main(["--datasets", "tree-cycles", *small]) in (0, 1)
    (one,) = json.loads((tmp_path / "planted-truth.json").read_text(encoding="utf-8"))["sets"]
    assert {row["explanation"] for row in one["rows"]} >= {"ours, gradients", "GNNExplainer", "random", "ours, prototype parts"}
    assert "| tree-cycles | prototype (" in (tmp_path / "planted-truth.md").read_text(encoding="utf-8")
