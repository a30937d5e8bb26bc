"""Temperature scaling against plain loops and a grid."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from graphkit.predict import load, main
from graphkit.run import run
from graphkit.serving.calibration import calibration_error, fit_temperature, scaled
from tests.serving.test_graphs import single


def drawn(temperature: float, count: int = 400, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Classes drawn from softmax(z), and the probabilities softmax(temperature z) that a model claims."""
    generator = np.random.default_rng(1)
    z = 1.5 * generator.standard_normal((count, classes))
    own = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    y = np.array([generator.choice(classes, p=row) for row in own])
    claimed = np.exp(temperature * z)
    return claimed / claimed.sum(axis=1, keepdims=True), y


def loss(p: np.ndarray, y: np.ndarray, temperature: float) -> float:
    """The mean negative log-likelihood by a loop."""
    total = 0.0
    for row, label in zip(p.tolist(), y.tolist(), strict=True):
        powers = [one ** (1 / temperature) for one in row]
        total -= math.log(powers[label] / sum(powers))
    return total / len(y)


@pytest.mark.parametrize("wrong", [0.4, 1.0, 3.0])
def test_the_temperature_is_the_best_of_a_grid(wrong: float) -> None:
    p, y = drawn(wrong)
    found = fit_temperature(p, y)
    grid = np.exp(np.linspace(math.log(found) - 0.3, math.log(found) + 0.3, 61))
    assert loss(p, y, found) <= min(loss(p, y, one) for one in grid.tolist()) + 1e-9
    assert found == pytest.approx(wrong, rel=0.25)  # sampling leaves some
    after = scaled(p, found)
    np.testing.assert_allclose(after, [[a ** (1 / found) / sum(b ** (1 / found) for b in row) for a in row] for row in p])
    assert (after.argmax(1) == p.argmax(1)).all()


def test_right_and_certain_predictions() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert 0.01 <= fit_temperature(p, np.array([0, 1])) < 0.1
    certain = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert np.isfinite(fit_temperature(certain, np.array([0, 1, 1]))) and np.isfinite(scaled(certain, 0.01)).all()


def test_the_calibration_error_is_that_of_a_loop() -> None:
    p, y = drawn(2.0)
    p[0], p[1] = [1.0, 0, 0], [1 / 3, 1 / 3, 1 / 3]
    bins: dict[int, list[tuple[float, float]]] = {}
    for row, label in zip(p.tolist(), y.tolist(), strict=True):
        confidence = max(row)
        place = next(b for b in range(15) if confidence <= (b + 1) / 15 + 1e-12)
        bins.setdefault(place, []).append((confidence, float(row.index(confidence) == label)))
    expected = sum(
        abs(sum(right for _, right in part) - sum(confidence for confidence, _ in part)) / len(y) for part in bins.values()
    )
    assert calibration_error(p, y) == pytest.approx(expected, abs=1e-9)
    assert calibration_error(np.empty((0, 3)), np.empty(0, dtype=np.int64)) == 0.0


def test_a_run_s_probabilities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = {"epochs": 60, "lr": 0.05}
    folder = run("node", "planted-partition", "mlp", train=train, out=str(tmp_path), device="cpu").folder
    served = load(folder)
    with np.load(folder / "seed-0" / "predictions.npz") as stored:
        z, valid, test = stored["logits"].astype(np.float64), stored["valid_nodes"], stored["test_nodes"]
    y = served._opened.dataset.graph.y.numpy()
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    calibrated = served.calibrated()
    found = calibrated.calibration
    t = found["temperature"]
    grid = [t * math.exp(step) for step in (-0.1, -0.02, 0.02, 0.1)]
    assert 0.011 < t < 99 and all(loss(p[valid], y[valid], t) <= loss(p[valid], y[valid], one) for one in grid)
    for split, nodes in (("valid", valid), ("test", test)):
        assert found[split]["before"] == pytest.approx(calibration_error(p[nodes], y[nodes]), abs=1e-9)
        assert found[split]["after"] == pytest.approx(calibration_error(scaled(p[nodes], t), y[nodes]), abs=1e-9)
    chances = [key for key in calibrated.columns if key.startswith("probability")]
    np.testing.assert_allclose(np.stack([calibrated.columns[key] for key in chances], axis=1), scaled(p, t), atol=1e-6)
    assert calibrated.columns["predicted"].tolist() == served.columns["predicted"].tolist() and served.calibration is None
    assert main([f"run={folder}", "nodes=1", "calibrate=temperature", "format=json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["calibration"] == found and told["nodes"] == [{**single(calibrated.predict(["1"])[0]), "node": 1}]
