"""Homophily against plain loops, small cases worked out by hand, and the publishers' tables."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from graphkit.data import load
from graphkit.data.measures import homophily

NAN = float("nan")


def random_graph(seed: int, directed: bool):
    """Edges with repeats and self-loops, isolated nodes, unlabeled nodes, and class numbers with gaps."""
    rng = np.random.default_rng(seed)
    num_nodes = 14
    pairs = [(int(u), int(v)) for u, v in rng.integers(num_nodes - 2, size=(40, 2))]
    edges = sorted(set(pairs) if directed else {*pairs, *((v, u) for u, v in pairs)})
    y = [int(label) for label in rng.choice([-1, 0, 2, 5], p=[0.15, 0.3, 0.3, 0.25], size=num_nodes)]
    return edges, y


def counted(edges, y):
    return [(u, v) for u, v in edges if u != v and y[u] >= 0 and y[v] >= 0]


def loop_edge(edges, y):
    edges = counted(edges, y)
    return sum(y[u] == y[v] for u, v in edges) / len(edges)


def loop_node(edges, y):
    shares = []
    for node in range(len(y)):
        neighbors = [v for u, v in counted(edges, y) if u == node]
        if neighbors:
            shares.append(sum(y[v] == y[node] for v in neighbors) / len(neighbors))
    return sum(shares) / len(shares)


def loop_class_insensitive(edges, y):
    labels = sorted({label for label in y if label >= 0})
    labeled = sum(label >= 0 for label in y)
    total = 0.0
    for label in labels:
        own = [(u, v) for u, v in counted(edges, y) if y[u] == label]
        share = sum(y[v] == label for _, v in own) / len(own) if own else 0.0
        total += max(0.0, share - sum(other == label for other in y) / labeled)
    return total / (len(labels) - 1)


def loop_adjusted(edges, y):
    pairs = counted(edges, y)
    out, into = Counter(y[u] for u, _ in pairs), Counter(y[v] for _, v in pairs)
    expected = sum(out[label] * into[label] for label in out) / len(pairs) ** 2
    return (loop_edge(edges, y) - expected) / (1 - expected)


def loop_informativeness(edges, y):
    pairs = counted(edges, y)
    joint = {key: count / len(pairs) for key, count in Counter((y[u], y[v]) for u, v in pairs).items()}
    source = {key: count / len(pairs) for key, count in Counter(y[u] for u, _ in pairs).items()}
    target = {key: count / len(pairs) for key, count in Counter(y[v] for _, v in pairs).items()}
    information = sum(share * math.log(share / (source[a] * target[b])) for (a, b), share in joint.items())
    return information / -sum(share * math.log(share) for share in source.values())


def loop_two_step(edges, y):
    """Every walk of two steps, by its pattern, counted one by one."""
    steps = [(u, v) for u, v in edges if u != v]
    back = [(v, u) for u, v in steps]
    patterns = {"A At": (steps, back), "At A": (back, steps), "A A": (steps, steps), "At At": (back, back)}
    found = {}
    for name, (first, second) in patterns.items():
        shares = []
        for node in range(len(y)):
            ends = [w for u, v in first if u == node for x, w in second if x == v and y[w] >= 0]
            if y[node] >= 0 and ends:
                shares.append(sum(y[w] == y[node] for w in ends) / len(ends))
        found[name] = sum(shares) / len(shares)
    return found


LOOPS = {
    homophily.edge_homophily: loop_edge,
    homophily.node_homophily: loop_node,
    homophily.class_insensitive_homophily: loop_class_insensitive,
    homophily.adjusted_homophily: loop_adjusted,
    homophily.label_informativeness: loop_informativeness,
    homophily.two_step_homophily: loop_two_step,
}


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("measure", LOOPS, ids=lambda measure: measure.__name__)
def test_equal_to_plain_loops(measure, seed, directed):
    edges, y = random_graph(seed, directed)
    ours = measure(torch.tensor(edges).T, torch.tensor(y))
    assert ours == pytest.approx(LOOPS[measure](edges, y), abs=1e-12)


def test_of_an_undirected_graph_all_two_steps_are_equal():
    edges, y = random_graph(9, directed=False)
    values = homophily.two_step_homophily(torch.tensor(edges).T, torch.tensor(y)).values()
    assert max(values) - min(values) < 1e-12


def test_extremes():
    two_pairs = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    alike, crossed = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    values = [[measure(two_pairs, y) for measure in list(LOOPS)[:5]] for y in (alike, crossed)]
    assert values == [[1, 1, 1, 1, 1], [0, 0, 0, -1, 1]]  # a neighbor of the other class tells as much as one of the own


@pytest.mark.parametrize("y", [[-1, -1, 0], [3, 3, 3], [0, 1, -1]])
def test_what_is_undefined_is_nan(y):
    """No counted edge, a single class, and no counted edge though two classes."""
    edges = torch.tensor([[0, 1, 1], [1, 1, 2]]) if y[0] == y[1] else torch.tensor([[0, 1], [2, 2]])
    values = [measure(edges, torch.tensor(y)) for measure in (homophily.adjusted_homophily, homophily.label_informativeness)]
    assert values == pytest.approx([NAN, NAN], nan_ok=True)
    assert math.isnan(homophily.class_insensitive_homophily(edges, torch.tensor(y)))


@pytest.mark.parametrize("measure", LOOPS, ids=lambda measure: measure.__name__)
@pytest.mark.parametrize(
    ("edges", "y", "says"),
    [
        ([[0, 3], [1, 0]], [0, 1, 0], "outside of 0 to 2"),
        ([[0, -1], [1, 0]], [0, 1, 0], "outside of 0 to 2"),
        ([0, 1], [0, 1], "edges \\[2, E\\]"),
        ([[0], [1]], [[0], [1]], "labels \\[N\\]"),
    ],
)
def test_wrong_arguments(measure, edges, y, says):
    with pytest.raises(ValueError, match=says):
        measure(torch.tensor(edges), torch.tensor(y))


PUBLISHED = [  # edge homophily, adjusted homophily, label informativeness
    ("minesweeper", 0.68, 0.01, 0.00),  # the publisher's README
    ("tolokers", 0.59, 0.09, 0.01),
    ("cora-geom", 0.81, None, None),  # the table of "Neural Sheaf Diffusion"
    ("citeseer-geom", 0.74, None, None),
    ("squirrel", 0.22, None, None),
    ("chameleon", 0.23, None, None),
    ("actor", 0.22, None, None),
]


@pytest.mark.parametrize(("name", "edge", "adjusted", "informativeness"), PUBLISHED)
@pytest.mark.data("heterophilous_npz", "HeterophilousGraphDataset", "Planetoid", "geom_gcn_splits")
def test_published_values(name, edge, adjusted, informativeness, data_root):
    data = load(name, task="node", root=data_root).data
    assert abs(homophily.edge_homophily(data.edge_index, data.y) - edge) < 0.0051
    if adjusted is not None:
        assert abs(homophily.adjusted_homophily(data.edge_index, data.y) - adjusted) < 0.005
        assert abs(homophily.label_informativeness(data.edge_index, data.y) - informativeness) < 0.005
