"""Compose a link predictor of your own from layers and train it on the digits' nearest-neighbor graph.

python examples/compose_link_model.py
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.data import check_leaks, load
from graphkit.layers import CommonNeighborScore, GCNConv
from graphkit.metrics.pairs import link_metric
from graphkit.sparse import CSR, as_csr


class Links(nn.Module):
    """One round of messages; pairs are scored by their product and their common neighbors."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = GCNConv(in_channels, channels)
        self.score = CommonNeighborScore(channels)

    def forward(self, x: Tensor, adj: CSR, pairs: Tensor) -> Tensor:
        """Scores of pairs [2, P]."""
        return self.score(F.relu(self.conv(x, adj)), adj, pairs)


def main(epochs: int = 30, batch: int = 1024) -> float:
    """Train for some epochs and return the area under the ROC curve of the test pairs, in percent."""
    torch.manual_seed(0)
    digits = load("digits", task="link")
    assert check_leaks(digits).clean
    x, edges, test = digits.data.x, digits.splits["train"].positive, digits.splits["test"]
    adj = as_csr(digits.data.edge_index, len(x))
    model = Links(x.size(1), 32)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    labels = torch.cat([torch.ones(batch), torch.zeros(batch)])
    for _ in range(epochs):
        positive = edges[:, torch.randperm(edges.size(1))[:batch]]
        pairs = torch.cat([positive, torch.randint(len(x), (2, batch))], dim=1)
        message = adj.without(adj.positions(positive), mirror=True)  # an edge that is asked for must not be seen
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(model(x, message, pairs), labels).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        return link_metric("roc-auc", model(x, adj, test.positive), model(x, adj, test.negative))


if __name__ == "__main__":
    print(f"test ROC-AUC: {main():.1f} %")
