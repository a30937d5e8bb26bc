"""How much a network can stretch a change of its input: an upper bound, for certified margins."""

from __future__ import annotations

import torch
from torch import nn

_SLOPES: dict[type[nn.Module], float] = {
    nn.Dropout: 1.0,
    nn.Flatten: 1.0,
    nn.Identity: 1.0,
    nn.ReLU: 1.0,
    nn.Sigmoid: 0.25,
    nn.Tanh: 1.0,
    nn.Unflatten: 1.0,
}
"""Largest slope of activations, and of what only rearranges, in evaluation mode."""


@torch.no_grad()
def lipschitz_bound(network: nn.Module, size: tuple[int, int]) -> float:
    r"""L with :math:`|f(x + \delta) - f(x)|_2 \le L |\delta|_2` for every image of a size, of a network in evaluation mode.

    The product over its layers. A convolution with zero padding of n x n positions is a part of the circular one of
    (n + 2 pad) x (n + 2 pad), whose norm is the largest singular value of its symbol over all frequencies. Normalization has
    its largest factor, an activation its largest slope, a pool without overlap 1. The bound is far from tight for deep
    networks.

    Args:
        network: Layers in a row, perhaps nested in `nn.Sequential`: square convolutions of stride 1, max pools without overlap
            or padding, batch normalization, ReLU, tanh, sigmoid, dropout.
        size: Height and width of the images.

    Raises:
        ValueError: If a layer is of another kind.

    Source: the symbol of circular convolutions as in Sedghi, Gupta, Long, The Singular Values of Convolutional Layers, ICLR
        2019 (arXiv:1805.10408).
    """
    return _through(network, size)[0]


def _through(layer: nn.Module, size: tuple[int, int]) -> tuple[float, tuple[int, int]]:
    """The bound of a layer, and the size of its output."""
    if isinstance(layer, nn.Sequential):
        bound = 1.0
        for part in layer:
            factor, size = _through(part, size)
            bound *= factor
        return bound, size
    if isinstance(layer, nn.Conv2d) and layer.stride == (1, 1) and layer.dilation == (1, 1) and layer.groups == 1:
        return _norm_of_convolution(layer, size)
    if isinstance(layer, nn.MaxPool2d) and layer.stride == layer.kernel_size and layer.padding == 0:
        kernel = int(layer.kernel_size)  # type: ignore[arg-type]  # pools of the backbones are square
        return 1.0, (size[0] // kernel, size[1] // kernel)
    if isinstance(layer, nn.BatchNorm2d) and layer.running_var is not None:
        factors = layer.weight.double() / (layer.running_var.double() + layer.eps).sqrt()
        return float(factors.abs().max()), size
    if type(layer) in _SLOPES:
        return _SLOPES[type(layer)], size
    raise ValueError(f"no bound is known of {layer}: certify an encoder of stride-1 convolutions, pools and activations")


def _norm_of_convolution(layer: nn.Conv2d, size: tuple[int, int]) -> tuple[float, tuple[int, int]]:
    kernel, padding = layer.weight.double(), layer.padding
    if isinstance(padding, str) or layer.padding_mode != "zeros":
        raise ValueError(f"no bound is known of {layer}: pad by a number of zeros")
    around = [side + 2 * pad for side, pad in zip(size, padding, strict=True)]
    symbol = torch.fft.fft2(kernel, s=around).permute(2, 3, 0, 1)
    norm = torch.linalg.matrix_norm(symbol, ord=2).max()
    return float(norm), (around[0] - kernel.size(2) + 1, around[1] - kernel.size(3) + 1)
