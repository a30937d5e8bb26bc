"""LightGCN's propagation inside a model of your own, with a loss of your own: a softmax over all items instead of pairs.

python examples/lightgcn_in_own_model.py
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.data import load
from graphkit.layers import LightGCNPropagation
from graphkit.metrics.ranking import ranking_metrics
from graphkit.sparse import CSR, as_csr
from graphkit.tasks.ranking import rank_items


class SoftmaxRecommender(nn.Module):
    """Cosine similarity of propagated embeddings, with learned weights of the rounds and a learned temperature."""

    def __init__(self, num_users: int, num_items: int, channels: int) -> None:
        super().__init__()
        self.sizes = [num_users, num_items]
        self.embedding = nn.Embedding(num_users + num_items, channels)
        self.propagation = LightGCNPropagation(num_layers=2, weights="learned")
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, adj: CSR | Tensor) -> tuple[Tensor, Tensor]:
        """Users [U, C] and items [I, C] of length one; their inner products rank."""
        user, item = F.normalize(self.propagation(self.embedding.weight, adj)).split(self.sizes)
        return user, item

    def loss(self, adj: CSR | Tensor, users: Tensor, items: Tensor) -> Tensor:
        """Cross entropy of the item that each user [B] took [B] among all items."""
        user, item = self(adj)
        return F.cross_entropy(self.log_scale.exp() * user[users] @ item.T, items)


def main(epochs: int = 30) -> float:
    """Train for some epochs and return recall@20 of the test items in percent."""
    torch.manual_seed(0)
    planted = load("planted-interactions", task="recommend")
    num_users, num_items = planted.data.num_users, planted.data.num_items
    adj = as_csr(planted.data.edge_index, num_users + num_items)  # training interactions alone, items after users
    train, test = planted.splits["train"], planted.splits["test"]

    model = SoftmaxRecommender(num_users, num_items, 32)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(epochs):
        optimizer.zero_grad()
        model.loss(adj, *train).backward()
        optimizer.step()

    with torch.no_grad():
        user, item = model(adj)
    # Operators have targets as rows: an "edge" from item to user puts users first.
    seen, relevant = (CSR.from_edge_index(pairs.flip(0), (num_users, num_items)) for pairs in (train, test))
    everybody = torch.arange(num_users)
    top = rank_items(lambda users: user[users] @ item.T, everybody, num_items, 20, seen)[1]
    return ranking_metrics(["recall@20"], top, everybody, relevant)["recall@20"]


if __name__ == "__main__":
    print(f"test recall@20: {main():.1f} %")
