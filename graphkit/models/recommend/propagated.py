"""What models share that score by embeddings propagated over the graph of interactions, new users included."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from graphkit.models.reasons import Reasons, present_entries
from graphkit.models.recommend.base import TableRecommender, bipartite, item_bags, take_rows
from graphkit.sparse import CSR, normalize, polynomial


class PropagatedRecommender(TableRecommender):
    """A recommender with E = sum over k = 0, ..., K of alpha_k A_hat^k E0, of which E0, `embedding`, is trained.

    A_hat = D^-1/2 A D^-1/2 on the graph of users and items.
    """

    def __init__(self, num_users: int, num_items: int) -> None:
        super().__init__(num_users, num_items)
        self._a_hat: CSR | None = None
        self._item_terms: Tensor | None = None

    @abstractmethod
    def coefficients(self) -> Sequence[float] | Tensor:
        """alpha_0, ..., alpha_K."""

    def fit(self, interactions: CSR) -> None:
        """Keep A_hat of the training interactions, see `Recommender.fit`; their values weigh the edges."""
        super().fit(interactions)
        self._a_hat = normalize(bipartite(interactions), "gcn", self_loops=False)

    @property
    def a_hat(self) -> CSR:
        """A_hat, [num_users + num_items] squared; RuntimeError before `fit`."""
        if self._a_hat is None:
            raise RuntimeError(f"call fit() with the training interactions before using {type(self).__name__}.")
        return self._a_hat

    def compute_embeddings(self) -> tuple[Tensor, Tensor]:
        """User and item rows of E."""
        final = polynomial(self.a_hat, self.coefficients(), self.embedding)
        return final[: self.num_users], final[self.num_users :]

    def prepare(self) -> None:
        """Compute E for `scores`, see `EmbeddingRecommender.prepare`."""
        super().prepare()
        self._item_terms = None

    @torch.no_grad()
    def embed_users(self, items: Sequence[Tensor]) -> Tensor:
        """Embeddings of new users as their items send them, see `EmbeddingRecommender.embed_users`.

        e_u = sum over k = 1, ..., K of alpha_k sum over items i of u of e_i^(k-1) / sqrt(n_u d_i): what propagation would give
        a user of n_u items without a trained embedding of its own, the items' embeddings and degrees d_i as they were
        trained. A user whose items all were unseen in training, or who has none, gets zeros.
        """
        if self._item_terms is None:
            degree = self.interactions.t().row_sum(self.embedding.dtype)
            scale = torch.where(degree > 0, degree.clamp(min=1e-30).rsqrt(), 0.0)
            terms = polynomial(self.a_hat, self.coefficients()[1:], self.embedding)
            self._item_terms = terms[self.num_users :] * scale.unsqueeze(1)
        bags = item_bags(items, self.num_items, self._item_terms.device)
        count = bags.degree().clamp(min=1).to(self._item_terms.dtype)
        return bags.matmul(self._item_terms) * count.rsqrt().unsqueeze(1)

    @torch.no_grad()
    def reasons(self, users: Tensor, items: Tensor) -> Reasons:
        """What each of the user's items sends to the user in the last rounds, see `Recommender.reasons`.

        All paths to u but the one of length 0 arrive through an item of u, so that

        s_ui = alpha_0 <e_u, E_i> + sum over items j of u of A_hat_uj <t_j, E_i>,  t = sum over k >= 1 of
        alpha_k A_hat^(k-1) E0.

        The bias is the first term: what was trained for u itself. Without an item the same holds with other degrees: of a new
        user of n items (`fold_in`, no bias) the score without j is sqrt(n / (n - 1)) times the sum of the other contributions.
        """
        final = self.embeddings()[1]
        ptr, own, weight = present_entries(take_rows(self.a_hat, users))
        coefficients = self.coefficients()
        sent = polynomial(self.a_hat, coefficients[1:], self.embedding)
        agreement = (sent[own].double() * final[items.repeat_interleave(ptr.diff())].double()).sum(1)
        bias = float(coefficients[0]) * (self.embedding[users].double() * final[items].double()).sum(1)
        return Reasons(
            ptr=ptr,
            ids=own - self.num_users,
            contributions=weight * agreement,
            score=self.pair_scores(users, items).double(),
            bias=bias,
            rule="An item contributes what it sends to the user along the graph: its own embedding, and all that reached it in "
            "earlier rounds. The bias is what was trained for the user itself.",
            exact=True,
        )
