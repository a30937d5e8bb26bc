"""Topological concentration against loops over walks, dense powers, and the clustering coefficient."""

from __future__ import annotations

import networkx
import pytest
import torch

from graphkit.sparse import CSR
from graphkit.sparse.graph_measures import (
    approximate_concentration,
    clustering_coefficient,
    concentration,
    reweighted,
    topological_concentration,
)

N = 30


def graph() -> tuple[torch.Tensor, CSR, torch.Tensor]:
    """A dense matrix of edges, its operator, with a loop and one-way edges, and further pairs; the last nodes are isolated."""
    drawn = networkx.gnm_random_graph(N - 3, 60, seed=2)
    edges = torch.tensor(list(drawn.edges())).t()
    adj = CSR.from_edge_index(torch.cat([edges, torch.tensor([[4], [4]])], dim=1), N)
    targets = torch.randint(N, (2, 25), generator=torch.Generator().manual_seed(0))
    dense = torch.zeros(N, N, dtype=torch.float64)
    dense[edges[0], edges[1]] = dense[edges[1], edges[0]] = 1.0
    return dense, adj, targets[:, targets[0] != targets[1]]


def walks_from(near: list[list[int]], start: int, length: int) -> list[int]:
    """Where all walks of so many edges end, each end as often as there are walks."""
    ends = [start]
    for _ in range(length):
        ends = [v for u in ends for v in near[u]]
    return ends


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(("hops", "decay"), [(1, None), (2, None), (3, 0.3)])
def test_equals_a_loop_over_walks(hops: int, decay: float | None, own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concentration, "_ROWS", 7)
    dense, adj, targets = graph()
    near = [row.nonzero().flatten().tolist() for row in dense]
    beta = decay or N / float(dense.sum())
    pairs = {frozenset(pair) for pair in targets.t().tolist()}
    found = topological_concentration(adj, None if own else targets, hops=hops, decay=decay)
    for i in range(N):
        neighbors = near[i] if own else sorted({j for pair in pairs if i in pair for j in pair if j != i})
        shares = []
        for j in neighbors:
            shared, whole = 0.0, -1.0 if own else 0.0
            for k in range(1, hops + 1):
                mine = walks_from(near, i, k)
                for other in range(1, hops + 1):
                    reached = set(walks_from(near, j, other))
                    shared += beta ** (k + other - 2) * sum(u in reached for u in mine)
                    whole += beta ** (k + other - 2) * len(mine)
            shares.append(shared / whole if whole > 0 else 0.0)
        assert float(found[i]) == pytest.approx(sum(shares) / len(shares) if shares else 0.0, abs=1e-12)
    assert float(found.max()) > 0.05


def test_one_hop_is_clustering() -> None:
    _, adj, _ = graph()
    torch.testing.assert_close(topological_concentration(adj), clustering_coefficient(adj), rtol=0, atol=1e-12)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_projections_equal_dense_powers_and_approach_them(similarity: str) -> None:
    dense, adj, targets = graph()
    step = dense / dense.sum(1, keepdim=True).clamp(min=1)
    rows = step + 0.5 * step @ step

    def mean_over(near: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        if similarity == "cosine":
            seen = seen / seen.norm(dim=1, keepdim=True).clamp(min=1e-12)
        return (near * (seen @ seen.t())).sum(1) / near.sum(1).clamp(min=1)

    further = torch.zeros(N, N, dtype=torch.float64)
    further[targets[0], targets[1]] = further[targets[1], targets[0]] = 1.0
    options = {"decay": 0.5, "similarity": similarity}
    drawn = torch.randn(N, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) / 4.0
    for near, asked in ((dense, None), (further, targets)):
        found = approximate_concentration(adj, asked, dimension=16, seed=3, **options)
        torch.testing.assert_close(found, mean_over(near, rows @ drawn), rtol=0, atol=1e-12)
        many = approximate_concentration(adj, asked, dimension=40_000, **options)
        torch.testing.assert_close(many, mean_over(near, rows), rtol=0, atol=0.03)


def test_edges_are_weighed_up_by_their_share_of_the_row() -> None:
    generator = torch.Generator().manual_seed(1)
    adj = CSR.from_edge_index(torch.randint(N, (2, 80), generator=generator), N, torch.rand(80, generator=generator).double())
    adj = adj.without(torch.arange(0, adj.nnz, 6))
    scores = torch.randn(adj.nnz, dtype=torch.float64, generator=generator)
    found = reweighted(adj, scores, 0.7)
    dense, present = torch.zeros(N, N, dtype=torch.float64), torch.full((N, N), -torch.inf, dtype=torch.float64)
    dense[adj.row, adj.col] = adj.value
    kept = adj.mask
    present[adj.row[kept], adj.col[kept]] = scores[kept]
    share = present.softmax(dim=1).nan_to_num()
    expected = dense + 0.7 * share * dense.sum(1, keepdim=True)
    ours = torch.zeros_like(dense)
    ours[found.row, found.col] = found.value
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.row_sum(), 1.7 * adj.row_sum(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda adj: topological_concentration(adj, hops=0), "hops must be at least 1 and decay above 0"),
        (lambda adj: topological_concentration(adj, decay=0.0), "hops must be at least 1 and decay above 0"),
        (lambda adj: approximate_concentration(adj, similarity="jaccard"), "similarity one of cosine, dot"),
        (lambda adj: reweighted(adj, torch.zeros(3), 1.0), "scores must have shape"),
        (lambda adj: reweighted(adj, torch.zeros(adj.nnz), -1.0), "strength be at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(graph()[1])
