from __future__ import annotations

import pytest
import torch
from torch import nn

from graphkit.vision import Pixels, SmallCNN, add_on, lipschitz_bound


def dense(network: nn.Module, channels: int, size: tuple[int, int]) -> torch.Tensor:
    """A linear network as a matrix, column by column."""
    eye = torch.eye(channels * size[0] * size[1], dtype=torch.float64).view(-1, channels, *size)
    return network(eye).flatten(1).t()


@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (1, 0), (3, 0)])
def test_the_bound_of_a_convolution_is_little_above_its_norm(kernel: int, padding: int) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, kernel, padding=padding, bias=False).double()
    norm = torch.linalg.matrix_norm(dense(layer, 2, (6, 7)), ord=2).item()
    bound = lipschitz_bound(layer, (6, 7))
    assert norm <= bound * (1 + 1e-9) and bound <= 1.25 * norm


def test_no_change_is_stretched_beyond_the_bound() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(SmallCNN(1, 4, 2, halvings=1), add_on(4, 5, "sigmoid")).double()
    network(torch.rand(32, 1, 8, 8, dtype=torch.float64))  # statistics of normalization
    network.eval()
    bound = lipschitz_bound(network, (8, 8))
    network.requires_grad_(False)
    x, step = torch.rand(500, 1, 8, 8, dtype=torch.float64), torch.randn(500, 1, 8, 8, dtype=torch.float64)
    for size in (1e-3, 0.1, 3.0):
        moved = (network(x + size * step) - network(x)).flatten(1).norm(dim=1)
        assert float((moved / (size * step).flatten(1).norm(dim=1)).max()) <= bound


def test_pixels_are_not_stretched_and_other_layers_are_refused() -> None:
    assert lipschitz_bound(nn.Sequential(Pixels(1, (4, 4)), nn.Identity()), (4, 4)) == 1.0
    for layer in (nn.Conv2d(1, 1, 3, stride=2), nn.GELU(), nn.MaxPool2d(3, stride=1), nn.Conv2d(1, 1, 3, padding="same")):
        with pytest.raises(ValueError, match="no bound is known"):
            lipschitz_bound(layer, (8, 8))
