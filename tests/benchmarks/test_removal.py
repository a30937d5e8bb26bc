"""The command that removes reasons: what it removes, what it measures, and a small version of its claim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import removal as command
from graphkit.models.recommend.ease import EASE
from graphkit.models.recommend.lightgcn import LightGCN
from graphkit.models.recommend.propagated import PropagatedRecommender
from graphkit.sparse import CSR
from tests.models.recommend.histories import LONELY_USER, NUM_ITEMS, NUM_USERS, random_interactions


def test_a_linear_model_loses_the_sum_of_what_is_removed() -> None:
    interactions, _ = random_interactions(0)
    model = EASE(NUM_USERS, NUM_ITEMS, regularization=2.0)
    model.fit(interactions)
    users = torch.arange(NUM_USERS)[torch.arange(NUM_USERS) != LONELY_USER]
    items = (users * 7) % NUM_ITEMS
    reasons = model.reasons(users, items)
    found = command.removals(
        reasons, lambda removed: command._folded_in(model, items, reasons, removed), 2, 3, torch.Generator().manual_seed(0)
    )
    parts = reasons.contributions.split(reasons.ptr.diff().tolist())
    strongest = torch.stack([part.topk(min(2, len(part))).values.sum() for part in parts])
    assert found["strongest"][0] == pytest.approx(float(strongest.mean()), abs=1e-6)
    assert found["difference"][1] > 0 and found["more_than_random"] > 0.9 and found["exact"]


def test_lightgcn_propagates_on_the_graph_that_really_lacks_the_interactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_NODES", 3 * (NUM_USERS + NUM_ITEMS))  # three copies at a time
    interactions, dense = random_interactions(1)
    torch.manual_seed(0)
    model = LightGCN(NUM_USERS, NUM_ITEMS, hidden_channels=4, num_layers=2).double()
    model.fit(interactions)
    model.prepare()
    users, items = torch.tensor([3, 8, 8, 20, 41]), torch.tensor([5, 9, 1, 70, 33])
    with torch.no_grad():
        reasons = model.reasons(users, items)
        removed = reasons.ranks() < 2
        found = command._propagated_again(model, users, items, reasons, removed)
    for p, (user, item) in enumerate(zip(users.tolist(), items.tolist(), strict=True)):
        gone = reasons.ids[removed & (reasons.prediction == p)]
        left = torch.from_numpy(dense).clone()
        left[user, gone] = 0.0
        assert gone.numel() == 2 and int((left != 0).sum()) == interactions.nnz - 2
        again = LightGCN(NUM_USERS, NUM_ITEMS, hidden_channels=4, num_layers=2).double()
        again.load_state_dict(model.state_dict())
        again.fit(CSR.from_edge_index(left.nonzero().t().flip(0), (NUM_USERS, NUM_ITEMS)))
        again.prepare()
        assert float(found[p]) == pytest.approx(float(again.scores(torch.tensor([user]))[0, item]), abs=1e-12)
    assert isinstance(model, PropagatedRecommender)


@pytest.mark.slow
@pytest.mark.data
def test_the_command_on_real_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--cases", "lastfm ease", "--predictions", "100", "--draws", "2", "--write", "--out", str(tmp_path)]
    assert command.main(asked) == 0
    record = json.loads((tmp_path / "removal.json").read_text(encoding="utf-8"))
    assert record["cases"][0]["predictions"] == 100 and record["cases"][0]["largest_remainder"] < 1e-6
    assert "| lastfm ease | 100 | 3 |" in capsys.readouterr().out
