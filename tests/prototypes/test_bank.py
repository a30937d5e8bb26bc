from __future__ import annotations

import pytest
import torch
from torch import nn

from graphkit.prototypes import PartBatch, PrototypeBank, project
from graphkit.prototypes.similarity import SIMILARITIES
from tests.prototypes.compare import IDENTITY, normal

LABELS, TRAIN = torch.arange(12) % 3, torch.arange(12) < 9


def made(**options: object) -> tuple[nn.Module, PrototypeBank, torch.Tensor]:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    return encoder, PrototypeBank(IDENTITY, 4, **options), normal(12, 5).float()


def projected(encoder: nn.Module, bank: PrototypeBank, x: torch.Tensor) -> None:
    project(bank, encoder, lambda: [PartBatch.of_nodes(encoder(x))], labels=LABELS, train=TRAIN)


@pytest.mark.parametrize("pool", ["max", "top-k", "log-sum-exp"])
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_forward_pools_the_similarities(similarity: str, pool: str) -> None:
    bank = PrototypeBank(IDENTITY, 4, similarity=similarity, pool=pool, top_k=2, sharpness=5.0).double()
    parts = PartBatch.of_ragged(normal(7, 4), torch.tensor([0, 4, 5, 7]), torch.arange(3), torch.arange(7))
    found = bank(parts)
    values = bank.compare(parts.z)
    for i, count in enumerate([4, 1, 2]):
        for j in range(6):
            own = sorted(values[i, :count, j].tolist(), reverse=True)
            expected = {"max": own[0], "top-k": sum(own[:2]) / len(own[:2])}
            smooth = sum(torch.tensor(5 * v, dtype=torch.float64).exp() for v in own).div(count).log().item() / 5
            assert found.similarity[i, j].item() == pytest.approx(expected.get(pool, smooth))
            assert values[i, found.part[i, j], j].item() == own[0]


def test_state_dict_carries_all_that_is_known_of_the_prototypes() -> None:
    encoder, bank, x = made(similarity="rbf")
    projected(encoder, bank, x)
    state = bank.state_dict()
    expected = {"weight", "log_scale", "identity", "projected", "source", "source_similarity", "fingerprint"}
    assert set(state) == expected
    other = PrototypeBank(torch.ones_like(IDENTITY), 4, similarity="rbf")
    other.load_state_dict(state)
    assert other.is_projected(encoder)
    assert torch.equal(other.source, bank.source) and torch.equal(other.identity, IDENTITY)


def test_only_training_clears_the_flag() -> None:
    encoder, bank, x = made()
    projected(encoder, bank, x)
    encoder.eval()
    bank.eval()
    bank(PartBatch.of_nodes(encoder(x)))
    bank.train()
    with torch.no_grad():
        bank(PartBatch.of_nodes(encoder(x)))
    for module in (encoder, bank):
        module.requires_grad_(False)
    bank(PartBatch.of_nodes(encoder(x)))  # the phase of the head: neither encoder nor prototypes can learn
    assert bank.is_projected(encoder)
    bank.requires_grad_(True)
    bank(PartBatch.of_nodes(encoder(x)))
    assert not bank.projected and not bank.is_projected(encoder)


def test_training_on_samples_of_prototypes_clears_the_flag_too() -> None:
    encoder, bank, x = made(similarity="negative-l2", is_gaussian=True)
    projected(encoder, bank, x)
    assert bank.is_projected(encoder)
    bank.sampled(PartBatch.of_nodes(encoder.eval()(x)), 2, torch.Generator())
    assert not bank.projected


@pytest.mark.parametrize("what", ["prototypes", "weights of the encoder", "statistics of the encoder"])
def test_any_later_change_is_noticed(what: str) -> None:
    encoder, bank, x = made()
    projected(encoder, bank, x)
    assert bank.is_projected(encoder)
    with torch.no_grad():
        if what == "statistics of the encoder":
            encoder.train()(x)
        else:
            (bank if what == "prototypes" else encoder[0]).weight[0, 0] += 1e-6
    assert bank.projected and not bank.is_projected(encoder)


def test_a_fresh_bank_is_not_projected_and_a_reset_one_neither() -> None:
    encoder, bank, x = made()
    assert not bank.is_projected(encoder) and bank.source.eq(-1).all()
    projected(encoder, bank, x)
    bank.reset_parameters()
    assert not bank.is_projected(encoder) and bank.source.eq(-1).all()


def test_the_encoder_must_not_hold_the_bank() -> None:
    encoder, bank, x = made()
    projected(encoder, bank, x)
    with pytest.raises(ValueError, match="the encoder must not contain the bank"):
        bank.is_projected(nn.Sequential(encoder, bank))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"identity": IDENTITY.float()}, r"identity must be a boolean table \[M, C\] .* got torch.float32 \[6, 3\]"),
        ({"identity": IDENTITY[:0]}, r"with a row per prototype, got torch.bool \[0, 3\]"),
        ({"identity": IDENTITY & (torch.arange(3) > 0)}, r"every prototype needs a class, prototypes \[0, 1, 3\] have none"),
        ({"dim": 0}, "dim and top_k must be at least 1 and sharpness positive, got 0, 3 and 10.0"),
        ({"top_k": 0}, "at least 1"),
        ({"sharpness": 0.0}, "sharpness positive"),
        ({"similarity": "cosin"}, "similarity must be one of cosine, relu-cosine, .* got 'cosin'"),
        ({"pool": "mean"}, "pool must be one of max, top-k, log-sum-exp, got 'mean'"),
    ],
)
def test_wrong_arguments(change: dict[str, object], says: str, unchecked_shapes: None) -> None:
    with pytest.raises(ValueError, match=says):
        PrototypeBank(**{"identity": IDENTITY, "dim": 4, **change})


def test_repr_tells_what_it_is() -> None:
    assert repr(PrototypeBank(IDENTITY, 4)) == "PrototypeBank(6 of 3 classes, 4, 'cosine', 'max')"
    gaussian = PrototypeBank(IDENTITY, 4, similarity="log-l2", is_gaussian=True)
    assert repr(gaussian) == "PrototypeBank(6 of 3 classes, 4, 'log-l2', 'max', is_gaussian=True)"
