"""Sheaf diffusion for node classification: neural sheaf diffusion and its polynomial form."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Protocol, Unpack, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import Dropout, FeatureLinear, PolynomialSheafDiffusion, SheafDiffusion
from graphkit.layers.checks import check_at_least, check_choice
from graphkit.layers.sheaf.diffusion import SheafDiffusionOptions, SheafOptions
from graphkit.layers.sheaf.laplacian import SheafLaplacian
from graphkit.models.node.base import NodeModel
from graphkit.sparse import CSR

_ACTIVATIONS = {"elu": F.elu, "tanh": torch.tanh, "none": None}


class MakeSheafLayer(Protocol):
    """Makes a layer of diffusion: `SheafDiffusion`, or a kin of it."""

    def __call__(self, in_channels: int, stalk_dim: int, **options: Unpack[SheafDiffusionOptions]) -> SheafDiffusion:
        """Make the layer from the arguments of `SheafDiffusion`."""


class SheafNetworkOptions(SheafOptions, total=False):
    """The settings of `SheafNetwork`, which networks of other layers pass on."""

    maps: str
    stalk_dim: int
    hidden_channels: int
    num_layers: int
    low_pass: bool
    high_pass: bool
    edge_weights: bool
    linear: bool
    second_linear: bool
    input_dropout: float
    dropout: float
    activation: str


class SheafNetwork(NodeModel):
    r"""Neural sheaf diffusion.

    X_0 = dropout(sigma(W dropout(x) + b)), X_t+1 = (1 + tanh eps_t) X_t - sigma(Delta_t (I kron W_1) dropout(X_t) W_2) for each
    layer, logits = V X_L + c. A node's state is f = stalk_dim + low_pass + high_pass vectors of hidden_channels. Delta_t
    is the normalized sheaf Laplacian of maps that are learned from X_t; see `SheafDiffusion`, also for what becomes of edges in
    one direction (they count in both), self-loops (no effect), repeated edges (weights add up) and isolated nodes (Delta = 0).

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        maps: `identity`, `diagonal`, `orthogonal` or `general`.
        stalk_dim: Learned dimensions of a stalk.
        hidden_channels: Channels h of each dimension of a stalk.
        num_layers: Steps of diffusion L, at least 1.
        low_pass: Add a stalk dimension with the fixed operator D + A, normalized.
        high_pass: Add one with D - A.
        edge_weights: Learn a weight of each edge beside its maps; for any maps, where the authors have it for orthogonal ones.
        linear: Learn one sheaf from X_0 and diffuse over it in all layers; the later layers then have no learner.
        second_linear: Another linear map, f h to f h, before the first layer.
        input_dropout: Probability in [0, 1) of dropping an entry of the features.
        dropout: The same for X_0, for every layer's input, and with a mask of its own for what maps are learned from, where the
            first layer takes all of X_0.
        activation: sigma: `elu`, `tanh` or `none`.
        make_layer: Makes a layer.
        **options: Arguments of `SheafDiffusion`, the same for every layer.

    Raises:
        ValueError: If a number is out of its range, a name is unknown, or maps do not exist for this stalk_dim.

    Source: Bodnar et al., NeurIPS 2022, the discrete models. Of the authors' code we leave out the learner on summed stalks
    (`sparse_learner`), which mixes the two ends of an edge, degree normalization, and Laplacian eigenvectors as features; the
    layer says in what else it differs. Left and right weights may be off for all maps.
    """

    undirected: ClassVar[bool] = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        maps: str = "diagonal",
        stalk_dim: int = 3,
        hidden_channels: int = 16,
        num_layers: int = 2,
        low_pass: bool = False,
        high_pass: bool = False,
        edge_weights: bool = False,
        linear: bool = False,
        second_linear: bool = False,
        input_dropout: float = 0.0,
        dropout: float = 0.5,
        activation: str = "elu",
        make_layer: MakeSheafLayer = SheafDiffusion,
        **options: Unpack[SheafOptions],
    ) -> None:
        super().__init__()
        check_at_least(1, num_layers=num_layers)
        check_choice(_ACTIVATIONS, activation=activation)
        width = (stalk_dim + low_pass + high_pass) * hidden_channels
        layers = []
        for t in range(num_layers):
            learns = t == 0 or not linear  # a layer over the first one's sheaf gets identity maps, which have no parameters
            layers.append(
                make_layer(
                    width,
                    stalk_dim,
                    maps=maps if learns else "identity",
                    low_pass=low_pass,
                    high_pass=high_pass,
                    edge_weights=edge_weights and learns,
                    activation=None if activation == "none" else activation,
                    dropout=dropout,
                    map_dropout=dropout if t else 0.0,
                    **options,
                )
            )
        self.encoder = FeatureLinear(in_channels, width, dropout=input_dropout)
        self.second = nn.Linear(width, width) if second_linear else None
        self.layers = nn.ModuleList(layers)
        self.head = nn.Linear(width, out_channels)
        self.linear = linear
        self.dropout = Dropout(dropout)
        self.activation = activation

    @property
    def embedding_channels(self) -> int:
        """Width of a node's state, see `NodeModel.embedding_channels`."""
        return self.encoder.out_features

    @property
    def layer_channels(self) -> tuple[int, ...]:
        """The width of a state, after each step of diffusion, see `NodeModel.layer_channels`."""
        return (self.encoder.out_features,) * len(self.layers)

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The state of every node after the last step, see `NodeModel.hidden`."""
        sigma = _ACTIVATIONS[self.activation]
        h: Tensor = self.encoder(x)
        h = self.dropout(h if sigma is None else sigma(h))
        if self.second is not None:
            h = self.second(h)
        sheaf: SheafLaplacian | None = None
        for number, layer in enumerate(cast("list[SheafDiffusion]", list(self.layers))):
            if sheaf is None or not self.linear:
                sheaf = layer.sheaf(h, adj)
            h = layer.diffuse(h, sheaf)
            h = h if self.after_layer is None else self.after_layer(h, number)
        return h


class PolyNSD(SheafNetwork):
    r"""Polynomial neural sheaf diffusion: `SheafNetwork` with a polynomial of Delta in every layer.

    X_t+1 = (1 + tanh eps) X_t - sigma(sum_k c_k T_k(Delta - I) Y + a (Y - Delta Y / 2)), Y = (I kron W_1) dropout(X_t) W_2; see
    `PolynomialSheafDiffusion`. Graphs are read as by `SheafNetwork`.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        degree: Degree of the polynomial, at least 1: how many edges far a layer reaches.
        **options: Settings of `SheafNetwork`; the paper finds diagonal maps to be enough.

    Raises:
        ValueError: If a number is out of its range, a name is unknown, or maps do not exist for this stalk_dim.

    Source: Borgi, Silvestri and Lio, arXiv:2512.00242; encoder, head and dropout are those of `SheafNetwork`.
    """

    def __init__(self, in_channels: int, out_channels: int, *, degree: int = 3, **options: Unpack[SheafNetworkOptions]) -> None:
        make_layer = partial(PolynomialSheafDiffusion, degree=degree)
        super().__init__(in_channels, out_channels, make_layer=make_layer, **options)
