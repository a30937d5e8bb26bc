"""Batches of graphs: blocks that are copied against edges that are relabeled one by one and built from scratch."""

import pytest
import torch

from graphkit.sparse import CSR, GraphBatch
from graphkit.sparse.block_diagonal import Segments, take_blocks
from tests.sparse.egonets import oracle

CHOICES = {"shuffled": [3, 0, 4, 1, 2], "repeated": [3, 3, 1, 3], "one": [4], "empty": [2], "none": []}


def parts(edge_index, ptr, graphs):
    """The edges of these graphs in new ids, one edge at a time, their places in the old list, and the boundaries."""
    edges, places, bounds = [], [], [0]
    for g in graphs:
        first, last = int(ptr[g]), int(ptr[g + 1])
        for place, (source, target) in enumerate(edge_index.t().tolist()):
            if first <= source < last:
                edges.append((source - first + bounds[-1], target - first + bounds[-1]))
                places.append(place)
        bounds.append(bounds[-1] + last - first)
    return torch.tensor(edges, dtype=torch.long).view(-1, 2).t(), places, torch.tensor(bounds)


def assert_same(one: CSR, other: CSR) -> None:
    """Equal arrays, of the operators and of their transposes."""
    assert one.shape == other.shape
    for a, b in ((one, other), (one.t(), other.t()), (one.t().t(), other.t().t())):
        for name in ("rowptr", "col", "row", "value", "mask"):
            first, second = getattr(a, name), getattr(b, name)
            assert (first is None) == (second is None) and (first is None or torch.equal(first, second)), name
        assert torch.equal(a.structure.perm, b.structure.perm)
    assert one.symmetric == other.symmetric and one.structure.symmetric == other.structure.symmetric


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("graphs", CHOICES.values(), ids=CHOICES)
def test_taken_graphs_equal_graphs_built_from_scratch(graphs, directed):
    edge_index, ptr = oracle.batch(directed)
    edge_index = torch.unique(edge_index, dim=1)[:, torch.randperm(torch.unique(edge_index, dim=1).size(1))]
    x, edge_attr = torch.randn(int(ptr[-1]), 3), torch.randn(edge_index.size(1), 2)
    weight = torch.rand(edge_index.size(1))
    edges, places, bounds = parts(edge_index, ptr, graphs)
    taken = GraphBatch.of(edge_index, ptr, x, edge_attr).take(torch.tensor(graphs, dtype=torch.long))
    built = GraphBatch.of(edges, bounds, taken.x, edge_attr[places])
    assert_same(taken.adj, built.adj)
    assert torch.equal(taken.ptr, bounds) and torch.equal(taken.edge_attr, built.edge_attr)
    assert torch.equal(taken.graph, built.graph) and taken.num_graphs == len(graphs)
    rows = [v for g in graphs for v in range(int(ptr[g]), int(ptr[g + 1]))]
    assert torch.equal(taken.x, x[rows])
    weighted = CSR.from_edge_index(edge_index, int(ptr[-1]), weight)
    nodes = Segments.of(ptr, torch.tensor(graphs, dtype=torch.long))
    assert_same(take_blocks(weighted, nodes, nodes), CSR.from_edge_index(edges, int(bounds[-1]), weight[places]))


def test_a_taken_batch_can_be_taken_from():
    edge_index, ptr = oracle.batch()
    whole = GraphBatch.of(edge_index, ptr)
    twice = whole.take(torch.tensor([3, 0, 4])).take(torch.tensor([2, 0]))
    assert_same(twice.adj, whole.take(torch.tensor([4, 3])).adj)


