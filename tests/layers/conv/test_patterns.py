from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from graphkit.layers.conv.patterns import PATTERNS, propagate_patterns
from graphkit.sparse import CSR
from tests.layers.conv.test_gat import assert_equal_with_gradients
from tests.layers.oracle import messy_graph

N = 11
EDGES = messy_graph()[0]


def dense_patterns(edge_index: Tensor, edge_weight: Tensor | None, exponent: float) -> list[Tensor]:
    """The six normalized matrices, one entry at a time, with A[source, target]."""
    a = torch.zeros(N, N, dtype=torch.float64)
    for e, (source, target) in enumerate(edge_index.t().tolist()):
        one = torch.zeros(N, N, dtype=torch.float64)
        one[source, target] = 1.0
        a = a + one * (1.0 if edge_weight is None else edge_weight[e])
    eye = torch.eye(N, dtype=torch.float64)
    made = {"A": a + eye, "A^T": a.t() + eye, "AA": a @ a, "AA^T": a @ a.t(), "A^TA": a.t() @ a, "A^TA^T": a.t() @ a.t()}
    result = []
    for name in PATTERNS:
        p = made[name]
        total = [p[i].sum() for i in range(N)]

        def power(d: Tensor, r: float) -> Any:
            return 1.0 if r == 0 else d**r if d > 0 else 0.0

        rows = [torch.stack([power(total[i], exponent - 1) * p[i, j] * power(total[j], -exponent) for j in range(N)])
                for i in range(N)]  # fmt: skip
        result.append(torch.stack(rows))
    return result


def dense_hops(x: Tensor, matrix: Tensor, num_hops: int, decay: bool) -> list[Tensor]:
    hops = [x]
    for k in range(1, num_hops + 1):
        hops.append(matrix @ ((math.log(1 / k) + 1 + 1e-6 if decay else 1.0) * hops[-1]))
    return hops


@pytest.mark.parametrize("exponent", [0.5, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_propagation_equals_the_materialized_patterns(weighted: bool, exponent: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(N, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(EDGES.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    hops = propagate_patterns(CSR.from_edge_index(EDGES, N, weight), x, 2, exponent)
    assert len(hops) == len(PATTERNS) and all(len(one) == 2 for one in hops)
    matrices = dense_patterns(EDGES, weight, exponent)
    expected = torch.cat([torch.cat(dense_hops(x, matrix, 2, True)[1:]) for matrix in matrices])
    inputs = [x, *([] if weight is None else [weight])]
    assert_equal_with_gradients(torch.cat([torch.cat(one) for one in hops]), expected, inputs)


def test_paths_are_counted_and_diagonals_stay() -> None:
    """0 -> 1 -> 3 and 0 -> 2 -> 3: two paths from 0 to 3; 1 and 2 share both neighbors."""
    graph = CSR.from_edge_index(torch.tensor([[0, 0, 1, 2], [1, 2, 3, 3]]), 4)
    hops = propagate_patterns(graph, torch.eye(4, dtype=torch.float64), 1, 0.0, decay=False)
    found = dict(zip(PATTERNS, (one[0] for one in hops), strict=True))
    row = torch.tensor
    torch.testing.assert_close(found["AA"][0], row([0.0, 0.0, 0.0, 1.0]).double())  # D = 2 paths, divided by their number
    torch.testing.assert_close(found["AA^T"][1], row([0.0, 0.5, 0.5, 0.0]).double())
    torch.testing.assert_close(found["A^TA"][3], row([0.0, 0.0, 0.0, 1.0]).double())
    torch.testing.assert_close(found["A"][0], row([1.0, 1.0, 1.0, 0.0]).double() / 3)
    torch.testing.assert_close(found["A^T"][3], row([0.0, 1.0, 1.0, 1.0]).double() / 3)


def test_the_factors_of_the_hops() -> None:
    """Hop k is scaled by ln(1/k) + 1: 1, 0.307, -0.099, so that the third turns its sign; without decay by 1."""
    graph = CSR.from_edge_index(torch.zeros(2, 0, dtype=torch.long), 2)
    x = torch.ones(2, 1, dtype=torch.float64)
    decayed = propagate_patterns(graph, x, 4)[0]
    assert [one[0].item() for one in decayed] == pytest.approx([1.0, 0.3068, -0.0303, 0.0117], abs=1e-4)
    assert all(torch.equal(one, x) for one in propagate_patterns(graph, x, 4, decay=False)[0])


def test_no_product_of_matrices_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a star A^T A is full: what is stored stays as long as the edges, and one hop takes ten products."""
    n = 300
    hub = torch.stack([torch.zeros(n - 1, dtype=torch.long), torch.arange(1, n)])
    graph = CSR.from_edge_index(hub, n)
    sizes = []
    original = CSR.matmul
    monkeypatch.setattr(CSR, "matmul", lambda self, x: sizes.append((self.nnz, x.size(1))) or original(self, x))
    propagate_patterns(graph, torch.randn(n, 5), 1)
    assert {nnz for nnz, _ in sizes} == {n - 1}
    assert sum(width == 5 for _, width in sizes) == 10


def test_on_an_undirected_graph_patterns_coincide() -> None:
    both = torch.cat([EDGES, EDGES.flip(0)], dim=1).unique(dim=1)
    hops = propagate_patterns(CSR.from_edge_index(both, N), torch.randn(N, 2), 1)
    assert hops[0] is hops[1] and all(one is hops[2] for one in hops[2:])
    assert not torch.equal(hops[0][0], hops[2][0])
