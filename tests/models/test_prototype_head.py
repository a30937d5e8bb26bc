"""The head on prototypes: its loss against loops, its phases, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graphkit.models.prototype_head import NEEDS, PrototypeHead
from graphkit.prototypes import PartBatch

WIDTH, CLASSES, SAMPLES = 4, 3, 9
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 0])


def made(**options: Any) -> PrototypeHead:
    torch.manual_seed(0)
    return PrototypeHead(WIDTH, CLASSES, **{"per_class": 2, **options}).double()


def embeddings() -> Tensor:
    return torch.randn(SAMPLES, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def loss_by_loops(head: PrototypeHead, z: Tensor, weights: dict[str, float]) -> Tensor:
    """Of cosine similarities and free weights, one sample and one prototype after the other."""
    classes = [int(row.nonzero()) for row in head.bank.identity]
    own, other, decided = [], [], []
    for row, label in zip(z, LABELS.tolist(), strict=True):
        similar = [row @ p / (row.norm() * p.norm()) for p in head.bank.weight]
        logits = [sum(s * w for s, w in zip(similar, line, strict=True)) for line in head.classifier.weight]
        decided.append(torch.stack(logits).logsumexp(0) - logits[label])
        own.append(max(s for s, c in zip(similar, classes, strict=True) if c == label))
        other.append(max(s for s, c in zip(similar, classes, strict=True) if c != label))
    total = sum(decided) / SAMPLES - weights["cluster"] * sum(own) / SAMPLES + weights["separation"] * sum(other) / SAMPLES
    for i, p in enumerate(head.bank.weight):
        for j, q in enumerate(head.bank.weight):
            if classes[i] == classes[j]:
                cosine = p @ q / (p.norm() * q.norm())
                total = total + weights["orthogonality"] * (cosine - float(i == j)).abs()
    for c, line in enumerate(head.classifier.weight):
        for w, owner in zip(line, classes, strict=True):
            total = total + weights["l1"] * w.abs() * float(owner != c)
    return total


def test_the_loss_equals_loops() -> None:
    weights = {"cluster": 0.7, "separation": 0.3, "orthogonality": 0.2, "l1": 0.1}
    head, z = made(**weights), embeddings().requires_grad_()
    with torch.no_grad():
        head.classifier.weight.add_(0.3 * torch.randn_like(head.classifier.weight))
    inputs = [z, head.bank.weight, head.classifier.weight]
    found, expected = head.loss(head.similarities(z), LABELS), loss_by_loops(head, z, weights)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    gradients = [torch.autograd.grad(one, inputs) for one in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-10)


def test_components_train_by_their_margin() -> None:
    head, z = made(classifier="components", similarity="rbf", cluster=0, separation=0, margin=0.4), embeddings()
    p = head(z).detach()
    expected = sum(
        max(max(float(row[c]) for c in range(CLASSES) if c != y) - float(row[y]) + 0.4, 0.0)
        for row, y in zip(p, LABELS.tolist(), strict=True)
    )
    assert float(head.loss(head.similarities(z), LABELS).detach()) == pytest.approx(expected / SAMPLES, abs=1e-12)
    assert 0 <= float(p.min()) <= float(p.max()) <= 1


@pytest.mark.parametrize("classifier", NEEDS)
def test_every_classifier_reads_what_it_can(classifier: str) -> None:
    for similarity in NEEDS[classifier]:
        head, z = made(classifier=classifier, similarity=similarity), embeddings()
        loss = head.loss(head.similarities(z), LABELS)
        loss.backward()
        assert loss.isfinite() and all(value.grad.isfinite().all() for value in head.parameters())
        assert head.bank.weight.grad.any() and head(z).shape == (SAMPLES, CLASSES)
    others = sorted({"cosine", "rbf", "negative-l2"} - set(NEEDS[classifier]))
    for similarity in others:
        with pytest.raises(ValueError, match=f"classifier={classifier} needs similarity=.*, got '{similarity}'"):
            made(classifier=classifier, similarity=similarity)


def test_the_order_and_number_of_parts_change_nothing() -> None:
    head, z = made(pool="log-sum-exp"), embeddings()
    ptr = torch.tensor([0, 4, 5, 9])
    order = torch.tensor([2, 0, 3, 1, 4, 8, 6, 5, 7])
    torch.testing.assert_close(head(z, ptr), head(z[order], ptr), rtol=0, atol=1e-12)
    padded = head.bank(PartBatch.of_ragged(z, ptr, torch.arange(3), torch.arange(9))).similarity
    torch.testing.assert_close(head(z, ptr), head.classifier(padded), rtol=0, atol=1e-12)
    torch.testing.assert_close(head(z, torch.arange(10)), head(z), rtol=0, atol=0)  # every part a sample


def test_no_class_has_more_prototypes_than_samples() -> None:
    head = made(per_class=3)
    weight = head.bank.weight
    head.limit(torch.tensor([0, 0, 0, 1, 2, 2, 2]))
    assert head.bank.identity.sum(dim=0).tolist() == [3, 1, 3] and head.bank.weight.dtype == torch.float64
    head.limit(torch.tensor([0, 0, 0, 0]))
    assert head.bank.identity.sum(dim=0).tolist() == [3, 0, 0] and head(embeddings()).shape == (SAMPLES, CLASSES)
    enough = made(per_class=3)
    weight = enough.bank.weight
    enough.limit(torch.arange(9) % 3)
    assert enough.bank.weight is weight  # nothing to leave out
    with pytest.raises(ValueError, match=r"every class needs a prototype of its own, classes \[1\] have none"):
        made(classifier="own-class").limit(torch.tensor([0, 2]))


def test_phases_move_what_they_say() -> None:
    encoder = nn.Linear(2, WIDTH)

    def step(model: Any, batch: Any, backward: Any) -> Tensor:
        raise AssertionError("no step is taken here")

    head = made(warm_epochs=4, head_epochs=3, cycles=2)
    found = head.stages(encoder, step, lambda: None, lr=0.1, head_lr=0.2)
    assert [(stage.name, stage.epochs) for stage in found] == [
        ("warm", 4), ("joint", None), ("project", 1), ("head", 3), ("joint", None), ("project", 1), ("head", 3),
    ]  # fmt: skip
    names = {id(value): name for name, value in [*head.named_parameters(), *encoder.named_parameters()]}

    def moving(stage: Any) -> dict[str, float]:
        return {names[id(value)]: group["lr"] for group in stage.groups for value in group["params"]}

    body = {"weight": 0.1, "bias": 0.1}
    assert moving(found[0]) == {"bank.weight": 0.2}
    assert moving(found[1]) == {**body, "bank.weight": 0.2}
    assert moving(found[2]) == {} and moving(found[3]) == {"classifier.weight": 0.2}
    assert [stage.selects for stage in found] == [False, False, True, True, False, True, True]
    assert all(group.get("weight_decay") == 0 for stage in found for group in stage.groups if group["lr"] == 0.2)
    joint = made(joint_classifier=True, warm_epochs=0).stages(encoder, step, lambda: None, lr=0.1, head_lr=0.2)[0]
    assert joint.name == "joint" and len(joint.groups) == 3
    free = made(classifier="distance", similarity="negative-l2").stages(nn.Identity(), step, lambda: None, lr=0.1, head_lr=0.2)
    assert [len(stage.groups) for stage in free] == [2, 2, 0, 1]  # an encoder without parameters


@pytest.mark.parametrize("similarity", ["cosine", "rbf"])
def test_prototypes_start_at_training_parts_of_their_class(similarity: str) -> None:
    head, z, encoder = made(similarity=similarity), embeddings(), nn.Dropout(0.5).train()
    ptr, samples = torch.tensor([0, 2, 3, 6, 9]), torch.tensor([7, 1, 4, 2])
    labels = torch.full((8,), -1).index_copy(0, samples, torch.tensor([0, 1, 1, 0]))
    head.limit(torch.tensor([0, 1, 1, 0]))

    def start(seed: int) -> Tensor:
        torch.manual_seed(seed)
        head.start(encoder, lambda: [PartBatch.of_ragged(encoder(z), ptr, samples, torch.arange(9))], labels)
        return head.bank.weight.detach().clone()

    found = [start(seed) for seed in range(20)]
    row_sample = samples.repeat_interleave(ptr.diff())
    for weight in found:
        rows = [int((z == p).all(dim=1).nonzero()) for p in weight]
        assert labels[row_sample[rows]].tolist() == [0, 0, 1, 1]
        assert len(set(row_sample[rows].tolist())) == 4  # samples differ
    assert len({tuple(weight[:, 0].tolist()) for weight in found}) > 5 and torch.equal(start(3), found[3]) and encoder.training
    if head.bank.log_scale is not None:
        means = [sum((row - p).norm() for row in z) / len(z) for p in head.bank.weight.detach()]
        assert all(0.3 < float(s / mean) < 3 for s, mean in zip(head.bank.log_scale.detach().exp(), means, strict=True))


def test_what_prototypes_were_is_kept() -> None:
    head, encoder = made(), nn.Identity()
    before = {name: value.detach().clone() for name, value in head.named_parameters()}
    z = embeddings()
    head.project(encoder, lambda: [PartBatch.of_nodes(z)], LABELS, torch.ones(SAMPLES, dtype=torch.bool))
    with torch.no_grad():
        head.classifier.weight.add_(1.0)
    kept = head.unprojected.tensors()
    assert kept.keys() == before.keys() and all(torch.equal(kept[name], value) for name, value in before.items())
    assert all(torch.equal(p, z[int(i)]) for p, i in zip(head.bank.weight, head.bank.source[:, 0], strict=True))
    other = made()
    other.load_state_dict(head.state_dict())
    assert all(torch.equal(value, kept[name]) for name, value in other.unprojected.tensors().items())
    assert not any(name.startswith("unprojected") for name, _ in head.named_parameters())
    ablated = made(projects=False)
    ablated.project(encoder, lambda: [PartBatch.of_nodes(z)], LABELS, torch.ones(SAMPLES, dtype=torch.bool))
    assert not ablated.bank.projected and torch.equal(ablated.bank.weight, before["bank.weight"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per_class": 0}, "per_class must be at least 1, got 0"),
        ({"head_epochs": 0}, "head_epochs must be at least 1"),
        ({"cycles": 0}, "cycles must be at least 1"),
        ({"warm_epochs": -1}, "warm_epochs must be at least 0"),
        ({"margin": math.nan}, "margin must be at least 0"),
        ({"cluster": -1.0}, "cluster must be at least 0"),
        ({"classifier": "lasso"}, "classifier must be one of linear, own-class, components, distance, got 'lasso'"),
        ({"similarity": "l1"}, "needs similarity="),
        ({"pool": "mean"}, "pool must be one of"),
    ],
)
def test_arguments_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**options)
