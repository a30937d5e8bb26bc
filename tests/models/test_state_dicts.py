"""Names and shapes of what a model saves: a change makes the weights of every finished run unreadable.

`state_dicts.json` holds a row per model, with its default settings. A new model gets a row of its own; a row that is there
changes only together with a rule that reads the old weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from graphkit.conf.catalog import MODELS
from graphkit.sparse import GraphBatch
from graphkit.tasks.build import model_maker
from tests.models.test_completeness import ENTRIES

DIMENSIONS = {"in_channels": 12, "out_channels": 3, "num_nodes": 10, "num_users": 6, "num_items": 7}
LINK = {"in_channels": 5, "num_nodes": 10}
PATH = GraphBatch.of(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), torch.tensor([0, 3]))  # balls of 2 and of 3 nodes
GRAPH = {"in_channels": 5, "out_channels": 3, "edge_channels": 2, "max_degree": 4, "graphs": PATH}
IMAGE = {"in_channels": 1, "out_channels": 3, "size": (8, 8), "class_counts": (5, 5, 5)}
RECORDED = json.loads(Path(__file__).with_name("state_dicts.json").read_text(encoding="utf-8"))


def test_no_model_is_recorded_that_does_not_exist() -> None:
    assert RECORDED.keys() <= {f"{task}-{name}" for task, models in MODELS.items() for name in models}


@pytest.mark.parametrize(("task", "name", "entry"), ENTRIES)
def test_saved_names_and_shapes_are_those_recorded(task, name, entry) -> None:
    sizes = {"link": LINK, "graph": GRAPH, "image": IMAGE}.get(task, DIMENSIONS)
    model = model_maker(task, entry.settings())(**sizes)
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    key = f"{task}-{name}"
    assert key in RECORDED, f"add to tests/models/state_dicts.json: {json.dumps({key: shapes})}"
    assert shapes == RECORDED[key]
