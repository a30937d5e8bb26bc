"""Pooling of pairs against loops over bags, nodes and graphs."""

import pytest
import torch

from graphkit import testing
from graphkit.layers import SubgraphPooling
from graphkit.sparse.egonets import BagSample, ego_bags, whole_bags
from tests.layers.subgraph import oracle


@pytest.mark.parametrize("outer", ["sum", "mean"])
@pytest.mark.parametrize(("order", "inner"), [("VS", "sum"), ("VS", "mean"), ("VS", "root"), ("SV", "sum"), ("SV", "mean")])
def test_pooling_equals_the_oracle(order, inner, outer):
    x, edge_index, ptr = testing.graph_batch()
    bags = ego_bags(edge_index, ptr, 1)
    layer = SubgraphPooling(4, order, inner=inner, outer=outer).double()
    h = torch.randn(bags.num_rows, 4, dtype=torch.float64, requires_grad=True)
    at = oracle.pair_dictionary(h, bags)
    mean = inner == "mean"
    rows = []
    for node in range(bags.num_nodes):
        mine = [x for (u, v), x in at.items() if (u if order == "VS" else v) == node]
        rows.append(at[node, node] if inner == "root" else oracle.total(mine, h[0], mean))
    z = (torch.stack(rows) @ layer.lin.weight.t() + layer.lin.bias).clamp(min=0)
    graphs = [oracle.total(z[list(nodes)], z[0], outer == "mean") for nodes in oracle.sets.graphs(ptr)]
    expected = torch.stack(graphs)
    ours = layer(h, bags)
    torch.testing.assert_close(ours, expected)
    for one, two in zip(
        *(torch.autograd.grad(out.sin().sum(), [h, *layer.parameters()]) for out in (ours, expected)), strict=True
    ):
        torch.testing.assert_close(one, two)
    layer.level = "node"
    torch.testing.assert_close(layer(h, bags), z)


@pytest.mark.parametrize("outer", ["sum", "mean"])
def test_votes_over_samples_average_to_the_whole(outer):
    x, edge_index, ptr = testing.graph_batch()
    layer = SubgraphPooling(4, outer=outer).double()
    h = lambda bags: x[bags.node] * x[bags.roots[:, 0]][bags.bag]  # noqa: E731
    whole = whole_bags(edge_index, ptr)
    votes = [whole_bags(edge_index, ptr, sample=BagSample(1, vote)) for vote in range(9 * 7 * 5)]
    mean = torch.stack([layer(h(bags), bags) for bags in votes]).mean(0)
    torch.testing.assert_close(mean, layer(h(whole), whole))


@pytest.mark.usefixtures("unchecked_shapes")
def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="needs order='VS'"):
        SubgraphPooling(4, "SV", inner="root")
    for wrong in ({"order": "VV"}, {"inner": "max"}, {"outer": "root"}, {"level": "bag"}):
        with pytest.raises(ValueError, match="is none of"):
            SubgraphPooling(4, **wrong)
