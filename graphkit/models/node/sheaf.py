"""Sheaf diffusion for node classification: neural sheaf diffusion and its polynomial form."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import FeatureLinear, PolynomialSheafDiffusion, SheafDiffusion
from graphkit.layers.sheaf.laplacian import SheafLaplacian
from graphkit.sparse import CSR, Adjacency, as_csr, dropout

_ACTIVATIONS = {"elu": F.elu, "tanh": torch.tanh, "none": None}


class SheafNetwork(nn.Module):
    r"""Neural sheaf diffusion.

    X_0 = dropout(sigma(W dropout(x) + b)), X_t+1 = (1 + tanh eps_t) X_t - sigma(Delta_t (I kron W_1) dropout(X_t) W_2) for each
    layer, logits = V X_L + c. A node's state is f = stalk_dim + low_pass + high_pass vectors of hidden_channels. Delta_t
    is the normalized sheaf Laplacian of maps that are learned from X_t; see `SheafDiffusion`, also for what becomes of edges in
    one direction (they count in both), self-loops (no effect), repeated edges (weights add up) and isolated nodes (Delta = 0).

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        maps: `identity`, `diagonal`, `orthogonal` or `general`.
        orthogonal: How orthogonal maps are made: `householder`, `cayley`, `exp`, or `rotation` (stalk_dim = 2).
        stalk_dim: Learned dimensions of a stalk.
        hidden_channels: Channels h of each dimension of a stalk.
        num_layers: Steps of diffusion L, at least 1.
        low_pass: Add a stalk dimension with the fixed operator D + A, normalized.
        high_pass: Add one with D - A.
        left_weights: Learn W_1 of every layer.
        right_weights: Learn W_2 of every layer.
        right_init: What W_2 starts from, `identity` or `orthogonal`; see `SheafDiffusion` for what the second does.
        edge_weights: Learn a weight of each edge beside its maps; for any maps, where the authors have it for orthogonal ones.
        learned_step: Learn eps of every layer.
        linear: Learn one sheaf from X_0 and diffuse over it in all layers; the later layers then have no learner.
        second_linear: Another linear map, f h to f h, before the first layer.
        input_dropout: Probability in [0, 1) of dropping an entry of the features.
        dropout: The same for X_0, for every layer's input, and with a mask of its own for what maps are learned from, where the
            first layer takes all of X_0.
        activation: sigma: `elu`, `tanh` or `none`.

    Raises:
        ValueError: If a number is out of its range, a name is unknown, or maps do not exist for this stalk_dim.

    Source: Bodnar et al., NeurIPS 2022, the discrete models. Of the authors' code we leave out the learner on summed stalks
    (`sparse_learner`), which mixes the two ends of an edge, degree normalization, and Laplacian eigenvectors as features; the
    layer says in what else it differs. Left and right weights may be off for all maps.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        maps: str = "diagonal",
        orthogonal: str = "householder",
        stalk_dim: int = 3,
        hidden_channels: int = 16,
        num_layers: int = 2,
        low_pass: bool = False,
        high_pass: bool = False,
        left_weights: bool = True,
        right_weights: bool = True,
        right_init: str = "identity",
        edge_weights: bool = False,
        learned_step: bool = True,
        linear: bool = False,
        second_linear: bool = False,
        input_dropout: float = 0.0,
        dropout: float = 0.5,
        activation: str = "elu",
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}")
        if activation not in _ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(_ACTIVATIONS)}, got {activation!r}")
        width = (stalk_dim + low_pass + high_pass) * hidden_channels
        layers = []
        for t in range(num_layers):
            learns = t == 0 or not linear  # a layer over the first one's sheaf gets identity maps, which have no parameters
            layers.append(
                self._layer(
                    width,
                    stalk_dim,
                    maps if learns else "identity",
                    orthogonal=orthogonal,
                    low_pass=low_pass,
                    high_pass=high_pass,
                    left_weights=left_weights,
                    right_weights=right_weights,
                    right_init=right_init,
                    edge_weights=edge_weights and learns,
                    learned_step=learned_step,
                    activation=None if activation == "none" else activation,
                    dropout=dropout,
                    map_dropout=dropout if t else 0.0,
                )
            )
        self.encoder = FeatureLinear(in_channels, width, dropout=input_dropout)
        self.second = nn.Linear(width, width) if second_linear else None
        self.layers = nn.ModuleList(layers)
        self.head = nn.Linear(width, out_channels)
        self.linear = linear
        self.dropout = dropout
        self.activation = activation

    def _layer(self, width: int, stalk_dim: int, maps: str, **options: Any) -> SheafDiffusion:
        return SheafDiffusion(width, stalk_dim, maps, **options)

    def forward(self, x: Tensor | CSR, adj: Adjacency) -> Tensor:
        """Class scores of every node.

        Args:
            x: Features [N, F], dense or sparse.
            adj: The graph: `edge_index` [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (fastest: paired once).

        Returns:
            Logits [N, C].
        """
        csr = as_csr(adj, x.shape[0])
        sigma = _ACTIVATIONS[self.activation]
        h = self.encoder(x)
        h = dropout(h if sigma is None else sigma(h), self.dropout, self.training)
        if self.second is not None:
            h = self.second(h)
        sheaf: SheafLaplacian | None = None
        for layer in cast("list[SheafDiffusion]", list(self.layers)):
            if sheaf is None or not self.linear:
                sheaf = layer.sheaf(h, csr)
            h = layer.diffuse(h, sheaf)
        logits: Tensor = self.head(h)
        return logits


class PolyNSD(SheafNetwork):
    r"""Polynomial neural sheaf diffusion: `SheafNetwork` with a polynomial of Delta in every layer.

    X_t+1 = (1 + tanh eps) X_t - sigma(sum_k c_k T_k(Delta - I) Y + a (Y - Delta Y / 2)), Y = (I kron W_1) dropout(X_t) W_2; see
    `PolynomialSheafDiffusion`. Graphs are read as by `SheafNetwork`.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        maps: As for `SheafNetwork`, like all others; the paper finds diagonal maps to be enough.
        degree: Degree of the polynomial, at least 1: how many edges far a layer reaches.

    Raises:
        ValueError: If a number is out of its range, a name is unknown, or maps do not exist for this stalk_dim.

    Source: Borgi, Silvestri and Lio, arXiv:2512.00242; encoder, head and dropout are those of `SheafNetwork`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        maps: str = "diagonal",
        orthogonal: str = "householder",
        stalk_dim: int = 3,
        hidden_channels: int = 16,
        num_layers: int = 2,
        low_pass: bool = False,
        high_pass: bool = False,
        left_weights: bool = True,
        right_weights: bool = True,
        right_init: str = "identity",
        edge_weights: bool = False,
        learned_step: bool = True,
        linear: bool = False,
        second_linear: bool = False,
        input_dropout: float = 0.0,
        dropout: float = 0.5,
        activation: str = "elu",
        degree: int = 3,
    ) -> None:
        self.degree = degree  # the base class makes layers
        super().__init__(
            in_channels,
            out_channels,
            maps,
            orthogonal,
            stalk_dim,
            hidden_channels,
            num_layers,
            low_pass,
            high_pass,
            left_weights,
            right_weights,
            right_init,
            edge_weights,
            learned_step,
            linear,
            second_linear,
            input_dropout,
            dropout,
            activation,
        )

    def _layer(self, width: int, stalk_dim: int, maps: str, **options: Any) -> SheafDiffusion:
        return PolynomialSheafDiffusion(width, stalk_dim, maps, self.degree, **options)
