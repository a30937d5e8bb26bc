"""Directed data sets and models that are for undirected graphs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from graphkit.conf.models.node import DirGNNModel, GCNModel, PolyNSDModel, SheafModel
from graphkit.data.dataset import NodeData
from tests.tasks.test_node import make_task, planted


def with_edges(edge_index: torch.Tensor, directed: bool) -> NodeData:
    dataset = planted()
    return replace(dataset, graph=replace(dataset.graph, edge_index=edge_index), directed=directed)


DIRECTED = torch.tensor([[0, 1, 1, 2, 3, 5], [1, 0, 2, 3, 3, 4]])  # 0 <-> 1 -> 2 -> 3, 5 -> 4, a loop at 3


@pytest.mark.parametrize("model", [SheafModel(), PolyNSDModel()])
def test_a_note_tells_which_edges_were_made_undirected(model: SheafModel | PolyNSDModel) -> None:
    (note,) = make_task(with_edges(DIRECTED, True), model).notes
    assert note == (
        f"model={model.name} is for undirected graphs: of the 6 directed edges of data set 'planted' 3 have no reverse and "
        "count in both directions, self-loops (1) have no effect; model=dir-gnn and model=adpa keep the direction"
    )


@pytest.mark.parametrize("model", [SheafModel(), PolyNSDModel()])
def test_the_note_is_true(model: SheafModel | PolyNSDModel) -> None:
    """The directed graph gives what its undirected form without self-loops gives, to the last bit."""
    pairs = DIRECTED[:, DIRECTED[0] != DIRECTED[1]]
    both = torch.cat([pairs, pairs.flip(0)], dim=1).unique(dim=1)
    logits = []
    for edge_index, directed in ((DIRECTED, True), (both, False)):
        task = make_task(with_edges(edge_index, directed), model)
        torch.manual_seed(0)
        with torch.no_grad():
            logits.append(task.predictions(task.build_model().eval())["logits"])
    assert (logits[0] == logits[1]).all()


def test_no_note_without_direction_or_where_it_is_kept() -> None:
    both = torch.cat([DIRECTED[:, :4], DIRECTED[:, :4].flip(0)], dim=1).unique(dim=1)
    assert make_task(with_edges(both, False), SheafModel()).notes == ()
    for model in (DirGNNModel(), GCNModel()):
        assert make_task(with_edges(DIRECTED, True), model).notes == ()
