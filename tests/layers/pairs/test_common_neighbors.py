"""Pair scores against adjacency products in float64 and the maps as the paper's code writes them."""

import pytest
import torch

from graphkit.layers import CommonNeighborScore, CompletionScore, HadamardScore
from graphkit.sparse import CSR, NeighborSets
from tests.layers.pairs.graphs import graph_and_pairs

OPTIONS = [
    {"transform_pooled": t, "tail_activation": a, "two_layer": two, "norm": n}
    for t in (True, False)
    for a in (True, False)
    for two, n in ((True, True), (False, True), (False, False))
]
OPTIONS += [{"extra_pool": extra, "tail_activation": tail} for extra in ("difference", "second") for tail in (True, False)]


def dense(edge_index, n):
    adjacency = torch.zeros(n, n, dtype=torch.float64)
    adjacency[edge_index[1], edge_index[0]] = 1.0
    return adjacency


def oracle_maps(layer):
    """LayerNorm and ReLU, and a linear map, written out."""

    def act(module, z):
        if module.weight is not None:
            mean = z.mean(dim=1, keepdim=True)
            variance = ((z - mean) ** 2).mean(dim=1, keepdim=True)
            z = (z - mean) / (variance + module.eps).sqrt() * module.weight + module.bias
        return z.clamp(min=0)

    def lin(module, z):
        return z @ module.weight.t() + module.bias

    return act, lin


def oracle_transformed(layer, h):
    act, lin = oracle_maps(layer)
    if layer.xlin is None:
        return h
    return h + act(layer.xlin[3], lin(layer.xlin[2], act(layer.xlin[1], lin(layer.xlin[0], h))))


def oracle_ncn(layer, h, edge_index, pairs):
    """The score as written: pool x', then every map in its place. Dense adjacency, no engine."""
    adjacency = dense(edge_index, h.size(0)).to(h.dtype)
    x, (i, j) = oracle_transformed(layer, h), pairs
    extra = None
    if layer.extra_pool == "difference":
        extra = ((adjacency[i] - adjacency[j]) != 0).to(h.dtype) @ x
    elif layer.extra_pool == "second":
        further = (adjacency @ adjacency > 0).to(h.dtype)
        extra = (adjacency[i] * further[j]) @ x + (further[i] * adjacency[j]) @ x
    return oracle_head(layer, h[i] * h[j], (adjacency[i] * adjacency[j]) @ x, extra)


def oracle_head(layer, product, pooled, extra=None):
    act, lin = oracle_maps(layer)
    r = act(layer.pooled_hidden[0], lin(layer.pooled_in, pooled))
    r = act(layer.pooled_hidden[2], lin(layer.pooled_hidden[1], r))
    q = act(layer.product_hidden[1], lin(layer.product_hidden[0], product))
    if layer.pooled_out is not None:
        r, q = lin(layer.pooled_out, r), lin(layer.product_out, q)
    z = layer.beta * r + q
    if extra is not None:
        e = act(layer.extra_hidden[0], lin(layer.extra_in, extra))
        e = act(layer.extra_hidden[2], lin(layer.extra_hidden[1], e))
        z = z + (e if layer.extra_out is None else lin(layer.extra_out, e))
    z = lin(layer.merge, z)
    if isinstance(layer.merged, torch.nn.Sequential):
        z = act(layer.merged[2], lin(layer.merged[1], act(layer.merged[0], z)))
    else:
        z = act(layer.merged, z)
    return lin(layer.out, z).squeeze(1)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("options", OPTIONS)
