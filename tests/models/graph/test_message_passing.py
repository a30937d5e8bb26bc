"""GIN, GCN and Deep Sets against dense algebra, one graph at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.models.graph.message_passing import GCN, GIN, DeepSets
from tests.models.graph.frame import (
    EDGES,
    assert_same,
    assert_whole_model,
    batch_norm,
    example,
    graphs_of,
    linear,
    scrambled,
)

MODELS = {"gin": GIN, "gcn": GCN, "deepsets": DeepSets}
OPTIONS = {
    "plain": {},
    "cat": {"jumping_knowledge": "cat", "readout": "mean", "head_layers": 2},
    "max": {"jumping_knowledge": "max", "readout": "max", "num_layers": 3},
}


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "graph"])
@pytest.mark.parametrize("kind", MODELS.values(), ids=MODELS)
def test_whole_model(kind, norm):
    assert_whole_model(lambda: kind(4, 3, hidden_channels=6, num_layers=2, norm=norm))


def test_whole_model_with_edge_features():
    assert_whole_model(lambda: GIN(4, 3, edge_channels=EDGES, hidden_channels=6, num_layers=2, train_eps=True), edges=True)


@pytest.mark.parametrize("features", ["degree", "constant", "given+degree"])
def test_whole_model_with_other_features(features):
    assert_whole_model(lambda: GIN(4, 3, max_degree=3, node_features=features, hidden_channels=6, num_layers=2))


def propagated(name: str, model, number: int, h: Tensor, a: Tensor) -> Tensor:
    """One layer on one graph."""
    layer = model.layers[number]
    if name == "deepsets":
        return linear(layer, h)
    if name == "gcn":
        loops = a + torch.diag((a.diagonal() == 0).double())
        degree = loops.sum(1)
        return (loops / (degree[:, None] * degree[None]).sqrt()) @ h @ layer.lin.weight.t() + layer.bias
    first, norm, _, last = layer.nn
    return linear(last, batch_norm(norm, linear(first, (1 + layer.eps) * h + a @ h)).clamp(min=0))


def expected(name: str, model, batch, options) -> Tensor:
    rows = []
    for x, a in graphs_of(batch):
        h, found = x, []
        for number in range(len(model.layers)):
            h = batch_norm(model.norms[number].norm, propagated(name, model, number, h, a)).clamp(min=0)
            found.append(h)
        jumped = {"none": h, "cat": torch.cat(found, 1), "max": torch.stack(found).max(0).values}
        h = jumped[options.get("jumping_knowledge", "cat")]
        pools = {"sum": h.sum(0), "mean": h.mean(0), "max": h.max(0).values}
        rows.append(pools[options.get("readout", "sum")])
    out = torch.stack(rows)
    maps = [part for part in model.head if isinstance(part, torch.nn.Linear)]
    for part in maps[:-1]:
        out = linear(part, out).clamp(min=0)
    return linear(maps[-1], out)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", MODELS)
def test_equals_dense_algebra(name, options):
    batch = example()
    batch.x.requires_grad_()
    model = scrambled(MODELS[name](4, 3, hidden_channels=6, **{"num_layers": 2, **options}).double().eval())
    batch = batch.with_index(model.prepare(batch))
    assert_same(model(batch), expected(name, model, batch, options), [batch.x, *model.parameters()])


def test_deep_sets_see_no_edge():
    batch = example()
    model = DeepSets(4, 3).eval().double()
    assert not DeepSets.reads_edges and GIN.reads_edges
    bare = type(batch).of(torch.empty(2, 0, dtype=torch.long), batch.ptr, batch.x)
    assert torch.equal(model(batch), model(bare))
    counting = DeepSets(0, 3).eval().double()
    sizes = counting(batch)
    assert sizes.shape == (5, 3) and torch.equal(counting(bare), sizes)


def test_embeddings_of_nodes_pool_to_those_of_graphs():
    batch = example()
    model = GIN(4, 3, readout="sum").double().eval()
    pooled = torch.stack([part.sum(0) for part in model.embed_nodes(batch).split(batch.ptr.diff().tolist())])
    torch.testing.assert_close(model.embed(batch), pooled)
    torch.testing.assert_close(model(batch), model.head(pooled))


def test_dropout_acts_in_training_alone():
    batch = example()
    model = GIN(4, 3, dropout=0.5, head_dropout=0.5, norm="layer").double()
    assert not torch.equal(model(batch), model(batch))
    model.eval()
    assert torch.equal(model(batch), model(batch))


@pytest.mark.parametrize("wrong", [{"norm": "x"}, {"readout": "x"}, {"jumping_knowledge": "x"}, {"node_features": "x"},
                                   {"num_layers": 0}, {"head_layers": 0}, {"head_dropout": 1.0}, {"dropout": -0.1},
                                   {"max_degree": -1}])  # fmt: skip
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}|pools|p must"):
        GIN(4, 3, **wrong)


def test_gcn_asks_for_its_operator():
    with pytest.raises(ValueError, match=r"GCN needs batch.with_index\(model.prepare\(batch\)\)"):
        GCN(4, 3)(example())


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "graph"])
def test_nodes_without_features_are_not_divided_by_their_variance(norm):
    """Trained and evaluated: running variances of rows that are all alike would have shrunk to 0."""
    torch.manual_seed(0)
    model = DeepSets(0, 1, hidden_channels=6, num_layers=4, norm=norm, head_dropout=0.0).double()
    batch = example()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        (model(batch) - 1).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(model.eval()(batch), model.train()(batch))
