"""The paired tests against plain loops, scipy and planted data: how often they reject where there is nothing, and something."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from graphkit.comparison.statistics import Array, holm, paired_test

REPEATS = 1_000


def loop(differences: list[float], ratio: float) -> tuple[float, float]:
    """Mean and standard error, as the docstring of the module has them."""
    n = len(differences)
    mean = sum(differences) / n
    variance = sum((one - mean) ** 2 for one in differences) / (n - 1)
    return mean, math.sqrt((1 / n + ratio) * variance)


def test_without_overlap_it_is_scipy_s_paired_t_test():
    draw = np.random.default_rng(0)
    one, other = draw.normal(80, 2, (5, 7)), draw.normal(79, 2, (5, 7))
    found = paired_test(one - other, ratio=0.0, confidence=0.9)
    expected = stats.ttest_rel(one, other, axis=1)
    np.testing.assert_allclose(found.t, expected.statistic)
    np.testing.assert_allclose(found.p, expected.pvalue)
    interval = expected.confidence_interval(0.9)
    np.testing.assert_allclose([found.low, found.high], [interval.low, interval.high])


@pytest.mark.parametrize("ratio", [0.0, 1 / 9, 0.25, 2.0])
def test_the_corrected_test_is_the_formula(ratio: float):
    differences = [0.5, -0.2, 1.0, 0.4, 0.9]
    found = paired_test(np.array(differences), ratio=ratio)
    mean, error = loop(differences, ratio)
    assert (float(found.mean), float(found.t)) == (pytest.approx(mean), pytest.approx(mean / error))
    assert float(found.p) == pytest.approx(2 * stats.t.sf(abs(mean / error), 4))
    half = stats.t.ppf(0.975, 4) * error
    assert (float(found.low), float(found.high)) == (pytest.approx(mean - half), pytest.approx(mean + half))


def test_equal_differences_test_nothing():
    found = paired_test(np.array([[0.1, 0.1, 0.1], [0.0, 0.0, 0.0], [70.1 - 70.0, 80.1 - 80.0, 90.1 - 90.0]]), ratio=0.2)
    assert np.isnan(found.p).all() and np.isnan(found.t).all()
    np.testing.assert_allclose(found.low, found.high)


def test_what_cannot_be_tested():
    for differences, ratio, confidence in (([1.0, 2.0], 0.0, 0.95), ([1.0, 2.0, 4.0], -0.1, 0.95), ([1.0, 2.0, 4.0], 0.0, 1.0)):
        with pytest.raises(ValueError):
            paired_test(np.array(differences), ratio=ratio, confidence=confidence)


def test_holm_is_the_closed_test_of_bonferroni():
    """The corrected p-value of a hypothesis is the largest Bonferroni p-value of all intersections that it is part of."""
    draw = np.random.default_rng(1)
    for size in (1, 2, 3, 4, 5):
        for p_values in draw.uniform(0, 0.2, (20, size)).tolist():
            subsets = [s for k in range(1, size + 1) for s in itertools.combinations(range(size), k)]
            expected = [
                max(min(1.0, len(s) * min(p_values[j] for j in s)) for s in subsets if place in s) for place in range(size)
            ]
            assert holm(p_values) == pytest.approx(expected)
    assert holm([0.04, math.nan, 0.01]) == [pytest.approx(0.04), pytest.approx(math.nan, nan_ok=True), pytest.approx(0.02)]


def overlapping(count: int, test_share: float, effect: float, seed: int) -> Array:
    """Differences [REPEATS, count] whose correlation is the share of test examples, the assumption behind the correction."""
    draw = np.random.default_rng(seed)
    shared, own = draw.normal(size=(REPEATS, 1)), draw.normal(size=(REPEATS, count))
    return effect + math.sqrt(test_share) * shared + math.sqrt(1 - test_share) * own


def accuracies(count: int, test_share: float, seed: int) -> Array:
    """Differences of two equally good models on random splits of finite data sets, one data set per repeat.

    Each of 300 items is got right by either model with probability 0.8, whatever it was trained on: A = B but for chance. A
    seed tests a random subset, and subsets overlap.
    """
    draw = np.random.default_rng(seed)
    items, tested = 300, round(300 * test_share)
    right = draw.random((2, REPEATS, 1, items)) < 0.8
    chosen = draw.random((REPEATS, count, items)).argsort(axis=-1) < tested
    return ((right[0].astype(float) - right[1]) * chosen).sum(axis=-1) / tested


@pytest.mark.parametrize(("count", "share"), [(5, 0.2), (10, 0.1), (10, 0.2), (30, 0.5)])
def test_equal_models_are_told_apart_in_at_most_six_percent(count: int, share: float):
    ratio = share / (1 - share)
    for differences in (overlapping(count, share, 0.0, seed=2), accuracies(count, share, seed=3)):
        corrected = float((paired_test(differences, ratio=ratio).p < 0.05).mean())
        naive = float((paired_test(differences, ratio=0.0).p < 0.05).mean())
        assert 0.02 < corrected <= 0.06
        assert naive > 0.1  # where the naive test would mislead


def test_equal_models_on_one_split():
    differences = np.random.default_rng(4).normal(0.0, 1.0, (REPEATS, 10))
    assert 0.02 < float((paired_test(differences, ratio=0.0).p < 0.05).mean()) <= 0.06


@pytest.mark.parametrize(("effect", "count", "share"), [(1.0, 10, 0.2), (0.8, 10, 0.1), (1.5, 5, 0.2), (1.0, 12, 0.0)])
def test_a_known_difference_is_found_as_often_as_computed(effect: float, count: int, share: float):
    r"""Power by the noncentral t distribution: the mean has variance (1 - rho) / n + rho, with rho the share of the test."""
    differences = overlapping(count, share, effect, seed=5)
    found = float((paired_test(differences, ratio=share / (1 - share)).p < 0.05).mean())
    limit = stats.t.ppf(0.975, count - 1)
    shift = effect / math.sqrt((1 - share) / count + share)
    computed = stats.nct.sf(limit, count - 1, shift) + stats.nct.cdf(-limit, count - 1, shift)
    assert 0.3 < computed < 0.95
    assert abs(found - computed) < 3 * math.sqrt(computed * (1 - computed) / REPEATS)


def test_intervals_cover_as_often_as_they_say():
    found = paired_test(overlapping(10, 0.2, 1.0, seed=6), ratio=0.25, confidence=0.9)
    assert abs(float(((found.low < 1.0) & (found.high > 1.0)).mean()) - 0.9) < 0.03


def test_the_family_of_several_tests_errs_once_in_twenty():
    draw = np.random.default_rng(7)
    scores = draw.normal(size=(REPEATS, 4, 10))
    pairs = list(itertools.combinations(range(4), 2))
    p_values = np.stack([paired_test(scores[:, a] - scores[:, b], ratio=0.0).p for a, b in pairs], axis=1)
    assert float((p_values < 0.05).any(axis=1).mean()) > 0.12
    assert np.mean([min(holm(row)) < 0.05 for row in p_values.tolist()]) <= 0.06
