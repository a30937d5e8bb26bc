"""NCNC: what it passes on, its readings of one embedding, and its training as NCN first."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch
from lightning_fabric import Fabric

from graphkit.conf.models.link import NCNCModel, NCNModel
from graphkit.conf.schema import Train
from graphkit.layers import CompletionScore
from graphkit.models.link.ncn import NCN
from graphkit.models.link.ncnc import NCNC
from graphkit.sparse import CSR
from graphkit.training.loop import Trainer
from graphkit.training.protocol import LoopSettings
from tests.layers.pairs.test_completion import oracle
from tests.models.link.dense import NODES, assert_same, gcn, graph
from tests.tasks.links import first_batch, make_task, new_model, planted


@pytest.mark.parametrize(("depth", "inner"), [(1, "transformed"), (2, "embeddings")])
def test_equals_dense_oracle(depth: int, inner: str) -> None:
    torch.manual_seed(0)
    x, edges, adjacency, pairs = graph()
    model = NCNC(6, NODES, hidden_channels=5, depth=depth, inner=inner, offset=0.2, alpha=1.1).double().eval()
    h = gcn(adjacency) @ model.encoder.input(x)
    expected = oracle(model.score, h, adjacency, pairs, depth)
    assert_same(model(x, CSR.from_edge_index(edges, NODES), pairs), expected, list(model.parameters()))


def test_settings_reach_the_score() -> None:
    given = {
        "depth": 2, "scale": 1.5, "offset": -0.5, "prior": 0.25, "alpha": 1.05, "train_cap": 7, "cap": 9, "inner": "embeddings"
    }  # fmt: skip
    score = NCNC(6, NODES, hidden_channels=4, tail_activation=False, **given).score
    assert isinstance(score, CompletionScore) and {key: getattr(score, key) for key in given} == given
    assert score.pooled_out is not None


def test_it_has_the_parameters_of_ncn() -> None:
    """So NCN's published counts are NCNC's, and the weights of one are read by the other."""
    settings = {"hidden_channels": 8, "two_layer_head": True}
    NCNC(6, NODES, **settings).load_state_dict(NCN(6, NODES, **settings).state_dict())


def trainer(model: NCNCModel | NCNModel, **train) -> Trainer:
    settings = Train(batch_size=32, lr=0.02, **train)
    task = make_task(planted(), model, **asdict(settings))
    torch.manual_seed(0)
    return Trainer(task, LoopSettings.of(asdict(settings)), Fabric(accelerator="cpu", devices=1), 0, lambda epoch, share: None)


def test_a_warm_up_is_the_training_of_ncn_and_then_the_head_alone_learns() -> None:
    model = NCNCModel(hidden_channels=8, conv="puresum", residual=True, warm_up=3, completion_lr=0.005, offset=0.0)
    plain = NCNModel(hidden_channels=8, conv="puresum", residual=True)
    ours, ncn = trainer(model, epochs=2, head_lr=0.01), trainer(plain, epochs=3, head_lr=0.01)
    assert ours.num_epochs == 5
    for _ in range(3):
        ours_epoch, ncn_epoch = ours.advance(), ncn.advance()
        assert (ours_epoch.loss, ours_epoch.metrics) == (ncn_epoch.loss, ncn_epoch.metrics)
    assert ours.progress.best_epoch is None
    before = {name: value.clone() for name, value in ours.model.state_dict().items()}
    assert before.keys() == ncn.model.state_dict().keys()
    assert all(torch.equal(value, ncn.model.state_dict()[name]) for name, value in before.items())
    ours.advance(), ours.advance()
    assert ours.finished and ours.progress.best_epoch in (4, 5) and ours.model.score.depth == 1
    assert [group["lr"] for group in ours.optimizer.param_groups] == [0.005]
    moved = {name.split(".")[0] for name, value in ours.model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"score"}


def test_completion_learns_from_the_start_without_a_warm_up() -> None:
    ours = trainer(NCNCModel(hidden_channels=16, conv="puresum", residual=True, offset=0.0), epochs=12)
    losses = [ours.advance().loss for _ in range(12)]
    assert ours.num_stages == 1 and sum(losses[-3:]) < 0.7 * sum(losses[:3])


def test_a_step_in_blocks_has_the_gradient_of_the_whole() -> None:
    """Target link removal and micro-batches: the graph without the batch's edges, for inner scores too."""
    dataset = planted(5)
    model = NCNCModel(hidden_channels=8, offset=0.0)
    task = make_task(dataset, model, batch_size=16)
    task._settings = replace(task._settings, micro_batch=5)
    net, batch = new_model(task).double().eval(), first_batch(task)
    loss = task.step(net, batch, lambda one: one.backward())
    found = [parameter.grad for parameter in net.parameters()]
    adj = task._adj.without(batch.entries, mirror=True)
    a = adj.to_dense(torch.float64)
    scale = (a + torch.eye(a.size(0), dtype=torch.float64)).sum(1).rsqrt()
    h = (scale[:, None] * (a + torch.eye(a.size(0), dtype=torch.float64)) * scale) @ net.encoder.input(task._x)
    positive, negative = (oracle(net.score, h, a, pairs, 1) for pairs in (batch.positive, batch.negative))
    expected = -positive.sigmoid().log().mean() - (1 - negative.sigmoid()).log().mean()
    torch.testing.assert_close(loss, expected.detach(), rtol=0, atol=1e-9)
    for a, b in zip(found, torch.autograd.grad(expected, list(net.parameters())), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)
