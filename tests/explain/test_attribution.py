import numpy as np
import pytest
import torch
from torch import Tensor

from graphkit.explain.accounts import account_of
from graphkit.explain.attribution import integrated_gradients
from graphkit.explain.receipt import DRAWS, removal, strongest


def scores(x: Tensor) -> Tensor:
    """Two smooth scores of features [3, 2]."""
    a = torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]], dtype=x.dtype)
    h = torch.tanh(a @ x @ torch.tensor([[1.0, -2.0], [0.5, 1.0]], dtype=x.dtype))
    return (a @ h)[1] + h[0].square()


def test_integrated_gradients_against_central_differences():
    x = torch.tensor([[0.3, -0.7], [1.1, 0.2], [-0.4, 0.9]], dtype=torch.float64)
    steps, eps = 7, 1e-6
    expected = np.zeros((2, 3, 2))
    for k in range(2):
        for i in range(3):
            for j in range(2):
                for step in range(steps):
                    point = x * (step + 0.5) / steps
                    ahead, behind = point.clone(), point.clone()
                    ahead[i, j] += eps
                    behind[i, j] -= eps
                    slope = (scores(ahead)[k] - scores(behind)[k]) / (2 * eps)
                    expected[k, i, j] += float(slope) * float(x[i, j]) / steps
    assert np.allclose(integrated_gradients(scores, x, steps).numpy(), expected, atol=1e-8)
    whole = integrated_gradients(scores, x, 400).sum(dim=(1, 2))
    assert torch.allclose(whole, scores(x) - scores(torch.zeros_like(x)), atol=1e-5)


def test_a_score_that_reads_nothing_has_contributions_of_zero():
    parts = integrated_gradients(lambda x: torch.ones(2), torch.ones(3, 2))
    assert parts.shape == (2, 3, 2) and not parts.any()


def test_an_account_of_the_largest():
    account = account_of("c", 5.0, torch.tensor([1.0, -3.0, 0.0, 2.0, 0.5]), "n{}".format, top=2, bias=1.0, rule="r")
    assert [(term.name, term.contribution) for term in account.terms] == [("n1", -3.0), ("n3", 2.0)]
    assert (account.unlisted, account.remainder, account.total()) == (1.5, 3.5, 5.0)
    assert account_of("c", 1.0, torch.tensor([0.0, 1.0 + 1e-8]), "n{}".format, top=9).remainder == 0.0


def test_a_receipt():
    weights = torch.tensor([4.0, 3.0, -2.0, 1.0, 0.0, 0.5, 0.25])

    def rescore(removed: Tensor) -> float:
        return float(weights.sum() - weights[removed].sum())

    named = strongest(weights)
    assert named.tolist() == [0, 1, 3] and strongest(-weights).tolist() == [2]
    check = removal("x", float(weights.sum()), named, torch.arange(7), rescore=rescore)
    generator = torch.Generator().manual_seed(0)
    rest = torch.tensor([2, 4, 5, 6])
    drawn = [rescore(rest[torch.randperm(4, generator=generator)[:3]]) for _ in range(DRAWS)]
    assert check.result == pytest.approx(-1.25)
    assert (check.control, check.spread, check.draws) == (
        pytest.approx(np.mean(drawn)),
        pytest.approx(np.std(drawn, ddof=1)),
        DRAWS,
    )
    assert check.is_better_than_chance
    alone = removal("x", 1.0, named, torch.tensor([0, 1, 3, 5]), rescore=rescore)
    assert alone.control is None and alone.is_better_than_chance is None
