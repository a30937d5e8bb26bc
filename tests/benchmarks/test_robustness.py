"""Certificates beside attacks, on a model that was trained for a moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import robustness
from graphkit.models.image.cbc import CBC


def test_an_attack_stays_in_its_ball_and_does_more_than_noise() -> None:
    torch.manual_seed(0)
    model = CBC(1, 2, (4, 4), encoder="pixels", scale=1.0).eval()
    model.requires_grad_(False)
    with torch.no_grad():
        model.prototypes[0].weight[:5], model.prototypes[0].weight[5:] = 0.3, 0.6
    images = torch.rand(40, 1, 4, 4) * 0.2 + 0.3
    labels = model(images).argmax(dim=1)
    found = robustness.attack(model, images, labels, 0.5, torch.Generator().manual_seed(0))
    assert float((found - images).flatten(1).norm(dim=1).max()) <= 0.5001
    rows = robustness.of_model(model, images, labels, torch.Generator().manual_seed(0))
    for row in rows:
        assert row["certified"] <= row["attack"] <= row["noise"] + 1e-9 and row["broken"] == 0
    assert rows[0]["attack"] == 100 and rows[-1]["attack"] < rows[-1]["noise"]


@pytest.mark.slow
def test_the_command_writes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = [
        "--encoders",
        "pixels",
        "--seeds",
        "1",
        "--epochs",
        "3",
        "--images",
        "20",
        "--write",
        "--out",
        str(tmp_path / "out"),
    ]
    assert robustness.main(asked) == 0
    record = json.loads((tmp_path / "out" / "digits-pixels.json").read_text())
    assert [row["radius"] for row in record["rows"]] == list(robustness.RADII)
    assert "| 0.25 |" in (tmp_path / "out" / "README.md").read_text()
