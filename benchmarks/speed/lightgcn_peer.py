"""LightGCN as others compute it: PyG's model on an `edge_index`, and torch's COO products under autograd."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn.models import LightGCN

from benchmarks.speed.harness import Results
from graphkit.sparse import Triples


class Peer(nn.Module):
    """A table, a loss and Adam with torch's defaults.

    Args:
        num_users: Number of users U.
        weight: Weight of the penalty.
    """

    def __init__(self, num_users: int, weight: float) -> None:
        super().__init__()
        self.num_users = num_users
        self.weight = weight

    def loss(self, batch: Triples) -> Tensor:
        """Mean softplus(s_uj - s_ui) + weight / 2 * (squared norms of the batch's trained embeddings) / B."""
        raise NotImplementedError

    def load(self, table: Tensor) -> None:
        """Start from these weights [N, C], and Adam from nothing."""
        with torch.no_grad():
            for parameter, part in zip(self.parameters(), self._parts(table), strict=True):
                parameter.copy_(part)
        self.adam = torch.optim.Adam(self.parameters(), lr=1e-3)

    def step(self, batch: Triples) -> Tensor:
        """Loss, gradients, Adam."""
        self.adam.zero_grad()
        loss = self.loss(batch)
        loss.backward()
        self.adam.step()
        return loss.detach()

    def loss_and_gradient(self, batch: Triples) -> Results:
        """The loss of a batch and the gradient of the table [N, C]."""
        self.zero_grad()
        loss = self.loss(batch)
        loss.backward()
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        return {"loss": loss.detach()[None].double(), "gradient": torch.cat(gradients)}

    def _parts(self, table: Tensor) -> tuple[Tensor, ...]:
        return (table,)


class PyGPeer(Peer):
    """`torch_geometric.nn.models.LightGCN`, its own loss; half the weight and repeated nodes make the penalty the same."""

    def __init__(self, edge_index: Tensor, num_users: int, num_nodes: int, channels: int, layers: int, weight: float) -> None:
        super().__init__(num_users, weight)
        self.model = LightGCN(num_nodes, channels, layers)
        self.edge_index = edge_index

    def loss(self, batch: Triples) -> Tensor:
        """See `Peer.loss`."""
        positives, negatives = batch.positives + self.num_users, batch.negatives.flatten() + self.num_users
        users = batch.users.repeat(2)
        ranks = self.model(self.edge_index, torch.stack([users, torch.cat([positives, negatives])]))
        nodes = torch.cat([batch.users, positives, negatives])
        loss: Tensor = self.model.recommendation_loss(*ranks.chunk(2), node_id=nodes, lambda_reg=self.weight / 2)
        return loss


class SparsePeer(Peer):
    """Tables of users and of items; a product of torch's COO matrix a layer; the layers stacked and averaged."""

    def __init__(self, edge_index: Tensor, num_users: int, num_nodes: int, channels: int, layers: int, weight: float) -> None:
        super().__init__(num_users, weight)
        self.users = nn.Embedding(num_users, channels)
        self.items = nn.Embedding(num_nodes - num_users, channels)
        self.layers = layers
        scale = edge_index[0].bincount(minlength=num_nodes).float().rsqrt()
        value = scale[edge_index[0]] * scale[edge_index[1]]
        shape = num_nodes, num_nodes
        self.graph = torch.sparse_coo_tensor(edge_index, value, shape, check_invariants=False).coalesce()

    def embeddings(self) -> tuple[Tensor, Tensor]:
        """Final embeddings of users [U, C] and items [I, C]."""
        layers = [torch.cat([self.users.weight, self.items.weight])]
        for _ in range(self.layers):
            layers.append(torch.sparse.mm(self.graph, layers[-1]))
        users, items = torch.stack(layers, dim=1).mean(dim=1).split([self.users.num_embeddings, self.items.num_embeddings])
        return users, items

    def loss(self, batch: Triples) -> Tensor:
        """See `Peer.loss`."""
        users, items = self.embeddings()
        negatives = batch.negatives.flatten()
        user, positive, negative = users[batch.users], items[batch.positives], items[negatives]
        ego = self.users(batch.users), self.items(batch.positives), self.items(negatives)
        penalty = sum(part.norm(2).pow(2) for part in ego) / (2 * len(negatives))
        loss = functional.softplus((user * negative).sum(1) - (user * positive).sum(1)).mean()
        return loss + self.weight * penalty

    def _parts(self, table: Tensor) -> tuple[Tensor, ...]:
        return tuple(table.split([self.users.num_embeddings, self.items.num_embeddings]))
