"""Pairs of graphs that color refinement cannot tell apart, made from their constructions: no file, no download."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import networkx as nx
import numpy as np
import torch

from graphkit.data.graph import Graph
from graphkit.data.graph_pairs import GraphPair
from graphkit.data.splits.edges import both_directions

SKIPS = (2, 3, 4, 5, 6, 9, 11, 12, 13, 16)
"""Skips of the ten classes of circulant graphs on 41 nodes."""
CHAINS = (4, 6, 8)
"""Variables of the EXP cores."""
BASES = {
    "b1": "01 02 12 34 35 45 23",
    "b2": "01 05 12 15 23 24 34 45",
    "b3": "01 02 04 05 12 13 14 34 45",
    "b4": "01 05 15 16 23 24 26 34 46 56",
    "k4": "01 02 03 12 13 23",
}
"""Edges of the graphs under the Fuerer pairs. b1 to b4 are the smallest, of least degree 2, that separate two classes."""
_LATIN = {
    "cyclic-4": "0123 1230 2301 3012",
    "klein-4": "0123 1032 2301 3210",
    "cyclic-5": "01234 12340 23401 34012 40123",
    "other-5": "01234 10342 24013 32401 43120",
}
_SWITCHES = {"1": "01 23 45 67", "2": "01 12 23 34 45 56 67 07", "3": "01 12 02 34 45 56 67 37"}


def generated_pairs() -> list[GraphPair]:
    """All of them, by category: basic 5, csl 45, exp 3, fuerer 5, strongly-regular 9."""
    return [
        GraphPair(name, category, first, second) for category, make in _CATEGORIES.items() for name, first, second in make()
    ]


_Named = Iterator[tuple[str, Graph, Graph]]


def _basic() -> _Named:
    """Small regular graphs, and two carbon skeletons: decalin and bicyclopentyl have the same atoms with the same bonds."""
    triangles = nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3))
    yield "triangles-hexagon", _graph(triangles), _graph(nx.cycle_graph(6))
    decalin = nx.cycle_graph(10)
    decalin.add_edge(0, 5)
    bicyclopentyl = nx.disjoint_union(nx.cycle_graph(5), nx.cycle_graph(5))
    bicyclopentyl.add_edge(0, 5)
    yield "decalin-bicyclopentyl", _graph(decalin), _graph(bicyclopentyl)
    yield "k33-prism", _graph(nx.complete_bipartite_graph(3, 3)), _graph(nx.circular_ladder_graph(3))
    yield "moebius-cube", _graph(nx.circulant_graph(8, [1, 4])), _graph(nx.cubical_graph())
    yield "dodecahedron-desargues", _graph(nx.dodecahedral_graph()), _graph(nx.desargues_graph())


def _csl() -> _Named:
    """Cycles of 41 nodes with skip links: i is joined to i + 1 and i + R, modulo 41. Every two of the ten classes."""
    graphs = {skip: _graph(nx.circulant_graph(41, [1, skip])) for skip in SKIPS}
    for one, two in itertools.combinations(SKIPS, 2):
        yield f"csl-{one}-{two}", graphs[one], graphs[two]


def _exp() -> _Named:
    """The cores of EXP (Abboud et al., IJCAI 2021): a formula that can be satisfied, and one that cannot."""
    for length in CHAINS:
        yield f"exp-{length}", exp_core(length, satisfiable=True), exp_core(length, satisfiable=False)


def _fuerer() -> _Named:
    for name, base in BASES.items():
        yield f"fuerer-{name}", fuerer(base, twisted=False), fuerer(base, twisted=True)


def _strongly_regular() -> _Named:
    """Graphs that share their parameters (n, degree, common neighbors of adjacent and of other pairs)."""
    rook = nx.line_graph(nx.complete_bipartite_graph(4, 4))
    yield "rook-shrikhande", _graph(rook), shrikhande()
    chang = {"t8": chang_graph(""), **{f"chang{name}": chang_graph(pairs) for name, pairs in _SWITCHES.items()}}
    for one, two in itertools.combinations(chang, 2):
        yield f"{one}-{two}", chang[one], chang[two]
    yield "latin-4", latin_square_graph(_LATIN["cyclic-4"]), latin_square_graph(_LATIN["klein-4"])
    yield "latin-5", latin_square_graph(_LATIN["cyclic-5"]), latin_square_graph(_LATIN["other-5"])


_CATEGORIES: dict[str, Callable[[], _Named]] = {
    "basic": _basic,
    "csl": _csl,
    "exp": _exp,
    "fuerer": _fuerer,
    "strongly-regular": _strongly_regular,
}


def exp_core(length: int, *, satisfiable: bool) -> Graph:
    """The graph of a formula in L = `length` variables x_i: chains of implications, and clauses that join opposite ends.

        chain clauses   not x_i or x_(i+1)    i + 1 modulo L; satisfiable: two chains of L / 2, the second one backwards
        bridge clauses  x_i or x_j,  not x_i or not x_j    for j = L - 1 - i

    One chain makes all variables equal, which the bridges forbid. Nodes are literals and clauses, 4 L in all; edges join a
    literal with its negation and a clause with its literals.

    Args:
        length: Even, at least 4.
        satisfiable: Two chains, not one.

    Source: Abboud et al., "The Surprising Power of Graph Neural Networks with Random Node Initialization", IJCAI 2021. Their
    graphs also have a random planar part, the same in both graphs of a pair.
    """
    i = np.arange(length)
    half = length // 2
    following = (i + 1) % length
    if satisfiable:
        following = np.where(i < half, (i + 1) % half, half + (i - half - 1) % half)
    bridge = 3 * length + np.minimum(i, length - 1 - i)
    chain, negated = 2 * length + i, length + i
    sides = [(i, negated), (negated, chain), (following, chain), (i, bridge), (negated, bridge + half)]
    return _from_pairs(np.concatenate([np.stack(side) for side in sides], axis=1), 4 * length)


def fuerer(base: str, *, twisted: bool) -> Graph:
    """One graph of a Fuerer pair over a base graph.

    Nodes are (v, S) for every set S of an even number of edges at v. Along each base edge e = uv, (u, S) and (v, T) are joined
    if both or neither of S and T hold e. In the twisted graph they are joined along the first edge if exactly one does.

    Args:
        base: Edges of the base graph, two digits each: "01 12 02".
        twisted: The second graph of the pair.

    Source: Cai, Fuerer and Immerman, "An optimal lower bound on the number of variables for graph identification", 1992; this
    form: Zhang et al., ICML 2023.
    """
    edges = np.array([[int(digit) for digit in edge] for edge in base.split()])
    owner, held = [], []
    for v in range(edges.max() + 1):
        at = np.flatnonzero((edges == v).any(axis=1))
        sets = np.array(list(itertools.product((0, 1), repeat=at.size)))
        rows = np.zeros((len(sets), len(edges)), dtype=int)
        rows[:, at] = sets
        held.append(rows[sets.sum(axis=1) % 2 == 0])
        owner += [v] * len(held[-1])
    node, holds = np.array(owner), np.concatenate(held)
    adjacency = np.zeros((len(node), len(node)), dtype=bool)
    for e, (u, v) in enumerate(edges):
        agree = (holds[:, None, e] == holds[None, :, e]) != (twisted and e == 0)
        adjacency |= agree & (node[:, None] == u) & (node[None, :] == v)
    return _from_matrix(adjacency | adjacency.T)


def shrikhande() -> Graph:
    """Nodes (a, b) modulo 4, joined if they differ by +-(1, 0), +-(0, 1) or +-(1, 1): as regular as the 4 x 4 rook's graph."""
    a, b = (part.ravel() for part in np.indices((4, 4)))
    steps = [np.stack([4 * a + b, 4 * ((a + s) % 4) + (b + t) % 4]) for s, t in ((1, 0), (0, 1), (1, 1))]
    return _from_pairs(np.concatenate(steps, axis=1), 16)


