from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from torch import Tensor, nn

from graphkit.errors import RunError
from graphkit.prototypes import (
    Branch,
    ClassEvidence,
    ComponentsHead,
    DistanceHead,
    LinearHead,
    OwnClassHead,
    PartBatch,
    PrototypeBank,
    explain,
    explain_branches,
    project,
)
from tests.prototypes.compare import IDENTITY, normal

HEADS = {
    "linear": (lambda: LinearHead(IDENTITY), "cosine"),
    "own class": (lambda: OwnClassHead(IDENTITY), "relu-cosine"),
    "distances": (lambda: DistanceHead(6, 3), "negative-l2"),
    "components": (lambda: ComponentsHead(IDENTITY, concepts=2), "rbf"),
}
PTR, IDS = torch.tensor([0, 3, 4, 9]), torch.tensor([4, 0, 2])


def made(name: str, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, PrototypeBank, nn.Module, PartBatch]:
    torch.manual_seed(0)
    encoder, head = nn.Linear(5, 4).to(dtype), HEADS[name][0]().to(dtype)
    bank = PrototypeBank(IDENTITY, 4, similarity=HEADS[name][1]).to(dtype)
    nn.init.normal_(head.weight)
    x = normal(9, 5).to(dtype)

    def parts() -> list[PartBatch]:
        return [PartBatch.of_ragged(encoder(x), PTR, IDS, torch.arange(9))]

    labels = torch.tensor([0, 9, 2, 9, 1])  # by global id; samples 1 and 3 do not exist
    project(bank, encoder, parts, labels=labels, train=torch.ones(5, dtype=torch.bool))
    return encoder, bank, head, parts()[0]


def total(evidence: ClassEvidence) -> float:
    return evidence.bias + sum(line.contribution for line in evidence.lines) + evidence.remainder


@pytest.mark.parametrize("top", [None, 2, 0, 50])
@pytest.mark.parametrize("name", HEADS)
def test_lines_bias_and_remainder_add_up_to_the_logit(name: str, top: int | None) -> None:
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-13)):
        encoder, bank, head, parts = made(name, dtype)
        logits = head(bank(parts).similarity).detach()
        for i in range(3):
            found = explain(parts, i, bank=bank, head=head, encoder=encoder, top=top)
            order = sorted(range(3), key=lambda c: -logits[i, c].item())
            assert [found.predicted.label, found.runner_up.label] == order[:2]
            for one in (found.predicted, found.runner_up):
                assert total(one) == pytest.approx(one.logit, abs=1e-14)
                size = max(1.0, sum(abs(line.contribution) for line in one.lines) + abs(one.remainder))
                assert one.logit == pytest.approx(logits[i, one.label].item(), abs=tolerance * size)
                assert len(one.lines) == min(6, 6 if top is None else top)


def by_hand(bank: PrototypeBank, head: Tensor, parts: PartBatch, i: int, label: int, j: int) -> tuple[float, float, int]:
    """Similarity, weight and winning part of a linear head on cosines, one part after the other."""
    values = []
    for p in range(int(parts.mask[i].sum())):
        z, w = parts.z[i, p].double(), bank.weight[j].double()
        values.append((z @ w / (z.norm() * w.norm())).item())
    best = max(range(len(values)), key=lambda p: values[p])
    return values[best], head[label, j].item(), best


def test_every_line_says_what_happened() -> None:
    encoder, bank, head, parts = made("linear")
    for i in range(3):
        found = explain(parts, i, bank=bank, head=head, encoder=encoder)
        assert found.sample == IDS[i] and found.is_projected
        for one in (found.predicted, found.runner_up):
            assert sorted(line.prototype for line in one.lines) == list(range(6))
            sizes = [abs(line.contribution) for line in one.lines]
            assert sizes == sorted(sizes, reverse=True)
            for line in one.lines:
                j = line.prototype
                similarity, weight, part = by_hand(bank, head.weight, parts, i, one.label, j)
                assert (line.similarity, line.weight) == pytest.approx((similarity, weight), abs=1e-6)
                assert line.contribution == line.similarity * line.weight
                assert line.part == (IDS[i], PTR[i] + part)
                assert line.source == tuple(bank.source[j].tolist())
                assert line.classes == tuple(c for c in range(3) if IDENTITY[j, c])


