"""The settings of a trial follow from the sweep's seed, its number and the trials before it, and from nothing else."""

import itertools
import statistics

import pytest

pytest.importorskip("optuna", reason="needs the extra hpo")

from graphkit.conf.arguments import split  # noqa: E402
from graphkit.conf.sweep import SweepRequest, check_sweep  # noqa: E402
from graphkit.data.catalog import DATASETS  # noqa: E402
from graphkit.sweeps.sampling import importances, propose  # noqa: E402
from graphkit.sweeps.trial import Trial, best_of  # noqa: E402


def request(*arguments: str) -> SweepRequest:
    return check_sweep(split(["task=node", "dataset=karate", "model=gcn", *arguments]).assignments, DATASETS)


def height(values: dict[str, float]) -> float:
    """Best at dropout 0.3 and a rate of 0.01."""
    return 90.0 - 100 * (values["model.dropout"] - 0.3) ** 2 - 1e4 * (values["train.lr"] - 0.01) ** 2


def searched(asked: SweepRequest, count: int) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(count):
        values = propose(asked, number, trials, metric="accuracy")
        trials.append(Trial(number, values, height(values)))
    return trials


def test_a_grid_is_every_combination_once_in_an_order_of_its_seed():
    asked = [request("model.dropout=0.1,0.5", "model.num_layers=range(1,5)", f"sweep_seed={seed}") for seed in (0, 0, 1)]
    first, again, other = ([tuple(propose(one, n, (), metric="accuracy").values()) for n in range(one.total)] for one in asked)
    assert sorted(first) == sorted(itertools.product((0.1, 0.5), (1, 2, 3, 4)))
    assert first == again != other and sorted(other) == sorted(first)


MIXED = ("model.dropout=interval(0,0.8)", "train.lr=interval(1e-4,1e-1)")


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_neither_order_nor_later_trials_matter(sampler: str):
    asked = request(*MIXED, f"sampler={sampler}")
    trials = searched(asked, 14)
    for number in (0, 5, 13):
        assert propose(asked, number, trials[::-1], metric="accuracy") == trials[number].values
    assert len({tuple(trial.values.values()) for trial in trials}) == 14
    assert all(0 <= trial.values["model.dropout"] <= 0.8 and 1e-4 <= trial.values["train.lr"] <= 0.1 for trial in trials)


def test_random_trials_depend_on_no_other_trial_and_rates_are_drawn_by_magnitude():
    asked = request(*MIXED, "sampler=random")
    rates = [propose(asked, number, (), metric="accuracy")["train.lr"] for number in range(200)]
    assert rates[:14] == [trial.values["train.lr"] for trial in searched(asked, 14)]
    assert 0.4 < sum(rate < 10**-2.5 for rate in rates) / 200 < 0.6  # the middle of the magnitudes


def test_tpe_learns_in_the_direction_of_the_metric():
    asked = request(*MIXED, "sampler=tpe", "sweep_seed=3")
    good = [{"model.dropout": 0.25 + 0.005 * n, "train.lr": 0.01} for n in range(10)]
    history = [Trial(n, values, height(values)) for n, values in enumerate(good)]
    far = [Trial(10 + n, {"model.dropout": 0.7 + 0.005 * n, "train.lr": 1e-4}, 10.0) for n in range(10)]
    larger = [propose(asked, n, [*history, *far], metric="accuracy")["model.dropout"] for n in range(20, 40)]
    smaller = [propose(asked, n, [*history, *far], metric="mae")["model.dropout"] for n in range(20, 40)]
    assert statistics.fmean(larger) < 0.45 < statistics.fmean(smaller)


def test_failed_trials_teach_nothing_and_win_nothing():
    asked = request(*MIXED, "sampler=tpe")
    values = {"model.dropout": 0.1, "train.lr": 0.01}
    failed = [Trial(n, values, None, error="diverged") for n in range(12)]
    assert propose(asked, 12, failed, metric="accuracy") == propose(asked, 12, (), metric="accuracy")
    assert best_of(failed, "accuracy") is None
    trials = [*failed, Trial(12, values, 3.0), Trial(13, values, 5.0), Trial(14, values, 5.0)]
    assert [best.number for metric in ("accuracy", "mae") if (best := best_of(trials, metric))] == [13, 12]


def test_the_setting_that_decides_has_the_largest_share():
    asked = request("model.dropout=0.1,0.5", "model.num_layers=1,2,3", "model.hidden_channels=choice(8)")
    trials = [
        Trial(n, {"model.dropout": x, "model.num_layers": y, "model.hidden_channels": 8}, 10 * y + x)
        for n, (x, y) in enumerate(itertools.product((0.1, 0.5), (1, 2, 3)))
    ]
    found = importances(trials, asked, metric="accuracy")
    assert list(found) == ["model.num_layers", "model.dropout"]
    assert found["model.num_layers"] > 0.9 and sum(found.values()) == pytest.approx(1)
    assert importances(trials[:3], asked, metric="accuracy") == {}
