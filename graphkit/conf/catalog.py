"""The names that can be asked for: tasks, models and where their code lives. Data sets: `graphkit.data.catalog`.

A table read by `--list`, the override checker, the builders and the completeness test. Adding a model means: its settings and
its row in `models/<task>.py`, its module, its test, its CHANGELOG line.
"""

from __future__ import annotations

from graphkit.conf import schema
from graphkit.conf.entries import ModelEntry, TaskEntry
from graphkit.conf.models import link, node, recommend

TASKS: dict[str, TaskEntry] = {
    "link": TaskEntry(schema.LinkTask, "graphkit.tasks.link:LinkPrediction", "ncn", "digits", "link prediction"),
    "node": TaskEntry(schema.NodeTask, "graphkit.tasks.node:NodeClassification", "gcn", "digits", "node classification"),
    "recommend": TaskEntry(
        schema.RecommendTask,
        "graphkit.tasks.recommend:Recommendation",
        "lightgcn",
        "planted-interactions",
        "recommendation of items to users",
    ),
}

MODELS: dict[str, dict[str, ModelEntry]] = {"link": link.MODELS, "node": node.MODELS, "recommend": recommend.MODELS}
