"""The settings of a trial: a function of the sweep's seed, the trial's number and the trials before it, whoever carries it out.

A sampler that lives as long as the process would give a resumed sweep, or a second process, other trials. So each trial gets a
sampler of its own, seeded by (sweep seed, number), and an in-memory study of the trials before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from graphkit.conf.ranges import Range
from graphkit.conf.setting import show
from graphkit.conf.sweep import SweepRequest
from graphkit.metrics.registry import lower_is_better
from graphkit.sweeps.trial import Trial


def direction(metric: str) -> Literal["minimize", "maximize"]:
    """Where a metric is better, in Optuna's words."""
    return "minimize" if lower_is_better(metric) else "maximize"


def distributions(ranges: Mapping[str, Range]) -> dict[str, BaseDistribution]:
    """The ranges as Optuna has them."""
    return {key: _distribution(one) for key, one in ranges.items()}


def _distribution(one: Range) -> BaseDistribution:
    if one.values:
        return CategoricalDistribution(one.values)
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def propose(request: SweepRequest, number: int, before: Sequence[Trial], *, metric: str) -> dict[str, Any]:
    """The settings of a trial.

    Args:
        request: The sweep.
        number: Number of the trial.
        before: Finished trials; `tpe` learns from those of a smaller number.
        metric: The validation metric.

    Returns:
        A value of each range, by dotted key.
    """
    ranges, seed = request.ranges, request.sweep.sweep_seed
    if request.sampler == "grid":
        return _combination(ranges, int(np.random.default_rng(seed).permutation(request.combinations)[number]))
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    space = distributions(ranges)
    made = optuna.samplers.TPESampler if request.sampler == "tpe" else optuna.samplers.RandomSampler
    study = optuna.create_study(direction=direction(metric), sampler=made(seed=own))
    earlier = sorted((trial for trial in before if trial.number < number), key=lambda trial: trial.number)
    study.add_trials([frozen(trial, space) for trial in earlier])
    return dict(study.ask(space).params)


def _combination(ranges: Mapping[str, Range], place: int) -> dict[str, Any]:
    """The combination at a place of the grid, whose last range runs fastest."""
    values = {}
    for key in reversed(list(ranges)):
        place, digit = divmod(place, len(ranges[key].values))
        values[key] = ranges[key].values[digit]
    return {key: values[key] for key in ranges}


def frozen(trial: Trial, space: Mapping[str, BaseDistribution], /, **kept: Any) -> optuna.trial.FrozenTrial:
    """A trial as Optuna has it.

    Args:
        trial: The trial.
        space: The ranges as Optuna has them.
        **kept: What is kept with it, as user attributes.
    """
    state = optuna.trial.TrialState.FAIL if trial.valid is None else optuna.trial.TrialState.COMPLETE
    return optuna.trial.create_trial(
        state=state, value=trial.valid, params=dict(trial.values), distributions=dict(space), user_attrs=kept
    )


def importances(trials: Sequence[Trial], request: SweepRequest, *, metric: str) -> dict[str, float]:
    """By dotted key the share of the variance of the validation metric that a setting explains, largest first.

    Args:
        trials: The trials.
        request: The sweep.
        metric: The validation metric.

    Returns:
        The shares, which sum to 1; empty where fewer than four trials finished or all have one value.

    Source:
        Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014 (fANOVA).
    """
    done = [trial for trial in trials if trial.valid is not None]
    ranges = request.ranges
    varied = [key for key in ranges if len({show(trial.values[key]) for trial in done}) > 1]
    if len(done) < 4 or len({trial.valid for trial in done}) < 2 or not varied:
        return {}
    study = optuna.create_study(direction=direction(metric))
    space = distributions(ranges)
    study.add_trials([frozen(trial, space) for trial in done])
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=varied)
    return {key: float(share) for key, share in found.items()}
