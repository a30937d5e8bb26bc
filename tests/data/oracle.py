"""Slow and obvious statements about graphs and splits, sharing no code with graphkit.data."""


def pairs_of(tensor) -> list[frozenset[int]]:
    return [frozenset(pair) for pair in tensor.T.tolist()]


def check_graph(edge_index, num_nodes: int) -> None:
    """Both directions, sorted, no duplicates, no self-loops, ids in range."""
    entries = [tuple(pair) for pair in edge_index.T.tolist()]
    assert entries == sorted(set(entries))
    assert {(v, u) for u, v in entries} == set(entries)
    assert all(0 <= u < num_nodes and 0 <= v < num_nodes and u != v for u, v in entries)


def check_link_split(graph, splits, whole: set[frozenset[int]], num_nodes: int) -> None:
    """Positives part the edges, the graph holds training edges alone, negatives are distinct non-edges, each once overall."""
    positives = {name: pairs_of(part.positive) for name, part in splits.items()}
    listed = [pair for pairs in positives.values() for pair in pairs]
    assert len(listed) == len(set(listed)) and set(listed) == whole
    check_graph(graph, num_nodes)
    assert set(pairs_of(graph)) == set(positives["train"])
    assert splits["train"].negative is None
    negatives = [pair for name in ("valid", "test") for pair in pairs_of(splits[name].negative)]
    assert len(negatives) == len(set(negatives))
    assert all(len(pair) == 2 and max(pair) < num_nodes for pair in negatives)
    assert not set(negatives) & whole
