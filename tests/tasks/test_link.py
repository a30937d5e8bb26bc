"""Training on links: gradients against dense algebra, target link removal, precision, and that it learns."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from graphkit.conf.models.link import NCNModel
from graphkit.conf.schema import LinkTask, Train
from graphkit.data import load
from graphkit.data.dataset import LinkData
from graphkit.layers import CommonNeighborScore
from graphkit.layers.pairs.base import PairScore
from graphkit.models.link.base import EncodedPairs
from graphkit.sparse import CSR, NeighborSets
from graphkit.training.loop import Trainer
from graphkit.training.protocol import LoopSettings
from tests.layers.pairs.test_common_neighbors import oracle_ncn
from tests.tasks.links import GAE, NCN, NODES, dense, edges_without, first_batch, make_task, new_model, planted


def oracle_scores(model: nn.Module, dataset: LinkData, edge_index: Tensor, pairs: Tensor) -> Tensor:
    """One round of A X + X, then the head, all in dense float64."""
    h = model.encoder.table[:-1] if model.encoder.table is not None else model.encoder.input[0](dataset.data.x.double())
    h = dense(edge_index) @ h + h
    if isinstance(model.score, CommonNeighborScore):
        return oracle_ncn(model.score, h, edge_index, pairs)
    z = h[pairs[0]] * h[pairs[1]]
    for lin, act in zip(model.score.lins, model.score.acts, strict=True):
        z = F.layer_norm(lin(z), (z.size(1),), act.weight, act.bias).clamp(min=0)
    return model.score.out(z).squeeze(1)


def oracle_loss(positive: Tensor, negative: Tensor) -> Tensor:
    return -positive.sigmoid().log().mean() - (1 - negative.sigmoid()).log().mean()


@pytest.mark.parametrize("micro_batch", [0, 1, 7, 4096])
@pytest.mark.parametrize("removal", [True, False])
@pytest.mark.parametrize(("model", "features"), [(NCN, 0), (NCN, 5), (GAE, 0), (GAE, 5)], ids=["ncn", "ncn-x", "gae", "gae-x"])
def test_loss_and_gradient_equal_dense_oracle(model: Any, features: int, removal: bool, micro_batch: int) -> None:
    dataset = planted(features)
    task = make_task(dataset, model, LinkTask(micro_batch=micro_batch, target_link_removal=removal), batch_size=16)
    net = new_model(task).double().train()
    batch = first_batch(task)
    pieces: list[Tensor] = []

    def backward(loss: Tensor) -> None:
        pieces.append(loss)
        loss.backward()

    loss = task.step(net, batch, backward)
    found = [parameter.grad for parameter in net.parameters()]
    edge_index = edges_without(dataset, batch.positive) if removal else dataset.data.edge_index
    scores = (oracle_scores(net, dataset, edge_index, pairs) for pairs in (batch.positive, batch.negative))
    expected = oracle_loss(*scores)
    assert not loss.requires_grad
    assert len(pieces) == {0: 1, 1: 32, 7: 5, 4096: 1}[micro_batch]
    torch.testing.assert_close(loss, expected.detach(), rtol=0, atol=1e-9)
    for a, b in zip(found, torch.autograd.grad(expected, list(net.parameters())), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


class Recording(EncodedPairs):
    """An encoder and a score that note which graph they are shown."""

    class _Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.ones(NODES, 2))
            self.seen: list[Tensor] = []

        def forward(self, x: Tensor | None, adj: CSR) -> Tensor:
            self.seen.append(adj.to_dense(torch.float64))
            return self.table

    class _Score(PairScore):
        def __init__(self) -> None:
            super().__init__()
            self.counts: list[tuple[Tensor, Tensor]] = []

        def node_features(self, h: Tensor) -> tuple[Tensor, ...]:
            return (h,)

        def pair_features(self, nodes: tuple[Tensor, ...], adj: CSR, pairs: Tensor) -> tuple[Tensor, ...]:
            self.counts.append((pairs, NeighborSets.of(adj).count(pairs)))
            return (nodes[0][pairs[0]],)

        def head(self, *features: Tensor) -> Tensor:
            return features[0].sum(1)

    def __init__(self) -> None:
        super().__init__(self._Encoder(), self._Score())


@pytest.mark.parametrize("removal", [True, False])
def test_a_batch_misses_its_own_edges_and_no_others(removal: bool) -> None:
    """In message passing and in the neighbor sets; evaluation after it sees the whole graph."""
    dataset = planted()
    task = make_task(dataset, settings=LinkTask(target_link_removal=removal), batch_size=16)
    before = dataset.data.edge_index.clone()
    batches = 0
    for batch in task.batches(torch.Generator().manual_seed(0)):
        model = Recording()
        task.step(model, batch, lambda loss: loss.backward())
        task.evaluate(model)
        removed = edges_without(dataset, batch.positive) if removal else before
        assert removed.size(1) == before.size(1) - (32 if removal else 0)
        training, evaluation = model.encoder.seen
        assert torch.equal(training, dense(removed))
        assert torch.equal(evaluation, dense(before))
        for graph, (pairs, counts) in zip([removed, *[before] * 4], model.score.counts, strict=True):
            a = dense(graph)
            assert torch.equal(counts.double(), (a[pairs[0]] * a[pairs[1]]).sum(1))
        batches += 1
    assert batches == task.num_batches > 1
    assert torch.equal(dataset.data.edge_index, before)


@pytest.mark.parametrize("model", [NCN, GAE], ids=lambda model: model.name)
def test_removal_equals_a_graph_rebuilt_without_the_batch(model: Any) -> None:
    dataset = planted(5)
    net, losses = None, {}
    for removal in (True, False):
        task = make_task(dataset, model, LinkTask(target_link_removal=removal), batch_size=16)
        net = net or new_model(task).double().eval()
        batch = first_batch(task)
        losses[removal] = task.step(net, batch, lambda loss: loss.backward())
    for removal, edge_index in ((True, edges_without(dataset, batch.positive)), (False, dataset.data.edge_index)):
        adj = CSR.from_edge_index(edge_index, NODES)
        scores = (net(dataset.data.x.double(), adj, pairs) for pairs in (batch.positive, batch.negative))
        torch.testing.assert_close(losses[removal], oracle_loss(*scores).detach(), rtol=0, atol=1e-10)
    assert abs(losses[True] - losses[False]) > 1e-3


@pytest.mark.parametrize("model", [NCN, GAE], ids=lambda model: model.name)
def test_double_precision_and_bf16_steps(model: Any) -> None:
    task = make_task(planted(5), replace(model, dropout=0.0, head_dropout=0.0), batch_size=32)
    net, batch = new_model(task), first_batch(task)

    def gradient() -> tuple[Tensor, Tensor]:
        net.zero_grad()

        def backward(loss: Tensor) -> None:
            with torch.autocast("cpu", enabled=False):
                loss.backward()

        loss = task.step(net, batch, backward)
        return loss, torch.cat([parameter.grad.flatten().double() for parameter in net.parameters()])

    single, expected = gradient()
    with torch.autocast("cpu", torch.bfloat16):
        low, rough = gradient()
    net.double()
    double, exact = gradient()
    torch.testing.assert_close(single, double, rtol=1e-5, atol=0)
    torch.testing.assert_close(expected, exact, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(low, double, rtol=0.05, atol=0)
    assert low != single
    assert rough.isfinite().all()
    assert F.cosine_similarity(rough, exact, dim=0) > 0.97


def test_parameter_groups_hold_every_parameter_once() -> None:
    task = make_task(planted(5), NCN, lr=0.1, head_lr=0.2)
    net = task.build_model()
    encoder, score = task.stages(net)[0].groups
    assert (encoder["lr"], score["lr"]) == (0.1, 0.2)
    assert [id(p) for p in score["params"]] == [id(p) for p in net.score.parameters()]
    assert sorted(id(p) for p in encoder["params"] + score["params"]) == sorted(id(p) for p in net.parameters())
    assert {group["lr"] for group in make_task(planted(), lr=0.1).stages(net)[0].groups} == {0.1}


@pytest.mark.parametrize("model", [NCN, GAE], ids=lambda model: model.name)
def test_the_training_loop_lowers_the_loss_and_finds_held_out_edges(model: Any) -> None:
    train = Train(epochs=20, batch_size=32, lr=0.02)
    task = make_task(planted(), replace(model, hidden_channels=32, head_dropout=0.2, edge_dropout=0.1), **asdict(train))
    torch.manual_seed(0)
    trainer = Trainer(task, LoopSettings.of(asdict(train)), Fabric(accelerator="cpu", devices=1), 0, lambda epoch, share: None)
    losses = [trainer.advance().loss for _ in range(20)]
    assert trainer.finished
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert trainer.progress.best_metrics["test"]["hits@5"] > 80.0


def test_karate_trains() -> None:
    task = make_task(load("karate", task="link"), NCNModel(hidden_channels=8), batch_size=16)
    net = new_model(task).train()
    optimizer = torch.optim.Adam(task.stages(net)[0].groups)
    generator, losses = torch.Generator().manual_seed(0), []
    for _ in range(15):
        for batch in task.batches(generator):
            optimizer.zero_grad()
            losses.append(float(task.step(net, batch, lambda loss: loss.backward())))
            optimizer.step()
    assert sum(losses[-5:]) < sum(losses[:5])
    assert task.evaluate(net.eval()).metrics.keys() == {"valid", "test"}
