"""The command line taken apart: `--flags` ask, `key=value` describes. Hydra's grammar reads values, nothing is evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphkit.conf.catalog import CHOICES, SECTIONS, run_settings
from graphkit.conf.setting import Setting, nearest_key
from graphkit.errors import shown
from graphkit.nearest import did_you_mean, similarity

FLAGS = {
    "--help": "this page",
    "--list [WHAT]": "what there is, with papers and settings; WHAT: tasks, datasets, models, transforms, or the name of one",
    "--dry-run": "the resolved settings, parameter count, splits, metric and output folder; trains and writes nothing",
    "--version": "the version",
}

_SURE = 0.8
"""How alike an unknown flag and a setting are where the setting was meant."""
_LONGEST = 1_000
"""Characters of a number, a truth value or a list of numbers; no such value is longer, and parsing would take its time."""


@dataclass(frozen=True)
class Assignment:
    """A `key=value`; `value` is text as typed (`typed`) or a Python value."""

    key: str
    value: Any
    typed: bool = False


@dataclass
class Command:
    """What a command line holds, with all that is malformed about it."""

    assignments: list[Assignment] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    topic: str | None = None
    mistakes: list[str] = field(default_factory=list)


def split(argv: Sequence[str], flags: Iterable[str] = FLAGS, settings: Mapping[str, Setting] | None = None) -> Command:
    """Sort arguments into flags and assignments.

    Args:
        argv: The arguments after the program's name.
        flags: The flags that the program knows.
        settings: Its settings by key, for the hint to a setting that was given as a flag; default: those of every run.

    Returns:
        The command; arguments that are neither are in its mistakes.
    """
    command = Command()
    known = [flag.split()[0] for flag in flags]
    settings = {**CHOICES, **run_settings()} if settings is None else settings
    position = 0
    while position < len(argv):
        argument = argv[position]
        position += 1
        if argument in ("-h", *known):
            command.flags.add("--help" if argument == "-h" else argument)
            following = argv[position] if position < len(argv) else ""
            if argument == "--list" and following and not following.startswith("-") and "=" not in following:
                position += 1
                command.topic = following
        elif argument.startswith("-"):
            used, mistake = _unknown_flag(argument, argv[position : position + 1], known, settings)
            position += used
            command.mistakes.append(mistake)
        elif (spaced := _spaced(argv[position - 1 : position + 2])) is not None:
            position += len(spaced) - 1
            command.mistakes.append(f"{shown(' '.join(spaced))}: write it without spaces, {shown(''.join(spaced))}")
        elif argument.partition("=")[0].strip() and "=" in argument:
            key, _, text = argument.partition("=")
            command.assignments.append(Assignment(key.strip(), text, typed=True))
        else:
            typed = shown(argument) if argument.strip() else f"'{shown(argument)}'"
            command.mistakes.append(f"{typed}: expected key=value")
    return command


def _unknown_flag(
    argument: str, following: Sequence[str], flags: Sequence[str], settings: Mapping[str, Setting]
) -> tuple[int, str]:
    """How many of the `following` arguments belong to a flag that there is not, and what is said of it."""
    name, equals, value = argument.lstrip("-").replace("-", "_").partition("=")
    close = did_you_mean(argument, flags)
    key = name if name in settings else nearest_key(name, settings)
    if key is None or (key != name and (close or similarity(name, settings[key].leaf) < _SURE)):
        return 0, f"unknown flag '{shown(argument)}'" + (close or f": expected one of {', '.join(flags)}, or key=value")
    taken = [word for word in following if not equals and not word.startswith("-") and "=" not in word]
    meant = value or "".join(taken) or "VALUE"
    return len(taken), f"'{shown(' '.join([argument, *taken]))}': settings take no dashes, give {key}={shown(meant)}"


def _spaced(words: Sequence[str]) -> Sequence[str] | None:
    """The words of a `key = value` with spaces that these begin with, None where they begin with none."""
    key, then, last = (*words, "", "")[:3]
    if "=" not in key and then == "=" and last and "=" not in last:
        return [key, then, last]
    if ("=" not in key and len(then) > 1 and then[0] == "=") or (
        key[:1] != "=" and key[-1:] == "=" and then and "=" not in then
    ):
        return [key, then]
    return None


def flatten(settings: Mapping[str, Any]) -> list[Assignment]:
    """Nested settings as assignments, the inverse of config.yaml's nesting.

    Args:
        settings: E.g. `{"model": {"name": "ncn", "beta": 1.0}, "train": {"epochs": 5}}`; a `name` is the choice itself.
    """
    assignments = []
    for key, value in settings.items():
        if key in SECTIONS and isinstance(value, Mapping):
            for inner, leaf in value.items():
                chosen = inner == "name" and key in CHOICES
                assignments.append(Assignment(key if chosen else f"{key}.{inner}", leaf))
        else:
            assignments.append(Assignment(str(key), value))
    return assignments


def read(assignment: Assignment, setting: Setting) -> Any:
    """The checked value of an assignment.

    Text settings take what was typed as it stands, quotes too, so that any name passes.

    Raises:
        ValueError: If it is no value of that setting; the message is what was expected.
    """
    if not assignment.typed:
        return setting.check(assignment.value)
    text = assignment.value.strip()
    if setting.kind is str:
        return setting.check(None if text == "null" else text)
    if len(text) > _LONGEST or "(" in text:  # the grammar has functions, as int(3.7) and range(1,9)
        raise ValueError(f"expected {setting.expectation()}")
    from hydra.core.override_parser.overrides_parser import OverridesParser  # 0.4 s that --help need not pay
    from hydra.errors import HydraException

    try:
        override = OverridesParser.create().parse_override(f"value={text}")
    except (HydraException, RecursionError):
        raise ValueError(f"expected {setting.expectation()}") from None
    if override.is_sweep_override():
        raise ValueError(f"expected {setting.expectation()}, one value and no sweep")
    return setting.check(override.value())
