from __future__ import annotations

import math

import pytest

from graphkit.layers.checks import check_at_least, check_choice, check_positive, check_probability, check_within

NAN = math.nan


@pytest.mark.parametrize(
    ("check", "good", "bad", "says"),
    [
        (lambda **v: check_at_least(1, **v), [1, 2, 1.5], [0, -1, NAN], "must be at least 1, got"),
        (lambda **v: check_at_least(0, **v), [0, 0.0, 3], [-1, -1e-9, NAN], "must be at least 0, got"),
        (check_positive, [1, 1e-9, math.inf], [0, -0.5, NAN], "must be positive, got"),
        (lambda **v: check_within(0, 1, **v), [0, 0.5, 1.0], [-0.1, 1.1, NAN], r"must lie in \[0, 1\], got"),
        (check_probability, [0, 0.0, 0.999], [-0.1, 1.0, NAN], r"must lie in \[0, 1\), got"),
        (lambda **v: check_choice(("a", "b"), **v), ["a", "b"], ["c", None, True], "must be one of a, b, got"),
    ],
    ids=["count", "not-negative", "positive", "within", "probability", "choice"],
)
def test_good_values_pass_and_each_bad_one_is_named(check, good, bad, says):
    for value in good:
        check(first=value, second=good[0])
    for value in bad:
        with pytest.raises(ValueError, match=f"^second {says}"):
            check(first=good[0], second=value)