def test_absent_entries_are_taken_along_and_values_get_gradients():
    edge_index, ptr = oracle.batch()
    adj = GraphBatch.of(edge_index, ptr).adj
    value = torch.rand(adj.nnz, dtype=torch.float64, requires_grad=True)
    nodes = Segments.of(ptr, torch.tensor([3, 0, 3]))
    kept = adj.with_value(value).without(torch.tensor([0, adj.nnz - 2]))
    part = take_blocks(kept, nodes, nodes)
    at = nodes.positions
    expected = kept.to_dense()[at][:, at] * (torch.block_diag(*[torch.ones(n, n) for n in (9, 6, 9)]))
    assert torch.equal(part.to_dense(), expected)
    other = torch.randn_like(expected)
    gradients = [torch.autograd.grad((one * other).sum(), value, retain_graph=True)[0] for one in (part.to_dense(), expected)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)
    assert torch.equal(part.mask, part.value.detach() != 0)


def test_a_symmetric_part_of_a_directed_batch_is_its_own_adjoint():
    batch = GraphBatch.of(torch.tensor([[0, 2, 3], [1, 3, 2]]), torch.tensor([0, 2, 4]))
    assert not batch.adj.symmetric and not batch.take(torch.tensor([0])).adj.symmetric
    part = batch.take(torch.tensor([1, 1])).adj
    assert part.symmetric and part.t() is part


def test_a_transpose_outlives_the_operator_it_was_taken_with():
    edge_index, ptr = oracle.batch(directed=True)
    turned = GraphBatch.of(torch.unique(edge_index, dim=1), ptr).take(torch.tensor([3, 0])).adj.t()
    edges, _, bounds = parts(torch.unique(edge_index, dim=1), ptr, [3, 0])
    assert_same(turned, CSR.from_edge_index(edges.flip(0), int(bounds[-1])))


def test_what_is_no_batch_is_refused():
    ptr = torch.tensor([0, 2, 4])
    with pytest.raises(ValueError, match="edge 0 -> 2 joins two graphs"):
        GraphBatch.of(torch.tensor([[0], [2]]), ptr)
    with pytest.raises(ValueError, match=r"x must have shape \[4, F\]"):
        GraphBatch.of(torch.empty(2, 0, dtype=torch.long), ptr, torch.zeros(3, 1))
    with pytest.raises(ValueError, match="listed again"):
        GraphBatch.of(torch.tensor([[0, 0], [1, 1]]), ptr, edge_attr=torch.zeros(2, 1))
    with pytest.raises(ValueError, match=r"edge_attr must have shape \[E, D\]"):
        GraphBatch.of(torch.tensor([[0], [1]]), ptr, edge_attr=torch.zeros(1))
    with pytest.raises(ValueError, match="ascending from 0"):
        GraphBatch.of(torch.tensor([[0], [1]]), torch.tensor([0, 3, 2]))
    batch = GraphBatch.of(torch.tensor([[0], [1]]), ptr)
    for wrong in (torch.tensor([2]), torch.tensor([-1])):
        with pytest.raises(ValueError, match=r"out of range: ids must lie in \[0, 2\)"):
            batch.take(wrong)
    with pytest.raises(ValueError, match=r"graphs must be ids \[B\]"):
        batch.take(torch.tensor([True, False]))


def test_it_moves_with_its_index():
    batch = GraphBatch.of(torch.tensor([[0], [1]]), torch.tensor([0, 2]), torch.zeros(2, 1), torch.zeros(1, 1))
    moved = batch.to("meta")
    assert {moved.ptr.device.type, moved.x.device.type, moved.edge_attr.device.type, moved.adj.device.type} == {"meta"}
    assert repr(batch) == "GraphBatch(graphs=1, nodes=2, edges=1, features=1)"


def test_positions_say_the_same_as_copies():
    segments = Segments.of(torch.tensor([0, 3, 3, 7]), torch.tensor([2, 1, 0, 2]))
    assert segments.positions.tolist() == [3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6]
    assert torch.equal(segments.copy(torch.arange(7) * 10), segments.positions * 10)
    assert segments.size == 11 and segments.ptr.tolist() == [0, 4, 4, 7, 11]
