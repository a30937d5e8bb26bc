"""Seeds trained again: bit for bit where that is promised, else within the spread."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from graphkit.claims import again
from graphkit.claims.scores import Score
from graphkit.errors import RequestError
from graphkit.verify import verify
from tests.claims.forging import edit, forged


@pytest.mark.parametrize("task", ["link", "recommend"])
def test_trained_again_bit_for_bit(task: str, claims):
    found = verify(claims[task], retrain=1)
    assert found.holds and [one.seed for one in found.again] == [0] and found.again[0].exact
    assert all(score.difference == 0.0 for score in found.again[0].scores)
    assert "seed 0 trained again, compared bit for bit" in found.to_text()
    with pytest.raises(RequestError, match="has 2 seeds"):
        verify(claims[task], retrain=3)


def test_trained_again_on_another_machine(claims, tmp_path: Path):
    def elsewhere(raw):
        raw["environment"]["device"] = "another one"

    found = verify(forged(claims["node"], lambda files: edit(files, "result.json", elsewhere), tmp_path / "c.zip"), retrain=1)
    assert found.holds and not found.again[0].exact
    assert found.notes == (
        "seed 0 was trained again with another machine, versions or commit: other last digits are no finding",
    )


def test_the_spread():
    figure = {"mean": 80.0, "std": 1.0, "per_seed": [79.0, 81.0]}
    made = SimpleNamespace(result=SimpleNamespace(seeds=(0, 1), metrics={"test": {"accuracy": figure}}))
    within, beyond = (Score("test", "accuracy", 0, 79.0, value) for value in (82.9, 83.1))
    assert again._within_spread(made, 0, [within])[0] == []
    (told,) = again._within_spread(made, 0, [beyond])[0]
    assert told == (
        "seed 0 trained again: test accuracy is 83.1000, claimed 79.0000, more than 3 standard deviations of 1.0000 from the "
        "mean 80.0000"
    )
    figure |= {"std": None, "per_seed": [79.0]}
    made.result.seeds = (0,)
    found, notes = again._within_spread(made, 0, [beyond])
    assert found == [] and notes[-1] == "one seed has no spread: its figures, trained again, are told and not judged"
