"""UltraGCN: no propagation; what its limit would demand of the embeddings stands in the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from graphkit.layers.checks import check_at_least, check_choice
from graphkit.models.reasons import Reasons, present_entries
from graphkit.models.recommend.base import TableRecommender, item_bags, rows_at_a_time, take_rows
from graphkit.models.recommend.neighbors import nearest
from graphkit.models.recommend.pairwise import embedding_table
from graphkit.sparse import CSR, dense_product, gather

ITEM_GRAPHS = ("paper", "code")


class _Fitted(NamedTuple):
    """Factors of b_ui by user [U] and by item [I], neighbors of each item [I, K] and their weights o [I, K]."""

    user_factor: Tensor
    item_factor: Tensor
    items: Tensor
    weights: Tensor


class UltraGCN(TableRecommender):
    """UltraGCN: score = <e_u, e_i>, trained on weighted binary cross entropy and on the neighbors of positive items.

    Summed over the triples (u, i, j_1, ..., j_R) of a batch,

    L = sum [(w1 + w2 b_ui) softplus(-s_ui) + negative_weight / R sum_j (w3 + w4 b_uj) softplus(s_uj)
        + item_weight sum over k in N(i) of o_ik softplus(-s_uk)] + decay / 2 ||all embeddings||^2,

    b_ui = 1 / d_u sqrt((d_u + 1) / (d_i + 1)) with d the numbers of training interactions. N(i) holds the items of largest
    o_ik, with G = R^T R, g_i = sum_k G_ik and

    - `paper`: o_ik = G_ik / (g_i - G_ii) sqrt(g_i / g_k), k other than i;
    - `code`: o_ik = G_ik sqrt(g_i + 1) / (g_i sqrt(g_k + 1)), where an item may be its own neighbor, and mostly is.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        hidden_channels: Width d of the embeddings.
        init_std: Standard deviation of the initialization.
        w1: Weight of every positive.
        w2: Weight of a positive's b.
        w3: Weight of every negative.
        w4: Weight of a negative's b.
        negative_weight: Weight of the mean over negatives.
        item_weight: Weight of the item graph.
        num_neighbors: Neighbors of an item, at least 1.
        item_graph: `paper` or `code`.
        decay: Weight of the penalty on all embeddings.

    Raises:
        ValueError: If `num_neighbors` is below 1 or `item_graph` unknown.

    Source: Mao et al., UltraGCN, CIKM 2021; the loss as in the authors' code. Values of the interactions are not used.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        hidden_channels: int = 64,
        init_std: float = 1e-4,
        w1: float = 1e-6,
        w2: float = 1.0,
        w3: float = 1e-6,
        w4: float = 1.0,
        negative_weight: float = 300.0,
        item_weight: float = 5e-4,
        num_neighbors: int = 10,
        item_graph: str = "paper",
        decay: float = 1e-4,
    ) -> None:
        super().__init__(num_users, num_items)
        check_at_least(1, num_neighbors=num_neighbors)
        check_choice(ITEM_GRAPHS, item_graph=item_graph)
        self.w1, self.w2, self.w3, self.w4 = w1, w2, w3, w4
        self.negative_weight, self.item_weight, self.decay = negative_weight, item_weight, decay
        self.num_neighbors, self.item_graph = num_neighbors, item_graph
        self.embedding = embedding_table(num_users, num_items, hidden_channels, init="normal", init_std=init_std)
        self._fitted: _Fitted | None = None

    def fit(self, interactions: CSR) -> None:
        """Keep the degrees and every item's neighbors, found a block of items at a time; see `Recommender.fit`."""
        super().fit(interactions)
        dtype = self.embedding.dtype
        ones = interactions.with_value(None)
        columns = ones.t()
        of_users, of_items = ones.degree().double(), columns.degree().double()
        user_factor = ((of_users + 1).sqrt() / of_users.clamp(min=1)).to(dtype)
        item_factor = (of_items + 1).rsqrt().to(dtype)
        total = columns @ of_users
        neighbors, weights = [], []
        for items in torch.arange(self.num_items, device=columns.device).split(rows_at_a_time(self.num_items)):
            common = dense_product(take_rows(columns, items), ones, torch.float64)
            own = total[items].unsqueeze(1)
            if self.item_graph == "paper":
                common[items - items[0], items] = 0.0
                scale = own.sqrt() / (own - of_items[items].unsqueeze(1)).clamp(min=1) / total.clamp(min=1).sqrt()
            else:
                scale = (own + 1).sqrt() / own.clamp(min=1) / (total + 1).sqrt()
            found, weight = nearest(common * scale, self.num_neighbors)
            neighbors.append(found)
            weights.append(weight.to(dtype))
        self._fitted = _Fitted(
            user_factor=user_factor, item_factor=item_factor, items=torch.cat(neighbors), weights=torch.cat(weights)
        )

    def loss(self, users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The loss of a batch of triples, see `Recommender.loss`."""
        graph = self._graph()
        of_users, items = torch.split(self.embedding, [self.num_users, self.num_items])
        user = gather(of_users, users)
        near = graph.items[positives]
        wanted = torch.cat([positives.unsqueeze(1), near, negatives], dim=1)
        positive, neighbor, negative = _item_scores(user, items, wanted).split([1, near.size(1), negatives.size(1)], dim=1)
        factor = graph.user_factor[users].unsqueeze(1)
        up = self.w1 + self.w2 * factor * graph.item_factor[positives].unsqueeze(1)
        down = self.w3 + self.w4 * factor * graph.item_factor[negatives]
        loss = -(up * functional.logsigmoid(positive)).sum()
        loss = loss - self.negative_weight * (down * functional.logsigmoid(-negative)).mean(1).sum()
        loss = loss - self.item_weight * (graph.weights[positives] * functional.logsigmoid(neighbor)).sum()
        return loss + self.decay / 2 * self.embedding.square().sum()

    def compute_embeddings(self) -> tuple[Tensor, Tensor]:
        """User and item rows of the table."""
        return self.embedding[: self.num_users], self.embedding[self.num_users :]

    @torch.no_grad()
    def embed_users(self, items: Sequence[Tensor]) -> Tensor:
        """Embeddings of new users where propagation would converge to, see `EmbeddingRecommender.embed_users`.

        e_u = sum over items i of u of b_ui e_i, with d_u the number of these items and d_i as in training: what infinitely many
        rounds of propagation would leave of u, from which the paper derives b. Known users are trained towards it and are not
        there, so a new user's scores are not those of a known user with the same items. Without items: zeros.
        """
        graph, of_items = self._graph(), self.embeddings()[1]
        bags = item_bags(items, self.num_items, of_items.device)
        count = bags.degree().to(of_items.dtype).unsqueeze(1)
        return bags.matmul(of_items * graph.item_factor.unsqueeze(1)) * (count + 1).sqrt() / count.clamp(min=1)

    @torch.no_grad()
    def reasons(self, users: Tensor, items: Tensor) -> Reasons:
        """The user's items as infinitely many rounds of propagation would send them, see `embed_users`.

        Item j contributes b_uj <e_j, e_i>. The remainder is how far the trained embedding of u is from where propagation leads.
        """
        graph, of_items = self._graph(), self.embeddings()[1]
        ptr, own, _ = present_entries(take_rows(self.interactions, users))
        factor = graph.user_factor[users].repeat_interleave(ptr.diff()) * graph.item_factor[own]
        agreement = (of_items[own] * of_items[items.repeat_interleave(ptr.diff())]).sum(1)
        score = self.pair_scores(users, items).double()
        return Reasons(
            ptr=ptr,
            ids=own,
            contributions=(factor * agreement).double(),
            score=score,
            bias=torch.zeros_like(score),
            rule="An item contributes what it would send to the user in infinitely many rounds of propagation. The remainder "
            "is what was trained for this user beyond that.",
            exact=False,
        )

    def _graph(self) -> _Fitted:
        if self._fitted is None:
            raise RuntimeError("call fit() with the training interactions before using UltraGCN.")
        return self._fitted


def _item_scores(user: Tensor, items: Tensor, wanted: Tensor) -> Tensor:
    """<user_b, items_wanted[b, r]> [B, R]: through all scores where they take less room than the items' gathered rows."""
    if wanted.size(1) * user.size(1) > items.size(0):
        return (user @ items.t()).gather(1, wanted)
    return torch.einsum("bd,brd->br", user, gather(items, wanted))
