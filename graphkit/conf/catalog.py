"""The names that can be asked for: tasks, models and where their code lives. Data sets: `graphkit.data.catalog`.

A table read by `--list`, the override checker, the builders and the completeness test. Adding a model means: its settings and
its row in `models/<task>.py`, its module, its test, its CHANGELOG line.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphkit.conf import schema
from graphkit.conf.entries import ModelEntry, TaskEntry
from graphkit.conf.models import graph, image, link, node, recommend
from graphkit.conf.setting import Setting, settings_table

TASKS: dict[str, TaskEntry] = {
    "link": TaskEntry(
        schema.LinkTask,
        "graphkit.tasks.link:LinkPrediction",
        "graphkit.data.tasks.link:build",
        "ncn",
        "digits",
        "link prediction",
        needs=("data.edges",),
        reads=("data.features", "data.labels"),
        refuses={"data.directed": "predicts edges without direction"},
    ),
    "node": TaskEntry(
        schema.NodeTask,
        "graphkit.tasks.node:NodeClassification",
        "graphkit.data.tasks.node:build",
        "gcn",
        "digits",
        "node classification",
        needs=("data.edges", "data.labels"),
        reads=("data.features", "data.directed"),
    ),
    "graph": TaskEntry(
        schema.GraphTask,
        "graphkit.tasks.graph:GraphPrediction",
        "graphkit.data.tasks.graph:build",
        "gin",
        "planted-graphs",
        "classification and regression of graphs",
        needs=("data.graphs",),
        reads=("data.edges", "data.features", "data.labels", "data.targets", "data.directed"),
        over_seeds="graphkit.tasks.folds:over_seeds",
        report="graphkit.tasks.graph_pictures:sections",
    ),
    "image": TaskEntry(
        schema.ImageTask,
        "graphkit.tasks.image:ImagePrediction",
        "graphkit.data.tasks.image:build",
        "protopnet",
        "planted-patches",
        "classification of images by parts that are like training parts",
        needs=("data.images",),
        reads=("data.targets",),
        refuses={"data.scale": "standardizes the channels of images by itself"},
        report="graphkit.tasks.image_pictures:sections",
    ),
    "recommend": TaskEntry(
        schema.RecommendTask,
        "graphkit.tasks.recommend:Recommendation",
        "graphkit.data.tasks.recommend:build",
        "lightgcn",
        "planted-interactions",
        "recommendation of items to users",
        needs=("data.interactions",),
        reads=("data.user_column", "data.item_column", "data.rating_column", "data.min_rating", "data.time_column"),
        refuses={"data.scale": "has no features to scale"},
        serve="graphkit.serving.served:serve",
    ),
}

MODELS: dict[str, dict[str, ModelEntry]] = {
    "link": link.MODELS,
    "node": node.MODELS,
    "graph": graph.MODELS,
    "image": image.MODELS,
    "recommend": recommend.MODELS,
}

SECTIONS = ("task", "model", "data", "train")
"""Settings that hold settings; `task` and `model` are also choices."""

CHOICES = {
    "task": Setting("task", str, False, "link", "what is predicted; --list tasks"),
    "dataset": Setting("dataset", str, False, "auto", "the data set, with its split; default: the task's own; --list datasets"),
    "model": Setting("model", str, False, "auto", "the model; default: the task's own; --list models"),
}
"""The three names that say what a run is."""


def run_settings() -> dict[str, Setting]:
    """The settings that every run has: of the run itself, `data.*` and `train.*`."""
    return {**settings_table(schema.Run, ""), **settings_table(schema.Data, "data."), **settings_table(schema.Train, "train.")}


def task_settings(task: str) -> dict[str, Setting]:
    """The settings `task.*` of a task."""
    return settings_table(TASKS[task].settings, "task.")


def model_settings(task: str, model: str) -> dict[str, Setting]:
    """The settings `model.*` of a task's model."""
    return settings_table(MODELS[task][model].settings, "model.")


def all_settings(tasks: Iterable[str], models: Iterable[tuple[str, str]]) -> dict[str, Setting]:
    """The settings of a run of any of these tasks and (task, model) pairs."""
    table = run_settings()
    for task in tasks:
        table |= task_settings(task)
    for task, model in models:
        table |= model_settings(task, model)
    return table
