"""Our layers in PyG's networks of several kinds of nodes: HeteroConv, to_hetero, and a block of sampled neighbors.

python examples/two_kinds_of_nodes.py
"""

import torch
from torch import Tensor, nn
from torch_geometric.data import HeteroData
from torch_geometric.nn import HeteroConv, MessagePassing, to_hetero

from graphkit.layers import GATConv, SAGEConv


def shop(num_users: int = 200, num_items: int = 80) -> HeteroData:
    """Users who buy items of their own taste, one of four, which their features do not tell; those of items do."""
    generator = torch.Generator().manual_seed(0)
    taste, kind = (torch.randint(4, (count,), generator=generator) for count in (num_users, num_items))
    data = HeteroData()
    data["user"].x, data["user"].y = torch.randn(num_users, 8, generator=generator), taste
    data["item"].x = nn.functional.one_hot(kind, 4).float() + 0.5 * torch.randn(num_items, 4, generator=generator)
    likes = torch.rand(num_users, num_items, generator=generator) < torch.where(taste[:, None] == kind, 0.3, 0.02)
    data["user", "buys", "item"].edge_index = likes.nonzero().T.contiguous()
    data["item", "bought_by", "user"].edge_index = data["user", "buys", "item"].edge_index.flip(0)
    return data


class PerKindOfEdge(nn.Module):
    """HeteroConv: one layer per kind of edge, whose outputs add up; the pair (x_src, x_dst) may differ in width."""

    def __init__(self) -> None:
        super().__init__()
        convs = {
            ("user", "buys", "item"): SAGEConv((-1, -1), 16),  # -1: taken from the first input
            ("item", "bought_by", "user"): GATConv((-1, -1), 16, add_self_loops=False),
        }
        self.conv, self.head = HeteroConv(convs), nn.Linear(16, 4)

    def forward(self, x: dict[str, Tensor], edges: dict[tuple[str, str, str], Tensor]) -> Tensor:
        """Scores of the users."""
        return self.head(self.conv(x, edges)["user"].relu())


class Wrapped(MessagePassing):
    """to_hetero copies those modules per kind of edge that are PyG's MessagePassing."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def reset_parameters(self) -> None:
        """As the layer does."""
        self.layer.reset_parameters()

    def forward(self, x: Tensor | tuple[Tensor, Tensor], edge_index: Tensor) -> Tensor:
        """The layer's."""
        return self.layer(x, edge_index)


class OneKind(nn.Module):
    """A network for one kind of nodes, which to_hetero rewrites."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Wrapped(SAGEConv((-1, -1), 16)), Wrapped(SAGEConv((-1, -1), 4))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Scores of the nodes."""
        return self.second(self.first(x, edge_index).relu(), edge_index)


def sampled_block(layer: SAGEConv, x_src: Tensor, x_dst: Tensor, edge_index: Tensor, targets: Tensor) -> Tensor:
    """A layer on some targets alone, with the sources that reach them: what a loader of sampled neighbors hands over."""
    kept = edge_index[:, torch.isin(edge_index[1], targets)]
    sources, source = kept[0].unique(return_inverse=True)
    block = torch.stack([source, torch.searchsorted(targets, kept[1])])
    return layer((x_src[sources], x_dst[targets]), block)


def main(epochs: int = 60) -> dict[str, float]:
    """Train both networks on half of the users, and return the accuracy on the others; check a block against the whole."""
    torch.manual_seed(0)
    data, found = shop(), {}
    x, edges, y = data.x_dict, data.edge_index_dict, data["user"].y
    train = torch.arange(len(y)) % 2 == 0
    for name, network in {"HeteroConv": PerKindOfEdge(), "to_hetero": to_hetero(OneKind(), data.metadata())}.items():
        with torch.no_grad():
            network(x, edges)  # settles the widths
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(epochs):
            optimizer.zero_grad()
            out = network(x, edges)
            scores = out["user"] if isinstance(out, dict) else out
            nn.functional.cross_entropy(scores[train], y[train]).backward()
            optimizer.step()
        found[name] = 100 * float((scores.argmax(1) == y)[~train].float().mean())
    layer, bought_by = SAGEConv((4, 8), 3), edges["item", "bought_by", "user"]
    targets = torch.arange(0, len(y), 7)
    block = sampled_block(layer, x["item"], x["user"], bought_by, targets)
    whole = layer((x["item"], x["user"]), bought_by)[targets]
    found["largest difference of the block"] = float((block - whole).detach().abs().max())
    return found


if __name__ == "__main__":
    for what, value in main().items():
        print(f"{what}: {value:.3g}")
