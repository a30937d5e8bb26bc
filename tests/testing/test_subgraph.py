"""The assertions on batches pass on a sound layer, and fail on one that breaks just their property."""

import pytest
import torch
from torch import nn

from graphkit import testing


class Sound(nn.Module):
    """Each node sees the sum over its graph."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 3)

    def graph(self, ptr):
        return torch.arange(ptr.numel() - 1).repeat_interleave(ptr.diff())

    def pooled(self, x, ptr):
        return torch.zeros(ptr.numel() - 1, x.size(1), dtype=x.dtype).index_add(0, self.graph(ptr), x)

    def forward(self, x, edge_index, ptr):
        return self.lin(x * self.pooled(x, ptr)[self.graph(ptr)])


class PerGraph(Sound):
    def forward(self, x, edge_index, ptr):
        return self.pooled(super().forward(x, edge_index, ptr), ptr)


class ReadsTheFirstNode(Sound):
    def forward(self, x, edge_index, ptr):
        return super().forward(x, edge_index, ptr) + x[ptr[:-1]][self.graph(ptr)][:, :3]


class ReadsTheNextGraph(Sound):
    def pooled(self, x, ptr):
        return super().pooled(x, ptr) + 0.1 * super().pooled(x, ptr).roll(1, 0)


def test_sound_layers_pass():
    for make, per in ((Sound, "node"), (PerGraph, "graph")):
        testing.assert_relabeling(make, per=per)
        testing.assert_graphs_apart(make, per=per)


@pytest.mark.parametrize(
    ("make", "check", "says"),
    [
        (ReadsTheFirstNode, testing.assert_relabeling, "after renaming"),
        (ReadsTheNextGraph, testing.assert_graphs_apart, "in another order"),
        (PerGraph, testing.assert_relabeling, "5 rows for 25 nodes"),
    ],
)
def test_each_assertion_sees_its_fault(make, check, says):
    with pytest.raises(AssertionError, match=says):
        check(make)


def test_values_that_are_not_finite_are_seen():
    class Divides(Sound):
        def pooled(self, x, ptr):
            return super().pooled(x, ptr) / (ptr.diff() - 1)[:, None]

    with pytest.raises(AssertionError, match="not finite"):
        testing.assert_relabeling(Divides)


def test_the_batch_has_its_corners():
    x, edge_index, ptr = testing.graph_batch()
    near = torch.bincount(edge_index.flatten(), minlength=x.size(0))
    assert ptr.diff().tolist() == [7, 1, 5, 9, 3] and (near[ptr[1:] - 1] == 0).all() and (near[ptr[4] :] == 0).all()
    assert torch.equal(testing.graph_batch()[0], x)
