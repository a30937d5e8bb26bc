"""Fourteen kinds of defects found in published code of prototype models, each with a test here that would show it.

1 masked extremum by multiplication; 2 the reported model is not the explained one; 3 selection on the test set; 4 label
leakage; 5 an optimizer that holds old parameters; 6 provenance that is lost or wrong; 7 classes by reshaping; 8 slips in the
algebra of similarities; 9 stochastic evaluation; 10 evaluation that changes the model; 11 wrong ids of what is explained;
12 freezing that does not freeze; 13 fixed sizes and devices; 14 collapse of prototypes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from graphkit.metrics.prototypes import distinct_prototypes
from graphkit.prototypes import LinearHead, PartBatch, PrototypeBank, class_identity, explain, losses, project
from graphkit.prototypes.similarity import SIMILARITIES
from graphkit.training.runner import train_run
from tests.prototypes.compare import IDENTITY, normal
from tests.prototypes.test_phases import Prototypical, settings

COUNT = 30
LABELS = torch.arange(COUNT) % 3
TRAIN = torch.arange(COUNT) < 18
X = normal(COUNT, 5).float()


def made() -> tuple[nn.Module, PrototypeBank]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)), PrototypeBank(IDENTITY, 4)


def projected(encoder: nn.Module, bank: PrototypeBank, labels: Tensor = LABELS, x: Tensor = X) -> None:
    ids = torch.arange(COUNT - 1, -1, -1)  # the last node comes first: an id is no position
    project(bank, encoder, lambda: [PartBatch.of_nodes(encoder(x)[ids], ids)], labels=labels, train=TRAIN)


def test_1_extrema_are_right_where_all_values_are_negative_or_huge() -> None:
    mask = torch.tensor([[True, False]])
    bank = PrototypeBank(class_identity([1, 1]), 2)
    z = torch.tensor([[[-1.0, 0.0], [1.0, 0.0]]])
    with torch.no_grad():
        bank.weight.copy_(torch.tensor([[1.0, 0.0], [0.5, 1.0]]))
    found = bank(PartBatch(z, mask, torch.zeros(1, 2, 2, dtype=torch.long))).similarity
    assert found[0, 0].item() == -1
    for size in (-1e3, 1e6):
        similarity = torch.full((1, 2), size, requires_grad=True)
        term = losses.cluster(similarity, torch.tensor([0]), bank.identity)
        assert term.item() == -size and torch.autograd.grad(term, similarity)[0].tolist() == [[-1, 0]]
        assert losses.separation(similarity, torch.tensor([0]), bank.identity).item() == size


def test_2_an_explanation_names_no_source_once_training_went_on() -> None:
    encoder, bank = made()
    projected(encoder, bank)
    optimizer = torch.optim.Adam([*encoder.parameters()], lr=0.01)
    encoder.train()
    bank(PartBatch.of_nodes(encoder(X))).similarity.sum().backward()
    optimizer.step()
    encoder.eval()
    found = explain(PartBatch.of_nodes(encoder(X)), 0, bank=bank, head=LinearHead(IDENTITY), encoder=encoder)
    assert not found.is_projected and {line.source for line in found.predicted.lines} == {None}


def test_3_and_4_labels_outside_of_training_and_validation_change_no_weight(tmp_path: Path) -> None:
    class Flipped(Prototypical):
        def __init__(self, seed: int) -> None:
            super().__init__(seed)
            self.y = torch.where(torch.arange(len(self.y)) < 75, self.y, (self.y + 1) % 3)

    found = [train_run(settings(tmp_path / task.__name__), task).folder for task in (Prototypical, Flipped)]
    weights = [load_file(folder / "seed-0" / "best.safetensors") for folder in found]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_4_labels_outside_of_training_do_not_steer_projection() -> None:
    sources = []
    for labels in (LABELS, torch.where(TRAIN, LABELS, (LABELS + 1) % 3), torch.where(TRAIN, LABELS, -1)):
        encoder, bank = made()
        projected(encoder, bank, labels)
        assert TRAIN[bank.source[:, 0]].all()
        sources.append(bank.source.tolist())
    assert sources[0] == sources[1] == sources[2]


def test_5_an_optimizer_moves_projected_prototypes() -> None:
    encoder, bank = made()
    optimizer = torch.optim.Adam(bank.parameters(), lr=0.1)
    parameter = bank.weight
    projected(encoder, bank)
    assert bank.weight is parameter
    placed = bank.weight.detach().clone()
    bank(PartBatch.of_nodes(encoder(X))).similarity.sum().backward()
    optimizer.step()
    assert (bank.weight != placed).all()


def test_6_a_source_is_the_sample_of_that_global_id() -> None:
    encoder, bank = made()
    projected(encoder, bank)
    embedded = encoder.eval()(X)
    torch.testing.assert_close(embedded[bank.source[:, 0]], bank.weight)
    assert IDENTITY[torch.arange(6), LABELS[bank.source[:, 0]]].all()


@pytest.mark.parametrize("term", [losses.orthogonality, losses.closeness, losses.discrimination, losses.diversity])
def test_7_classes_are_known_by_the_table_not_by_place(term: object) -> None:
    weight, order = normal(6, 4), torch.tensor([3, 5, 0, 4, 1, 2])
    torch.testing.assert_close(term(weight, IDENTITY), term(weight[order], IDENTITY[order]))


@pytest.mark.parametrize("name", sorted(set(SIMILARITIES) - {"cosine", "relu-cosine", "projection"}))
def test_8_similarity_falls_with_distance(name: str) -> None:
    steps = torch.linspace(0, 50, 200, dtype=torch.float64)
    z = torch.stack([steps + 3, torch.full_like(steps, 7)], dim=1)
    values = SIMILARITIES[name](z, torch.tensor([[3.0, 7.0]], dtype=torch.float64))[:, 0]
    assert (values.diff() < 0).all() and values.isfinite().all()


def test_9_evaluation_draws_no_global_random_number() -> None:
    encoder, bank = made()
    gaussian = PrototypeBank(IDENTITY, 4, similarity="negative-l2", is_gaussian=True)
    state = torch.get_rng_state()
    projected(encoder, bank)
    parts = PartBatch.of_nodes(encoder.eval()(X))
    explain(parts, 0, bank=bank, head=LinearHead(IDENTITY), encoder=encoder)
    drawn = [gaussian.sampled(parts, 2, torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*drawn)
    assert torch.equal(torch.get_rng_state(), state)


def test_10_evaluation_changes_nothing() -> None:
    encoder, bank = made()
    projected(encoder, bank)
    model = nn.ModuleList([encoder, bank, LinearHead(IDENTITY)])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.eval()
    parts = PartBatch.of_nodes(encoder(X))
    model[2](bank(parts).similarity)
    explain(parts, 3, bank=bank, head=model[2], encoder=encoder)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_11_evidence_points_at_the_part_that_decides() -> None:
    z = 0.1 * normal(9, 4).float()
    z[5] = torch.tensor([0.0, 0.0, 1.0, 0.0])  # the only part that looks like the prototype: node 50 of graph 8
    parts = PartBatch.of_ragged(z, torch.tensor([0, 3, 4, 9]), torch.tensor([6, 7, 8]), 10 * torch.arange(9))
    bank = PrototypeBank(class_identity([1]), 4, similarity="projection")
    with torch.no_grad():
        bank.weight.copy_(torch.tensor([[0.0, 0.0, 2.0, 0.0]]))
    head = LinearHead(bank.identity)
    (line,) = explain(parts, 2, bank=bank, head=head, encoder=nn.Identity()).predicted.lines
    assert line.part == (8, 50)
    without = PartBatch(parts.z, parts.mask & (parts.ref[..., 1] != 50), parts.ref)
    others = PartBatch(parts.z, parts.mask & ((parts.ref[..., 1] == 50) | (parts.ref[..., 0] != 8)), parts.ref)
    assert head(bank(without).similarity)[2] < 0.5 < line.contribution == head(bank(others).similarity)[2]


def test_12_the_head_alone_moves_in_its_phase() -> None:
    task = Prototypical(0)
    model = task.build_model()
    task.project(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    stage = next(stage for stage in task.stages(model) if stage.name == "head")
    moving = {id(parameter) for group in stage.groups for parameter in group["params"]}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in moving)
    optimizer = torch.optim.Adam(stage.groups)
    for batch in task.batches(torch.Generator().manual_seed(0)):
        model.train()
        optimizer.zero_grad()
        stage.step(model, batch, lambda loss: loss.backward())
        optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight"} and model.bank.is_projected(model.encoder)


@pytest.mark.parametrize(("counts", "dim"), [([1], 1), ([3, 0, 2], 7), ([1] * 11, 2)])
def test_13_any_number_of_prototypes_classes_and_channels(counts: list[int], dim: int) -> None:
    identity = class_identity(counts)
    bank, head = PrototypeBank(identity, dim), LinearHead(identity)
    z = normal(22, dim).float()
    labels = torch.arange(22) % len(counts)
    project(bank, nn.Identity(), lambda: [PartBatch.of_nodes(z)], labels=labels, train=torch.ones(22, dtype=torch.bool))
    pooled = bank(PartBatch.of_nodes(z))
    assert head(pooled.similarity).shape == (22, len(counts))
    terms = [losses.cluster, losses.separation]
    assert all(term(pooled.similarity, labels, identity).isfinite() for term in terms)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_13_any_device() -> None:
    encoder, bank = made()
    on_cpu = [encoder, bank]
    projected(*on_cpu)
    encoder, bank = (module.cuda() for module in made())
    ids = torch.arange(COUNT - 1, -1, -1, device="cuda")
    project(
        bank,
        encoder,
        lambda: [PartBatch.of_nodes(encoder(X.cuda())[ids], ids)],
        labels=LABELS.cuda(),
        train=TRAIN.cuda(),
        is_unique=False,
    )
    assert bank.source.tolist() == on_cpu[1].source.tolist() and bank.is_projected(encoder)
    encoder.eval()
    head = LinearHead(IDENTITY).cuda()
    found = explain(PartBatch.of_nodes(encoder(X.cuda())), 1, bank=bank, head=head, encoder=encoder)
    assert found.is_projected and len(found.predicted.lines) == 6
    pooled = bank(PartBatch.of_nodes(encoder(X.cuda())))
    for term in (losses.cluster, losses.separation):
        assert term(pooled.similarity, LABELS.cuda(), bank.identity).isfinite()
    for term in (losses.orthogonality, losses.closeness, losses.discrimination, losses.diversity):
        assert term(bank.weight, bank.identity).isfinite()


def test_14_collapse_is_counted_and_can_be_undone() -> None:
    encoder, bank = made()
    with torch.no_grad():
        bank.weight.copy_(torch.ones(6, 4))
    projected(encoder, bank)
    assert distinct_prototypes(bank.source) == 3  # one per class; the last prototype takes the nearer of its two classes
    with torch.no_grad():
        bank.weight.copy_(torch.ones(6, 4))
    ids = torch.arange(COUNT)
    report = project(bank, encoder, lambda: [PartBatch.of_nodes(encoder(X), ids)], labels=LABELS, train=TRAIN, is_unique=True)
    assert report.distinct == distinct_prototypes(bank.source) == 6
