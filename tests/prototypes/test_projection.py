from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from graphkit.errors import RequestError, RunError
from graphkit.prototypes import Allowed, PartBatch, PrototypeBank, class_identity, nearest_parts, project, source_drift
from graphkit.prototypes.nearest import Nearest
from graphkit.prototypes.similarity import ANGULAR, SIMILARITIES
from tests.prototypes.compare import IDENTITY, normal

SAMPLES, DIM = 40, 3
SIZES = torch.randint(1, 5, (SAMPLES,), generator=torch.Generator().manual_seed(0))
PTR = torch.cat([SIZES.new_zeros(1), SIZES.cumsum(0)])
IDS = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(1))
LABELS = torch.randint(3, (SAMPLES,), generator=torch.Generator().manual_seed(2))
TRAIN = torch.rand(SAMPLES, generator=torch.Generator().manual_seed(3)) < 0.6
INPUTS = normal(int(PTR[-1]), DIM).float()


def batches(z: Tensor, size: int = 7) -> Iterator[PartBatch]:
    """Ragged samples in batches; the parts of a sample are numbered from 100."""
    items = torch.cat([torch.arange(100, 100 + int(n)) for n in SIZES])
    for first in range(0, SAMPLES, size):
        last = min(first + size, SAMPLES)
        rows = slice(int(PTR[first]), int(PTR[last]))
        yield PartBatch.of_ragged(z[rows], PTR[first : last + 1] - PTR[first], IDS[first:last], items[rows])


def encoder() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(DIM, DIM), nn.BatchNorm1d(DIM), nn.Dropout(0.5))


def loop(z: Tensor, weight: Tensor, *, is_angular: bool, k: int, restricted: bool = True) -> list[list[tuple[float, int, int]]]:
    """Distance and ids of the k nearest parts of each prototype, one part after the other."""
    table = []
    for p, classes in zip(weight.double(), IDENTITY, strict=True):
        found = []
        for place, sample in enumerate(IDS.tolist()):
            if TRAIN[sample] and (not restricted or classes[LABELS[sample]]):
                for item in range(int(SIZES[place])):
                    part = z[int(PTR[place]) + item].double()
                    a, b = (part / part.norm(), p / p.norm()) if is_angular else (part, p)
                    found.append(((a - b).norm().item(), sample, 100 + item))
        table.append(sorted(found, key=lambda one: one[0])[:k])
    return table


def assert_found(near: Nearest, expected: list[list[tuple[float, int, int]]]) -> None:
    assert near.ref.tolist() == [[[sample, item] for _, sample, item in row] for row in expected]
    torch.testing.assert_close(near.distance, torch.tensor([[d for d, *_ in row] for row in expected], dtype=torch.float64))


@pytest.mark.parametrize("is_angular", [False, True])
@pytest.mark.parametrize("restricted", [False, True])
def test_nearest_parts(is_angular: bool, restricted: bool) -> None:
    weight = normal(6, DIM, seed=4).float()
    allowed = Allowed(TRAIN, LABELS if restricted else None)
    near = nearest_parts(batches(INPUTS), weight, IDENTITY, allowed=allowed, is_angular=is_angular, k=4, chunk=5)
    assert_found(near, loop(INPUTS, weight, is_angular=is_angular, k=4, restricted=restricted))
    rows = torch.cat([batch.rows[0] for batch in batches(INPUTS)])
    assert torch.equal(near.z, rows[near.position])


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("is_angular", [False, True])
def test_chunks_and_batches_change_nothing(is_angular: bool, k: int) -> None:
    z = INPUTS[torch.arange(len(INPUTS)) % 9]  # many equal parts, of which the earliest must be named every time
    weight = normal(6, DIM, seed=4).float()

    def found(chunk: int, size: int) -> Nearest:
        allowed = Allowed(TRAIN, LABELS)
        return nearest_parts(batches(z, size), weight, IDENTITY, allowed=allowed, is_angular=is_angular, k=k, chunk=chunk)

    expected = found(10_000, SAMPLES)
    assert_found(expected, loop(z, weight, is_angular=is_angular, k=k))
    for chunk in (1, 2, 7, 64):
        for one, other in zip(found(chunk, 3 * chunk), expected, strict=True):
            assert torch.equal(one, other)