def test_no_source_is_named_once_the_model_moved() -> None:
    encoder, bank, head, parts = made("linear")
    with torch.no_grad():
        encoder.bias += 1e-3
    found = explain(parts, 0, bank=bank, head=head, encoder=encoder)
    assert not found.is_projected
    assert all(line.source is None for one in (found.predicted, found.runner_up) for line in one.lines)


def test_evidence_is_plain_and_changes_nothing() -> None:
    encoder, bank, head, parts = made("components")
    before = {name: value.clone() for module in (encoder, bank, head) for name, value in module.state_dict().items()}
    found = explain(parts, 2, bank=bank, head=head, encoder=encoder, top=1)
    told = json.loads(json.dumps(found.to_dict()))
    assert told["predicted"]["lines"][0]["prototype"] == found.predicted.lines[0].prototype
    assert told["is_projected"] is True
    assert dataclasses.asdict(explain(parts, 2, bank=bank, head=head, encoder=encoder, top=1)) == dataclasses.asdict(found)
    after = {name: value for module in (encoder, bank, head) for name, value in module.state_dict().items()}
    assert all(torch.equal(value, before[name]) for name, value in after.items())


def test_a_single_class_has_no_runner_up() -> None:
    bank = PrototypeBank(torch.ones(2, 1, dtype=torch.bool), 4)
    head = LinearHead(bank.identity)
    assert explain(PartBatch.of_nodes(torch.randn(1, 4)), 0, bank=bank, head=head, encoder=nn.Identity()).runner_up is None


def test_equal_logits_are_won_by_the_first_class_as_in_argmax() -> None:
    encoder, bank, head, parts = made("linear")
    nn.init.zeros_(head.weight)
    found = explain(parts, 0, bank=bank, head=head, encoder=encoder)
    assert (found.predicted.label, found.runner_up.label) == (0, 1)


class Doubling(LinearHead):
    def forward(self, similarity: Tensor) -> Tensor:
        return 2 * super().forward(similarity)


def test_a_head_that_does_not_add_up_is_refused() -> None:
    encoder, bank, _, parts = made("linear")
    with pytest.raises(RunError, match="contributions add up to .*, not to the logit .*: give the head of these prototypes"):
        explain(parts, 0, bank=bank, head=Doubling(IDENTITY), encoder=encoder)
    with pytest.raises(ValueError, match="position must lie from 0 to 2, got 3"):
        explain(parts, 3, bank=bank, head=LinearHead(IDENTITY), encoder=encoder)


def test_several_banks_under_one_head_are_numbered_through() -> None:
    torch.manual_seed(0)
    banks = [PrototypeBank(IDENTITY, 4), PrototypeBank(IDENTITY[:2], 3, similarity="log-l2")]
    head = LinearHead(torch.cat([IDENTITY, IDENTITY[:2]]))
    parts = [PartBatch.of_maps(torch.randn(2, 4, 2, 2), torch.arange(2)), PartBatch.of_nodes(torch.randn(2, 3))]
    encoder = torch.nn.Linear(1, 1)
    found = explain_branches([Branch(p, b, encoder) for p, b in zip(parts, banks, strict=True)], 1, head=head)
    logits = head(torch.cat([b(p).similarity for p, b in zip(parts, banks, strict=True)], dim=1))[1].detach()
    assert found.sample == 1 and found.predicted.label == int(logits.argmax())
    assert found.predicted.logit == pytest.approx(float(logits.max()), rel=1e-6)
    lines = {line.prototype: line for line in found.predicted.lines}
    assert sorted(lines) == list(range(8))
    assert lines[7].similarity == pytest.approx(banks[1](parts[1]).similarity[1, 1].item())
    assert lines[7].part == (1, 1) and not found.is_projected
