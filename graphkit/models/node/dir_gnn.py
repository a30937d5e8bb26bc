"""Dir-GNN: directional convolutions, their outputs put together by jumping knowledge."""

from __future__ import annotations

from typing import Unpack, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import DirectionalConv, Dropout
from graphkit.layers.checks import check_at_least, check_choice, check_probability
from graphkit.layers.conv.directional import DirectionalConvOptions
from graphkit.models.node.base import NodeModel
from graphkit.sparse import CSR

JUMPS = ("none", "max", "cat")


class DirGNN(NodeModel):
    """Network of directional convolutions for node classification on directed graphs.

    h <- dropout(relu(conv(h))), divided by its row's L2 norm with `normalize`, for every layer; logits = W jump(h_1, ..., h_L)
    + b with the elementwise maximum of the layers' outputs or their concatenation. With `jumping_knowledge=none` the last
    convolution gives the logits.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the layers.
        num_layers: Convolutions L, at least 1.
        jumping_knowledge: `none`, `max` or `cat`.
        normalize: Give the rows of each layer's output an L2 norm of 1.
        dropout: Probability in [0, 1) of dropping an entry of every layer's output.
        **options: Arguments of `DirectionalConv`; a learned alpha is each layer's own.

    Raises:
        ValueError: If `num_layers` is below 1, or `conv`, `alpha` or `jumping_knowledge` is not as said.

    Source: Rossi et al., LoG 2023. Of the authors' training we take nothing: their validation accuracy is taken inside the
    training step, with dropout, here in evaluation mode.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int = 64,
        num_layers: int = 2,
        jumping_knowledge: str = "max",
        normalize: bool = False,
        dropout: float = 0.0,
        **options: Unpack[DirectionalConvOptions],
    ) -> None:
        super().__init__()
        check_at_least(1, num_layers=num_layers)
        check_probability(dropout=dropout)
        check_choice(JUMPS, jumping_knowledge=jumping_knowledge)

        def make(width: int, out: int) -> DirectionalConv:
            return DirectionalConv(width, out, **options)

        jumps = jumping_knowledge != "none"
        widths = [in_channels] + [hidden_channels] * (num_layers if jumps else num_layers - 1)
        self.layers = nn.ModuleList(make(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self._width = widths[-1] * (num_layers if jumping_knowledge == "cat" else 1)
        self.head = nn.Linear(self._width, out_channels) if jumps else make(self._width, out_channels)
        self.head_takes_graph = not jumps
        self.jumping_knowledge = jumping_knowledge
        self.normalize = normalize
        self.dropout = Dropout(dropout)

    @property
    def embedding_channels(self) -> int:
        """Width of the outputs put together, see `NodeModel.embedding_channels`."""
        return self._width

    @property
    def layer_channels(self) -> tuple[int, ...]:
        """Widths of the convolutions before the head, see `NodeModel.layer_channels`."""
        return tuple(cast(DirectionalConv, layer).out_channels for layer in self.layers)

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor | CSR:
        """The layers' outputs put together, see `NodeModel.hidden`."""
        outputs = []
        for number, layer in enumerate(self.layers):
            h = self.dropout(F.relu(layer(x, adj)))
            h = F.normalize(h, dim=1) if self.normalize else h
            x = h if self.after_layer is None else self.after_layer(h, number)
            outputs.append(x)
        if self.jumping_knowledge == "none":
            return x
        return torch.cat(outputs, dim=1) if self.jumping_knowledge == "cat" else torch.stack(outputs).amax(0)
