"""Override lists: what is accepted means exactly what was typed, in the request and in the composed settings."""

from __future__ import annotations

import functools
import json
import math
import os
import random
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from graphkit import run as door
from graphkit.conf.arguments import Assignment, flatten, split
from graphkit.conf.catalog import BACKBONE, CHOICES, MODELS, TASKS, all_settings
from graphkit.conf.compose import compose
from graphkit.conf.request import Request, check
from graphkit.conf.setting import Setting
from graphkit.data.catalog import DATASETS
from graphkit.errors import GraphkitError
from tests.fuzz.harness import NASTY, mutate, refused, require, through_door, untimed

UNREADABLE = object()
PATHS = ("out", "resume", "data.root", "data.edges", "data.features", "data.labels", "data.interactions")
JUDGED = "task.metric"  # its names differ from task to task
LEFT_OUT = ("resume",)  # asks for another folder's settings; run folders are fuzzed on their own
SMALL = (("link", "karate", "cn"), ("node", "karate", "mlp"), ("recommend", "planted-interactions", "mostpop"))
_WHOLE = re.compile(r"[+-]?\d+(_\d+)*", re.ASCII)


def case(rng: random.Random) -> str:
    """One list of overrides, or of Python values."""
    if rng.random() < 0.1:
        return _python_values(rng)
    if rng.random() < 0.01:
        return _dry_run(rng)
    task = rng.choice(list(TASKS))
    dataset = rng.choice([name for name, entry in DATASETS.items() if task in entry.tasks and name != "custom"])
    model = rng.choice(list(MODELS[task]))
    backbone = rng.choice([None, *MODELS[task][model].backbones])
    known = all_settings([task], [(task, model)], backbone)
    known = {key: one for key, one in known.items() if key not in (*LEFT_OUT, BACKBONE)}
    argv = [f"task={task}", f"dataset={dataset}", f"model={model}"] + [f"{BACKBONE}={backbone}"] * (backbone is not None)
    kind = rng.choice(("well-formed", "one is broken", "several are broken"))
    broken = {"well-formed": 0, "one is broken": 1, "several are broken": rng.randint(2, 4)}[kind]
    own = [key for key in known if key.startswith("data.") or key == JUDGED]
    keys = rng.sample([key for key in known if key not in own], rng.randint(0, 5))
    argv += [f"{key}={_well_formed(rng, known[key])}" for key in keys]
    for _ in range(broken):
        argv.insert(rng.randint(0, len(argv)), _broken(rng, list(known.values())))
    return judge(argv, must_pass=not broken)


def judge(argv: list[str], must_pass: bool = False) -> str:
    """Check, compose, store and read back a list of overrides."""
    command = split(argv)
    if command.flags:
        return "asks for a page"
    try:
        request = check(command.assignments, DATASETS, command.mistakes)
        resolved = compose(request)
    except GraphkitError as error:
        require(not must_pass, f"refused although well-formed: {argv} gave {error}")
        refused(error)
        status, _, _ = through_door(door.main, argv)
        require(status == 2, f"status {status}, but the check refused: {argv}")
        return "refused"
    said = _said(argv, request)
    require(said.keys() == request.values.keys(), f"{argv} gave {request.values}")
    kept = {BACKBONE: request.backbone} if request.backbone else {}
    untouched = asdict(compose(Request(request.task, request.dataset, request.model, _recipe(request) | kept)).run)
    for key, value in said.items():
        require(_same(request.values[key], value), f"{key}: {value!r} was typed, {request.values[key]!r} was read")
        at, leaf = _parent(untouched, key)
        at[leaf] = str(Path(value).expanduser()) if key in PATHS and value is not None else value
    require(_same(resolved.config, untouched), f"{argv} changed other settings: {resolved.config} for {untouched}")
    stored = yaml.safe_load(yaml.safe_dump(resolved.config, sort_keys=False).encode().decode())
    require(_same(stored, resolved.config), f"config.yaml reads back as {stored} for {resolved.config}")
    again = compose(check(flatten(stored), DATASETS))
    require(_same(again.config, resolved.config), f"resume would run {again.config} for {resolved.config}")
    return "accepted"


def _said(argv: list[str], request: Request) -> dict[str, Any]:
    """What the list says, by the plainest reading; raises `Wrong` where an accepted text has none."""
    known = {**request.settings(), **CHOICES}
    said: dict[str, Any] = {}
    for argument in argv:
        key, _, text = argument.partition("=")
        key = key.strip()
        meaning = _meaning(known[key], text.strip())
        require(meaning is not UNREADABLE, f"{argument[:300]!r} was accepted")
        require(key not in said or _same(said[key], meaning), f"{key} was accepted with two values")
        said[key] = meaning
    return {key: value for key, value in said.items() if key not in CHOICES}


def _meaning(setting: Setting, text: str) -> Any:
    """The value that a text means for a setting, without any parser."""
    if setting.kind is str:
        return None if text == "null" else text
    if text.lower() == "null":
        return None if setting.optional else UNREADABLE
    if setting.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), UNREADABLE)
    if setting.kind is int:
        return int(text) if _WHOLE.fullmatch(text) and len(text) < 4000 else UNREADABLE
    parts = text.removeprefix("[").removesuffix("]").split(",") if setting.kind is list else [text]
    if setting.kind is list and not (text.startswith("[") and text.endswith("]")):
        return UNREADABLE
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return UNREADABLE
    return numbers if setting.kind is list else numbers[0]


