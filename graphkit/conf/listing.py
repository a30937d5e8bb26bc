"""The pages of `--help` and `--list`, from the catalogs and the schema. Plain text where stdout is no terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from graphkit.conf.arguments import FLAGS
from graphkit.conf.catalog import CHOICES, MODELS, TASKS, model_settings, run_settings, task_settings, transform_settings
from graphkit.conf.recipe import all_recipes
from graphkit.conf.setting import Setting, show
from graphkit.conf.transforms import TRANSFORMS
from graphkit.errors import shown
from graphkit.nearest import did_you_mean

_INDENT = (0, 0, 0, 2)
_TOPICS = ("tasks", "datasets", "models", "transforms")


class _Protocol(Protocol):
    @property
    def statement(self) -> str: ...
    @property
    def metric(self) -> str: ...


class DatasetPage(Protocol):
    """What the pages show of a data set; `graphkit.data.catalog.DatasetEntry` is one."""

    @property
    def summary(self) -> str:
        """What it holds."""

    @property
    def source(self) -> str:
        """Citation."""

    @property
    def protocols(self) -> Mapping[str, _Protocol]:
        """By task: split and graph in a sentence, and the metric."""


def render(*parts: RenderableType) -> str:
    """Text for stdout: as wide as the terminal, styled only there."""
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    text = io.StringIO()  # a console on stdout itself would write to it, which may be closed or full
    console = Console(file=text, force_terminal=on_terminal or None, markup=False, highlight=False)
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def aligned(rows: Iterable[tuple[str, ...]]) -> Table:
    """A table without rules: words stay whole in all columns but the last."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    rows = list(rows)
    for column in range(len(rows[0])):
        table.add_column(no_wrap=column == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def help_page(datasets: Iterable[str]) -> str:
    """What `--help` prints."""
    names = [
        ("task", ", ".join(TASKS), CHOICES["task"].default),
        ("dataset", ", ".join(datasets), ", ".join(f"{entry.default_dataset} (task={task})" for task, entry in TASKS.items())),
        *(("model", f"{', '.join(models)} (task={task})", TASKS[task].default_model) for task, models in MODELS.items()),
        ("transform", ", ".join(TRANSFORMS), CHOICES["transform"].default),
    ]
    examples = [
        ("python -m graphkit.run", "the main job on embedded data"),
        ("python -m graphkit.run dataset=cora seeds=3", "mean and deviation over seeds"),
        ("python -m graphkit.run task=node train.lr=0.02", "another task and setting"),
        ("python -m graphkit.run dataset=cora --dry-run", "look before running"),
        ("python -m graphkit.run dataset=cora --check-leaks", "does training see what is evaluated?"),
        ("python -m graphkit.run resume=runs/FOLDER", "go on with a run"),
        ("python -m graphkit.run --list models", "models, papers, settings; --list ncn: of one"),
    ]
    return render(
        "usage: python -m graphkit.run [KEY=VALUE ...] [--FLAG]\n",
        "Train and evaluate a model. KEY=VALUE describes the run, --FLAG asks about it.\n",
        section("choices", aligned((f"{key}=", f"{what}; default {default}") for key, what, default in names)),
        section("flags", aligned(FLAGS.items())),
        section("settings of every run", settings_rows(run_settings())),
        section("examples", aligned(examples)),
        "Settings of a task or a model: --list. Results go to stdout, progress and notes to stderr; format=json for scripts.",
        "Exit status: 0 success, 1 the run failed or a leak was found, 2 the request is wrong, 130 interrupted (resumable).",
    )


def list_page(topic: str | None, datasets: Mapping[str, DatasetPage]) -> str:
    """What `--list` prints.

    Args:
        topic: `tasks`, `datasets`, `models`, `transforms`, or the name of one of them; None: everything.
        datasets: The data sets by name.
    """
    pages = {
        "tasks": _tasks,
        "datasets": lambda only=None: _datasets(datasets, only),
        "models": _models,
        "transforms": _transforms,
    }
    if topic in pages:
        return render(*pages[topic]())
    if topic is not None:
        return render(*(part for page in pages.values() for part in page(topic)))
    parts: list[RenderableType] = []
    for name, page in pages.items():
        parts += [Text(f"{name.upper()}\n", style="bold"), *page()]
    return render(*parts, Text("EVERY RUN\n", style="bold"), settings_rows(run_settings()))


def topic_mistakes(topic: str | None, datasets: Iterable[str]) -> list[str]:
    """What is wrong with the WHAT of `--list`: nothing, or a line."""
    names = [*_TOPICS, *TASKS, *datasets, *(model for models in MODELS.values() for model in models), *TRANSFORMS]
    if topic is None or topic in names:
        return []
    hint = did_you_mean(topic, names) or f": expected one of {', '.join(_TOPICS)}, or the name of one of them"
    return [f"--list {shown(topic)}{hint}"]


def _tasks(only: str | None = None) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for name, entry in TASKS.items():
        if only in (None, name):
            about = Text(f"{entry.summary}; default model {entry.default_model}, default data set {entry.default_dataset}")
            models = [("models", ", ".join(MODELS[name]))] if only else []
            body: list[RenderableType] = [about, *([aligned(models)] if models else []), settings_rows(task_settings(name))]
            parts.append(section(f"task={name}", *body))
    return parts


def _datasets(datasets: Mapping[str, DatasetPage], only: str | None = None) -> list[RenderableType]:
    parts: list[RenderableType] = []
    recipes = all_recipes()
    for name, entry in datasets.items():
        if only not in (None, name):
            continue
        rows = [(f"task={task}", f"{row.metric}. {row.statement}") for task, row in entry.protocols.items()]
        rows.append(("source", entry.source))
        if only:
            tuned = ["-".join(recipe) for recipe in recipes if recipe[0] in entry.protocols and recipe[1] == name]
            rows += [("recipes", ", ".join(tuned))] if tuned else []
        parts.append(section(f"dataset={name}", Text(entry.summary), aligned(rows)))
    return parts


def _models(only: str | None = None) -> list[RenderableType]:
    parts: list[RenderableType] = []
    recipes = all_recipes()
    for task, models in MODELS.items():
        for name, entry in models.items():
            if only not in (None, name):
                continue
            about: list[tuple[str, str]] = []
            if entry.paper:
                about.append(("paper", f"{entry.paper.title}, {entry.paper.venue}, {entry.paper.url}".removesuffix(", ")))
            tuned = ["-".join(recipe) for recipe in recipes if (recipe[0], recipe[2]) == (task, name)]
            if tuned:
                about.append(("recipes", ", ".join(tuned)))
            if (backbone := getattr(entry.settings, "backbone", None)) is not None:
                others = "--list NAME for those of another"
                about.append(("backbone", f"settings of its own and of model.backbone={backbone}; {others}"))
            body: list[RenderableType] = [Text(entry.summary), *([aligned(about)] if about else [])]
            parts.append(section(f"task={task} model={name}", *body, settings_rows(model_settings(task, name))))
    return parts


def _transforms(only: str | None = None) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for name, entry in TRANSFORMS.items():
        if only not in (None, name):
            continue
        about = [("tasks", ", ".join(task for task, row in TASKS.items() if name in row.transforms) or "all")]
        if entry.paper:
            about.append(("paper", f"{entry.paper.title}, {entry.paper.venue}, {entry.paper.url}".removesuffix(", ")))
        body: list[RenderableType] = [Text(entry.summary), aligned(about)]
        parts.append(section(f"transform={name}", *body, settings_rows(transform_settings(name))))
    return parts


def settings_rows(settings: Mapping[str, Setting]) -> RenderableType:
    """Settings, a row each: key, default, meaning, what is allowed."""
    if not settings:
        return Text("no settings of its own")
    return aligned(
        (f"{key}={show(setting.default)}", f"{setting.help} [{_allowed(setting)}]") for key, setting in settings.items()
    )


def _allowed(setting: Setting) -> str:
    if setting.choices:
        return "|".join((*setting.choices, "*.yaml") if setting.path else setting.choices)
    name = {int: "integer", float: "number", bool: "true|false", str: "text", list: "numbers"}[setting.kind]
    if setting.high is not None and setting.low is not None:
        name += f" {show(setting.low)}..{show(setting.high)}"
    name += " or null" if setting.optional else ""
    return name + (f"; sweep {setting.search}" if setting.search else "")


def section(title: str, *body: RenderableType) -> RenderableType:
    """A title above an indented body."""
    return Group(Text(title, style="bold"), Padding(Group(*body), _INDENT), "")
