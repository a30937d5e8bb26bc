import pytest
import torch

from graphkit.metrics.registry import parse
from graphkit.metrics.regression import mae


def test_mae_is_equal_to_a_plain_loop_over_known_targets() -> None:
    source = torch.Generator().manual_seed(0)
    predicted, targets = torch.randn(30, 3, generator=source), torch.randn(30, 3, generator=source)
    targets[torch.rand(30, 3, generator=source) < 0.4] = torch.nan
    pairs = zip(predicted.flatten().tolist(), targets.flatten().tolist(), strict=True)
    errors = [abs(found - wanted) for found, wanted in pairs if wanted == wanted]
    assert mae(predicted, targets) == pytest.approx(sum(errors) / len(errors), rel=1e-12)


def test_mae_has_the_unit_of_its_targets_and_is_better_the_lower() -> None:
    metric = parse("mae", "graph")
    assert metric.kind.lower_is_better
    assert metric(torch.tensor([[1.0]]), torch.tensor([[3.5]])) == 2.5
    assert not parse("accuracy", "graph").kind.lower_is_better
