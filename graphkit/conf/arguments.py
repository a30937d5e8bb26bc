"""The command line taken apart: `--flags` ask, `key=value` describes. Hydra's grammar reads values, nothing is evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphkit.conf.nearest import did_you_mean
from graphkit.conf.settings import SECTIONS, Setting
from graphkit.errors import shown

FLAGS = {
    "--help": "this page",
    "--list [WHAT]": "what there is, with papers and settings; WHAT: tasks, datasets, models",
    "--dry-run": "the resolved settings, parameter count, splits, metric and output folder; trains and writes nothing",
    "--version": "the version",
}
TOPICS = ("tasks", "datasets", "models")
_QUOTES = ("'", '"')
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


def split(argv: Sequence[str], flags: Iterable[str] = FLAGS) -> Command:
    """Sort arguments into flags and assignments.

    Args:
        argv: The arguments after the program's name.
        flags: The flags that the program knows.

    Returns:
        The command; arguments that are neither are in its mistakes.
    """
    command = Command()
    known = [flag.split()[0] for flag in flags]
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
                if following not in TOPICS:
                    hint = did_you_mean(following, TOPICS) or f": expected one of {', '.join(TOPICS)}"
                    command.mistakes.append(f"--list {shown(following)}{hint}")
        elif argument.startswith("-"):
            hint = did_you_mean(argument, known) or f": expected one of {', '.join(known)}, or key=value"
            command.mistakes.append(f"unknown flag '{shown(argument)}'{hint}")
        elif argument.partition("=")[0].strip() and "=" in argument:
            key, _, text = argument.partition("=")
            command.assignments.append(Assignment(key.strip(), text, typed=True))
        else:
            typed = shown(argument) if argument.strip() else f"'{shown(argument)}'"
            command.mistakes.append(f"{typed}: expected key=value")
    return command


def flatten(settings: Mapping[str, Any]) -> list[Assignment]:
    """Nested settings as assignments, the inverse of config.yaml's nesting.

    Args:
        settings: E.g. `{"model": {"name": "ncn", "beta": 1.0}, "train": {"epochs": 5}}`; a `name` is the choice itself.
    """
    assignments = []
    for key, value in settings.items():
        if key in SECTIONS and isinstance(value, Mapping):
            for inner, leaf in value.items():
                chosen = inner == "name" and key in ("task", "model")
                assignments.append(Assignment(key if chosen else f"{key}.{inner}", leaf))
        else:
            assignments.append(Assignment(str(key), value))
    return assignments


def read(assignment: Assignment, setting: Setting) -> Any:
    """The checked value of an assignment.

    Text settings take what was typed as it stands, so that any file name passes, also one that begins with a quote; a pair of
    quotes around the whole is removed.

    Raises:
        ValueError: If it is no value of that setting; the message is what was expected.
    """
    if not assignment.typed:
        return setting.check(assignment.value)
    text = assignment.value.strip()
    if setting.kind is str:
        return setting.check(None if text == "null" else _unquoted(text))
    if len(text) > _LONGEST or "(" in text:  # the grammar has functions, as int(3.7) and range(1,9)
        raise ValueError(f"expected {setting.expectation()}")
    try:
        value, sweep = _parsed(text)
    except _NotInGrammar:
        raise ValueError(f"expected {setting.expectation()}") from None
    if sweep:
        raise ValueError(f"expected {setting.expectation()}, one value and no sweep")
    return setting.check(value)


class _NotInGrammar(Exception):
    """The text is no value of Hydra's grammar."""


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] not in _QUOTES or text[-1] != text[0]:
        return text
    try:
        value, sweep = _parsed(text)
    except _NotInGrammar:
        return text
    return text if sweep else str(value)  # a sweep: 'a','b'


def _parsed(text: str) -> tuple[Any, bool]:
    """The value by Hydra's grammar, and whether it is a sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser  # 0.4 s that --help need not pay
    from hydra.errors import HydraException

    try:
        override = OverridesParser.create().parse_override(f"value={text}")
    except (HydraException, RecursionError) as error:
        raise _NotInGrammar from error
    return override.value(), override.is_sweep_override()
