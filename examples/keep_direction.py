"""Is direction worth keeping on my graph? Ask a statistic, then ask two models.

python examples/keep_direction.py
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.data.measures.amud import amud
from graphkit.models.node.classic import SAGE
from graphkit.models.node.dir_gnn import DirGNN
from graphkit.sparse import CSR

CLASSES, NODES, OUT_DEGREE = 4, 600, 5


def planted_cycle(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Features, edges and classes: class c points to class c + 1, one edge in five anywhere.

    Without direction classes 0 and 2 have the same neighbors, and 1 and 3; with it all four differ.
    """
    y = torch.arange(NODES) % CLASSES
    source = torch.arange(NODES).repeat_interleave(OUT_DEGREE)
    steps = 1 + CLASSES * torch.randint(NODES // CLASSES, source.shape, generator=generator)
    stray = torch.rand(source.shape, generator=generator) < 0.2
    target = torch.where(stray, torch.randint(NODES, source.shape, generator=generator), (source + steps) % NODES)
    x = F.one_hot(y, CLASSES) + 1.5 * torch.randn(NODES, CLASSES, generator=generator)
    return x, torch.stack([source, target]), y


def accuracy(model: nn.Module, x: Tensor, edge_index: Tensor, y: Tensor, train: Tensor, epochs: int) -> float:
    """Train on some nodes and return the accuracy on the others in percent."""
    adj = CSR.from_edge_index(edge_index, x.size(0), duplicates="first")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
    for _ in range(epochs):
        optimizer.zero_grad()
        F.cross_entropy(model(x, adj)[train], y[train]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        correct = model(x, adj).argmax(dim=1) == y
    correct[train] = False
    return 100 * correct.sum().item() / (y.numel() - train.numel())


def main(epochs: int = 60) -> tuple[str, float, float]:
    """The statistic's decision, and test accuracies with direction and without."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    x, edge_index, y = planted_cycle(generator)
    train = torch.randperm(NODES, generator=generator)[: NODES // 2]

    # Labels of training nodes alone: what is tested later must not decide how.
    found = amud(edge_index, y, nodes=train)
    print(f"AMUD (our reconstruction): {found.score:.2f}, {found.decision}")

    directed = accuracy(DirGNN(CLASSES, CLASSES, conv="sage", hidden_channels=32), x, edge_index, y, train, epochs)
    both_ways = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    undirected = accuracy(SAGE(CLASSES, CLASSES, hidden_channels=32, dropout=0.0), x, both_ways, y, train, epochs)
    print(f"test accuracy with direction: {directed:.1f} %, without: {undirected:.1f} %")
    return found.decision, directed, undirected


if __name__ == "__main__":
    main()
