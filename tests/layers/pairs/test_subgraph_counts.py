"""The score of BUDDY and ELPH: counts against distances from networkx, the head written out, and the authors' two slips."""

from __future__ import annotations

import networkx
import pytest
import torch
from torch import Tensor

from graphkit.layers import SubgraphCountScore
from graphkit.layers.pairs.subgraph_counts import distance_counts
from graphkit.sparse import CSR
from tests.layers.pairs.graphs import graph_and_pairs


def undirected() -> tuple[networkx.Graph, Tensor, Tensor, int]:
    edge_index, pairs, n = graph_and_pairs(num_nodes=50)
    edge_index = edge_index[:, :60]
    edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    graph = networkx.Graph(edge_index.t().tolist())
    graph.add_nodes_from(range(n))
    return graph, edge_index, pairs, n


def counted(graph: networkx.Graph, i: int, j: int, hops: int, near_one_end: bool) -> list[int]:
    """Node by node: its two distances, the node itself at distance 1, None beyond the last one."""
    from_i, from_j = (networkx.single_source_shortest_path_length(graph, end) for end in (i, j))
    places = [(max(from_i.get(v, 99), 1), max(from_j.get(v, 99), 1)) for v in graph]
    distances = range(1, hops + 1)
    both = [sum(place == (a, b) for place in places) for a in distances for b in distances]
    first = [sum(a == d and b > hops for a, b in places) for d in distances]
    second = [sum(b == d and a > hops for a, b in places) for d in distances]
    if not near_one_end:
        first[0] = second[0] = 0
    return [*both, *first, *second]


@pytest.mark.parametrize("near_one_end", [False, True])
@pytest.mark.parametrize("hops", [1, 2, 3])
def test_exact_counts_are_those_of_distances(hops: int, near_one_end: bool) -> None:
    """With three hops B(1, 0) and B(0, 1) are the ones that are blanked, not A(3, 1) and A(1, 3)."""
    graph, edge_index, pairs, n = undirected()
    layer = SubgraphCountScore(4, hops=hops, counts="exact", near_one_end=near_one_end)
    _, found = layer.pair_features((torch.zeros(n, 4),), _csr(edge_index, n), pairs)
    expected = [counted(graph, i, j, hops, near_one_end) for i, j in pairs.t().tolist()]
    assert found.long().tolist() == expected
    assert found.shape[1] == hops * (hops + 2)


def _csr(edge_index: Tensor, n: int) -> CSR:
    return CSR.from_edge_index(edge_index, n, duplicates="first")


@pytest.mark.parametrize("counts", ["exact", "sketches"])
@pytest.mark.parametrize("hops", [2, 3])
def test_a_pair_turned_round_has_its_counts_turned_round(hops: int, counts: str) -> None:
    """B(2, 0) is B(0, 2) of the pair turned round: A(1, 1) is taken off each of them once."""
    _, edge_index, pairs, n = undirected()
    adj = _csr(edge_index, n)
    layer = SubgraphCountScore(4, hops=hops, counts=counts, near_one_end=True)
    there, back = layer.count(adj, pairs), layer.count(adj, pairs.flip(0))
    square = hops * hops
    torch.testing.assert_close(
        back[:, :square].view(-1, hops, hops), there[:, :square].view(-1, hops, hops).transpose(1, 2), rtol=0, atol=1e-4
    )
    torch.testing.assert_close(back[:, square : square + hops], there[:, square + hops :], rtol=0, atol=1e-4)


def test_estimates_become_counts_by_the_same_sums() -> None:
    """Counts by inclusion and exclusion over all shorter distances, written as the paper has them."""
    generator = torch.Generator().manual_seed(0)
    sizes, left, right = torch.rand(5, 3, 3, generator=generator), *torch.rand(2, 5, 3, generator=generator)
    found = distance_counts(sizes, left, right, near_one_end=True)
    for p in range(5):
        a: dict[tuple[int, int], float] = {}
        for i in range(3):
            for j in range(3):
                shorter = sum(a[x, y] for x in range(i + 1) for y in range(j + 1) if (x, y) != (i, j))
                a[i, j] = float(sizes[p, i, j]) - shorter
        assert found[p, :9].tolist() == pytest.approx([a[i, j] for i in range(3) for j in range(3)], abs=1e-5)
        turned = {(j, i): count for (i, j), count in a.items()}
        for start, size, counts in ((9, left, a), (12, right, turned)):
            b: list[float] = []
            for d in range(3):
                b.append(float(size[p, d]) - sum(b) - sum(counts[x, y] for x in range(d + 1) for y in range(3)))
            assert found[p, start : start + 3].tolist() == pytest.approx(b, abs=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_equals_the_oracle_of_its_head(training: bool) -> None:
    torch.manual_seed(0)
    graph, edge_index, pairs, n = undirected()
    layer = SubgraphCountScore(6, counts="exact").double().train(training)
    for norm in (layer.count_norm, layer.product_norm):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
    h = torch.randn(n, 6, dtype=torch.float64, requires_grad=True)
    given = torch.tensor([counted(graph, i, j, 2, False) for i, j in pairs.t().tolist()], dtype=torch.float64)
    streams = []
    for lin, norm, z in (
        (layer.count_in, layer.count_norm, given),
        (layer.product_in, layer.product_norm, h[pairs[0]] * h[pairs[1]]),
    ):
        z = z @ lin.weight.t() + lin.bias
        mean = z.mean(0) if training else norm.running_mean.clone()
        var = z.var(0, unbiased=False) if training else norm.running_var.clone()
        streams.append(((z - mean) / (var + 1e-5).sqrt() * norm.weight + norm.bias).clamp(min=0))
    expected = (torch.cat(streams, dim=1) @ layer.out.weight.t() + layer.out.bias).squeeze(1)
    found = layer(h, _csr(edge_index, n), pairs)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    leaves = [h, *layer.parameters()]
    ours, theirs = (torch.autograd.grad(one.sin().sum(), leaves) for one in (found, expected))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_a_score_depends_on_its_own_pair_alone() -> None:
    torch.manual_seed(0)
    _, edge_index, pairs, n = undirected()
    layer, h = SubgraphCountScore(6).double().eval(), torch.randn(n, 6, dtype=torch.float64)
    adj = _csr(edge_index, n)
    scores = layer(h, adj, pairs)
    for part in (slice(0, 1), slice(5, 18)):
        torch.testing.assert_close(layer(h, adj, pairs[:, part]), scores[part], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hops": 0}, "hops"),
        ({"precision": 3}, "precision"),
        ({"counts": "all"}, "counts"),
        ({"count_dropout": 1.0}, "_d"),
    ],
)
def test_wrong_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SubgraphCountScore(4, **options)
