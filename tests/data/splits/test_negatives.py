from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.data.splits import negatives
from graphkit.data.splits.negatives import NonEdges, pair_keys, sample_non_edges, unpack_keys


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def keys_of(pairs, num_nodes: int):
    return torch.tensor(sorted(min(u, v) * num_nodes + max(u, v) for u, v in pairs), dtype=torch.int64)


@pytest.fixture(params=["bits", "search"])
def way(request, monkeypatch):
    """Both ways to look up known pairs, whatever the graph's size."""
    if request.param == "search":
        monkeypatch.setattr(negatives, "_MAX_CELLS", 0)


def test_keys_ignore_direction_and_unpack():
    pairs = torch.tensor([[3, 7, 0], [7, 3, 9]])
    assert pair_keys(pairs, 10).tolist() == [37, 37, 9]
    assert unpack_keys(pair_keys(pairs, 10), 10).tolist() == [[3, 3, 0], [7, 7, 9]]


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 14), st.data(), st.integers(0, 2**31), st.booleans())
@pytest.mark.usefixtures("way")
def test_draws_are_non_edges_exactly_as_many_as_asked(num_nodes, data, seed, distinct):
    everything = list(combinations(range(num_nodes), 2))
    edges = data.draw(st.lists(st.sampled_from(everything), unique=True, max_size=len(everything) - 1))
    free = set(everything) - set(edges)
    num = data.draw(st.integers(0, len(free) if distinct else 50))
    drawn = sample_non_edges(num, num_nodes, keys_of(edges, num_nodes), generator(seed), distinct=distinct)
    assert drawn.shape == (2, num) and drawn.dtype == torch.int64
    assert set(map(tuple, drawn.T.tolist())) <= free
    if distinct:
        assert len(set(map(tuple, drawn.T.tolist()))) == num


@pytest.mark.parametrize("num_edges", [0, 20, 50, 100])
@pytest.mark.usefixtures("way")
def test_every_non_edge_is_equally_likely(num_edges):
    num_nodes = 15
    everything = list(combinations(range(num_nodes), 2))
    edges = [everything[i] for i in np.random.default_rng(0).permutation(len(everything))[:num_edges]]
    sampler = NonEdges(num_nodes, keys_of(edges, num_nodes))
    draws = 20000
    counts = torch.bincount(pair_keys(sampler.sample(draws, generator()), num_nodes), minlength=num_nodes**2)
    expected = draws / (len(everything) - num_edges)
    for u, v in everything:
        count = counts[u * num_nodes + v].item()
        assert count == 0 if (u, v) in edges else abs(count - expected) < 6 * expected**0.5


@pytest.mark.usefixtures("way")
def test_distinct_draws_are_uniform_too():
    num_nodes, edges = 30, [(0, 1), (4, 9)]
    sampler = NonEdges(num_nodes, keys_of(edges, num_nodes))
    counts = torch.zeros(num_nodes**2)
    rounds, num = 600, 40  # by rejection: far fewer than there are
    for seed in range(rounds):
        counts[pair_keys(sampler.sample_distinct(num, generator(seed)), num_nodes)] += 1
    expected = rounds * num / sampler.available
    seen = counts[counts > 0]
    assert seen.numel() == sampler.available == 433
    assert (seen - expected).abs().max() < 6 * expected**0.5


def test_a_seed_repeats_and_the_generator_moves_on():
    sampler = NonEdges(50, keys_of([(0, 1)], 50))
    source = generator(5)
    first, second = sampler.sample(20, source), sampler.sample(20, source)
    assert torch.equal(first, sampler.sample(20, generator(5)))
    assert not torch.equal(first, second)


def test_a_complete_graph_is_refused_and_a_nearly_complete_one_is_not():
    everything = list(combinations(range(60), 2))
    with pytest.raises(ValueError, match="of 60 nodes is complete"):
        NonEdges(60, keys_of(everything, 60))
    with pytest.raises(ValueError, match="of 1 nodes is complete"):
        NonEdges(1, keys_of([], 1))
    last = sample_non_edges(5, 60, keys_of(everything[:-1], 60), generator())
    assert last.T.tolist() == [[58, 59]] * 5
    with pytest.raises(ValueError, match="2 distinct non-edges are asked for, the graph of 60 nodes has 1"):
        sample_non_edges(2, 60, keys_of(everything[:-1], 60), generator(), distinct=True)


def test_ids_beyond_32_bits_of_pairs():
    num_nodes = 70_000  # N^2 does not fit 32 bits
    edges = [(0, 1), (69_998, 69_999)]
    drawn = sample_non_edges(5000, num_nodes, keys_of(edges, num_nodes), generator())
    assert (drawn[0] < drawn[1]).all() and drawn.min() >= 0 and drawn.max() < num_nodes
    assert drawn.max() > 69_000
