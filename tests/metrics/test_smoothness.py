import math

import pytest
import torch

from graphkit.layers import SheafDiffusion
from graphkit.metrics.smoothness import dirichlet_energy, rayleigh_quotient
from graphkit.sparse import CSR

TRIANGLE_AND_TAIL = torch.tensor([[0, 1, 2, 3], [1, 2, 0, 2]])  # each edge in one direction; node 4 stands alone
NODES = 5


def both_ways(edges: torch.Tensor) -> torch.Tensor:
    return torch.cat([edges, edges.flip(0)], dim=1)


def edge_sum(x: torch.Tensor, edges: torch.Tensor, weight: torch.Tensor) -> float:
    """The definition, an edge after the other."""
    degree = [0.0] * x.size(0)
    for (i, j), w in zip(edges.t().tolist(), weight.tolist(), strict=True):
        degree[i] += w
        degree[j] += w
    total = 0.0
    for (i, j), w in zip(edges.t().tolist(), weight.tolist(), strict=True):
        for a, b in zip(x[i].tolist(), x[j].tolist(), strict=True):
            total += w * (a / math.sqrt(degree[i] + 1) - b / math.sqrt(degree[j] + 1)) ** 2
    return total / sum(value**2 for row in x.tolist() for value in row)


def signal(width: int = 4) -> torch.Tensor:
    return torch.randn(NODES, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("edges", [TRIANGLE_AND_TAIL, both_ways(TRIANGLE_AND_TAIL)], ids=["one way", "both ways"])
def test_energy_is_the_sum_over_edges(edges: torch.Tensor):
    loops = torch.tensor([[0, 4], [0, 4]])
    x = signal()
    expected = edge_sum(x, TRIANGLE_AND_TAIL, torch.ones(4))
    assert dirichlet_energy(x, torch.cat([edges, loops], dim=1)) == pytest.approx(expected, abs=1e-12)
    assert dirichlet_energy(x.float(), edges) == pytest.approx(edge_sum(x.float(), TRIANGLE_AND_TAIL, torch.ones(4)), abs=1e-12)


def test_energy_with_weights():
    weight = torch.tensor([0.5, 2.0, 0.0, 3.0], dtype=torch.float64)
    adj = CSR.from_edge_index(both_ways(TRIANGLE_AND_TAIL), NODES, weight.repeat(2))
    assert dirichlet_energy(signal(), adj) == pytest.approx(edge_sum(signal(), TRIANGLE_AND_TAIL, weight), abs=1e-12)


def test_energy_of_smooth_of_scaled_and_of_vanished_signals():
    degree = torch.tensor([2.0, 2.0, 3.0, 1.0, 0.0], dtype=torch.float64)
    smooth = (degree + 1).sqrt().unsqueeze(1) * torch.tensor([1.0, -2.0], dtype=torch.float64)
    assert dirichlet_energy(smooth, TRIANGLE_AND_TAIL) == pytest.approx(0.0, abs=1e-15)
    assert dirichlet_energy(1e-9 * signal(), TRIANGLE_AND_TAIL) == pytest.approx(dirichlet_energy(signal(), TRIANGLE_AND_TAIL))
    assert math.isnan(dirichlet_energy(torch.zeros(NODES, 2), TRIANGLE_AND_TAIL))


@pytest.mark.parametrize("maps", ["identity", "general"])
def test_rayleigh_quotient_of_a_sheaf_is_that_of_its_matrix(maps: str):
    layer = SheafDiffusion(4, stalk_dim=2, maps=maps).double()
    x = signal()
    laplacian = layer.sheaf(x, TRIANGLE_AND_TAIL)
    dense = laplacian.to_sparse().to_dense()
    stacked = x.reshape(NODES * 2, 2)  # node v owns rows 2 v and 2 v + 1
    expected = (torch.einsum("ic,ij,jc->", stacked, dense, stacked) / stacked.square().sum()).detach()
    assert rayleigh_quotient(x, laplacian) == pytest.approx(float(expected), abs=1e-12)
    if maps == "identity":
        assert rayleigh_quotient(x, laplacian) == pytest.approx(dirichlet_energy(x, TRIANGLE_AND_TAIL), abs=1e-12)