def test_common_neighbor_score_equals_dense_oracle(options, seed):
    torch.manual_seed(seed)
    edge_index, pairs, n = graph_and_pairs(seed)
    layer = CommonNeighborScore(8, **options).double().eval()
    with torch.no_grad():
        layer.beta.fill_(0.7)
        for parameter in layer.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    h = torch.randn(n, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(pairs.size(1), dtype=torch.float64)
    leaves = [h, *layer.parameters()]
    found = layer(h, edge_index, pairs)
    expected = oracle_ncn(layer, h, edge_index, pairs)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    ours = torch.autograd.grad((found * weight).sum(), leaves)
    theirs = torch.autograd.grad((expected * weight).sum(), leaves)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CommonNeighborScore(16, tail_activation=False),
        lambda: CommonNeighborScore(16, extra_pool="difference"),
        lambda: CommonNeighborScore(16, extra_pool="second"),
        lambda: CompletionScore(16, depth=2, offset=0.0),
        lambda: CompletionScore(16, offset=0.0, cap=2),
        lambda: HadamardScore(16),
    ],
    ids=["ncn", "ncn-diff", "ncn2", "ncnc", "ncnc-capped", "hadamard"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_score_is_the_same_alone_in_any_batch_in_any_order(make, dtype):
    torch.manual_seed(0)
    edge_index, pairs, n = graph_and_pairs(seed=3)
    layer, h = make().to(dtype).eval(), torch.randn(n, 16, dtype=dtype)
    tolerance = {"rtol": 0, "atol": 1e-12 if dtype == torch.float64 else 2e-6}
    together = layer(h, edge_index, pairs)
    alone = torch.cat([layer(h, edge_index, pair.unsqueeze(1)) for pair in pairs.t()])
    order = torch.randperm(pairs.size(1))
    torch.testing.assert_close(alone, together, **tolerance)
    torch.testing.assert_close(layer(h, edge_index, pairs[:, order]), together[order], **tolerance)
    torch.testing.assert_close(layer(h, edge_index, pairs.repeat(1, 50)), together.repeat(50), **tolerance)
    torch.testing.assert_close(layer(h, edge_index, pairs.flip(0)), together, **tolerance)


def test_common_neighbor_dropout_drops_about_its_share_in_training_only():
    torch.manual_seed(0)
    complete = torch.ones(60, 60).nonzero().t()
    layer = CommonNeighborScore(4, common_neighbor_dropout=0.4)
    sets = NeighborSets(CSR.from_edge_index(complete, 60))
    pairs = torch.randint(60, (2, 400))
    nodes = (torch.ones(60, 4), torch.ones(60, 4))
    kept = layer.pair_features(nodes, sets, pairs)[1].mean() / 60
    assert abs(kept - 0.6**2) < 0.02  # i's entry and j's entry are dropped independently
    assert layer.eval().pair_features(nodes, sets, pairs)[1].eq(60).all()


def test_reset_parameters_restores_beta_and_redraws():
    layer = CommonNeighborScore(4, beta=1.5, tail_activation=False)
    before = layer.merge.weight.clone()
    with torch.no_grad():
        layer.beta.zero_()
    layer.reset_parameters()
    assert layer.beta.item() == 1.5
    assert not torch.equal(before, layer.merge.weight)


def test_logits_keep_single_precision_under_autocast():
    torch.manual_seed(0)
    edge_index, pairs, n = graph_and_pairs()
    layer, h = CommonNeighborScore(32, tail_activation=False), torch.randn(n, 32)
    with torch.autocast("cpu", torch.bfloat16):
        low = layer(h, edge_index, pairs)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, layer(h, edge_index, pairs), rtol=0.05, atol=0.05)
    assert not torch.equal(low, low.bfloat16().float())


def test_wrong_dropout_is_refused():
    with pytest.raises(ValueError, match="common_neighbor_dropout"):
        CommonNeighborScore(4, common_neighbor_dropout=1.0)
    with pytest.raises(ValueError, match="dropout must lie"):
        CommonNeighborScore(4, dropout=-0.1)
    with pytest.raises(ValueError, match="extra_pool must be one of none, difference, second"):
        CommonNeighborScore(4, extra_pool="third")
    with pytest.raises(ValueError, match="num_layers"):
        HadamardScore(4, num_layers=0)
