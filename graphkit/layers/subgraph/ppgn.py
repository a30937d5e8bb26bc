"""PPGN and PPGN++: matrix products of pair tensors, channel by channel; as strong as the 2-FWL test."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.sparse.egonets import Bags


class PPGNBlock(nn.Module):
    """A block on square pair tensors h(u, v), u and v any two nodes of a graph.

        PPGN    h' = MLP_3([h, M_1(h) M_2(h)])
        PPGN++  h' = MLP_3([h, h^T, M_1(h) M_2(h), M_3(h) * M_4(h)])

    with M_i perceptrons on each pair, products of matrices for each channel, (X Y)(u, v) = sum over w of X(u, w) Y(w, v), and *
    the product of entries. MLP_3 is one linear map. A block costs n^3 per graph and channel; perceptrons run on the pairs that
    exist, products on padded blocks.

    Args:
        in_channels: Input width.
        out_channels: Output width, also of the factors.
        num_layers: Linear maps of each M_i, at least 1, with ReLU after each.
        plus: PPGN++.

    Raises:
        ValueError: A width or `num_layers` below 1.

    Source: Maron et al., "Provably Powerful Graph Networks", NeurIPS 2019; for PPGN++ Puny et al., "Equivariant Polynomials for
    Graph Neural Networks", ICML 2023, whose code we have not read: the two added branches are our reading. The scale of a
    product grows with n: put a normalization between blocks.

    Example:
        >>> PPGNBlock(4, 16)(h, whole_bags(edge_index, ptr))  # [T, 4] -> [T, 16]
    """

    def __init__(self, in_channels: int, out_channels: int, *, num_layers: int = 2, plus: bool = False) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels)
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}.")
        self.in_channels, self.out_channels, self.num_layers, self.plus = in_channels, out_channels, num_layers, plus
        widths = [in_channels] + [out_channels] * num_layers
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.factors = nn.ModuleList(
            nn.Sequential(*(part for i, o in pairs for part in (nn.Linear(i, o), nn.ReLU()))) for _ in range(4 if plus else 2)
        )
        self.out = nn.Linear((2 if plus else 1) * in_channels + (2 if plus else 1) * out_channels, out_channels)

    def reset_parameters(self) -> None:
        """Draw new weights."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()

    def forward(self, h: Float[Tensor, "T C"], bags: Bags) -> Float[Tensor, "T {self.out_channels}"]:
        """Update the pair tensor.

        Args:
            h: Rows (u, v), in_channels wide.
            bags: Bags of whole graphs, one per node.

        Returns:
            The new rows.

        Raises:
            ValueError: h does not fit, or the bags do not hold their whole graph.
        """
        if h.shape != (bags.num_rows, self.in_channels):
            raise ValueError(f"h must have shape [{bags.num_rows}, {self.in_channels}], got {list(h.shape)}.")
        blocks = bags.blocks
        left, right = (blocks.pad(self.factors[i](h)).permute(0, 3, 1, 2) for i in (0, 1))
        parts = [h, blocks.rows((left @ right).permute(0, 2, 3, 1))]
        if self.plus:
            parts += [bags.vu @ h, self.factors[2](h) * self.factors[3](h)]
        out: Tensor = self.out(torch.cat(parts, dim=1))
        return out

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, plus={self.plus})"
