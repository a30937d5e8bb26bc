from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from graphkit.data.measures import amud as direction
from graphkit.data.measures.amud import amud


def dense_r_squared(edge_index: Tensor, y: Tensor) -> dict[str, float]:
    """Every ordered pair as a sample, and NumPy's correlation."""
    n = y.numel()
    a = np.zeros((n, n), dtype=int)
    for source, target in edge_index.t().tolist():
        a[source, target] = 1
    result = {}
    for name, product in {"AA": a @ a, "AA^T": a @ a.T, "A^TA": a.T @ a, "A^TA^T": a.T @ a.T}.items():
        pairs = [(u, v) for u in range(n) for v in range(n) if u != v and y[u] >= 0 and y[v] >= 0]
        linked = np.array([product[u, v] > 0 for u, v in pairs], dtype=float)
        alike = np.array([y[u] == y[v] for u, v in pairs], dtype=float)
        flat = linked.std() == 0 or alike.std() == 0
        result[name] = 0.0 if flat else float(np.corrcoef(linked, alike)[0, 1]) ** 2
    return result


def random_graph(seed: int, n: int = 25, edges: int = 60) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(n, (2, edges), generator=generator)
    edge_index = torch.cat([edge_index, edge_index[:, :5], torch.tensor([[3], [3]])], dim=1)
    return edge_index, torch.randint(-1, 3, (n,), generator=generator)


@pytest.mark.parametrize("at_once", [1, 40, 10**6])
@pytest.mark.parametrize("seed", range(3))
def test_equals_dense_oracle(seed: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direction, "_PATHS_AT_ONCE", at_once)
    edge_index, y = random_graph(seed)
    found, expected = amud(edge_index, y), dense_r_squared(edge_index, y)
    assert found.r_squared == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert found.score == pytest.approx(1 - min(expected.values()) / max(expected.values()))
    assert found.decision == ("directed" if found.score > 0.5 else "undirected")


def test_only_the_given_nodes_labels_count() -> None:
    edge_index, y = random_graph(5)
    nodes = torch.arange(0, 25, 2)
    hidden = torch.full_like(y, -1)
    hidden[nodes] = y[nodes]
    assert amud(edge_index, y, nodes).r_squared == pytest.approx(dense_r_squared(edge_index, hidden))
    changed = y.clone()
    changed[1::2] = (changed[1::2] + 1).clamp(max=2)
    assert amud(edge_index, y, nodes) == amud(edge_index, changed, nodes) != amud(edge_index, changed)


def test_symmetric_graphs_score_zero() -> None:
    edge_index, y = random_graph(1)
    found = amud(torch.cat([edge_index, edge_index.flip(0)], dim=1), y)
    assert found.score == 0.0 and found.decision == "undirected" and found.r_squared["AA"] > 0


def test_turning_all_edges_exchanges_patterns_alone() -> None:
    edge_index, y = random_graph(2)
    one, other = amud(edge_index, y), amud(edge_index.flip(0), y)
    assert one.score == other.score
    assert one.r_squared["AA^T"] == other.r_squared["A^TA"] != one.r_squared["A^TA"]


def test_direction_that_tells_classes_apart_is_kept() -> None:
    """Nodes of a class point to the hubs of their class; whom a hub points to is drawn at random."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(200) % 2
    hubs = 10 + torch.arange(190)
    to_hub = torch.stack([hubs, 2 * torch.randint(5, (190,), generator=generator) + y[hubs]])
    from_hub = torch.stack([torch.randint(10, (190,), generator=generator), hubs])
    found = amud(torch.cat([to_hub, from_hub], dim=1), y)
    assert found.decision == "directed" and found.score > 0.9
    assert max(found.r_squared, key=found.r_squared.get) == "AA^T"
    assert amud(torch.cat([to_hub, from_hub], dim=1), y, threshold=1.0).decision == "undirected"


def test_nothing_to_compare_is_undirected() -> None:
    no_edges = torch.zeros(2, 0, dtype=torch.long)
    assert amud(no_edges, torch.tensor([0, 1, 1])) == (0.0, "undirected", dict.fromkeys(("AA", "AA^T", "A^TA", "A^TA^T"), 0.0))
    one_class = amud(torch.tensor([[0, 1], [1, 2]]), torch.zeros(3, dtype=torch.long))
    assert one_class.score == 0.0 and not math.isnan(one_class.score)


def test_wrong_arguments_are_refused() -> None:
    edges = torch.tensor([[0], [1]])
    with pytest.raises(ValueError, match="at least two labeled nodes are needed, got 1"):
        amud(edges, torch.tensor([0, -1]))
    with pytest.raises(ValueError, match="target id 1 is out of range"):
        amud(edges, torch.tensor([0]))
    with pytest.raises(TypeError, match="integer node ids"):
        amud(edges.float(), torch.tensor([0, 1]))
