"""What one setting is: how a dataclass declares it, its type, range and meaning, and the check of a value."""

from __future__ import annotations

import dataclasses
import math
import numbers
import os
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphkit.nearest import CLOSE, CUT_SHORT, LEAST_LETTERS, similarity

WIDTHS = "16,32,64,128,256"
"""The range of a width in a sweep."""
DEPTHS = "1,2,3,4"
"""That of a number of layers."""
DROPOUTS = "interval(0,0.8)"
"""That of dropout."""


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    path: bool = False,
    own: bool = False,
    search: str = "",
) -> Any:
    """Declare a setting.

    Args:
        default: Its default.
        help: Its meaning.
        low: Least value of a number, inclusive.
        high: Greatest value, inclusive.
        choices: The allowed values of a text; with `path` also a file *.yaml.
        path: Whether it is the path of a file or folder, in which `~` is the home folder.
        own: Whether it says what the user's own files are, or how they are read.
        search: Its range in a sweep that names none, as `graphkit.conf.ranges` reads it; empty: a sweep must name one.
    """
    metadata = {"help": help, "low": low, "high": high, "choices": choices, "path": path, "own": own, "search": search}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def own_file(help: str) -> Any:
    """Declare the path of one of the user's own files, which is not given by default."""
    return setting(None, help, path=True, own=True)


def probability(default: float, help: str, *, search: str = "") -> Any:
    """Declare a probability in [0, 1)."""
    return setting(default, help, low=0.0, high=0.999, search=search)


def width(default: int, help: str, *, search: str = "") -> Any:
    """Declare a number of channels, from 1 to 2^20."""
    return setting(default, help, low=1, high=2**20, search=search)


def depth(default: int, help: str, *, low: int = 1, search: str = "") -> Any:
    """Declare a number of layers or rounds, at most 10,000."""
    return setting(default, help, low=low, high=10_000, search=search)


def count(default: int, help: str, *, low: int = 0, high: int = 10**9) -> Any:
    """Declare a number of things, at most 10^9 unless said otherwise."""
    return setting(default, help, low=low, high=high)


def weight(default: float | None, help: str, *, low: float = 0.0, search: str = "") -> Any:
    """Declare a number that something is multiplied with or limited by, at most 10^9."""
    return setting(default, help, low=low, high=1e9, search=search)


@dataclass(frozen=True)
class Setting:
    """One setting of a run.

    Attributes:
        key: Dotted name, e.g. `train.epochs`.
        kind: `int`, `float`, `bool`, `str`, or `list` (of numbers).
        optional: Whether null is allowed.
        default: Its default.
        help: Its meaning.
        low: Least value of a number, inclusive; of numbers, that of each. Every number has both.
        high: Greatest value, inclusive.
        choices: The allowed values of a text setting, with `path` also a file *.yaml; empty: any text.
        path: Whether it is the path of a file or folder.
        own: Whether it says what the user's own files are, or how they are read.
        search: Its range in a sweep that names none; empty: there is none.
    """

    key: str
    kind: type
    optional: bool
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    path: bool = False
    own: bool = False
    search: str = ""

    @property
    def leaf(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]

    def expectation(self) -> str:
        """The type of a value in words."""
        if self.kind is bool:
            return "true or false"
        if self.kind is list:
            return "numbers such as " + show(self.default)
        if self.choices:
            return "one of " + ", ".join(self.choices) + (" or a file *.yaml" if self.path else "")
        return {int: "an integer", float: "a number", str: "text"}[self.kind]

    def range(self) -> str:
        """The allowed range in words, empty where there is none."""
        return "" if self.low is None or self.high is None else f" from {show(self.low)} to {show(self.high)}"

    def check(self, value: Any) -> Any:
        """The value in the setting's own type.

        Args:
            value: Any Python value; numbers may be NumPy's, text may be a path.

        Raises:
            ValueError: If it is no such value; the message is what was expected.
        """
        if value is None and self.optional:
            return None
        converted = _convert(self.kind, value)
        named_file = self.path and isinstance(converted, str) and converted.endswith(".yaml")
        if converted is None or (self.choices and converted not in self.choices and not named_file):
            raise ValueError(f"expected {self.expectation()}")
        if not all(map(self._in_range, converted if self.kind is list else [converted])):
            raise ValueError(f"expected {self.expectation()}{self.range()}")
        if self.kind is str and "${" in converted:
            raise ValueError("expected the text itself, not ${...}")
        if self.kind is str and "\0" in converted:
            raise ValueError("expected text without the character NUL")
        if self.kind is str and not _is_unicode(converted):
            raise ValueError("expected text in UTF-8: rename the file or folder")
        return converted

    def _in_range(self, value: Any) -> bool:
        return self.low is None or self.high is None or self.low <= value <= self.high


def _is_unicode(text: str) -> bool:
    """Whether a text can be written; bytes of a file's name that are not UTF-8 come as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _convert(kind: type, value: Any) -> Any:
    """The value as `kind`, None where it is of another type."""
    if kind is bool:
        return value if isinstance(value, bool) else None
    if kind is str:
        text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
        return text if isinstance(text, str) and text else None
    if kind is list:
        items = [_convert(float, item) for item in value] if isinstance(value, list | tuple) else [None]
        return items if items and None not in items else None
    wanted = numbers.Integral if kind is int else numbers.Real
    if isinstance(value, bool) or not isinstance(value, wanted):
        return None
    if isinstance(value, numbers.Integral) and kind is int:
        return int(value)
    try:
        converted = float(value)
    except OverflowError:  # an integer beyond all floats
        return None
    return converted if math.isfinite(converted) else None


def show(value: Any) -> str:
    """A value as one would type it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ",".join(show(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_table(settings: type, prefix: str = "") -> dict[str, Setting]:
    """The settings that a dataclass declares by `setting`, by dotted key."""
    hints = typing.get_type_hints(settings)
    table = {}
    for field in dataclasses.fields(settings):
        if "help" not in field.metadata or field.name == "dataset":
            continue  # a section, or the name of a choice
        hint = hints[field.name]
        optional = isinstance(hint, types.UnionType)
        if optional:
            hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
        kind = typing.get_origin(hint) or hint
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        table[prefix + field.name] = Setting(prefix + field.name, kind, optional, default, **field.metadata)
    return table


def nearest_key(key: str, settings: Mapping[str, Setting]) -> str | None:
    """The setting that a mistyped key most likely means.

    It may be mistyped (`train.epoch`), lack its section (`epochs`), be cut short (`model.hidden`) or be named by its meaning
    (`learning_rate`).
    """
    leaf = key.rpartition(".")[2]
    words = leaf.lower().replace("_", " ")

    def score(setting: Setting) -> float:
        alike = max(similarity(key, setting.key), similarity(leaf, setting.leaf))
        named = len(words) >= LEAST_LETTERS and setting.help.lower().startswith(words)
        return max(alike, CUT_SHORT) if named else alike

    best = max(settings.values(), key=score)
    return best.key if score(best) >= CLOSE else None
