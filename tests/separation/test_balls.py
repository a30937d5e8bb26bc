"""SPEN's color refinement against dictionaries of fractions and loops over bags and pairs, and its network at that ceiling."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

from graphkit.conf.expressiveness import MODELS
from graphkit.errors import RequestError
from graphkit.separation.balls import ball_colors, rank_sums
from graphkit.separation.networks import NETWORKS
from graphkit.separation.refinement import graph_colors
from graphkit.separation.trained import Siamese, Training
from tests.separation.oracle import same_partition


def joined(graphs: list[nx.Graph]) -> tuple[torch.Tensor, torch.Tensor]:
    """Graphs side by side: both directions of all edges, and the boundaries of the nodes."""
    whole = nx.disjoint_union_all(graphs)
    edges = torch.tensor([[u, v] for u, v in whole.edges] + [[v, u] for u, v in whole.edges]).reshape(-1, 2).t()
    return edges, torch.tensor([0, *np.cumsum([len(graph) for graph in graphs])])


def literal(graphs: list[nx.Graph], hops: int) -> list[list[Any]]:
    """The color of every ball of every graph, round after round until as many rounds as nodes have passed."""
    balls = [[sorted(nx.ego_graph(graph, v, hops)) for v in sorted(graph)] for graph in graphs]
    pairs, nodes = {}, {}
    for g, graph in enumerate(graphs):
        for i, j in {(i, j) for ball in balls[g] for i in ball for j in ball}:
            pairs[g, i, j] = (i == j, graph.degree[i] * graph.degree[j] if graph.has_edge(i, j) else 0)
        nodes |= {(g, v): 0 for v in graph}

    def maps(g: int, ball: list[int], i: int, j: int) -> list[list[Any]]:
        p, n = lambda a, b: pairs[g, a, b], lambda a: nodes[g, a]
        found = [[p(i, j)], [p(j, i)], [p(v, v) for v in ball], [p(a, b) for a in ball for b in ball], [n(v) for v in ball]]
        for v in (i, j):
            found += [[p(v, v)], [n(v)], [p(v, w) for w in ball], [p(w, v) for w in ball]]
        return found

    def mean(given: list[list[list[Any]]], sizes: list[int]) -> tuple[Any, ...]:
        """Each map apart, of bags of each size apart: the mean count of each color."""
        out = []
        for number in range(len(given[0])):
            counts = Counter((size, color) for maps, size in zip(given, sizes, strict=True) for color in maps[number])
            out.append(tuple(sorted((key, Fraction(value, len(given))) for key, value in counts.items())))
        return tuple(out)

    for _ in range(max(map(len, graphs))):
        signatures: tuple[dict[Any, Any], dict[Any, Any]] = ({}, {})
        for g, i, j in pairs:
            holding = [ball for ball in balls[g] if i in ball and j in ball]
            signatures[0][g, i, j] = pairs[g, i, j], mean([maps(g, b, i, j) for b in holding], [len(b) for b in holding])
        for g, v in nodes:
            holding = [ball for ball in balls[g] if v in ball]
            signatures[1][g, v] = nodes[g, v], mean([maps(g, b, v, v) for b in holding], [len(b) for b in holding])
        names: tuple[dict[Any, int], dict[Any, int]] = ({}, {})
        pairs = {key: names[0].setdefault(value, len(names[0])) for key, value in signatures[0].items()}
        nodes = {key: names[1].setdefault(value, len(names[1])) for key, value in signatures[1].items()}

    def shares(colors: list[int]) -> tuple[Any, ...]:
        return tuple(sorted((color, Fraction(times, len(colors))) for color, times in Counter(colors).items()))

    found = []
    for g, own in enumerate(balls):
        whole = shares([c for key, c in pairs.items() if key[0] == g]), shares([c for key, c in nodes.items() if key[0] == g])
        found.append([
            (tuple(sorted(Counter(pairs[g, v, v] for v in ball).items())),
             tuple(sorted(Counter(pairs[g, a, b] for a in ball for b in ball).items())),
             tuple(sorted(Counter(nodes[g, v] for v in ball).items())), whole)
            for ball in own
        ])  # fmt: skip
    return found


@pytest.mark.parametrize("hops", [1, 2])
def test_colors_of_balls_equal_the_oracle(hops: int) -> None:
    graphs = [nx.gnp_random_graph(6, 0.4, seed=seed) for seed in range(3)]
    graphs += [nx.complete_bipartite_graph(3, 3), nx.circular_ladder_graph(3), nx.cycle_graph(6)]
    graphs += [nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3)), nx.empty_graph(2)]
    test = NETWORKS["spen"].on("spen", None, hops, None).ceiling
    assert (test.policy, test.hops) == ("ego", hops)
    theirs = literal(graphs, hops)
    ours = ball_colors(test.bags(*joined(graphs))).tolist()
    assert same_partition(ours, [color for of in theirs for color in of])
    assert same_partition(graph_colors(test, *joined(graphs)).tolist(), [tuple(sorted(Counter(of).items())) for of in theirs])


def test_counts_are_compared_as_proportions() -> None:
    target, source = np.array([0, 1, 1, 2, 2, 3]), np.array([0, 0, 0, 0, 1, 1])
    owner, color = np.array([0, 0, 1, 1, 1]), np.array([5, 7, 7, 5, 5])
    # 5, 7 | 5, 7 twice | 5, 7 and 5, 5, 7 | 5, 5, 7
    found = rank_sums(target, source, owner, color)
    assert found[0] == found[1] and len(set(found.tolist())) == 3


def test_its_bags_are_balls_of_one_hop_unless_asked() -> None:
    assert "spen" in MODELS and NETWORKS["spen"].on("spen", None, None, None).ceiling.hops == 1
    assert NETWORKS["ngnn"].on("ngnn", None, None, None).ceiling.hops == 2
    with pytest.raises(RequestError, match="policy=ego[+]: model=spen has no choice of bags, leave it out"):
        NETWORKS["spen"].on("spen", "ego+", None, None)


def test_it_can_be_trained() -> None:
    network = NETWORKS["spen"]
    torch.manual_seed(0)
    model = Siamese(network, Training(width=4, layers=2))
    graphs = [nx.complete_bipartite_graph(3, 3), nx.circular_ladder_graph(3)] * 2
    out = model(network.ceiling.bags(*joined(graphs)))
    (out[0] - out[1]).square().sum().backward()
    assert out.shape[0] == 4 and bool((out[0] - out[1]).abs().max() > 1e-3)
    assert all(parameter.grad is not None for parameter in model.parameters())
