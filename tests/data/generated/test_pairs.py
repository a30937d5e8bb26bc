"""Generated pairs: sizes, parameters, and that color refinement with dictionaries cannot tell them apart."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest

from graphkit.data.generated.pairs import BASES, CHAINS, SKIPS, exp_core, fuerer, generated_pairs
from tests.separation import oracle

PAIRS = {pair.name: pair for pair in generated_pairs()}
SIZES = {"fuerer-b1": 16, "fuerer-b2": 20, "fuerer-b3": 30, "fuerer-b4": 28, "fuerer-k4": 16}
STRONGLY_REGULAR = {
    "rook-shrikhande": (16, 6, 2, 2),
    "latin-4": (16, 9, 4, 6),
    "latin-5": (25, 12, 5, 6),
    **dict.fromkeys((name for name in PAIRS if "chang" in name), (28, 12, 6, 4)),
}


def as_networkx(graph):
    found = nx.Graph()
    found.add_nodes_from(range(graph.num_nodes))
    found.add_edges_from(graph.edge_index.t().tolist())
    return found


def test_names_and_categories():
    assert len(PAIRS) == 67
    counts = {"basic": 5, "csl": 45, "exp": 3, "fuerer": 5, "strongly-regular": 9}
    assert Counter(pair.category for pair in PAIRS.values()) == counts
    csl = [pair for pair in PAIRS.values() if pair.category == "csl"]
    assert len({id(graph) for pair in csl for graph in (pair.first, pair.second)}) == 10


@pytest.mark.parametrize("name", PAIRS)
def test_both_graphs_are_simple_and_alike_and_another(name):
    pair = PAIRS[name]
    one, two = as_networkx(pair.first), as_networkx(pair.second)
    assert sorted(d for _, d in one.degree) == sorted(d for _, d in two.degree)
    for graph, found in ((pair.first, one), (pair.second, two)):
        assert found.number_of_edges() * 2 == graph.edge_index.size(1) and nx.number_of_selfloops(found) == 0
    assert not nx.faster_could_be_isomorphic(one, two) or not nx.vf2pp_is_isomorphic(one, two)


@pytest.mark.parametrize("name", [name for name in PAIRS if not name.startswith("csl") or name == "csl-2-16"])
def test_color_refinement_cannot_tell_them_apart(name):
    pair = PAIRS[name]
    first, second = oracle.Refined([pair.first, pair.second], ("uL",), "plain").graph_colors
    assert first == second


@pytest.mark.parametrize("name", STRONGLY_REGULAR)
def test_strongly_regular(name):
    for graph in (PAIRS[name].first, PAIRS[name].second):
        a = nx.to_numpy_array(as_networkx(graph))
        n, k, adjacent, other = STRONGLY_REGULAR[name]
        identity, ones = np.eye(n), np.ones((n, n))
        assert (a @ a == k * identity + adjacent * a + other * (ones - identity - a)).all()


def test_circulants():
    for skip in SKIPS[1:]:
        graph = as_networkx(PAIRS[f"csl-2-{skip}"].second)
        assert len(graph) == 41 and set(dict(graph.degree).values()) == {4}
        assert nx.is_isomorphic(graph, nx.circulant_graph(41, [1, skip]))


@pytest.mark.parametrize("length", CHAINS)
def test_exp_cores_are_formulas(length):
    """A literal has its negation, a chain and a bridge; a brute-force search satisfies one formula and not the other."""
    for satisfiable in (True, False):
        graph = as_networkx(exp_core(length, satisfiable=satisfiable))
        assert len(graph) == 4 * length and nx.check_planarity(graph)[0]
        literals = range(2 * length)
        clauses = [sorted(graph[clause]) for clause in range(2 * length, 4 * length)]
        assert all(graph.degree[one] == 3 for one in literals) and all(len(clause) == 2 for clause in clauses)
        assert all(graph.has_edge(one, one + length) for one in range(length))
        truth = ((np.arange(2**length)[:, None] >> np.arange(length)) & 1).astype(bool)
        value = np.concatenate([truth, ~truth], axis=1)
        held = np.all([value[:, clause].any(axis=1) for clause in clauses], axis=0)
        assert held.any() == satisfiable


@pytest.mark.parametrize("name", SIZES)
def test_fuerer_graphs(name):
    """Sizes, and that a second twist undoes the first: the twist is along an edge whose place does not matter."""
    pair = PAIRS[name]
    assert pair.first.num_nodes == pair.second.num_nodes == SIZES[name]
    base = BASES[name.removeprefix("fuerer-")].split()
    for graph in (pair.first, pair.second):
        expected = sum(2 ** (sum(v in e for e in base) - 1) for v in set("".join(base)))
        assert graph.num_nodes == expected
    moved = " ".join([base[-1], *base[:-1]])
    twisted = as_networkx(fuerer(moved, twisted=True))
    assert nx.vf2pp_is_isomorphic(twisted, as_networkx(pair.second))
    assert nx.vf2pp_is_isomorphic(as_networkx(fuerer(moved, twisted=False)), as_networkx(pair.first))
