"""SPEN by its symmetries, its grades against a count, its input against loops; its layer has an oracle of its own."""

from __future__ import annotations

import pytest
import torch

from graphkit.errors import RequestError
from graphkit.layers.subgraph.permutation import Tensors
from graphkit.models.graph.spen import SPEN, grades_of
from tests.models.graph.frame import EDGES, assert_whole_model, example, graphs_of

SMALL = {"hidden_channels": 4, "num_layers": 3, "head_channels": 6}


@pytest.mark.parametrize(
    "options", [{}, {"hops": 2, "norm": "batch"}, {"norm": "none", "node_features": "degree", "max_degree": 2}]
)
def test_whole_model(options):
    assert_whole_model(lambda: SPEN(4, 3, **SMALL, **options))


def test_whole_model_with_grades_and_edge_features():
    assert_whole_model(lambda: SPEN(4, 3, graphs=example(), edge_channels=EDGES, grade_share=0.0, **SMALL), edges=True)


def sizes_of_balls(batch):
    return [int((a[v] > 0).sum() + (a[v, v] == 0)) for _, a in graphs_of(batch) for v in range(a.size(0))]


def test_sizes_that_are_common_enough_become_grades():
    batch = example()
    sizes = sizes_of_balls(batch)
    assert grades_of(batch, 1, 0.0) == tuple(sorted(set(sizes)))
    share = 0.15
    wanted = tuple(s for s in sorted(set(sizes)) if sizes.count(s) >= share * len(sizes))
    assert grades_of(batch, 1, share) == wanted and len(wanted) < len(set(sizes))
    model = SPEN(4, 3, graphs=batch, grade_share=share)
    assert {layer.grades for layer in model.layers} == {wanted} and model.last.grades == wanted
    assert SPEN(4, 3).last.grades == (1,)
    with torch.device("meta"):
        assert SPEN(4, 3, graphs=batch, grade_share=share).last.grades == wanted


def test_the_first_layer_reads_the_normalized_adjacency_edges_and_nodes_on_the_diagonal():
    batch = example(edges=True)
    model = SPEN(4, 3, edge_channels=EDGES, **SMALL).double().eval()
    batch = batch.with_index(model.prepare(batch))
    seen = {}

    def keep(layer, given):
        seen["pairs"] = given[1]

    model.layers[0].register_forward_pre_hook(keep)
    model(batch)
    edge = dict(zip(zip(*batch.adj.edge_index().tolist(), strict=True), batch.edge_attr, strict=True))
    dense = torch.block_diag(*[a for _, a in graphs_of(batch)])
    degree = dense.sum(1)
    for (i, j), row in zip(batch.index.pairs.pairs.t().tolist(), seen["pairs"], strict=True):
        expected = torch.zeros(7, dtype=torch.float64)
        if dense[i, j]:
            expected[0], expected[1:3] = (degree[i] * degree[j]) ** -0.5, edge[j, i]
        if i == j:
            expected[3:] = batch.x[i]
        torch.testing.assert_close(row, expected)


def test_the_embedding_is_the_mean_over_balls(monkeypatch):
    batch = example()
    model = SPEN(4, 3, **SMALL).double().eval()
    batch = batch.with_index(model.prepare(batch))
    rows = torch.randn(batch.num_nodes, 4, dtype=torch.float64)
    monkeypatch.setattr(model.last, "forward", lambda *given: Tensors(rows, None, None))
    elu = torch.where(rows > 0, rows, rows.exp() - 1)
    torch.testing.assert_close(model.embed(batch), torch.stack([r.mean(0) for r in elu.split(batch.ptr.diff().tolist())]))
    assert model.embed_nodes(batch).shape == (batch.num_nodes, 4)


def test_balls_can_be_sampled_and_what_will_not_fit_is_refused():
    batch = example()
    model = SPEN(4, 3, sample=2, votes=3, **SMALL).double().eval()
    part = batch.with_index(model.prepare(batch, vote=1, seed=2))
    assert model.sampled and part.index.pairs.bags.num_bags == 2 * 4 + 1 and bool(torch.isfinite(model(part)).all())
    assert model.describe(part).endswith("Predictions are means over 3 samples.")
    with pytest.raises(RequestError, match="model.sample=0.1"):
        SPEN(4, 3, hops=4, max_bytes=3000).prepare(batch)


@pytest.mark.parametrize("wrong", [{"hops": -1}, {"num_layers": 1}, {"grade_share": 1.5}, {"norm": "x"}, {"votes": 0},
                                   {"hidden_channels": 0}, {"head_channels": 1}])  # fmt: skip
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SPEN(4, 3, **wrong)