def test_fewer_parts_than_asked_for() -> None:
    near = nearest_parts(
        [PartBatch.of_nodes(torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0]]))],
        torch.tensor([[1.0, 0.0]]),
        class_identity([1]),
        allowed=Allowed(torch.ones(3, dtype=torch.bool)),
        is_angular=True,
        k=4,
    )
    assert near.position.tolist() == [[0, 2, -1, -1]]  # part 1 has no direction
    assert near.distance[0, 2:].isinf().all() and near.ref[0, 2:].eq(-1).all() and near.z[0, 2:].eq(0).all()


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_projection_takes_the_nearest_training_part_of_the_class(similarity: str) -> None:
    model, bank = encoder(), PrototypeBank(IDENTITY, DIM, similarity=similarity)
    before, z = bank.weight.detach().clone(), model.eval()(INPUTS).detach()
    compared = bank.compare(z).detach()
    model.train()
    report = project(bank, model, lambda: batches(model(INPUTS)), labels=LABELS, train=TRAIN, chunk=11)
    expected = loop(z, before, is_angular=similarity in ANGULAR, k=1)
    assert bank.source.tolist() == [[sample, item] for ((_, sample, item),) in expected]
    for j, ((_, sample, item),) in enumerate(expected):
        row = int(PTR[IDS.tolist().index(sample)]) + item - 100
        assert torch.equal(bank.weight[j], z[row])
        assert report.moved[j].item() == pytest.approx((z[row].double() - before[j].double()).norm().item())
        torch.testing.assert_close(report.similarity_before[j], compared[row, j])
    assert torch.equal(report.similarity_before, bank.source_similarity)
    assert report.distinct == len({tuple(ids) for ids in bank.source.tolist()})
    assert bank.is_projected(model)


@pytest.mark.parametrize("similarity", sorted(set(SIMILARITIES) - {"projection"}))
def test_no_part_is_more_similar_than_the_source(similarity: str) -> None:
    model, bank = encoder(), PrototypeBank(IDENTITY, DIM, similarity=similarity)
    project(bank, model, lambda: batches(model(INPUTS)), labels=LABELS, train=TRAIN)
    parts = list(batches(model.eval()(INPUTS).detach()))
    rows, ref = (torch.cat(both) for both in zip(*(batch.rows for batch in parts), strict=True))
    similarity_of_all = bank.compare(rows)
    for j, source in enumerate(bank.source.tolist()):
        of_source = similarity_of_all[ref.tolist().index(source), j]
        assert of_source >= similarity_of_all[:, j].max() - 1e-6
    pooled = torch.cat([bank(batch).similarity for batch in parts])
    assert (pooled.max(dim=0).values - similarity_of_all.max(dim=0).values).abs().max() == 0


def test_unique_sources() -> None:
    bank = PrototypeBank(class_identity([4, 3]), 2, similarity="negative-l2")
    z = normal(20, 2).float()
    with torch.no_grad():
        bank.weight.copy_(z[:1] + 1e-3 * normal(7, 2, seed=5))  # all at one place: collapsed
    collapsed, labels = bank.weight.detach().clone(), torch.arange(20) % 2
    everything = {"labels": labels, "train": torch.ones(20, dtype=torch.bool)}
    assert project(bank, nn.Identity(), lambda: [PartBatch.of_nodes(z)], **everything).distinct == 2
    with torch.no_grad():
        bank.weight.copy_(collapsed)
    report = project(bank, nn.Identity(), lambda: [PartBatch.of_nodes(z)], is_unique=True, **everything)
    assert report.distinct == 7
    # In every round each prototype without a part asks for its nearest free one; the nearest of those who ask gets it.
    free, got = set(range(20)), {}
    while len(got) < 7:
        asked: dict[int, list[tuple[float, int]]] = {}
        for j in sorted(set(range(7)) - set(got)):
            own = [i for i in sorted(free) if int(labels[i]) == (j >= 4)]
            distance = {i: (z[i].double() - collapsed[j].double()).norm().item() for i in own}
            best = min(own, key=lambda i: distance[i])
            asked.setdefault(best, []).append((distance[best], j))
        for part, who in asked.items():
            got[min(who)[1]] = part
            free.remove(part)
    assert bank.source[:, 0].tolist() == [got[j] for j in range(7)]
    for j, part in got.items():
        assert torch.equal(bank.weight[j], z[part])


