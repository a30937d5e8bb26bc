"""ELPH against dense matrices in float64, with exact counts; counts follow the graph of the step. More in `test_buddy.py`."""

from __future__ import annotations

import torch

from graphkit.conf.models.link import ELPHModel
from graphkit.models.link.elph import ELPH
from graphkit.sparse import CSR
from tests.models.link.dense import NODES, assert_same, gcn, graph
from tests.models.link.test_buddy import head, settled
from tests.tasks.links import first_batch, make_task, new_model, planted


def test_elph_equals_dense_algebra() -> None:
    torch.manual_seed(0)
    x, edges, adjacency, pairs = graph()
    model = settled(ELPH(6, NODES, hidden_channels=8, num_layers=2, residual=True, counts="exact"))
    first, second = model.encoder.convs
    weights = [dict(conv.named_parameters()) for conv in (first, second)]
    names = [sorted(found, key=lambda name: -found[name].dim()) for found in weights]
    (w1, b1), (w2, b2) = ([found[name] for name in order] for found, order in zip(weights, names, strict=True))
    operator = gcn(adjacency)
    h = (operator @ x @ w1.t() + b1).clamp(min=0)
    h = h + operator @ h @ w2.t() + b2
    assert_same(model(x, CSR.from_edge_index(edges, NODES), pairs), head(model, h, adjacency, pairs), list(model.parameters()))


def test_a_training_step_counts_without_its_target_links() -> None:
    task = make_task(planted(5), ELPHModel(hidden_channels=8, counts="exact"), batch_size=30)
    model, batch = new_model(task), first_batch(task)
    counted = []
    count = model.score.count
    model.score.count = lambda adj, pairs: counted.append(count(adj, pairs)) or counted[-1]
    task.step(model, batch, lambda loss: loss.backward())
    whole = count(task.inputs(model)[1], batch.positive)
    with_links, without = whole[:, 0], counted[0][: batch.positive.size(1), 0]
    assert (with_links >= without + 2).all(), "the two ends of an edge are within one step of both"
    assert torch.equal(counted[0][:, 4], torch.zeros(60)) and torch.equal(counted[0][:, 6], torch.zeros(60))
