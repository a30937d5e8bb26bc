"""Sheaf4Rec: trained embeddings, diffused over a sheaf on the graph of interactions that is learned from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, Unpack, cast

import torch
from torch import Tensor, nn

from graphkit.layers.checks import check_choice
from graphkit.layers.sheaf.diffusion import SheafDiffusion
from graphkit.layers.sheaf.laplacian import SheafLaplacian
from graphkit.models.recommend.base import TableRecommender, bipartite, item_bags
from graphkit.models.recommend.pairwise import Pairwise, PairwiseOptions, batch_nodes, pairwise_loss
from graphkit.sparse import CSR, gather, incidence_of

COMBINATIONS = ("mean", "concat")


class _ItemState(NamedTuple):
    """What a layer knows of the items: their features [I, d] and (D + I)^-1/2, in a form with I rows."""

    features: Tensor
    root: Tensor


class SheafRecommender(TableRecommender):
    r"""Sheaf4Rec: score = <e_u, e_i> with E combined from K steps of neural sheaf diffusion of the trained E0.

    X_0 = E0, X_{k+1} = X_k - sigma(Delta_k (I kron W_1) X_k W_2) on the graph of users and items, where Delta_k is the
    normalized sheaf Laplacian of restriction maps learned from X_k at both ends of each edge, see `SheafDiffusion`; then

    - `mean`: E = (X_0 + ... + X_K) / (K + 1), as wide as the trained embeddings;
    - `concat`: E = X_0 || ... || X_K, K + 1 times as wide.

    The loss is that of `pairwise_loss` with E and E0. W_2 starts as the identity, so that the first step is a diffusion and not
    a random map.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        num_layers: Steps K, at least 1; without any it is BPR-MF.
        maps: Restriction maps: `identity`, `diagonal`, `orthogonal` or `general`. Orthogonal ones start as a plain diffusion;
            diagonal and general ones start near zero, which diffuses little until they are trained.
        stalk_dim: Dimension of the stalks, and with it of the maps.
        activation: Sigma: `elu`, `tanh` or `none`.
        combine: `mean` or `concat`.
        **options: Arguments of `Pairwise`, for E0; `hidden_channels` is a multiple of `stalk_dim`.

    Raises:
        ValueError: If `num_layers` is below 1, a choice is unknown, or the widths do not fit.

    Source: Purificato et al., Sheaf4Rec, ACM TORS 2025, arXiv:2304.09097. As the paper designs it, maps are matrices and sigma
    is not linear. The authors' code has one number at each end of an edge (here stalk_dim=1, maps=diagonal), no sigma
    (activation=none), a bias beside W_2, and concatenates (combine=concat), while it takes the mean for the models that it is
    compared with; it never applies the weight of its penalty, which makes that 1.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        num_layers: int = 3,
        maps: str = "orthogonal",
        stalk_dim: int = 2,
        activation: str = "elu",
        combine: str = "mean",
        **options: Unpack[PairwiseOptions],
    ) -> None:
        super().__init__(num_users, num_items)
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}; without diffusion use BPR-MF")
        check_choice(COMBINATIONS, combine=combine)
        self.combine = combine
        pairwise = Pairwise(**options)
        self.embedding_penalty, self.penalty = pairwise.embedding_penalty, pairwise.penalty
        sigma = None if activation == "none" else activation
        layers = [
            SheafDiffusion(pairwise.hidden_channels, stalk_dim, maps=maps, learned_step=False, activation=sigma)
            for _ in range(num_layers)
        ]
        for layer in layers:
            nn.init.eye_(cast(Tensor, layer.right))
        self.layers = nn.ModuleList(layers)
        self.embedding = pairwise.table(num_users, num_items)
        self._graph: CSR | None = None
        self._items: list[_ItemState] | None = None

    def fit(self, interactions: CSR) -> None:
        """Keep the graph of the training interactions, see `Recommender.fit`; their values weigh the edges."""
        super().fit(interactions)
        self._graph = bipartite(interactions)

    @property
    def graph(self) -> CSR:
        """The graph of users and items; RuntimeError before `fit`."""
        if self._graph is None:
            raise RuntimeError("call fit() with the training interactions before using SheafRecommender.")
        return self._graph

    def loss(self, users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The loss of a batch of triples, see `Recommender.loss`; the diffusion covers the whole graph."""
        nodes, place = batch_nodes(users, positives, negatives, self.num_users)
        readers = incidence_of(nodes, self.embedding.size(0))
        states = [gather(state, nodes, readers) for state in self._diffuse()]
        return pairwise_loss(self._combined(states), states[0], place, users.numel(), self.embedding_penalty, self.penalty)

    def compute_embeddings(self) -> tuple[Tensor, Tensor]:
        """User and item rows of E."""
        final = self._combined(self._diffuse())
        return final[: self.num_users], final[self.num_users :]

    def prepare(self) -> None:
        """Compute E for `scores`, see `EmbeddingRecommender.prepare`."""
        super().prepare()
        self._items = None

    @torch.no_grad()
    def embed_users(self, items: Sequence[Tensor]) -> Tensor:
        """Embeddings of new users as their items send them, see `EmbeddingRecommender.embed_users`.

        A new user starts at zero, its maps and its normalization follow from its own edges, of weight one, and it is diffused
        with its items, whose features and normalizations at every step are those of the training graph: what a user of that
        graph gets whose trained embedding is zero. A user without items gets zeros.
        """
        if self._items is None:
            self._items = self._item_states()
        count = len(items)
        states = [self.embedding.new_zeros(count, self.embedding.size(1))]
        if count == 0:
            return self._combined(states * (len(self.layers) + 1))
        graph = bipartite(item_bags(items, self.num_items, self.embedding.device))
        for layer, known in zip(self._steps(), self._items, strict=True):
            x = torch.cat([states[-1], known.features])
            own = layer.sheaf(x, graph)
            states.append(layer.diffuse(x, _with_roots(own, torch.cat([_roots(own)[:count], known.root])))[:count])
        return self._combined(states)

    def _steps(self) -> list[SheafDiffusion]:
        return cast("list[SheafDiffusion]", list(self.layers))

    def _diffuse(self) -> list[Tensor]:
        """X_0, ..., X_K [U + I, hidden_channels]."""
        states: list[Tensor] = [self.embedding]
        for layer in self._steps():
            states.append(layer(states[-1], self.graph))
        return states

    def _combined(self, states: list[Tensor]) -> Tensor:
        return torch.cat(states, dim=1) if self.combine == "concat" else torch.stack(states).mean(0)

    def _item_states(self) -> list[_ItemState]:
        found, x = [], self.embedding.detach()
        for layer in self._steps():
            laplacian = layer.sheaf(x, self.graph)
            # Copies: slices would keep what belongs to the users alive.
            found.append(_ItemState(x[self.num_users :].clone(), _roots(laplacian)[self.num_users :].clone()))
            x = layer.diffuse(x, laplacian)
        return found


def _roots(laplacian: SheafLaplacian) -> Tensor:
    """(D + I)^-1/2 of every node: matrices, diagonals, or numbers [N] for identity maps."""
    if laplacian.identity is None:
        return laplacian.root
    adjacency = laplacian.identity  # (D + I)^-1/2 (A + I) (D + I)^-1/2 has (D + I)^-1 on its diagonal
    return adjacency.weights(adjacency.dtype or torch.float32)[adjacency.structure.diagonal].sqrt()


def _with_roots(laplacian: SheafLaplacian, root: Tensor) -> SheafLaplacian:
    """The same maps under another normalization; for edges of weight one."""
    if laplacian.identity is None:
        return dataclasses.replace(laplacian, root=root)
    adjacency = laplacian.identity
    return dataclasses.replace(laplacian, identity=adjacency.with_value(root[adjacency.row] * root[adjacency.col]))
