from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from graphkit.layers import DirectedPatternAggregation
from graphkit.layers.patterns import PATTERNS, propagate_patterns
from graphkit.sparse.csr import CSR
from tests.layers.oracle import messy_graph
from tests.layers.test_attention import assert_equal_with_gradients

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


def layer_oracle(layer: DirectedPatternAggregation, x: Tensor, matrices: list[Tensor]) -> Tensor:
    """Node by node, with the concatenations of the docstring."""
    rows = []
    all_hops = [dense_hops(x, matrix, layer.num_hops, layer.decay) for matrix in matrices]
    for i in range(N):
        parts = []
        for p in range(7):
            z = x[i]
            if p < 6:
                own = [hop[i] for hop in all_hops[p]]
                scores = [torch.sigmoid(layer.hop_scores[p](torch.cat([*own, one]))) for one in own]
                total = sum(score.exp() for score in scores)
                z = sum(score.exp() / total * one for score, one in zip(scores, own, strict=True))
            for linear in (layer.first[p], *layer.rest[p]):
                z = linear(z).clamp(min=0.0)
            parts.append(z)
        if layer.pattern_weight is not None:
            shares = list(layer.pattern_weight)
        else:
            scores = [torch.sigmoid(layer.pattern_score(torch.cat([*parts, part]))).exp() for part in parts]
            shares = [score / sum(scores) for score in scores]
        rows.append(torch.cat([share * part for share, part in zip(shares, parts, strict=True)]))
    return torch.stack(rows)


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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"pattern_attention": "node"},
        {"num_hops": 3, "decay": False, "exponent": 0.0},
        {"num_hops": 1, "num_layers": 2, "exponent": 0.42749},
    ],
    ids=["default", "node", "hops", "layers"],
)
def test_directed_pattern_aggregation_equals_dense_oracle(arguments: dict[str, Any], weighted: bool) -> None:
    torch.manual_seed(1)
    layer = DirectedPatternAggregation(4, 3, **arguments).double()
    x = torch.randn(N, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(EDGES.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    expected = layer_oracle(layer, x, dense_patterns(EDGES, weight, layer.exponent))
    inputs = [x, *layer.parameters(), *([] if weight is None else [weight])]
    assert_equal_with_gradients(layer(x, EDGES, weight), expected, inputs)


def test_hop_attention_of_a_node_is_its_own() -> None:
    """The released code reads scores that come hop by hop [(K + 1) N] as rows of nodes: nodes then share scores."""
    torch.manual_seed(0)
    layer = DirectedPatternAggregation(4, 3, num_hops=2).double()
    x = torch.randn(N, 4, dtype=torch.float64)
    hops = layer.propagated(x, EDGES)
    ours = layer._attend_hops(x, hops)[2]
    own = [x, *hops[2]]
    scores = [torch.sigmoid(layer.hop_scores[2](torch.cat([*own, one], dim=1))) for one in own]
    by_node = torch.cat(scores).view(3, N).t().softmax(1)
    mixed_up = torch.cat(scores).view(N, 3).softmax(1)
    stacked = torch.stack(own, dim=1)
    torch.testing.assert_close(ours, layer.first[2]((by_node.unsqueeze(-1) * stacked).sum(1)))
    assert not torch.allclose(ours, layer.first[2]((mixed_up.unsqueeze(-1) * stacked).sum(1)))
    # Another node's features do not move it, as long as no pattern leads from there to here.
    isolated = x.clone()
    isolated[0] += 1.0  # node 0 has no edge
    moved = layer._attend_hops(isolated, layer.propagated(isolated, EDGES))[2]
    torch.testing.assert_close(moved[1:], ours[1:])


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often patterns were propagated."""
    calls: list[int] = []

    def counting(*arguments: Any) -> Any:
        calls.append(1)
        return propagate_patterns(*arguments)

    monkeypatch.setattr("graphkit.layers.patterns.propagate_patterns", counting)
    return calls


def test_propagation_is_made_once_for_a_graph_and_its_features(built: list[int]) -> None:
    layer, x, edges = DirectedPatternAggregation(4, 3), torch.randn(N, 4), EDGES.clone()
    first = layer(x, edges)
    first.sum().backward()
    with torch.inference_mode():
        layer(x, edges)
    layer(x, edges).sum().backward()
    assert torch.equal(layer(x, edges), first)
    assert len(built) == 1


def test_a_first_call_in_inference_mode_serves_training(built: list[int]) -> None:
    layer, x = DirectedPatternAggregation(4, 3), torch.randn(N, 4)
    graph = CSR.from_edge_index(EDGES, N)
    with torch.inference_mode():
        layer(x, graph)
    layer(x, graph).sum().backward()
    assert len(built) == 1


@pytest.mark.parametrize("change", ["other x", "x in place", "other graph", "graph in place", "other weights"])
def test_propagation_is_made_anew_when_anything_changed(change: str, built: list[int]) -> None:
    layer, x, edges, weight = DirectedPatternAggregation(4, 3), torch.randn(N, 4), EDGES.clone(), None
    before = layer(x, edges)
    if change == "other x":
        x = x + 1
    elif change == "x in place":
        x += 1
    elif change == "other graph":
        edges = edges[:, 3:].clone()
    elif change == "graph in place":
        edges[:, :4] = edges[:, :4].flip(0)
    else:
        weight = torch.rand(edges.size(1))
    after = layer(x, edges, weight)
    assert len(built) == 2
    assert not torch.allclose(before, after)
    fresh = copy.deepcopy(layer)(x.clone(), edges.clone(), weight)
    torch.testing.assert_close(after, fresh)


def test_gradients_of_features_are_never_from_memory(built: list[int]) -> None:
    layer, x = DirectedPatternAggregation(4, 3), torch.randn(N, 4)
    layer(x, EDGES)
    leaf = x.clone().requires_grad_()
    for _ in range(2):
        layer(leaf, EDGES).sum().backward()
    assert len(built) == 3 and leaf.grad is not None and bool(leaf.grad.count_nonzero())


def test_copies_carry_no_features(built: list[int]) -> None:
    layer, x = DirectedPatternAggregation(4, 3), torch.randn(500, 4)
    expected = layer(x, EDGES)
    assert len(pickle.dumps(layer)) < 20_000
    torch.testing.assert_close(copy.deepcopy(layer)(x, EDGES), expected)
    assert len(built) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_hops": 0}, "num_hops and num_layers must be at least 1, got 0 and 1"),
        ({"num_layers": 0}, "num_hops and num_layers must be at least 1"),
        ({"exponent": 1.5}, r"exponent must lie in \[0, 1\]"),
        ({"dropout": 1.0}, r"dropout in \[0, 1\)"),
        ({"pattern_attention": "mean"}, "pattern_attention must be 'scalar' or 'node', got 'mean'"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DirectedPatternAggregation(4, 3, **arguments)
    with pytest.raises(ValueError, match="widths must be at least 1"):
        DirectedPatternAggregation(0, 3)
    with pytest.raises(ValueError, match=r"x must have shape \[N, 4\], got \[11, 5\]"):
        DirectedPatternAggregation(4, 3)(torch.randn(N, 5), EDGES)


def test_repr() -> None:
    layer = DirectedPatternAggregation(3, 5, pattern_attention="node")
    expected = "DirectedPatternAggregation(3, 5, num_hops=2, exponent=0.5, decay=True, pattern_attention='node')"
    assert repr(layer) == expected
