"""The frame that the plain networks for node classification share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import Dropout, FeatureLinear, GraphFreeLinear
from graphkit.layers.checks import check_at_least, check_choice, check_probability
from graphkit.models.node.base import AfterLayer, NodeModel
from graphkit.sparse import CSR, Adjacency

RESIDUALS = ("none", "identity", "linear")
_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda width: nn.Identity(),
    "layer": nn.LayerNorm,
    "batch": nn.BatchNorm1d,
}


def make_norm(norm: str, width: int) -> nn.Module:
    """The normalization of that name: `none`, `layer` or `batch`; ValueError for any other."""
    check_choice(_NORMS, norm=norm)
    return _NORMS[norm](width)


class NetworkOptions(TypedDict, total=False):
    """Arguments of `Network` that every model passes on."""

    num_layers: int
    dropout: float
    input_dropout: float | None
    norm: str
    residual: str


class GraphNetworkOptions(NetworkOptions, total=False):
    """Those that only networks of convolutions pass on, too."""

    pre_linear: bool
    linear_head: bool


class Network(nn.Module):
    """Hidden layers and a head, with normalization, residual and dropout as options.

    With d = dropout(h), a hidden layer is h <- relu(norm(layer(d))); `identity` adds h to that where the widths agree,
    `linear` makes it relu(norm(layer(d) + V d)) with a learned matrix V. In the end logits = head(dropout(h)).

    Args:
        make_layer: Makes a hidden layer, called with (h, adj), of its input and output width.
        in_channels: Feature width F.
        out_channels: Width of the head's output.
        hidden_channels: Width of the hidden layers.
        num_layers: Layers with the head, at least 1; with `linear_head` hidden layers alone.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input.
        input_dropout: The same of the features; None: `dropout`.
        norm: `none`, `layer` or `batch`.
        residual: `none`, `identity` or `linear`.
        pre_linear: A linear map of the features to `hidden_channels` before the first layer.
        linear_head: The head is a linear map that does not look at the graph.
        make_head: Makes the head without `linear_head`; default: `make_layer`.

    Raises:
        ValueError: If `num_layers` is below 1, a dropout is no probability, or `norm` or `residual` is unknown.

    Source: `linear` residuals before the normalization, `pre_linear` and `linear_head`: Luo, Shi and Wu, Classic GNNs are
    Strong Baselines, NeurIPS 2024.
    """

    def __init__(
        self,
        make_layer: Callable[[int, int], nn.Module],
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int,
        num_layers: int = 2,
        dropout: float = 0.5,
        input_dropout: float | None = None,
        norm: str = "none",
        residual: str = "none",
        pre_linear: bool = False,
        linear_head: bool = False,
        make_head: Callable[[int, int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        check_at_least(1, num_layers=num_layers)
        check_choice(RESIDUALS, residual=residual)
        input_dropout = dropout if input_dropout is None else input_dropout
        check_probability(dropout=dropout, input_dropout=input_dropout)
        make_norm(norm, 1)  # an unknown name is refused where there is no hidden layer, too
        self.pre_linear = FeatureLinear(in_channels, hidden_channels) if pre_linear else None
        num_hidden = num_layers if linear_head else num_layers - 1
        widths = [hidden_channels if pre_linear else in_channels] + [hidden_channels] * num_hidden
        self.embedding_channels = widths[-1]
        pairs = list(zip(widths, widths[1:], strict=False))
        self.hidden = nn.ModuleList(make_layer(a, b) for a, b in pairs)
        self.norms = nn.ModuleList(make_norm(norm, b) for _, b in pairs)
        # Without a bias: the layer has one.
        self.shortcuts = nn.ModuleList(FeatureLinear(a, b, bias=False) for a, b in pairs) if residual == "linear" else None
        self.head = (GraphFreeLinear if linear_head else make_head or make_layer)(widths[-1], out_channels)
        self.dropout = Dropout(dropout)
        self.input_dropout = Dropout(input_dropout)
        self.residual = residual

    def forward(self, x: Tensor | CSR, adj: Adjacency | None = None) -> Tensor:
        """Scores [N, C] of features x [N, F], dense or sparse."""
        scores: Tensor = self.head(self.embed(x, adj), adj)
        return scores

    def embed(self, x: Tensor | CSR, adj: Adjacency | None = None, after_layer: AfterLayer | None = None) -> Tensor | CSR:
        """What the head is given [N, embedding_channels]; sparse if it is sparse features themselves.

        Args:
            x: Features, dense or sparse.
            adj: The graph.
            after_layer: What is done to the output of each hidden layer; None: nothing.
        """
        h: Tensor | CSR = self.input_dropout(x)
        if self.pre_linear is not None:
            x = self.pre_linear(h)
            h = self.dropout(x)
        for number, (layer, norm) in enumerate(zip(self.hidden, self.norms, strict=True)):
            out = layer(h, adj)
            if self.shortcuts is not None:
                out = out + self.shortcuts[number](h)
            out = F.relu(norm(out))
            if self.residual == "identity" and tuple(out.shape) == tuple(x.shape):
                out = out + (x.to_dense(out.dtype) if isinstance(x, CSR) else x)
            x = out if after_layer is None else after_layer(out, number)
            h = self.dropout(x)
        return h


class GraphNetwork(NodeModel):
    """A model whose last part, or whole, is a `Network`; its head is that of the network."""

    network: Network
    head_takes_graph = True

    @property
    def head(self) -> nn.Module:  # type: ignore[override]  # a property: saved weights have it as network.head
        """The last layer."""
        return self.network.head

    @property
    def embedding_channels(self) -> int:
        """Width of the last hidden layer, see `NodeModel.embedding_channels`."""
        return self.network.embedding_channels

    @property
    def layer_channels(self) -> tuple[int, ...]:
        """Widths of the network's hidden layers, see `NodeModel.layer_channels`."""
        return (self.network.embedding_channels,) * len(self.network.hidden)

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor | CSR:
        """What the network gives its head, see `NodeModel.hidden`."""
        return self.network.embed(x, adj, self.after_layer)

    def replace_head(self, head: nn.Module) -> None:
        """Put another head in place, see `NodeModel.replace_head`."""
        self.network.head = head
        self.head_takes_graph = False
