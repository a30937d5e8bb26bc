"""What models that learn from (user, positive, negative) triples share: the table, the batch's rows, the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from graphkit.layers.checks import check_choice
from graphkit.sparse import gather

INITIALIZATIONS = ("normal", "xavier")
PENALTIES = ("half-squared", "unique-squared", "norm")


class PairwiseOptions(TypedDict, total=False):
    """Arguments of `Pairwise` that models pass on."""

    hidden_channels: int
    init: str
    init_std: float
    embedding_penalty: float
    penalty: str


@dataclass(frozen=True, kw_only=True)
class Pairwise:
    """How the embeddings of a model start, and how its `pairwise_loss` penalizes them.

    Attributes:
        hidden_channels: Width d of the embeddings.
        init: `normal`, or `xavier` (uniform, users and items apart).
        init_std: Standard deviation of the `normal` initialization.
        embedding_penalty: Weight lambda of the penalty on the trained embeddings, at least 0.
        penalty: How they are penalized, see `pairwise_loss`.

    Raises:
        ValueError: If a choice is unknown.
    """

    hidden_channels: int = 64
    init: str = "normal"
    init_std: float = 0.1
    embedding_penalty: float = 1e-4
    penalty: str = "half-squared"

    def __post_init__(self) -> None:
        check_choice(INITIALIZATIONS, init=self.init)
        check_choice(PENALTIES, penalty=self.penalty)

    def table(self, num_users: int, num_items: int) -> nn.Parameter:
        """The embeddings at first [num_users + num_items, hidden_channels]."""
        return embedding_table(num_users, num_items, self.hidden_channels, init=self.init, init_std=self.init_std)


def embedding_table(num_users: int, num_items: int, channels: int, *, init: str, init_std: float) -> nn.Parameter:
    """Embeddings [num_users + num_items, channels]: N(0, init_std^2), or Xavier uniform for users and for items apart.

    Raises:
        ValueError: If `init` is not one of `INITIALIZATIONS`.
    """
    check_choice(INITIALIZATIONS, init=init)
    table = nn.Parameter(torch.empty(num_users + num_items, channels))
    if init == "normal":
        nn.init.normal_(table, std=init_std)
    else:
        for part in table.data.split([num_users, num_items]):
            nn.init.xavier_uniform_(part)
    return table


def batch_nodes(users: Tensor, positives: Tensor, negatives: Tensor, num_users: int) -> tuple[Tensor, Tensor]:
    """The distinct nodes of a batch, item i being node num_users + i, and where each id of the batch is among them.

    Args:
        users: User ids [B].
        positives: Item ids [B].
        negatives: Item ids [B, R].
        num_users: Number of users.

    Returns:
        Nodes [M], ascending, and places [B + B + B R] of users, positives and negatives in that order.
    """
    nodes = torch.cat([users, positives + num_users, negatives.flatten() + num_users])
    distinct, place = nodes.unique(return_inverse=True)
    return distinct, place


def pairwise_loss(final: Tensor, ego: Tensor, place: Tensor, batch: int, weight: float, penalty: str) -> Tensor:
    """BPR with a penalty on the trained embeddings of the batch.

    L = mean over (u, i, j) of softplus(s_uj - s_ui) + weight * P, with s the inner products of final embeddings and P of the
    trained ("ego") embeddings e, each as often as the batch holds it unless said otherwise,

    - `half-squared`: 1/2 (sum ||e_u||^2 + sum ||e_i||^2 + sum ||e_j||^2) / B, as LightGCN's code;
    - `unique-squared`: sum ||e||^2 / B over the distinct nodes of the batch, as PyG;
    - `norm`: (||E_u|| + ||E_i|| + ||E_j||) / B with Frobenius norms, not squared, as RecBole by default.

    Args:
        final: Embeddings that are scored, of the batch's distinct nodes [M, d].
        ego: Embeddings that are trained, of the same nodes [M, d'].
        place: What `batch_nodes` returned [B + B + B R].
        batch: B.
        weight: Weight of the penalty, at least 0.
        penalty: One of `PENALTIES`.

    Returns:
        The loss, a scalar.
    """
    # One gather for all: the gradients of repeated nodes are summed in one small table.
    user, positive, negative = gather(final, place).split([batch, batch, place.numel() - 2 * batch])
    positive_score = (user * positive).sum(1, keepdim=True)
    negative_score = torch.einsum("bd,brd->br", user, negative.view(batch, -1, final.size(1)))
    # softplus would do, but torch's is linear from 20 on.
    loss = -functional.logsigmoid(positive_score - negative_score).mean()
    if weight == 0:
        return loss
    if penalty == "half-squared":
        times = torch.bincount(place, minlength=ego.size(0))
        size = (ego.square().sum(1) * times).sum() / 2
    elif penalty == "unique-squared":
        size = ego.square().sum()
    else:
        parts = gather(ego, place).split([batch, batch, place.numel() - 2 * batch])
        size = torch.stack([torch.linalg.vector_norm(part) for part in parts]).sum()
    return loss + weight * size / batch