def chang_graph(switched: str) -> Graph:
    """T(8), the pairs of 8 things joined where they share one, after Seidel switching by some of the pairs.

    Switching joins the nodes in the set with nodes outside it exactly where they were not joined before. Four disjoint pairs,
    an 8-cycle, and a triangle with a 5-cycle give the three Chang graphs.

    Args:
        switched: The pairs of the set, two digits each; empty for T(8) itself.

    Source: Chang, "The uniqueness and nonuniqueness of the triangular association schemes", 1959.
    """
    pairs = np.array(list(itertools.combinations(range(8), 2)))
    shared = (pairs[:, None, :, None] == pairs[None, :, None, :]).any(axis=(2, 3))
    np.fill_diagonal(shared, False)
    chosen = np.isin(8 * pairs[:, 0] + pairs[:, 1], [8 * int(one[0]) + int(one[1]) for one in switched.split()])
    return _from_matrix(shared ^ (chosen[:, None] != chosen[None, :]))


def latin_square_graph(square: str) -> Graph:
    """The cells of a Latin square, joined where they share row, column or symbol: strongly regular.

    Args:
        square: Its rows, a digit per cell.
    """
    symbols = np.array([[int(cell) for cell in row] for row in square.split()])
    row, column = np.indices(symbols.shape)
    shared = np.zeros((symbols.size, symbols.size), dtype=bool)
    for part in (row.ravel(), column.ravel(), symbols.ravel()):
        shared |= part[:, None] == part[None, :]
    np.fill_diagonal(shared, False)
    return _from_matrix(shared)


def _graph(graph: nx.Graph) -> Graph:
    return _from_matrix(nx.to_numpy_array(graph) > 0)


def _from_matrix(adjacency: np.ndarray) -> Graph:
    return _from_pairs(np.stack(np.nonzero(np.triu(adjacency))), len(adjacency))


def _from_pairs(pairs: np.ndarray | Sequence[np.ndarray], num_nodes: int) -> Graph:
    return Graph(edge_index=both_directions(torch.as_tensor(np.asarray(pairs)), num_nodes), num_nodes=num_nodes)
