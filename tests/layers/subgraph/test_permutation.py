"""SPEN's layer against a loop over bags and pairs, its tying rule, and its equivariance."""

import pytest
import torch

from graphkit import testing
from graphkit.layers import EquivariantLinear, SubgraphPermutationConv
from graphkit.sparse.egonets import BagPairs, ego_bags
from tests.layers.subgraph.test_equivariant import basis
from tests.sparse.egonets import oracle


def expected(layer, nodes, pairs, index):
    """Bag by bag: cut out, map one channel pair at a time, collect, average."""
    bags = index.bags
    at = {tuple(pair): p for p, pair in enumerate(index.pairs.t().tolist())}
    order0, order1, order2 = [], {}, {}
    for members in oracle.contents(bags):
        m = len(members)
        grade = max([g for g, size in enumerate(layer.grades) if size <= m], default=0)
        blocks = {}
        if nodes is not None:
            blocks[1] = torch.stack([nodes[v] for v in members])
        if pairs is not None:
            blocks[2] = torch.stack([torch.stack([pairs[at[i, j]] for j in members]) for i in members])
        for order, bias in layer.biases.items():
            order = int(order)
            out = bias[grade, -1].expand(*[m] * order, -1)
            if order == 2:
                out = out + torch.eye(m, dtype=torch.float64)[..., None] * bias[grade, 0]
            for k, block in blocks.items():
                weight = layer.weights[f"{k}{order}"][grade]
                for b in range(weight.size(0)):
                    for c in range(weight.size(1)):
                        out = out + basis(block[..., c], b + 1, order, m)[..., None] * weight[b, c]
            if order == 0:
                order0.append(out)
            for a, i in enumerate(members if order else []):
                if order == 1:
                    order1.setdefault(i, []).append(out[a])
                for b, j in enumerate(members if order == 2 else []):
                    order2.setdefault((i, j), []).append(out[a, b])
    found = [torch.stack(order0) if order0 else None]
    found.append(torch.stack([torch.stack(order1[v]).mean(0) for v in range(bags.num_nodes)]) if order1 else None)
    found.append(torch.stack([torch.stack(order2[pair]).mean(0) for pair in at]) if order2 else None)
    return found


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "grades"),
    [((2, 3), (2, 2, 3), (2, 3, 4)), ((0, 2), (0, 2, 2), (1,)), ((2, 0), (1, 0, 2), (3, 5)), ((1, 1), (2, 0, 0), (2,))],
)
def test_layer_equals_the_oracle(in_channels, out_channels, grades):
    torch.manual_seed(0)
    _, edge_index, ptr = testing.graph_batch(seed=1)
    index = BagPairs(ego_bags(edge_index, ptr, 1))
    layer = SubgraphPermutationConv(in_channels, out_channels, grades).double()
    for bias in layer.biases.values():
        torch.nn.init.normal_(bias)
    sizes = (index.bags.num_nodes, index.num_pairs)
    given = [
        torch.randn(n, c, dtype=torch.float64, requires_grad=True) if c else None
        for n, c in zip(sizes, in_channels, strict=True)
    ]
    ours, theirs = layer(*given, index), expected(layer, *given, index)
    leaves = [x for x in (*given, *layer.parameters()) if x is not None]
    for width, one, two in zip(out_channels, ours, theirs, strict=True):
        assert (one is None) == (two is None) == (width == 0)
        if one is not None:
            torch.testing.assert_close(one, two, rtol=0, atol=1e-11)
            for a, b in zip(
                *(torch.autograd.grad(out.sin().sum(), leaves, retain_graph=True, allow_unused=True) for out in (one, two)),
                strict=True,
            ):
                zero = torch.zeros(1, dtype=torch.float64)
                torch.testing.assert_close(
                    zero if a is None else a, zero if b is None else b.broadcast_to(b.shape), rtol=0, atol=1e-10
                )


def test_index_equals_sets():
    _, edge_index, ptr = testing.graph_batch()
    bags = ego_bags(edge_index, ptr, 2)
    index = BagPairs(bags)
    contents = oracle.contents(bags)
    wanted = sorted({(i, j) for nodes in contents for i in nodes for j in nodes})
    assert list(map(tuple, index.pairs.t().tolist())) == wanted and index.num_pairs == len(wanted)
    in_order = [contents[s] for s in index.order.tolist()]
    assert [len(nodes) for nodes in in_order] == sorted(map(len, contents))
    assert index.node.tolist() == [v for nodes in in_order for v in nodes]
    ids = torch.arange(len(wanted), dtype=torch.float64)
    assert (index.spread_pairs @ ids).long().tolist() == [
        wanted.index((i, j)) for nodes in in_order for i in nodes for j in nodes
    ]
    assert sum(run.count for run in index.runs) == bags.num_bags
    dense = torch.zeros(bags.num_nodes, bags.num_nodes, dtype=torch.float64)
    adj = bags.adj.to_dense(torch.float64)
    dense[tuple(index.pairs)] = index.entries @ adj[bags.adj.row, bags.adj.col]
    assert torch.equal(dense, adj)
    loops = index.loops @ torch.ones(bags.num_nodes, dtype=torch.float64)
    assert loops.tolist() == [float(i == j) for i, j in wanted]
    assert index.find(torch.tensor([0]), torch.tensor([24])).tolist() == [-1]


def test_weights_are_tied_by_the_nearest_lower_size():
    layer = SubgraphPermutationConv((1, 0), (0, 1, 0), (2, 5, 9))
    assert [layer.grade(m) for m in (1, 2, 3, 4, 5, 8, 9, 100)] == [0, 0, 0, 0, 1, 1, 2, 2]


def test_one_bag_per_graph_is_the_global_map():
    """With bags that all hold the whole graph the layer is the plain equivariant map."""
    torch.manual_seed(0)
    n = 4
    full = torch.ones(n, n).nonzero().t()
    index = BagPairs(ego_bags(full, torch.tensor([0, n]), 1))
    layer, plain = SubgraphPermutationConv((0, 2), (0, 0, 3)), EquivariantLinear(2, 3)
    with torch.no_grad():
        layer.weights["22"][0] = plain.weight
    x = torch.randn(n * n, 2)
    torch.testing.assert_close(layer(None, x, index).pairs, plain(x.view(1, n, n, 2)).view(n * n, 3))


@pytest.mark.parametrize("given", [((0, 0), (1, 1, 1)), ((1, 1), (0, 0, 0)), ((-1, 1), (1, 0, 0))])
def test_wrong_widths_are_refused(given):
    with pytest.raises(ValueError, match="widths must be"):
        SubgraphPermutationConv(*given)


@pytest.mark.parametrize("grades", [(), (0, 2), (3, 2), (2, 2)])
def test_wrong_grades_are_refused(grades):
    with pytest.raises(ValueError, match="grades must be"):
        SubgraphPermutationConv((1, 1), (0, 1, 0), grades)


def test_wrong_inputs_are_refused():
    from graphkit.errors import RequestError

    _, edge_index, ptr = testing.graph_batch()
    bags = ego_bags(edge_index, ptr, 1)
    layer = SubgraphPermutationConv((2, 0), (0, 1, 0))
    for given in ((None, None), (torch.zeros(25, 3), None), (torch.zeros(25, 2), torch.zeros(3, 1))):
        with pytest.raises(ValueError, match="order . must have shape"):
            layer(*given, BagPairs(bags))
    with pytest.raises(RequestError, match=r"pairs of nodes in 25 bags would take .* GB .* max_bytes=100: .*BagSample"):
        BagPairs(bags, max_bytes=100)
