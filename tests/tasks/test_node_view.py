"""What a node model may know of the data while it is trained."""

from __future__ import annotations

import torch

from graphkit.models.node.base import NodeView
from tests.tasks.test_node import Table, make_task, planted


def test_a_model_sees_training_labels_alone() -> None:
    class Curious(Table):
        def fit(self, view: NodeView) -> None:
            self.view = view

    dataset = planted()
    dataset.data.y[dataset.splits["train"][:5]] = -1
    task = make_task(dataset)
    task._make_model = lambda **dims: Curious(torch.zeros(90, 3))
    view = task.build_model().view
    train = torch.tensor([node for node in dataset.splits["train"].tolist() if int(dataset.data.y[node]) >= 0])
    torch.testing.assert_close(view.nodes, train.sort().values)
    torch.testing.assert_close(view.y[train], dataset.data.y[train])
    assert int((view.y >= 0).sum()) == train.numel()
