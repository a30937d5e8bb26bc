"""Untrained networks of the presets separate the pairs of graphs that theory says they separate, and no others.

Verdicts of each class are those of exact color refinement on the same pairs (Zhang et al., ICML 2023, order their classes so).
"""

import itertools

import networkx as nx
import pytest
import torch

from graphkit.layers import PRESETS, BagFeatures, SubgraphPooling, make_bags


def fuerer(base, twisted):
    """Nodes (v, S), S an even set of edges at v; (u, S) - (v, T) along edge e where both or neither have e, but for a twist."""
    base = [tuple(map(int, edge)) for edge in base.split()]
    at = {v: [e for e in base if v in e] for v in sorted(set(itertools.chain(*base)))}
    nodes = [
        (v, frozenset(s)) for v, near in at.items() for k in range(0, len(near) + 1, 2) for s in itertools.combinations(near, k)
    ]
    graph = nx.Graph()
    graph.add_nodes_from(nodes)
    for e in base:
        ends = [[node for node in nodes if node[0] == v] for v in e]
        for one, two in itertools.product(*ends):
            if ((e in one[1]) == (e in two[1])) != (twisted and e == base[0]):
                graph.add_edge(one, two)
    return graph


def rook_and_shrikhande():
    cells = list(itertools.product(range(4), repeat=2))
    steps = [(0, 1), (1, 0), (1, 1)]
    shrikhande = nx.Graph(((a, b), ((a + s) % 4, (b + t) % 4)) for a, b in cells for s, t in steps)
    return nx.line_graph(nx.complete_bipartite_graph(4, 4)), shrikhande


def pairs(name):
    base = {"B1": "01 02 12 34 35 45 23", "B2": "01 05 12 15 23 24 34 45"}
    if name in base:
        return [fuerer(base[name], twisted) for twisted in (False, True)]
    if name == "rings":
        return nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3)), nx.cycle_graph(6)
    return rook_and_shrikhande()


def relabeled(graph, seed):
    graph = nx.convert_node_labels_to_integers(graph)
    order = torch.randperm(len(graph), generator=torch.Generator().manual_seed(seed))
    edges = order[torch.tensor(list(graph.edges)).t()]
    return torch.cat([edges, edges.flip(0)], dim=1), len(graph)


def embedding(preset, policy, graph, seed):
    edge_index, n = relabeled(graph, seed)
    bags = make_bags(edge_index, torch.tensor([0, n]), policy)
    torch.manual_seed(0)
    first = BagFeatures(16, "none" if policy == "edge-deleted" else "distance", max_distance=3)
    convs = [preset.conv(16, 16, norm=False, activation=False) for _ in range(5)]
    pool = SubgraphPooling(16, preset.order, level="node")
    h = first.double()(torch.ones(n, 16, dtype=torch.float64), bags)
    for conv in convs:
        h = conv.double()(h, bags)
        h = torch.tanh(h / h.abs().mean(0, keepdim=True))
    return pool.double()(h, bags).detach().square().mean(0)  # a ReLU whose inputs all have one sign would be linear


@pytest.mark.parametrize(
    ("name", "preset", "policy", "separated"),
    [
        ("rings", "swl", "distance", True),
        ("B1", "swl", "distance", False),
        ("B1", "swl-sv", "distance", True),
        ("B1", "gswl", "distance", True),
        ("B2", "swl-sv", "distance", False),
        ("B2", "pswl", "distance", False),
        ("B2", "gswl", "distance", False),
        ("B2", "sswl", "distance", True),
        ("B2", "sswl+", "distance", True),
        ("rook", "sswl+", "distance", False),
        ("rook", "ds", "edge-deleted", True),
        ("rook", "dss", "edge-deleted", True),
    ],
)
def test_presets_separate_what_theory_says(name, preset, policy, separated):
    one, two = (embedding(PRESETS[preset], policy, graph, seed) for seed, graph in enumerate(pairs(name)))
    copy = embedding(PRESETS[preset], policy, pairs(name)[0], 7)
    scale = one.abs().max()
    assert (one - copy).abs().max() < 1e-9 * scale
    difference = (one - two).abs().max()
    assert difference > 1e-6 * scale if separated else difference < 1e-9 * scale