def test_sources_are_found_again() -> None:
    model, bank = encoder(), PrototypeBank(IDENTITY, DIM)
    project(bank, model, lambda: batches(model(INPUTS)), labels=LABELS, train=TRAIN)
    assert source_drift(bank, model, lambda: batches(model(INPUTS), 13)).eq(0).all()
    moved = INPUTS + 0.1
    assert (source_drift(bank, model, lambda: batches(model(moved))) > 0).all()
    lost = source_drift(bank, model, lambda: [batch for batch in batches(model(INPUTS)) if bank.source[0, 0] not in batch.ref])
    assert lost[0].isinf() and lost.isfinite().any()


def test_modes_and_random_states_are_as_before() -> None:
    model, bank = encoder(), PrototypeBank(IDENTITY, DIM)
    model.train()
    model[1].eval()
    statistics, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    project(bank, model, lambda: batches(model(INPUTS)), labels=LABELS, train=TRAIN)
    assert [part.training for part in model] == [True, False, True] and model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, statistics[name]) for name, value in model.state_dict().items())
    assert bank.weight.requires_grad


def test_several_classes_per_sample() -> None:
    table = torch.rand(SAMPLES, 3, generator=torch.Generator().manual_seed(6)) < 0.4
    model, bank = encoder(), PrototypeBank(IDENTITY, DIM)
    project(bank, model, lambda: batches(model(INPUTS)), labels=table, train=TRAIN)
    assert all(
        bool((table[sample] & IDENTITY[j]).any()) and bool(TRAIN[sample]) for j, (sample, _) in enumerate(bank.source.tolist())
    )


def test_one_part_in_all() -> None:
    bank = PrototypeBank(class_identity([2]), 3)
    one = PartBatch.of_nodes(torch.tensor([[0.0, 3.0, 4.0]]), torch.tensor([8]))
    train = torch.arange(9) == 8
    report = project(bank, nn.Identity(), lambda: [one], labels=torch.zeros(9, dtype=torch.long), train=train)
    assert report.distinct == 1 and bank.source.tolist() == [[8, 8], [8, 8]]
    torch.testing.assert_close(bank(one).similarity, torch.ones(1, 2))
    with pytest.raises(RequestError, match=r"prototype 1 of classes \[0\] .* there are fewer training parts than prototypes"):
        project(bank, nn.Identity(), lambda: [one], labels=torch.zeros(9, dtype=torch.long), train=train, is_unique=True)


def test_a_class_without_training_parts_is_refused_and_nothing_is_changed() -> None:
    model, bank = encoder(), PrototypeBank(IDENTITY, DIM)
    before = {name: value.clone() for name, value in bank.state_dict().items()}
    with pytest.raises(
        RequestError, match=r"prototype 4 of classes \[2\] cannot be projected, there are no training parts: give"
    ):
        project(bank, model, lambda: batches(model(INPUTS)), labels=LABELS, train=TRAIN & (LABELS != 2))
    assert all(torch.equal(value, before[name]) for name, value in bank.state_dict().items())


def test_what_is_not_finite_is_refused() -> None:
    bank, z = PrototypeBank(IDENTITY, DIM), INPUTS.clone()
    first = TRAIN[IDS].nonzero()[0]
    z[PTR[first], 1] = torch.nan
    with pytest.raises(
        RunError, match="embeddings of training parts or prototypes are not finite: lower train.lr or check the features"
    ):
        project(bank, nn.Identity(), lambda: batches(z), labels=LABELS, train=TRAIN)
    with pytest.raises(ValueError, match="k and chunk must be at least 1, got 1 and 0"):
        project(bank, nn.Identity(), lambda: batches(INPUTS), labels=LABELS, train=TRAIN, chunk=0)
