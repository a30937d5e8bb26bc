"""The operators on rows of bags against loops over rows, and what sampled or rootless bags refuse."""

import pytest
import torch

from graphkit.sparse.egonets import BagSample, edge_deleted_bags, ego_bags, node_deleted_bags, whole_bags
from graphkit.sparse.egonets.lift import _lifted
from tests.sparse.egonets import oracle

BUILDS = {"ego": lambda *given: ego_bags(*given, 2), "whole": whole_bags, "node-deleted": node_deleted_bags}


def expected(bags, near, name):
    """The matrix [T, T], or [T, S], [T, N], one row at a time."""
    place = oracle.rows(bags)
    width = {"spread_bags": bags.num_bags, "spread_nodes": bags.num_nodes}.get(name, len(place))
    out = torch.zeros(len(place), width, dtype=torch.float64)
    for (u, v), t in place.items():
        if name == "spread_bags":
            out[t, u] = 1
        elif name == "spread_nodes":
            out[t, v] = 1
        else:
            wanted = {
                "within": [(u, w) for w in near[v]],
                "across": [(w, v) for w in near[u]],
                "uu": [(u, u)],
                "vv": [(v, v)],
                "vu": [(v, u)],
            }[name]
            for one in wanted:
                if one in place:
                    out[t, place[one]] = 1
    return out


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("policy", BUILDS)
@pytest.mark.parametrize("name", ["within", "across", "uu", "vv", "vu", "spread_bags", "spread_nodes"])
def test_operators_equal_loops(name, policy, directed):
    edge_index, ptr = oracle.batch(directed)
    bags = BUILDS[policy](edge_index, ptr)
    matrix = expected(bags, oracle.neighbors(edge_index, int(ptr[-1])), name)
    operator = getattr(bags, name)
    assert torch.equal(operator.to_dense(torch.float64), matrix)
    assert bool((operator.structure.key.diff() > 0).all())  # columns ascend inside a row
    assert not operator.symmetric or torch.equal(matrix, matrix.t())
    x = torch.randn(operator.shape[1], 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(operator.shape[0], 3, dtype=torch.float64)
    out = operator @ x
    (gradient,) = torch.autograd.grad((out * weight).sum(), x)
    torch.testing.assert_close(out, matrix @ x, rtol=0, atol=1e-12)
    torch.testing.assert_close(gradient, matrix.t() @ weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize("directed", [False, True])
def test_entries_of_the_graph_stand_beside_the_edges_of_rows(directed):
    edge_index, ptr = oracle.batch(directed)
    bags = ego_bags(edge_index, ptr, 2)
    adj = bags.adj
    within, across = bags.within, bags.across
    assert torch.equal(adj.row[bags.within_entry], bags.node[within.row])
    assert torch.equal(adj.col[bags.within_entry], bags.node[within.col])
    assert torch.equal(adj.row[bags.across_entry], bags.root[bags.bag[across.row]])
    assert torch.equal(adj.col[bags.across_entry], bags.root[bags.bag[across.col]])


@pytest.mark.parametrize("directed", [False, True])
def test_plain_torch_equals_the_kernel(directed):
    edge_index, ptr = oracle.batch(directed)
    for bags in (ego_bags(edge_index, ptr, 2), edge_deleted_bags(edge_index, ptr)):
        removed = bags.ptr.new_zeros(0, 2) if bags.removed is None else bags.removed
        plain = _lifted(bags.adj, bags.ptr, bags.node, torch.arange(bags.num_rows), removed)
        for one, two in zip(plain, (bags.within.rowptr, bags.within.col, bags.within_entry), strict=True):
            assert torch.equal(one, two)
    bags = ego_bags(edge_index, ptr, 2)
    rows = bags.spread_nodes.structure.t()
    plain = _lifted(bags.adj, rows.rowptr, bags.root[bags.bag[rows.col]], rows.col, removed[:0])
    for one, two in zip(plain, (bags.across.rowptr, bags.across.col, bags.across_entry), strict=True):
        assert torch.equal(one, two)


def test_everything_is_computed_once_and_outside_inference_mode():
    bags = ego_bags(*oracle.batch(), 2)
    with torch.inference_mode():
        kept = bags.within
    assert bags.within is kept and not bags.within.col.is_inference()
    assert repr(bags) == f"Bags(graphs=5, nodes=20, bags=20, rows={bags.num_rows})"


def test_moving_keeps_everything():
    bags = node_deleted_bags(*oracle.batch(), sample=BagSample(2))
    moved = bags.to("cpu")
    for name in ("node_ptr", "bag_ptr", "ptr", "node", "roots", "total"):
        assert torch.equal(getattr(moved, name), getattr(bags, name))
    assert torch.equal(edge_deleted_bags(*oracle.batch()).to("cpu").removed, edge_deleted_bags(*oracle.batch()).removed)
