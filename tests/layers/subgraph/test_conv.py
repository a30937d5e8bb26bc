"""The pair layer against loops over pairs, for every preset and every choice."""

import pytest
import torch
import torch.nn.functional as F

from graphkit import testing
from graphkit.layers import AGGREGATIONS, PRESETS, SubgraphConv, make_bags
from graphkit.layers.subgraph.aggregations import aggregate, dense_is_cheaper
from graphkit.sparse.egonets import BagSample, edge_deleted_bags, ego_bags, node_deleted_bags, whole_bags
from tests.layers.subgraph import oracle


def bags_of(policy):
    _, edge_index, ptr = testing.graph_batch(seed=2)
    numbers = {name: {"hops": 2} for name in ("ego", "ego+", "ego-distance")} | {"path": {"length": 2, "hops": 1}}
    return make_bags(edge_index, ptr, policy, **numbers.get(policy, {}))


def norm(module, x, training):
    return F.batch_norm(x, None if training else module.running_mean, None if training else module.running_var,
                        module.weight, module.bias, training)  # fmt: skip


def perceptron(parts, x, training):
    if isinstance(parts, torch.nn.Linear):
        return x @ parts.weight.t() + parts.bias
    first, middle, _, last = parts
    hidden = norm(middle, x @ first.weight.t(), training).clamp(min=0)
    return hidden @ last.weight.t() + last.bias


def expected(layer, h, bags, training, edges=None):
    """Pair by pair, from the layer's parameters alone."""
    root = torch.tensor([float(u == v) for u, v in oracle.sets.rows(bags)], dtype=torch.float64)[:, None]
    start = h
    if layer.root == "extra":
        h = h + root * (h @ layer.root_map.weight.t())
    out = {}
    for name in layer.aggregations:
        edge = None if edges is None or name not in layer.edge_maps else layer.edge_maps[name](edges)
        x = oracle.aggregate(h, bags, name, layer.pool, edge)
        has_self = {"all": name not in ("uv", "vGL"), "local": name in ("uL", "vL"), "none": False}[layer.self_term]
        if has_self:
            x = x + (1 + layer.eps[name]) * h
        for which, rows in {"all": None, "roots": root[:, 0] > 0, "others": root[:, 0] == 0}.items():
            if f"{which}_{name}" in layer.maps:
                part = torch.zeros(len(h), layer.out_channels, dtype=h.dtype)
                at = slice(None) if rows is None else rows
                part[at] = perceptron(layer.maps[f"{which}_{name}"], x[at], training)
                out[which, name] = part
    result = norm(layer.norm, sum(out.values()), training) if layer.norm is not None else sum(out.values())
    result = result.clamp(min=0) if layer.activation else result
    return result + start if layer.residual else result


