from __future__ import annotations

from graphkit.conf.models.node import MLPModel
from graphkit.conf.schema import NodeTask, Train
from graphkit.models.node.classic import MLP
from graphkit.models.node.sheaf import PolyNSD
from graphkit.tasks.build import build_task, model_maker
from graphkit.tasks.node import NodeClassification
from tests.tasks.test_node import CPU, planted


def test_build_task_finds_the_task_of_that_name() -> None:
    task = build_task("node", planted(), NodeTask(), MLPModel(), Train(), CPU)
    assert isinstance(task, NodeClassification)
    assert isinstance(task.build_model(), MLP)


def test_a_model_is_found_by_the_name_in_its_settings() -> None:
    make_model = model_maker("node", MLPModel(name="polynsd"))
    assert (make_model.name, make_model.model_class) == ("polynsd", PolyNSD)
    assert make_model.settings["hidden_channels"] == MLPModel().hidden_channels and "name" not in make_model.settings
