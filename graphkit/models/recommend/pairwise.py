"""What models that learn from (user, positive, negative) triples share: the table, the batch's rows, the loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from graphkit.sparse import gather

INITIALIZATIONS = ("normal", "xavier")
PENALTIES = ("half-squared", "unique-squared", "norm")


def embedding_table(num_users: int, num_items: int, channels: int, init: str, init_std: float) -> nn.Parameter:
    """Embeddings [num_users + num_items, channels]: N(0, init_std^2), or Xavier uniform for users and for items apart.

    Raises:
        ValueError: If `init` is not one of `INITIALIZATIONS`.
    """
    if init not in INITIALIZATIONS:
        raise ValueError(f"init must be one of {', '.join(INITIALIZATIONS)}, got {init!r}")
    table = nn.Parameter(torch.empty(num_users + num_items, channels))
    if init == "normal":
        nn.init.normal_(table, std=init_std)
    else:
        for part in table.data.split([num_users, num_items]):
            nn.init.xavier_uniform_(part)
    return table


def check_penalty(penalty: str) -> str:
    """Return `penalty` if it is one of `PENALTIES`, else raise ValueError."""
    if penalty not in PENALTIES:
        raise ValueError(f"penalty must be one of {', '.join(PENALTIES)}, got {penalty!r}")
    return penalty


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