def prepared(layer):
    """Other numbers than those of a fresh layer, which has eps = 0 and plain statistics."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for module in layer.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
    return layer.double()


def compare(layer, bags, training=False, edges=None):
    layer = prepared(layer).train(training)
    h = torch.randn(bags.num_rows, layer.in_channels, dtype=torch.float64, requires_grad=True)
    leaves = [h, *layer.parameters(), *([] if edges is None else [edges.requires_grad_()])]
    theirs = expected(layer, h, bags, training, edges)
    ours = layer(h, bags, edges) if edges is not None else layer(h, bags)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)
    gradients = [torch.autograd.grad(out.sin().sum(), leaves) for out in (ours, theirs)]
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", PRESETS)
def test_presets_equal_the_oracle(name, training):
    layer = PRESETS[name].conv(4, 5)
    assert isinstance(layer, SubgraphConv) and layer.aggregations == PRESETS[name].aggregations
    compare(layer, bags_of(PRESETS[name].policy), training)


@pytest.mark.parametrize(
    "options",
    [
        {"aggregations": AGGREGATIONS, "root": "separate", "pool": "mean"},
        {"aggregations": AGGREGATIONS, "root": "extra", "num_layers": 1, "norm": False, "residual": True},
        {"aggregations": ("uL", "vu"), "activation": False, "self_term": "none"},
        {"aggregations": ("vG", "uG", "vL"), "self_term": "local", "num_layers": 1},
    ],
)
@pytest.mark.parametrize("policy", ["node-marking", "ego", "node-deleted"])
def test_choices_equal_the_oracle(options, policy):
    compare(SubgraphConv(4, 4, **options), bags_of(policy))


@pytest.mark.parametrize("policy", ["node-marking", "ego"])
def test_edge_features_equal_the_oracle(policy):
    bags = bags_of(policy)
    edges = torch.randn(bags.adj.nnz, 3, dtype=torch.float64)
    compare(SubgraphConv(4, 4, ("uL", "vL", "vv"), edge_channels=3), bags, edges=edges)


def test_bags_without_roots_pass_along_their_own_edges():
    _, edge_index, ptr = testing.graph_batch()
    bags = edge_deleted_bags(edge_index, ptr)
    h = torch.randn(bags.num_rows, 2, dtype=torch.float64)
    at = oracle.pair_dictionary(h, bags)
    rows = list(at)
    inside = {}
    for receiver, sender in zip(bags.within.row.tolist(), bags.within.col.tolist(), strict=True):
        inside.setdefault(receiver, []).append(rows[sender])
    sums = [oracle.total((at[pair] for pair in inside.get(t, [])), h[0]) for t in range(len(rows))]
    torch.testing.assert_close(aggregate(h, bags, "uL"), torch.stack(sums))
    torch.testing.assert_close(aggregate(h, bags, "vG", "mean"), oracle.aggregate(h, bags, "vG", "mean"))
    for name in ("vL", "uu", "vv", "vu"):
        with pytest.raises(ValueError, match="none or several"):
            aggregate(h, bags, name)


def test_sums_over_a_sample_estimate_those_over_all_bags():
    _, edge_index, ptr = testing.graph_batch()
    whole = whole_bags(edge_index, ptr)
    table = torch.randn(whole.num_nodes, whole.num_nodes, dtype=torch.float64)
    exact = aggregate(table[whole.roots[:, 0][whole.bag], whole.node].unsqueeze(1), whole, "vG")
    per_node = torch.zeros(whole.num_nodes, dtype=torch.float64).scatter(0, whole.node, exact[:, 0])
    votes = []
    for vote in range(9 * 7 * 5):  # goes through the bags of every graph a whole number of times
        bags = whole_bags(edge_index, ptr, sample=BagSample(1, vote))
        h = table[bags.roots[:, 0][bags.bag], bags.node].unsqueeze(1)
        votes.append(torch.zeros(whole.num_nodes, dtype=torch.float64).scatter(0, bags.node, aggregate(h, bags, "vG")[:, 0]))
    torch.testing.assert_close(torch.stack(votes).mean(0), per_node)


def test_values_of_edges_do_not_matter():
    _, edge_index, ptr = testing.graph_batch()
    h, layer = None, SubgraphConv(4, 4, ("uL", "vL", "vGL")).double().eval()
    results = []
    for adj in (edge_index, torch.cat([edge_index, edge_index], dim=1)):
        bags = ego_bags(adj, ptr, 2)
        h = torch.randn(bags.num_rows, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        results.append(layer(h, bags))
    assert torch.equal(*results)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"aggregations": ("uL", "uL")}, "each at most once"),
        ({"aggregations": ()}, "at least one"),
        ({"aggregations": ("uX",)}, "aggregation must be one of uL"),
        ({"self_term": "some"}, "self_term must be one of"),
        ({"root": "none"}, "root must be one of"),
        ({"pool": "max"}, "pool must be one of"),
        ({"num_layers": 3}, "num_layers must be 1 or 2"),
        ({"edge_channels": -1}, "edge_channels at least 0"),
        ({"out_channels": 5, "residual": True}, "residual needs equal widths"),
        ({"out_channels": 0}, "out_channels must be at least 1"),
    ],
)
@pytest.mark.usefixtures("unchecked_shapes")
def test_wrong_arguments_are_refused(given, says):
    with pytest.raises(ValueError, match=says):
        SubgraphConv(**{"in_channels": 4, "out_channels": 4, **given})


def test_wrong_inputs_are_refused():
    bags = bags_of("ego")
    h, edges = torch.randn(bags.num_rows, 4), torch.randn(bags.adj.nnz, 2)
    with pytest.raises(ValueError, match="h must have shape"):
        SubgraphConv(4, 4)(h[1:], bags)
    with pytest.raises(ValueError, match="come together"):
        SubgraphConv(4, 4)(h, bags, edges)
    with pytest.raises(ValueError, match="come together"):
        SubgraphConv(4, 4, edge_channels=2)(h, bags)
    with pytest.raises(ValueError, match="one per entry of bags.adj"):
        SubgraphConv(4, 4, edge_channels=2)(h, bags, edges[1:])
    with pytest.raises(ValueError, match="unknown aggregation"):
        aggregate(h, bags, "xy")
    _, edge_index, ptr = testing.graph_batch()
    sampled = node_deleted_bags(edge_index, ptr, sample=BagSample(2))
    with pytest.raises(ValueError, match="which a sample lacks"):
        SubgraphConv(4, 4)(torch.randn(sampled.num_rows, 4), sampled)


@pytest.mark.parametrize("sizes", [(6, 6, 6), (7, 1, 4)])
@pytest.mark.parametrize("name", ["uL", "vL"])
def test_dense_blocks_give_what_rows_give(name, sizes):
    """Padded blocks and ragged rows hold the same tensor."""
    ptr = torch.tensor([0, *sizes]).cumsum(0)
    pairs = [
        (start + i, start + j)
        for start, n in zip(ptr.tolist(), sizes, strict=False)
        for i in range(n)
        for j in range(i)
        if (i + j) % 3
    ]
    edge_index = torch.tensor(pairs).t()
    bags = whole_bags(torch.cat([edge_index, edge_index[:, :4].flip(0)], dim=1), ptr)
    h = torch.randn(bags.num_rows, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(bags.num_rows, 3, dtype=torch.float64)
    results = {}
    for method in ("sparse", "dense", "auto"):
        out = aggregate(h, bags, name, method=method)
        results[method] = out, torch.autograd.grad((out * weight).sum(), h)[0]
    for method in ("dense", "auto"):
        for one, two in zip(results[method], results["sparse"], strict=True):
            torch.testing.assert_close(one, two, rtol=0, atol=1e-12)


def test_the_cheaper_product_is_chosen():
    def bags(n, degree, count=2):
        ring = [(g * n + i, g * n + (i + k) % n) for g in range(count) for i in range(n) for k in range(1, degree + 1)]
        return whole_bags(torch.tensor(ring).t(), torch.arange(count + 1) * n)

    assert dense_is_cheaper(bags(10, 6)) and not dense_is_cheaper(bags(10, 3))
    unequal = whole_bags(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), torch.tensor([0, 3, 4]))
    assert not dense_is_cheaper(unequal)
    _, edge_index, ptr = testing.graph_batch()
    assert not dense_is_cheaper(ego_bags(edge_index, ptr, 1))
    with pytest.raises(ValueError, match="take whole_bags"):
        aggregate(torch.zeros(3, 1), ego_bags(edge_index, ptr, 1), "uL", method="dense")
