"""The assertion on two node sets passes on a sound layer and fails on layers that break just one of its properties."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.utils import to_edge_index

from graphkit import testing
from graphkit.sparse import CSR

Pair = tuple[Tensor, Tensor]


class Sound(nn.Module):
    """A sum over sources plus a linear map of the target, by gather and scatter; breaks nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.of_sources, self.of_targets = nn.Parameter(torch.randn(4, 2)), nn.Parameter(torch.randn(3, 2))

    def aggregate(self, x: Pair, edge_index: Tensor, weight: Tensor) -> Tensor:
        messages = (x[0] @ self.of_sources)[edge_index[0]] * weight[:, None]
        return messages.new_zeros(x[1].size(0), 2).index_add(0, edge_index[1], messages)

    def forward(self, x: Pair, adj: Tensor | CSR, edge_weight: Tensor | None = None) -> Tensor:
        if isinstance(adj, CSR):
            edge_weight, adj = adj.value, adj.edge_index()
        elif adj.layout == torch.sparse_csr:
            adj, edge_weight = to_edge_index(adj)
            adj = adj.flip(0)  # rows of the matrix are targets
        weight = x[0].new_ones(adj.size(1)) if edge_weight is None else edge_weight
        return self.aggregate(x, adj, weight) + x[1] @ self.of_targets


class KnowsSourcePositions(Sound):
    def aggregate(self, x: Pair, edge_index: Tensor, weight: Tensor) -> Tensor:
        return super().aggregate((x[0] * torch.arange(x[0].size(0))[:, None], x[1]), edge_index, weight)


class KnowsTargetPositions(Sound):
    def aggregate(self, x: Pair, edge_index: Tensor, weight: Tensor) -> Tensor:
        return super().aggregate(x, edge_index, weight) * torch.arange(x[1].size(0))[:, None]


class ReadsFirstEdge(Sound):
    def aggregate(self, x: Pair, edge_index: Tensor, weight: Tensor) -> Tensor:
        out = super().aggregate(x, edge_index, weight)
        return out * (1.0 + x[0][edge_index[0, 0], 0]) if edge_index.numel() else out


class IgnoresWeights(Sound):
    """Of a matrix."""

    def forward(self, x: Pair, adj: Tensor | CSR, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x, adj.edge_index() if isinstance(adj, CSR) else adj, edge_weight)


class CentersTargets(Sound):
    def forward(self, x: Pair, adj: Tensor | CSR, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward((x[0], x[1] - x[1].mean(0)), adj, edge_weight)


class HearsEverySource(Sound):
    def aggregate(self, x: Pair, edge_index: Tensor, weight: Tensor) -> Tensor:
        return super().aggregate(x, edge_index, weight) * (1.0 + x[0].sum())


class CountsTargets(Sound):
    def aggregate(self, x: Pair, edge_index: Tensor, weight: Tensor) -> Tensor:
        count = torch.tensor(x[1].size(0), dtype=x[0].dtype)
        return super().aggregate((x[0] * (count / count), x[1]), edge_index, weight)


class DropsRows(Sound):
    def forward(self, x: Pair, adj: Tensor | CSR, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x, adj, edge_weight)[:6]


class Detached(Sound):
    def forward(self, x: Pair, adj: Tensor | CSR, edge_weight: Tensor | None = None) -> Tensor:
        return super().forward(x, adj, edge_weight).detach()


@pytest.mark.parametrize("weighted", [False, True])
def test_a_sound_layer_passes(weighted: bool) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    testing.assert_two_node_sets(Sound, weighted=weighted)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (KnowsSourcePositions, "output differs after renaming the sources"),
        (KnowsTargetPositions, "output differs after renaming the targets"),
        (ReadsFirstEdge, "layout 'shuffled'"),
        (IgnoresWeights, "layout 'graphkit CSR'"),
        (CentersTargets, "of the isolated target 0 and the target alone"),
        (HearsEverySource, "the isolated source 0 influences the output"),
        (CountsTargets, "gradient of x_src is not finite without targets"),
        (DropsRows, "the output has 6 rows for 7 targets"),
        (Detached, "the output has no gradient"),
    ],
)
def test_a_broken_layer_is_caught(layer: type[nn.Module], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        testing.assert_two_node_sets(layer, weighted=True)


def test_random_bipartite_graph_has_its_corners() -> None:
    graph = testing.random_bipartite_graph((2, 3), (8, 6), weighted=True)
    assert graph.size == (8, 6) and graph.x_src.size(1) == 2 and graph.x_dst.size(1) == 3
    for ids, nodes in zip(graph.edge_index, graph.size, strict=True):
        degree = torch.bincount(ids, minlength=nodes)
        assert degree[0] == degree[-1] == 0 and degree.sum() > 0
    assert graph.edge_index.unique(dim=1).shape == graph.edge_index.shape
    assert graph.edge_weight is not None and 0.5 <= graph.edge_weight.min() < graph.edge_weight.max() < 1.5
    with pytest.raises(ValueError, match="at least 4 of each set"):
        testing.random_bipartite_graph(size=(9, 3))
