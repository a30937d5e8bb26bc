"""The first number that a newcomer sees is steady: over rounding, and over processors of other instruction sets."""

import csv
import json
import os
import subprocess
import sys

import pytest
import torch

from graphkit.metrics.pairs import link_metric

PAIRS = 2506  # positives and negatives of the test split of digits


@pytest.mark.parametrize("seed", range(20))
def test_rounded_scores_print_the_same_digits(seed: int) -> None:
    """Scores that differ by 1e-6 of themselves, as single precision gives them; not near the middle of two printed values."""
    source = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, PAIRS, generator=source, dtype=torch.float64)
    scores[0] += 3.4  # at this distance roc-auc is about 99.2
    exact = link_metric("roc-auc", *scores)
    rounded = scores * (1 + 1e-6 * (2 * torch.rand(scores.shape, generator=source, dtype=torch.float64) - 1))
    found = link_metric("roc-auc", *rounded)
    assert 98.5 < exact < 99.7 and abs(found - exact) < 2e-4
    assert f"{found:.2f}" == f"{exact:.2f}" or abs(100 * exact % 1 - 0.5) < 0.02


@pytest.mark.slow
def test_instruction_sets_print_the_same_digits(tmp_path) -> None:
    """Training epochs with and without vector instructions; in single precision the metrics differ after the first few."""
    tables = []
    for name, chosen in (("own", {}), ("plain", {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"})):
        out = tmp_path / name
        command = [sys.executable, "-m", "graphkit.run", "device=cpu", "train.epochs=4", f"out={out}", "format=json"]
        done = subprocess.run(command, env={**os.environ, **chosen}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["metric"] == "roc-auc"
        (table,) = out.glob("*/metrics.csv")
        with table.open() as file:
            tables.append(list(csv.DictReader(file)))
    assert len(tables[0]) == len(tables[1]) == 4
    for own, plain in zip(*tables, strict=True):
        printed = [{key: f"{float(cell):.2f}" for key, cell in row.items() if "/" in key} for row in (own, plain)]
        assert printed[0] == printed[1]