def _well_formed(rng: random.Random, setting: Setting) -> str:
    """A text for a setting, in its range."""
    blank = rng.choice(("", "", " "))
    if setting.optional and rng.random() < 0.2:
        return "null"
    if setting.kind is bool:
        return blank + rng.choice(("true", "false", "True", "FALSE"))
    if setting.kind is int:
        low = int(setting.low or 0)
        if setting.key == "threads":
            return blank + str(rng.randint(low, os.cpu_count() or 1))
        value = low + rng.choice((0, 1, 7, 1000, 2**31)) if setting.high is None else int(rng.uniform(low, setting.high))
        return blank + rng.choice((str(value), f"+{value}", f"{value:_}"))
    if setting.kind is float:
        low, high = setting.low or 0.0, 1e6 if setting.high is None else setting.high
        value = rng.uniform(low, high)
        whole = str(math.ceil(low)) if math.ceil(low) <= high else repr(value)
        return blank + rng.choice((repr(value), f"{value:.3e}" if setting.high is None else repr(value), whole))
    if setting.kind is list:
        return rng.choice(("[0.7,0.1,0.2]", "[0.7, 0.1, 0.2]", "[7e-1,0.1,2E-1]"))
    if setting.choices:
        return blank + rng.choice(setting.choices)
    text = rng.choice(
        ("a b", "größe (1)", "x,y", "it's", "'n", '"n', "a=b", "a'b\"c", "100%", "#1", "日本", "a:b", "[x]", "{y", "x]")
    )
    return rng.choice((blank + text, text if "'" in text else f"'{text}'", text if '"' in text else f'"{text}"'))


def _broken(rng: random.Random, settings: list[Setting]) -> str:
    setting = rng.choice(settings + list(CHOICES.values()))
    well = f"{setting.key}={_well_formed(rng, setting)}"
    how = rng.randint(0, 5)
    if how == 0:
        return f"{setting.key}={rng.choice(NASTY)}"
    if how == 1:
        return f"{rng.choice(NASTY)}={rng.choice(NASTY)}"
    if how == 2:
        return f"{mutate(rng, setting.key)}={rng.choice(NASTY)}"
    if how == 3:
        return rng.choice(NASTY)
    if how == 4:
        return "".join(chr(rng.choice((rng.randint(0, 127), rng.randint(0, 0x2FFF)))) for _ in range(rng.randint(1, 30)))
    return mutate(rng, well)


def _dry_run(rng: random.Random) -> str:
    """A well-formed list through the door: the settings that it prints are those that were typed."""
    with untimed():
        _warm()
    task, dataset, model = rng.choice(SMALL)
    known = {key: one for key, one in all_settings([task], []).items() if key not in (*LEFT_OUT, "format", "threads")}
    keys = rng.sample([key for key in known if not key.startswith("data.")], rng.randint(0, 5))
    argv = [f"task={task}", f"dataset={dataset}", f"model={model}", "format=json"]
    argv += [f"{key}={_well_formed(rng, known[key])}" for key in keys]
    status, out, _ = through_door(door.main, [*argv, "--dry-run"])
    require(status in (0, 2), f"status {status} for {argv}")  # 2: a metric that there is not, a device that there is not
    if status == 0:
        resolved = compose(check(split(argv).assignments, DATASETS))
        require(_same(json.loads(out)["settings"], json.loads(json.dumps(resolved.config))), f"{argv} printed {out}")
    return "dry run" if status == 0 else "refused"


@functools.cache
def _warm() -> None:
    """Import and compile all that the small runs need: an alarm within leaves modules that are half imported."""
    for task, dataset, model in SMALL:
        door.dry_run(task, dataset, model)


def _python_values(rng: random.Random) -> str:
    """Values as `graphkit.run.run` takes them: none of them may end in another exception."""
    keys = list(all_settings(TASKS, [(task, model) for task in TASKS for model in MODELS[task]]))
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    values: tuple[Any, ...] = (
        *NASTY, None, True, 0, -1, 1.5, float("nan"), float("inf"), 10**400, 10**5000, 1e-320, 2**63,
        b"bytes", {1, 2}, object(), deep, [1.0, [2.0]], [10**5000], {"a": {"b": 10**5000}}, range(3), (0.7, 0.1, 0.2),
        3 + 4j, Path("a/b"), Path("~nobody-of-this-name"),
    )  # fmt: skip
    given = [Assignment(rng.choice(keys + list(NASTY[:20])), rng.choice(values)) for _ in range(rng.randint(1, 3))]
    given = [one for one in given if one.key != "resume"]
    try:
        compose(check(given, DATASETS))
    except GraphkitError as error:
        return refused(error)
    return "accepted"


def _recipe(request: Request) -> dict[str, Any]:
    return {"recipe": request.values["recipe"]} if "recipe" in request.values else {}


def _parent(config: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    *sections, leaf = key.split(".")
    for section in sections:
        config = config[section]
    return config, leaf


def _same(one: Any, other: Any) -> bool:
    """Equal in value and in type, all the way down."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other
