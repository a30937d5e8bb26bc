"""Batches, negatives, metrics and refusals of link prediction."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from graphkit.conf.models.link import AdamicAdarModel, CommonNeighborsModel, ResourceAllocationModel
from graphkit.conf.schema import LinkTask, Train
from graphkit.data.dataset import LinkData, Pairs
from graphkit.data.graph import Graph
from graphkit.errors import RequestError
from graphkit.models.link.base import LinkModel
from graphkit.sparse import CSR
from graphkit.tasks.build import build_task
from tests.tasks.links import NODES, both_ways, make_task, new_model, planted


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
        graph=Graph(edge_index=torch.cat([train, train.flip(0)], dim=1), num_nodes=14),
        splits={"train": Pairs(train), "valid": Pairs(valid, free), "test": Pairs(test, free)},
    )
    task = make_task(dataset, settings=LinkTask(reject_negatives=reject))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([next(task.batches(generator)).negative for _ in range(10)], dim=1)
    allowed = [free] if reject == "all" else [free, valid, test]
    assert both_ways(drawn) == both_ways(torch.cat(allowed, dim=1))
    assert drawn.size(1) == 10 * train.size(1)


class Given(LinkModel):
    """A model whose scores are given for every pair, and which counts how often it looks at the graph."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix, self.encoded = matrix, 0

    def encode(self, x: Tensor | CSR | None, adj: CSR) -> tuple[Tensor, ...]:
        self.encoded += 1
        return ()

    def pair_features(self, nodes: tuple[Tensor, ...], adj: CSR, pairs: Tensor) -> tuple[Tensor, ...]:
        return (self.matrix[pairs[0], pairs[1]].unsqueeze(1),)

    def head(self, *features: Tensor) -> Tensor:
        return features[0].squeeze(1)


def test_hits_equal_a_loop_over_pairs() -> None:
    dataset = planted(metrics=("hits@1", "hits@5", "hits@20", "hits@40"))
    matrix = torch.randn(NODES, NODES, generator=torch.Generator().manual_seed(0)).mul(3).round()  # with ties
    result = make_task(dataset).evaluate(Given(matrix)).metrics
    shares = set()
    for split in ("valid", "test"):
        held = dataset.splits[split]
        scores = [[float(matrix[u, v]) for u, v in pairs.t().tolist()] for pairs in (held.positive, held.negative)]
        positive, negative = scores[0], sorted(scores[1], reverse=True)
        for k in (1, 5, 20, 40):
            hits = [score for score in positive if score > negative[k - 1]]
            assert result[split][f"hits@{k}"] == pytest.approx(100.0 * len(hits) / len(positive))
            shares.add(len(hits) / len(positive))
    assert len(shares) > 3


def test_a_metric_that_cannot_decide_is_left_out_and_refused() -> None:
    task = make_task(planted(metrics=("hits@5", "hits@41", "hits@61")))  # of 40 negatives on validation, 60 on test
    assert task.metrics == ("hits@5",)
    (note,) = task.notes
    assert note.startswith("hits@41 and hits@61 are left out: validation has 40 negatives")
    assert set(task.evaluate(new_model(task).eval()).metrics["test"]) == {"hits@5"}
    with pytest.raises(RequestError, match="task.metric=hits@41 cannot select an epoch: .*; choose hits@5, mrr or hits@1"):
        make_task(planted(), settings=LinkTask(metric="hits@41"))


def test_the_validation_loss_is_that_of_training_on_validation_pairs() -> None:
    dataset = planted()
    matrix = torch.randn(NODES, NODES, generator=torch.Generator().manual_seed(0)).mul(3)
    pairs = dataset.splits["valid"]
    losses = [
        sum(math.log1p(math.exp(sign * float(matrix[u, v]))) for u, v in part.t().tolist()) / part.size(1)
        for sign, part in ((-1, pairs.positive), (1, pairs.negative))
    ]
    model, task = Given(matrix), make_task(dataset, eval_batch_size=7)
    evaluation = task.evaluate(model)
    matrix.zero_()
    assert evaluation.valid_loss() == pytest.approx(sum(losses), rel=1e-6)
    assert model.encoded == 1  # the scores are those that the metrics are of
    assert task.evaluate(model, ("test",)).valid_loss is None


def test_evaluation_does_not_depend_on_block_sizes() -> None:
    dataset = planted(5)
    net = new_model(make_task(dataset)).double().eval()
    outcomes = []
    for eval_batch_size, micro_batch in ((65536, 4096), (65536, 0), (7, 4096), (7, 3), (1, 1)):
        task = make_task(dataset, settings=LinkTask(micro_batch=micro_batch), eval_batch_size=eval_batch_size)
        outcomes.append((task.evaluate(net).metrics, task.predictions(net)))
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
    found = task.evaluate(new_model(task).eval(), ("test",)).metrics
    assert found.keys() == {"test"} and set(found["test"]) == {"hits@5", "hits@1", "mrr"}
    assert make_task(planted()).metric == "hits@5"


@pytest.mark.parametrize("model", [CommonNeighborsModel(), AdamicAdarModel(), ResourceAllocationModel()], ids=lambda m: m.name)
def test_heuristics_have_nothing_to_train_and_find_communities(model: Any) -> None:
    task = build_task("link", planted(), LinkTask(), model, Train(), torch.device("cpu"))
    net = task.build_model()
    assert task.stages(net) == []
    assert task.evaluate(net).metrics["test"] == {"hits@5": 100.0, "hits@1": 100.0}


def _emptied(split: str) -> LinkData:
    dataset = planted()
    pairs = replace(dataset.splits[split], positive=torch.zeros(2, 0, dtype=torch.long))
    return replace(dataset, splits={**dataset.splits, split: pairs})


def _without_negatives(split: str, negative: Tensor | None) -> LinkData:
    dataset = planted()
    return replace(dataset, splits={**dataset.splits, split: replace(dataset.splits[split], negative=negative)})


def _complete() -> LinkData:
    every = torch.triu_indices(4, 4, offset=1)
    pairs = Pairs(every, every)
    data = Graph(edge_index=torch.cat([every, every.flip(0)], dim=1), num_nodes=4)
    return planted(graph=data, splits={"train": pairs, "valid": pairs, "test": pairs})


@pytest.mark.parametrize(
    ("make", "metric", "message"),
    [
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
        (
            planted,
            "f1",
            "unknown metric 'f1' for task=link; choose hits@K, mrr or roc-auc, with a number K from 1 to 1,000,000,000 as in "
            "hits@20",
        ),
    ],
)
def test_unusable_data_is_refused_in_one_sentence(make: Callable[[], LinkData], metric: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        make_task(make(), settings=LinkTask(metric=metric))
    assert str(caught.value) == message
