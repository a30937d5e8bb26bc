"""Count triangles: a GIN cannot, a network on subgraphs learns it from a few hundred random graphs in a minute.

python examples/count_cycles.py
"""

import torch
from torch import Tensor, nn

from graphkit.data.generated.counting import CountingSet, counting_set
from graphkit.layers import PRESETS, BagFeatures, SubgraphConv, SubgraphPooling
from graphkit.sparse.egonets import Bags, whole_bags


class Counter(nn.Module):
    """Layers on bags of marked graphs, and two sums. Without marks every bag is the plain graph: a GIN, many times over."""

    def __init__(self, aggregations: tuple[str, ...], marks: bool, width: int = 32, num_layers: int = 3) -> None:
        super().__init__()
        self.first = BagFeatures(width, "mark" if marks else "none")
        self.layers = nn.ModuleList(SubgraphConv(width, width, aggregations) for _ in range(num_layers))
        self.pool = SubgraphPooling(width, inner="mean", outer="sum")
        self.head = nn.Linear(width, 1)

    def forward(self, bags: Bags) -> Tensor:
        """One number per graph [G]."""
        h = self.first(torch.ones(bags.num_nodes, self.first.channels), bags)
        for layer in self.layers:
            h = layer(h, bags)
        return self.head(self.pool(h, bags)).squeeze(1)


def bags_of(data: CountingSet, graphs: Tensor) -> Bags:
    """The bags of some graphs: one per node, each the whole graph."""
    sizes = data.ptr.diff()[graphs]
    start = sizes.cumsum(0) - sizes
    nodes = torch.arange(int(sizes.sum())) + (data.ptr[graphs] - start).repeat_interleave(sizes)
    new = torch.full((int(data.ptr[-1]),), -1).scatter(0, nodes, torch.arange(nodes.numel()))
    edges = new[data.edge_index]
    return whole_bags(edges[:, edges[0] >= 0], torch.cat([start, sizes.sum().view(1)]))


def train(model: nn.Module, data: CountingSet, epochs: int) -> float:
    """Mean absolute error on the test graphs, in standard deviations of the counts."""
    batches = [
        (bags_of(data, part), data.y[part])
        for part in data.splits["train"][torch.randperm(len(data.splits["train"]))].split(32)
    ]
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for bags, y in batches:
            optimizer.zero_grad()
            nn.functional.l1_loss(model(bags), y).backward()
            optimizer.step()
        schedule.step()
    model.eval()
    test = data.splits["test"]
    with torch.no_grad():
        return float(nn.functional.l1_loss(model(bags_of(data, test)), data.y[test]))


def main(num_graphs: int = 800, epochs: int = 40) -> dict[str, float]:
    """Test errors of both networks; 1 standard deviation is what guessing one number gives, about."""
    data = counting_set("triangle", num_graphs=num_graphs)
    found = {}
    for name, aggregations, marks in (("gin", ("uL",), False), ("sswl", PRESETS["sswl"].aggregations, True)):
        torch.manual_seed(0)
        found[name] = train(Counter(aggregations, marks), data, epochs)
        print(f"{name:>5}: test error {found[name]:.3f} standard deviations")
    return found


if __name__ == "__main__":
    main()
