"""Compose layers of graphkit into a model of your own and train it on Zachary's karate club.

python examples/compose_layers.py
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.data import load
from graphkit.layers import GCNConv, SAGEConv
from graphkit.sparse import CSR, as_csr


class TwoViews(nn.Module):
    """Two readings of the same neighborhood, side by side, and a linear map on both."""

    def __init__(self, in_channels: int, hidden_channels: int, out_channels: int) -> None:
        super().__init__()
        self.smooth = GCNConv(in_channels, hidden_channels)
        self.contrast = SAGEConv(in_channels, hidden_channels)
        self.head = nn.Linear(2 * hidden_channels, out_channels)

    def forward(self, x: Tensor, adj: CSR | Tensor) -> Tensor:
        """Class scores [N, out_channels] of features [N, in_channels]."""
        both = torch.cat([self.smooth(x, adj), self.contrast(x, adj)], dim=1)
        return self.head(F.relu(both))


def main(epochs: int = 50) -> float:
    """Train for some epochs and return the test accuracy in percent."""
    torch.manual_seed(0)
    club = load("karate", task="node")
    x, y, train, test = club.data.x, club.data.y, club.splits["train"], club.splits["test"]
    # Any layer takes `edge_index` as it is; a CSR built once is normalized once, instead of in every step.
    adj = as_csr(club.data.edge_index, club.data.num_nodes)

    model = TwoViews(x.size(1), 16, int(y.max()) + 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        optimizer.zero_grad()
        F.cross_entropy(model(x, adj)[train], y[train]).backward()
        optimizer.step()

    with torch.no_grad():
        correct = model(x, adj).argmax(dim=1)[test] == y[test]
    return 100 * correct.float().mean().item()


if __name__ == "__main__":
    print(f"test accuracy: {main():.1f} %")
