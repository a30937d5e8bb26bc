"""Networks on bags: SSWL+ against dense algebra on n x n pairs, all of them by their symmetries, and samples by their votes."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from graphkit.conf.models.graph import MODELS as MODELS_OF_CONF
from graphkit.errors import RequestError
from graphkit.layers import POLICIES, PRESETS
from graphkit.models.graph.inputs import NODE_FEATURES
from graphkit.models.graph.subgraphs import DS, DSS, GNNAK, IDGNN, NGNN, SSWL, SUN, KPath, SSWLPlus, SubgraphNetwork
from graphkit.sparse import GraphBatch
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

MODELS = {kind.preset: kind for kind in (DS, DSS, GNNAK, IDGNN, NGNN, SSWL, SUN, KPath, SSWLPlus)}
SMALL = {"hidden_channels": 5, "num_layers": 2, "hops": 2}


@pytest.mark.parametrize("name", MODELS)
def test_whole_model(name):
    assert_whole_model(lambda: MODELS[name](4, 3, **SMALL))


@pytest.mark.parametrize("name", ["ds", "dss", "sun", "sswl+", "k-path"])
def test_whole_model_with_edge_features(name):
    assert_whole_model(lambda: MODELS[name](4, 3, edge_channels=EDGES, **SMALL), edges=True)


@pytest.mark.parametrize("policy", POLICIES)
def test_whole_model_of_every_policy(policy):
    assert_whole_model(lambda: DS(4, 3, policy=policy, length=3, **SMALL | {"hops": 1}))


@pytest.mark.parametrize("options", [
    {"residual": True, "norm": False, "inner": "sum", "outer": "sum"},
    {"jumping_knowledge": "cat", "inner": "root", "head_layers": 1, "node_features": "degree", "max_degree": 2},
])  # fmt: skip
def test_whole_model_of_other_settings(options):
    assert_whole_model(lambda: NGNN(4, 3, **SMALL, **options))


def steps(a):
    """Distances by walks: -1 where there is none."""
    n = a.size(0)
    found, reach = torch.full((n, n), -1), torch.eye(n, dtype=torch.float64)
    for step in range(n):
        found[(reach > 0) & (found < 0)] = step
        reach = reach @ a
    return found


def expected(model, batch):
    rows = []
    for x, a in graphs_of(batch):
        label = steps(a)
        label = torch.where(label < 0, model.labels.max_distance + 1, label.clamp(max=model.labels.max_distance))
        h = linear(model.lin, x)[None] + model.labels.table[label]
        for layer in model.layers:
            own = h.diagonal(dim1=0, dim2=1).t()
            read = {
                "uL": torch.einsum("vw,uwc->uvc", a, h),
                "vL": torch.einsum("uw,wvc->uvc", a, h),
                "vv": own[None].expand_as(h),
            }
            total = 0
            for name, value in read.items():
                first, norm, _, last = layer.maps[f"all_{name}"]
                inner = batch_norm(norm, linear(first, (1 + layer.eps[name]) * h + value))
                total = total + linear(last, inner.clamp(min=0))
            h = batch_norm(layer.norm, total).clamp(min=0)
        rows.append(linear(model.pooling.lin, h.mean(1)).clamp(min=0).mean(0))
    first, _, _, last = model.head
    return linear(last, linear(first, torch.stack(rows)).clamp(min=0))


def test_sswl_plus_equals_dense_algebra():
    batch = example()
    batch.x.requires_grad_()
    model = scrambled(SSWLPlus(4, 3, hidden_channels=5, num_layers=2, max_distance=2).double().eval())
    batch = batch.with_index(model.prepare(batch))
    assert_same(model(batch), expected(model, batch), [batch.x, *model.parameters()])


def test_votes_that_go_through_all_bags_average_to_all_of_them():
    """With a linear head the output is a mean over bags, so that complete votes give it exactly."""
    ring = torch.tensor([[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]])
    edges = torch.cat([ring, ring + 6, torch.tensor([[6], [8]])], dim=1)
    x = torch.randn(12, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    batch = GraphBatch.of(torch.cat([edges, edges.flip(0)], dim=1), torch.tensor([0, 6, 12]), x)
    whole = scrambled(DS(4, 3, head_layers=1, **SMALL).double().eval())
    sampled = DS(4, 3, head_layers=1, sample=2, votes=3, **SMALL).double().eval()
    sampled.load_state_dict(whole.state_dict())
    assert sampled.sampled and sampled.votes == 3 and not whole.sampled and whole.votes == 1
    votes = [sampled(batch.with_index(sampled.prepare(batch, vote=vote, seed=4))) for vote in range(3)]
    assert not torch.allclose(votes[0], votes[1])
    torch.testing.assert_close(sum(votes) / 3, whole(batch.with_index(whole.prepare(batch))))
    other = sampled(batch.with_index(sampled.prepare(batch, vote=0, seed=5)))
    assert not torch.allclose(other, votes[0])


def test_it_says_how_many_bags_were_drawn():
    batch = example()
    model = DS(4, 3, sample=0.5, votes=7)
    said = model.describe(batch.with_index(model.prepare(batch)))
    assert said.endswith("drawn from 25 bags (60.0%). Predictions are means over 7 samples.")
    assert DS(4, 3).describe(batch.with_index(DS(4, 3).prepare(batch))).endswith("every bag is kept.")


def test_bags_that_will_not_fit_are_refused_with_the_setting_that_helps():
    with pytest.raises(RequestError, match=r"more than max_bytes=1,000: .* model.sample=0.1"):
        SSWL(4, 3, max_bytes=1000).prepare(example())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sswl", {"sample": 0.5}, r"model sswl reads rows of other bags \(vL\), which a sample lacks"),
        ("sun", {"policy": "edge-deleted"}, "model.policy=edge-deleted have 0 roots: take ego"),
        ("id-gnn", {"policy": "path", "length": 2}, "model.policy=path have 2 roots"),
        ("ds", {"inner": "root", "policy": "edge-deleted"}, "model ds reads rows of the root"),
        ("ds", {"sample": 1.5}, "model.sample=1.5 must be 0 for all, a share below 1, or a whole number"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(name, options, message):
    with pytest.raises(RequestError, match=message):
        MODELS[name](4, 3, **options)


@pytest.mark.parametrize("wrong", [{"policy": "x"}, {"inner": "x"}, {"outer": "x"}, {"jumping_knowledge": "x"},
                                   {"num_layers": 0}, {"votes": 0}, {"max_distance": 0}, {"head_dropout": 1.0}])  # fmt: skip
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DS(4, 3, **wrong)


def test_embeddings_of_nodes_pool_to_those_of_graphs():
    batch = example()
    for kind in (DS, SSWLPlus):
        model = kind(4, 3, **SMALL).double().eval()
        prepared = batch.with_index(model.prepare(batch))
        rows = model.embed_nodes(prepared).split(batch.ptr.diff().tolist())
        torch.testing.assert_close(model.embed(prepared), torch.stack([row.mean(0) for row in rows]))
    deleted = DS(4, 3, policy="edge-deleted")
    with pytest.raises(NotImplementedError, match="a bag of its own"):
        deleted.embed_nodes(batch.with_index(deleted.prepare(batch)))


def test_every_model_takes_its_published_policy():
    for name, kind in MODELS.items():
        assert issubclass(kind, SubgraphNetwork) and kind(4, 3).policy == PRESETS[name].policy


def test_settings_offer_every_policy_and_every_kind_of_features():
    """They are written out there, since settings do not import torch."""
    offered = {field.name: field.metadata.get("choices") for field in dataclasses.fields(MODELS_OF_CONF["ds"].settings)}
    assert offered["policy"] == ("published", *POLICIES) and offered["node_features"] == NODE_FEATURES
