"""Link prediction: gradients against dense algebra, target link removal, batches, negatives, metrics, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch_geometric.data import Data

from graphkit.conf.schema import (
    AdamicAdarModel,
    CommonNeighborsModel,
    GAEModel,
    LinkTask,
    NCNModel,
    ResourceAllocationModel,
    Train,
)
from graphkit.data import load
from graphkit.data.types import Dataset, Pairs
from graphkit.errors import RequestError
from graphkit.layers import CommonNeighborScore
from graphkit.layers.pair_scores import PairScore
from graphkit.models.heuristics import NoEncoder
from graphkit.sparse import CSR
from graphkit.sparse.intersection import NeighborSets
from graphkit.tasks.build import build_task
from graphkit.tasks.link import LinkPrediction, PairBatch
from graphkit.training.loop import Trainer
from tests.layers.test_pair_scores import oracle_ncn

CPU = torch.device("cpu")
NODES = 41
NCN = NCNModel(hidden_channels=8, conv="puresum", residual=True, tail_activation=False, two_layer_head=True)
GAE = GAEModel(hidden_channels=8, conv="puresum", residual=True, head_layers=2)


def planted(features: int = 0, seed: int = 0, **changes: Any) -> Dataset:
    """Five communities of eight and a node without edges; 12 edges held out for validation, 20 for test."""
    generator = torch.Generator().manual_seed(seed)
    community = torch.arange(NODES) // 8
    tied = (community[:, None] == community[None]) & (torch.rand(NODES, NODES, generator=generator) < 0.8)
    edges, others = tied.triu(1).nonzero().t(), (~tied).triu(1).nonzero().t()
    edges = edges[:, torch.randperm(edges.size(1), generator=generator)]
    others = others[:, torch.randperm(others.size(1), generator=generator)]
    train = edges[:, 32:]
    fields: dict[str, Any] = {
        "name": "planted",
        "task": "link",
        "data": Data(edge_index=torch.cat([train, train.flip(0)], dim=1), num_nodes=NODES),
        "splits": {
            "train": Pairs(train),
            "valid": Pairs(edges[:, :12], others[:, :40]),
            "test": Pairs(edges[:, 12:32], others[:, 40:100]),
        },
        "metric": "hits@5",
        "metrics": ("hits@5", "hits@1"),
        "protocol": "planted communities",
    }
    if features:
        fields["data"].x = torch.randn(NODES, features, generator=generator)
    return Dataset(**(fields | changes))


def make_task(dataset: Dataset, model: Any = NCN, settings: LinkTask | None = None, **train: Any) -> LinkPrediction:
    return LinkPrediction(dataset, settings or LinkTask(), model, Train(**train), CPU)


def first_batch(task: LinkPrediction, seed: int = 0) -> PairBatch:
    return next(task.batches(torch.Generator().manual_seed(seed)))


def new_model(task: LinkPrediction, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return task.build_model()


def both_ways(pairs: Tensor) -> set[tuple[int, int]]:
    return {edge for u, v in pairs.t().tolist() for edge in ((u, v), (v, u))}


def edges_without(dataset: Dataset, pairs: Tensor) -> Tensor:
    """The message passing graph, rebuilt edge by edge without these pairs."""
    gone = both_ways(pairs)
    return torch.tensor([edge for edge in dataset.data.edge_index.t().tolist() if tuple(edge) not in gone]).t()


def dense(edge_index: Tensor) -> Tensor:
    adjacency = torch.zeros(NODES, NODES, dtype=torch.float64)
    adjacency[edge_index[1], edge_index[0]] = 1.0
    return adjacency


def oracle_scores(model: nn.Module, dataset: Dataset, edge_index: Tensor, pairs: Tensor) -> Tensor:
    """One round of A X + X, then the head, all in dense float64."""
    h = model.encoder.table[:-1] if model.encoder.table is not None else model.encoder.input[1](dataset.data.x.double())
    h = dense(edge_index) @ h + h
    if isinstance(model.score, CommonNeighborScore):
        return oracle_ncn(model.score, h, edge_index, pairs)
    z = h[pairs[0]] * h[pairs[1]]
    for lin, act in zip(model.score.lins, model.score.acts, strict=True):
        z = F.layer_norm(lin(z), (z.size(1),), act.weight, act.bias).clamp(min=0)
    return model.score.out(z).squeeze(1)


def oracle_loss(positive: Tensor, negative: Tensor) -> Tensor:
    return -positive.sigmoid().log().mean() - (1 - negative.sigmoid()).log().mean()


# ------------------------------------------------------------------------------------------------------------ the step


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


class Recording(nn.Module):
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

        def pair_features(self, nodes: tuple[Tensor, ...], sets: NeighborSets, pairs: Tensor) -> tuple[Tensor, ...]:
            self.counts.append((pairs, sets.count(pairs)))
            return (nodes[0][pairs[0]],)

        def head(self, *features: Tensor) -> Tensor:
            return features[0].sum(1)

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.score = self._Encoder(), self._Score()


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
        h = net.encoder(dataset.data.x.double(), adj)
        scores = (net.score(h, NeighborSets(adj), pairs) for pairs in (batch.positive, batch.negative))
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
    assert (rough - exact).norm() < 0.1 * exact.norm()


# --------------------------------------------------------------------------------------------------------- the batches


def test_batches_cover_the_positives_once() -> None:
    dataset = planted()
    positive = dataset.splits["train"].positive
    count = positive.size(1)
    assert count % 16
    everything = make_task(dataset, settings=LinkTask(drop_last=False), batch_size=16)
    batches = list(everything.batches(torch.Generator().manual_seed(0)))
    assert everything.num_batches == len(batches) == count // 16 + 1
    assert torch.equal(torch.cat([batch.positive for batch in batches], dim=1).unique(dim=1), positive.unique(dim=1))
    assert sum(batch.positive.size(1) for batch in batches) == count
    full = make_task(dataset, batch_size=16)
    batches = list(full.batches(torch.Generator().manual_seed(0)))
    assert full.num_batches == len(batches) == count // 16
    assert [batch.positive.size(1) for batch in batches] == [16] * len(batches)
    assert torch.cat([batch.positive for batch in batches], dim=1).unique(dim=1).size(1) == 16 * len(batches)
    for size in (0, count, 10 * count):
        (batch,) = make_task(dataset, batch_size=size).batches(torch.Generator())
        assert torch.equal(batch.positive.unique(dim=1), positive.unique(dim=1))


def test_batches_come_from_their_generator_alone() -> None:
    task = make_task(planted(), batch_size=16)
    epochs = []
    for global_seed, seed in ((0, 5), (1, 5), (0, 6)):
        torch.manual_seed(global_seed)
        batches = list(task.batches(torch.Generator().manual_seed(seed)))
        epochs.append(torch.cat([part for batch in batches for part in (batch.positive, batch.negative)], dim=1))
    assert torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0], epochs[2])
    generator = torch.Generator().manual_seed(0)
    first, second = (next(task.batches(generator)) for _ in range(2))
    assert not torch.equal(first.positive, second.positive)
    assert not torch.equal(first.negative, second.negative)


@pytest.mark.parametrize("reject", ["train", "all"])
def test_negatives_are_no_known_positives(reject: str) -> None:
    """Few pairs are left as negatives: with `train` the held-out edges are among those that must come up."""
    every = torch.triu_indices(14, 14, offset=1)
    every = every[:, torch.randperm(every.size(1), generator=torch.Generator().manual_seed(0))]
    free, valid, test, train = every[:, :4], every[:, 4:9], every[:, 9:14], every[:, 14:]
    dataset = planted(
        data=Data(edge_index=torch.cat([train, train.flip(0)], dim=1), num_nodes=14),
        splits={"train": Pairs(train), "valid": Pairs(valid, free), "test": Pairs(test, free)},
    )
    task = make_task(dataset, settings=LinkTask(reject_negatives=reject))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([next(task.batches(generator)).negative for _ in range(10)], dim=1)
    allowed = [free] if reject == "all" else [free, valid, test]
    assert both_ways(drawn) == both_ways(torch.cat(allowed, dim=1))
    assert drawn.size(1) == 10 * train.size(1)


# ------------------------------------------------------------------------------------------------------ the evaluation


class Given(nn.Module):
    """A model whose scores are given for every pair."""

    class _Score(PairScore):
        def __init__(self, matrix: Tensor) -> None:
            super().__init__()
            self.matrix = matrix

        def node_features(self, h: Tensor) -> tuple[Tensor, ...]:
            return (h,)

        def pair_features(self, nodes: tuple[Tensor, ...], sets: NeighborSets, pairs: Tensor) -> tuple[Tensor, ...]:
            return (self.matrix[pairs[0], pairs[1]].unsqueeze(1),)

        def head(self, *features: Tensor) -> Tensor:
            return features[0].squeeze(1)

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.encoder, self.score = NoEncoder(), self._Score(matrix)


def test_hits_equal_a_loop_over_pairs() -> None:
    dataset = planted(metrics=("hits@1", "hits@5", "hits@20", "hits@41"))
    matrix = torch.randn(NODES, NODES, generator=torch.Generator().manual_seed(0)).mul(3).round()  # with ties
    result = make_task(dataset).evaluate(Given(matrix))
    shares = set()
    for split in ("valid", "test"):
        scores = [[float(matrix[u, v]) for u, v in pairs.t().tolist()] for pairs in vars(dataset.splits[split]).values()]
        positive, negative = scores[0], sorted(scores[1], reverse=True)
        for k in (1, 5, 20, 41):
            hits = [score for score in positive if len(negative) < k or score > negative[k - 1]]
            assert result[split][f"hits@{k}"] == pytest.approx(100.0 * len(hits) / len(positive))
            shares.add(len(hits) / len(positive))
    assert len(shares) > 3
    assert result["valid"]["hits@41"] == 100.0  # of 40 negatives


def test_evaluation_does_not_depend_on_block_sizes() -> None:
    dataset = planted(5)
    net = new_model(make_task(dataset)).double().eval()
    outcomes = []
    for eval_batch_size, micro_batch in ((65536, 4096), (65536, 0), (7, 4096), (7, 3), (1, 1)):
        task = make_task(dataset, settings=LinkTask(micro_batch=micro_batch), eval_batch_size=eval_batch_size)
        outcomes.append((task.evaluate(net), task.predictions(net)))
    metrics, arrays = outcomes[0]
    for other_metrics, other_arrays in outcomes[1:]:
        assert other_metrics == metrics
        assert other_arrays.keys() == arrays.keys()
        for name in arrays:
            np.testing.assert_allclose(other_arrays[name], arrays[name], rtol=0, atol=1e-12)


def test_predictions_say_what_they_belong_to() -> None:
    dataset = planted()
    matrix = torch.randn(NODES, NODES)
    arrays = make_task(dataset).predictions(Given(matrix))
    assert len(arrays) == 8
    for split in ("valid", "test"):
        for kind in ("positive", "negative"):
            pairs = getattr(dataset.splits[split], kind)
            np.testing.assert_array_equal(arrays[f"{split}_{kind}_pairs"], pairs.numpy())
            np.testing.assert_array_equal(arrays[f"{split}_{kind}_scores"], matrix[pairs[0], pairs[1]].numpy())


def test_metric_setting_selects_and_is_reported() -> None:
    task = make_task(planted(), settings=LinkTask(metric="mrr"))
    assert task.metric == "mrr" and task.metrics == ("hits@5", "hits@1", "mrr")
    found = task.evaluate(new_model(task).eval(), ("test",))
    assert found.keys() == {"test"} and set(found["test"]) == {"hits@5", "hits@1", "mrr"}
    assert make_task(planted()).metric == "hits@5"


# ---------------------------------------------------------------------------------------------------------- the models


@pytest.mark.parametrize("model", [CommonNeighborsModel(), AdamicAdarModel(), ResourceAllocationModel()], ids=lambda m: m.name)
def test_heuristics_have_nothing_to_train_and_find_communities(model: Any) -> None:
    task = build_task("link", planted(), LinkTask(), model, Train(), CPU)
    net = task.build_model()
    assert task.param_groups(net) == []
    assert task.evaluate(net)["test"]["hits@1"] > 90.0


def test_parameter_groups_hold_every_parameter_once() -> None:
    task = make_task(planted(5), NCN, lr=0.1, head_lr=0.2)
    net = task.build_model()
    encoder, score = task.param_groups(net)
    assert (encoder["lr"], score["lr"]) == (0.1, 0.2)
    assert [id(p) for p in score["params"]] == [id(p) for p in net.score.parameters()]
    assert sorted(id(p) for p in encoder["params"] + score["params"]) == sorted(id(p) for p in net.parameters())
    assert {group["lr"] for group in make_task(planted(), lr=0.1).param_groups(net)} == {0.1}


@pytest.mark.parametrize("model", [NCN, GAE], ids=lambda model: model.name)
def test_the_training_loop_lowers_the_loss_and_finds_held_out_edges(model: Any) -> None:
    dropped = replace(model, head_dropout=0.2, edge_dropout=0.1)
    task = make_task(planted(), dropped, batch_size=32, lr=0.02)
    torch.manual_seed(0)
    train = asdict(Train(epochs=25, batch_size=32, lr=0.02))
    trainer = Trainer(task, train, Fabric(accelerator="cpu", devices=1), 0, lambda epoch, share: None)
    losses = [trainer.advance().loss for _ in range(25)]
    assert trainer.finished
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert trainer.progress.best_metrics["test"]["hits@5"] > 60.0


def test_karate_trains() -> None:
    task = make_task(load("karate", task="link"), NCNModel(hidden_channels=8), batch_size=16)
    net = new_model(task).train()
    optimizer = torch.optim.Adam(task.param_groups(net))
    generator, losses = torch.Generator().manual_seed(0), []
    for _ in range(15):
        for batch in task.batches(generator):
            optimizer.zero_grad()
            losses.append(float(task.step(net, batch, lambda loss: loss.backward())))
            optimizer.step()
    assert sum(losses[-5:]) < sum(losses[:5])
    assert task.evaluate(net.eval()).keys() == {"valid", "test"}


# -------------------------------------------------------------------------------------------------------- the refusals


def _emptied(split: str) -> Dataset:
    dataset = planted()
    pairs = replace(dataset.splits[split], positive=torch.zeros(2, 0, dtype=torch.long))
    return replace(dataset, splits={**dataset.splits, split: pairs})


def _without_negatives(split: str, negative: Tensor | None) -> Dataset:
    dataset = planted()
    return replace(dataset, splits={**dataset.splits, split: replace(dataset.splits[split], negative=negative)})


def _complete() -> Dataset:
    every = torch.triu_indices(4, 4, offset=1)
    pairs = Pairs(every, every)
    data = Data(edge_index=torch.cat([every, every.flip(0)], dim=1), num_nodes=4)
    return planted(data=data, splits={"train": pairs, "valid": pairs, "test": pairs})


def _of_nodes() -> Dataset:
    return planted(task="node", splits={split: torch.arange(3) for split in ("train", "valid", "test")})


@pytest.mark.parametrize(
    ("make", "metric", "message"),
    [
        (_of_nodes, "auto", "data set 'planted' was loaded for task=node; load it for task=link"),
        *(
            (
                lambda split=split: _emptied(split),
                "auto",
                f"the {split} split of data set 'planted' has no edge; give more edges or another data.split",
            )
            for split in ("train", "valid", "test")
        ),
        *(
            (
                lambda split=split, negative=negative: _without_negatives(split, negative),
                "auto",
                f"the {split} split of data set 'planted' has no negative pairs to rank against",
            )
            for split, negative in (("valid", None), ("test", torch.zeros(2, 0, dtype=torch.long)))
        ),
        (
            _complete,
            "auto",
            "data set 'planted': the graph of 4 nodes is complete: no pair of different nodes is left as a negative; "
            "link prediction needs non-edges to train on",
        ),
        (planted, "f1", "unknown metric 'f1' for task=link; choose hits@K with a number K (hits@20), mrr or roc-auc"),
    ],
)
def test_unusable_data_is_refused_in_one_sentence(make: Callable[[], Dataset], metric: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        make_task(make(), settings=LinkTask(metric=metric))
    assert str(caught.value) == message
