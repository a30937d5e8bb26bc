from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from graphkit.layers import DirectedPatternAggregation
from graphkit.layers.conv.patterns import propagate_patterns
from graphkit.sparse import CSR
from tests.layers.conv.test_gat import assert_equal_with_gradients
from tests.layers.conv.test_patterns import EDGES, N, dense_hops, dense_patterns


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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"pattern_attention": "node"},
        {"num_hops": 3, "decay": False, "exponent": 0.0},
        {"num_hops": 1, "num_layers": 2, "exponent": 0.42749},
        {"out_channels": 4, "pattern_attention": "node"},
    ],
    ids=["default", "node", "hops", "layers", "wide"],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_directed_pattern_aggregation_equals_dense_oracle(arguments: dict[str, Any], weighted: bool, sparse: bool) -> None:
    torch.manual_seed(1)
    layer = DirectedPatternAggregation(4, **{"out_channels": 3, **arguments}).double()
    x = torch.randn(N, 4, dtype=torch.float64)
    x[x.abs() < (0.8 if sparse else 0.0)] = 0.0
    places = tuple(x.nonzero().t())
    value = x[places].requires_grad_()
    if sparse:
        given: Tensor | CSR = CSR.from_edge_index(torch.stack(places[::-1]), (N, 4), value)
    else:
        given = torch.zeros_like(x).index_put(places, value)
    x = torch.zeros_like(x).index_put(places, value)
    weight = torch.rand(EDGES.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    expected = layer_oracle(layer, x, dense_patterns(EDGES, weight, layer.exponent))
    inputs = [value, *layer.parameters(), *([] if weight is None else [weight])]
    assert_equal_with_gradients(layer(given, EDGES, weight), expected, inputs)


def test_sparse_features_are_propagated_in_the_width_of_the_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an undirected graph: three products with A a hop, for two and four branches of 3 + 2 columns, and for two scores."""
    layer, x = DirectedPatternAggregation(50, 3, num_hops=2), torch.zeros(N, 50).fill_diagonal_(1.0)
    both = CSR.from_edge_index(torch.cat([EDGES, EDGES.flip(0)], dim=1).unique(dim=1), N)
    bags = CSR.from_edge_index(x.nonzero().t().flip(0), (N, 50))
    torch.testing.assert_close(layer(bags, both), layer(x, both))
    widths = []
    original = CSR.matmul
    monkeypatch.setattr(CSR, "matmul", lambda self, x: widths.append(x.size(1)) or original(self, x))
    layer(bags, both)
    assert sorted(width for width in widths if width > 1) == [2 * 5, 2 * 6, 4 * 5, 4 * 5, 4 * 6, 4 * 6, 6 * 7 + 3]


@pytest.mark.parametrize(("width", "mapped"), [(3, 3), (4, 4), (5, 4)])
def test_hops_are_summed_in_the_narrower_width(width: int, mapped: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = DirectedPatternAggregation(width, 4), torch.randn(N, width)
    layer.propagated(x, EDGES)
    widths = set()
    original = Tensor.__mul__
    monkeypatch.setattr(Tensor, "__mul__", lambda a, b: widths.add(b.shape[-1]) or original(a, b))
    layer(x, EDGES)
    assert mapped in widths and (width in widths) == (width <= 4)


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

    monkeypatch.setattr("graphkit.layers.conv.adpa.propagate_patterns", counting)
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
    assert len(built) == 1  # what was made of x and the graph is theirs, whichever layer asks
    DirectedPatternAggregation(4, 3, num_hops=3)(x, EDGES)
    assert len(built) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_hops": 0}, "num_hops must be at least 1, got 0"),
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"exponent": 1.5}, r"exponent must lie in \[0, 1\]"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"pattern_attention": "mean"}, "pattern_attention must be one of scalar, node, got 'mean'"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DirectedPatternAggregation(4, 3, **arguments)
    with pytest.raises(ValueError, match="in_channels must be at least 1, got 0"):
        DirectedPatternAggregation(0, 3)
    with pytest.raises(ValueError, match=r"x must have shape \[N, 4\], got \[11, 5\]"):
        DirectedPatternAggregation(4, 3)(torch.randn(N, 5), EDGES)


def test_repr() -> None:
    layer = DirectedPatternAggregation(3, 5, pattern_attention="node")
    expected = "DirectedPatternAggregation(3, 5, num_hops=2, exponent=0.5, decay=True, pattern_attention='node')"
    assert repr(layer) == expected
