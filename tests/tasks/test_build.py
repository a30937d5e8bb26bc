from __future__ import annotations

import pytest

from graphkit.conf.models.node import GCNModel, MLPModel
from graphkit.conf.schema import NodeTask, Train
from graphkit.models.node.classic import GCN, MLP
from graphkit.tasks.build import arguments, build_task, construct
from graphkit.tasks.node import NodeClassification
from tests.tasks.test_node import CPU, planted


def test_build_task_finds_the_task_of_that_name() -> None:
    task = build_task("node", planted(), NodeTask(), MLPModel(), Train(), CPU)
    assert isinstance(task, NodeClassification)
    assert isinstance(task.build_model(), MLP)


def test_construct_takes_a_dataclass_or_the_equivalent_mapping() -> None:
    settings = GCNModel(hidden_channels=9)
    mapping = {
        **{"name": "gcn", "hidden_channels": 9, "num_layers": 2, "dropout": 0.5, "input_dropout": None, "norm": "none"},
        **{"residual": "none", "pre_linear": False, "linear_head": False},
    }
    assert arguments(settings) == arguments(mapping) == {key: mapping[key] for key in mapping if key != "name"}
    for given in (settings, mapping):
        model = construct("graphkit.models.node.classic:GCN", given, in_channels=4, out_channels=3)
        assert isinstance(model, GCN) and model.head.in_channels == 9
    assert mapping["name"] == "gcn"
    with pytest.raises(TypeError, match="settings must be a dataclass instance or a mapping, got list"):
        arguments(["gcn"])
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        construct("graphkit.models.node.classic:GCN", {"width": 3}, in_channels=4, out_channels=3)
