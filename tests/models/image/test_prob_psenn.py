from __future__ import annotations

import math

import pytest
import torch

from graphkit.models.image.prob_psenn import ProbPSENN
from tests.models.image.frame import CLASS, DIMS, IMAGES, task_loss, trained

SMALL = {"num_prototypes": 5, "hidden_channels": 4, "code_channels": 3}


def test_scores_are_of_the_expected_distance() -> None:
    torch.manual_seed(0)
    model = ProbPSENN(**DIMS, **SMALL).eval()
    with torch.no_grad():
        model.bank.log_variance.normal_()
        code = model.embed(IMAGES)
        rows = []
        for mean, log_variance in zip(model.bank.weight, model.bank.log_variance, strict=True):
            rows.append((code - mean).square().sum(dim=1) + log_variance.exp().sum())
        torch.testing.assert_close(model(IMAGES), torch.stack(rows, dim=1) @ model.head.weight.t(), rtol=1e-4, atol=1e-4)


def test_draws_come_back_with_the_global_seed_and_reach_means_and_variances() -> None:
    torch.manual_seed(0)
    model = ProbPSENN(**DIMS, **SMALL, beta=0.1)
    values = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        values.append(model.training_loss(IMAGES, CLASS, task_loss))
    assert values[0] == values[1] != values[2]
    values[0].backward()
    assert all(bool(p.grad.ne(0).any()) for p in (model.bank.weight, model.bank.log_variance, model.head.weight))


def test_certain_prototypes_leave_no_uncertainty_of_their_own() -> None:
    torch.manual_seed(0)
    model = trained(ProbPSENN(**DIMS, **SMALL), epochs=5)
    model.requires_grad_(False)
    found = model.uncertainty(IMAGES, 20, torch.Generator().manual_seed(0))
    assert bool((found.epistemic > 0).all()) and float(found.total.max()) <= math.log(3) + 1e-5
    model.bank.log_variance.fill_(-60.0)
    assert float(model.uncertainty(IMAGES, 20, torch.Generator().manual_seed(0)).epistemic.max()) < 1e-5


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="samples must be at least 1"):
        ProbPSENN(**DIMS, samples=0)
