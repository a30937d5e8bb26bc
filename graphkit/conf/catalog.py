"""The names that can be asked for: tasks, models and where their code lives. Data sets: `graphkit.data.catalog`.

A table read by `--list`, the override checker, the builders and the completeness test. Adding a model means: its settings and
its row in `models/<task>.py`, its module, its test, its CHANGELOG line.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphkit.conf import questions, schema
from graphkit.conf.entries import ModelEntry, TaskEntry
from graphkit.conf.models import graph, image, link, node, node_experts, node_untrained, recommend
from graphkit.conf.setting import Setting, settings_table
from graphkit.conf.transforms import NONE, TRANSFORMS

_TABLES = ("data.header", "data.separator", "data.comments", "data.encoding")
"""How own tables are read."""
_GRAPH = (
    *_TABLES,
    "data.format",
    "data.source_column",
    "data.target_column",
    "data.weight_column",
    "data.node_column",
    "data.label_column",
    "data.categorical",
    "data.ignore",
)
"""How the tables of an own graph are read."""
_NO_NODES = dict.fromkeys(("data.embed", "data.embed_channels"), "has images, which are no graph")
_NO_FEATURES = dict.fromkeys(
    ("data.embed", "data.embed_channels"), "learns embeddings of users and items and reads no features"
)

TASKS: dict[str, TaskEntry] = {
    "link": TaskEntry(
        schema.LinkTask,
        "graphkit.tasks.link:LinkPrediction",
        "graphkit.data.tasks.link:build",
        "ncn",
        "digits",
        "link prediction",
        needs=("data.edges",),
        reads=("data.features", "data.labels", "data.time_column", *_GRAPH),
        refuses={"data.directed": "predicts edges without direction"},
        splits_by_protocol=True,
        serve="graphkit.serving.pairs:ServedPairs",
        answer="graphkit.serving.asked_pairs:answer",
        questions=questions.LINK,
        report="graphkit.tasks.reports:link",
        explain="graphkit.explain.tasks.link:LinkExplainer",
        asks={"pair": "two nodes by their names, pair=u,v; several pairs: pair=u,v,x,y"},
    ),
    "node": TaskEntry(
        schema.NodeTask,
        "graphkit.tasks.node:NodeClassification",
        "graphkit.data.tasks.node:build",
        "gcn",
        "digits",
        "node classification",
        needs=("data.edges", "data.labels"),
        reads=("data.features", "data.directed", *_GRAPH),
        report="graphkit.tasks.reports:node",
        serve="graphkit.serving.nodes:ServedNodes",
        answer="graphkit.serving.asked_samples:answer",
        questions=questions.NODE,
        explain="graphkit.explain.tasks.node:NodeExplainer",
        asks={"node": "a node by its name; several: node=a,b,c, names with commas in double quotes"},
        transforms=("teddy", "stable"),
    ),
    "graph": TaskEntry(
        schema.GraphTask,
        "graphkit.tasks.graph:GraphPrediction",
        "graphkit.data.tasks.graph:build",
        "gin",
        "planted-graphs",
        "classification and regression of graphs",
        needs=("data.graphs",),
        reads=("data.edges", "data.features", "data.labels", "data.targets", "data.directed", *_TABLES),
        over_seeds="graphkit.tasks.folds:over_seeds",
        without_validation=("gin", "last10"),
        report="graphkit.tasks.reports:graph",
        serve="graphkit.serving.graphs:ServedGraphs",
        answer="graphkit.serving.asked_samples:answer",
        questions=questions.GRAPH,
        explain="graphkit.explain.tasks.graph:GraphExplainer",
        asks={"graph": "a graph by its name; several: graph=a,b,c"},
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
        refuses={"data.scale": "standardizes the channels of images by itself", **_NO_NODES},
        report="graphkit.tasks.reports:image",
        serve="graphkit.serving.images:ServedImages",
        answer="graphkit.serving.asked_samples:answer",
        questions=questions.IMAGE,
        explain="graphkit.explain.tasks.image:ImageExplainer",
        asks={"image": "an image by its name or number; several: image=a,b,c"},
    ),
    "recommend": TaskEntry(
        schema.RecommendTask,
        "graphkit.tasks.recommend:Recommendation",
        "graphkit.data.tasks.recommend:build",
        "lightgcn",
        "planted-interactions",
        "recommendation of items to users",
        needs=("data.interactions",),
        reads=(
            "data.user_column",
            "data.item_column",
            "data.rating_column",
            "data.min_rating",
            "data.time_column",
            "data.time_split",
            "data.format",
            *_TABLES,
        ),
        refuses={"data.scale": "has no features to scale", **_NO_FEATURES},
        serve="graphkit.serving.served:Served",
        answer="graphkit.serving.asked_items:answer",
        without_validation=("lightgcn",),
        questions=questions.RECOMMEND,
        report="graphkit.tasks.reports:recommend",
        explain="graphkit.explain.tasks.recommend:RecommendExplainer",
        asks={"user": "a user by its name", "item": "an item by its name; several: item=a,b,c"},
    ),
}

MODELS: dict[str, dict[str, ModelEntry]] = {
    "link": link.MODELS,
    "node": {**node.MODELS, **node_experts.MODELS, **node_untrained.MODELS},
    "graph": graph.MODELS,
    "image": image.MODELS,
    "recommend": recommend.MODELS,
}

SECTIONS = ("task", "model", "transform", "data", "train")
"""Settings that hold settings; `task`, `model` and `transform` are also choices."""

CHOICES = {
    "task": Setting("task", str, False, "link", "what is predicted; --list tasks"),
    "dataset": Setting("dataset", str, False, "auto", "the data set, with its split; default: the task's own; --list datasets"),
    "model": Setting("model", str, False, "auto", "the model; default: the task's own; --list models"),
    "transform": Setting("transform", str, False, NONE, "what changes the graph before any model; --list transforms"),
}
"""The names that say what a run is."""

BACKBONE = "model.backbone"
"""The setting that names what a model is built around; its value decides which further settings there are."""


def run_settings() -> dict[str, Setting]:
    """The settings that every run has: of the run itself, `data.*` and `train.*`."""
    return {**settings_table(schema.Run, ""), **settings_table(schema.Data, "data."), **settings_table(schema.Train, "train.")}


def task_settings(task: str) -> dict[str, Setting]:
    """The settings `task.*` of a task."""
    return settings_table(TASKS[task].settings, "task.")


def model_settings(task: str, model: str, backbone: str | None = None) -> dict[str, Setting]:
    """The settings `model.*` of a task's model; of one around a backbone also those of that, the default one if not said."""
    return settings_table(MODELS[task][model].settings_on(backbone), "model.")


def own_settings(task: str, model: str, backbone: str | None = None) -> dict[str, Setting]:
    """The settings `model.*` of a task's model without those of its backbone."""
    table = model_settings(task, model, backbone)
    if (choice := table.get(BACKBONE)) is None:
        return table
    return {key: value for key, value in table.items() if key not in model_settings(task, choice.default)}


def transform_settings(transform: str) -> dict[str, Setting]:
    """The settings `transform.*` of what changes the graph."""
    return settings_table(TRANSFORMS[transform].settings, "transform.")


def all_settings(
    tasks: Iterable[str], models: Iterable[tuple[str, str]], backbone: str | None = None, transform: str = NONE
) -> dict[str, Setting]:
    """The settings of a run of any of these tasks and (task, model) pairs, of models around a backbone with this one."""
    table = run_settings() | transform_settings(transform)
    for task in tasks:
        table |= task_settings(task)
    for task, model in models:
        table |= model_settings(task, model, backbone)
    return table
