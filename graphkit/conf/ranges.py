"""Ranges of settings in a sweep: `0.1,0.3`, `range(1,5)`, `interval(1e-4,1e-1)`, read by Hydra's grammar. No torch.

A range is finite (`values`) or an interval of numbers. Hydra's modifiers are understood: `choice(...)`, `sort(...)`,
`shuffle(...)`, casts such as `int(interval(1,8))`, and the tags `log` and `linear` of intervals. An interval is by magnitude if
it has the tag `log`, or if the range that the setting declares is so and this one does not reach 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from graphkit.conf.setting import Setting, show

SEARCH = "search"
"""As a value: the range that the setting declares."""

_LONGEST = 1_000
_MOST_VALUES = 1_000
_FORMS = "a,b,c, range(start,stop,step), interval(low,high) or tag(log,interval(low,high))"
_TAGS = ("log", "linear")


@dataclass(frozen=True)
class Range:
    """What a setting is searched in.

    Attributes:
        key: Dotted name of the setting.
        text: The range as it was given or declared.
        values: The values of a finite one; empty: it is an interval.
        low: Least value of an interval, inclusive.
        high: Greatest value, inclusive.
        log: Whether an interval is searched by magnitude.
        whole: Whether an interval is one of integers.
    """

    key: str
    text: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    @property
    def example(self) -> Any:
        """A value of the range."""
        return self.values[0] if self.values else self.low


def is_range(value: Any) -> bool:
    """Whether a value, as typed or as Python's, is a range and no single value."""
    if isinstance(value, list | tuple):
        return True
    if not isinstance(value, str):
        return False
    return value.strip() == SEARCH or "," in _bare(value) or "(" in value


def _bare(text: str) -> str:
    """A text without what stands in square brackets: a list of numbers is one value."""
    depth, kept = 0, []
    for character in text:
        depth += (character == "[") - (character == "]")
        if depth == 0:
            kept.append(character)
    return "".join(kept)


def read_range(value: Any, setting: Setting) -> Range:
    """The checked range of a setting.

    Args:
        value: Text as typed, or a list of values.
        setting: The setting that is searched.

    Raises:
        ValueError: If it is no range of that setting; the message is what was expected.
    """
    if setting.kind is list or (setting.kind is str and not setting.choices):
        raise ValueError("expected one value: a sweep searches numbers, truth values and settings with named choices")
    if isinstance(value, list | tuple):
        return _finite(setting, ",".join(map(show, value)), list(value))
    text = value.strip()
    if text == SEARCH:
        text = declared(setting)
    return _parsed(setting, text)


def declared(setting: Setting) -> str:
    """The range that a setting declares; of named choices and truth values all there are.

    Raises:
        ValueError: If it declares none.
    """
    named = ("true", "false") if setting.kind is bool else setting.choices
    if not (text := setting.search or ",".join(named)):
        raise ValueError(f"the setting declares no range: give one, as {_FORMS}")
    return text


def _parsed(setting: Setting, text: str) -> Range:
    from hydra.core.override_parser.overrides_parser import OverridesParser  # 0.4 s that --help need not pay
    from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep
    from hydra.errors import HydraException

    try:
        override = OverridesParser.create().parse_override(f"value={text[:_LONGEST]}")
    except (HydraException, RecursionError):
        raise ValueError(f"expected a range as {_FORMS}") from None
    found = override.value()
    if len(text) > _LONGEST or not isinstance(found, ChoiceSweep | RangeSweep | IntervalSweep):
        raise ValueError(f"expected a range as {_FORMS}")
    if unknown := sorted(found.tags - set(_TAGS)):
        raise ValueError(f"the tag {unknown[0]} means nothing here: expected {' or '.join(_TAGS)}")
    if isinstance(found, IntervalSweep):
        return _interval(setting, text, found.start, found.end, found.tags)
    if found.tags:
        raise ValueError("tags are for intervals: expected tag(log,interval(low,high))")
    if isinstance(found, RangeSweep):
        start, stop, step = (float(number or 0) for number in (found.start, found.stop, found.step))
        if step == 0 or not all(map(math.isfinite, (start, stop, step))) or (stop - start) / step > _MOST_VALUES:
            raise ValueError(f"expected a range of at most {_MOST_VALUES:,} values")
    return _finite(setting, text, list(override.sweep_iterator()))


def _finite(setting: Setting, text: str, found: list[Any]) -> Range:
    values = tuple(dict.fromkeys(_checked(setting, one) for one in found))
    if not 0 < len(values) <= _MOST_VALUES:
        raise ValueError(f"expected a range of 1 to {_MOST_VALUES:,} values")
    return Range(setting.key, text, values)


def _checked(setting: Setting, value: Any) -> Any:
    """A value in the setting's own type; text that stands for a named choice as the command line reads it."""
    if setting.kind is str and value is not None and not isinstance(value, str):
        value = getattr(value, "text", show(value))  # Hydra's quoted string, or a choice that looks like a number
    return setting.check(value)


def _interval(setting: Setting, text: str, low: Any, high: Any, tags: set[str]) -> Range:
    if setting.kind not in (int, float):
        raise ValueError(f"expected {setting.expectation()}, and intervals are of numbers")
    whole = setting.kind is int
    if whole and not (float(low).is_integer() and float(high).is_integer()):
        raise ValueError("expected an interval of integers")
    low, high = (setting.check(int(bound) if whole else bound) for bound in (low, high))
    if not low < high:
        raise ValueError("expected an interval whose low end is below its high end")
    if len(tags) > 1:
        raise ValueError("expected one of the tags log and linear")
    if "log" in tags and low <= 0:
        raise ValueError("expected an interval above 0, since magnitudes have no 0")
    log = "log" in tags or ("linear" not in tags and "tag(log" in setting.search.replace(" ", "") and low > 0)
    return Range(setting.key, text, low=low, high=high, log=log, whole=whole)
