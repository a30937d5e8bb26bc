"""BUDDY and ELPH against dense matrices in float64, with exact counts, and what batch normalization asks of the task."""

from __future__ import annotations

import networkx
import pytest
import torch
from torch import Tensor

from graphkit.conf.models.link import BUDDYModel, ELPHModel
from graphkit.conf.schema import LinkTask
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.buddy import BUDDY
from graphkit.models.link.elph import ELPH
from graphkit.sparse import CSR, sparse_features
from tests.models.link.dense import NODES, assert_same, gcn, graph
from tests.tasks.links import first_batch, make_task, new_model, planted


def counts(adjacency: Tensor, pairs: Tensor) -> Tensor:
    """A(a, b) and the second of B, two hops, from the distances of networkx."""
    reach = dict(networkx.all_pairs_shortest_path_length(networkx.from_numpy_array(adjacency.numpy())))
    rows = []
    for i, j in pairs.t().tolist():
        places = [(max(reach[i].get(v, 9), 1), max(reach[j].get(v, 9), 1)) for v in range(NODES)]
        both = [places.count((a, b)) for a in (1, 2) for b in (1, 2)]
        rows.append([*both, 0, sum(a == 2 < b for a, b in places), 0, sum(b == 2 < a for a, b in places)])
    return torch.tensor(rows, dtype=torch.float64)


def head(model: EncodedPairs, h: Tensor, adjacency: Tensor, pairs: Tensor) -> Tensor:
    score = model.score

    def normed(norm: torch.nn.BatchNorm1d, z: Tensor) -> Tensor:
        return ((z - norm.running_mean) / (norm.running_var + 1e-5).sqrt() * norm.weight + norm.bias).clamp(min=0)

    c = normed(score.count_norm, counts(adjacency, pairs) @ score.count_in.weight.t() + score.count_in.bias)
    product = h[pairs[0]] * h[pairs[1]]
    p = normed(score.product_norm, product @ score.product_in.weight.t() + score.product_in.bias)
    return torch.cat([c, p], dim=1) @ score.out.weight[0] + score.out.bias


def settled(model: EncodedPairs) -> EncodedPairs:
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return model.double().eval()


@pytest.mark.parametrize(("features", "powers"), [(6, 0), (0, 0), (6, 2), (0, 1)])
def test_buddy_equals_dense_algebra(features: int, powers: int) -> None:
    torch.manual_seed(0)
    x, edges, adjacency, pairs = graph(features)
    model = settled(BUDDY(features, NODES, hidden_channels=8, powers=powers, counts="exact", dropout=0.5))
    encoder, operator = model.encoder, gcn(adjacency)
    given = encoder.input.table if x is None else x
    if powers == 0:
        h = operator @ given @ encoder.lin.weight.t() + encoder.bias
    else:
        parts = []
        for k, (lin, norm) in enumerate(zip(encoder.lins, encoder.norms, strict=True)):
            z = torch.linalg.matrix_power(operator, k) @ given @ lin.weight.t()
            z = (z - norm.running_mean) / (norm.running_var + 1e-5).sqrt() * norm.weight + norm.bias
            parts.append(z.clamp(min=0))
        h = torch.cat(parts, dim=1) @ encoder.out.weight.t() + encoder.out.bias
    expected, leaves = head(model, h, adjacency, pairs), list(model.parameters())
    adj = CSR.from_edge_index(edges, NODES)
    assert_same(model(x, adj, pairs), expected, leaves)
    if x is not None:
        torch.testing.assert_close(model(sparse_features(x), adj, pairs), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", [BUDDY, ELPH])
def test_nodes_renamed_keep_their_scores_with_exact_counts(kind: type[EncodedPairs]) -> None:
    torch.manual_seed(0)
    x, edges, _, pairs = graph()
    model = settled(kind(6, NODES, hidden_channels=8, counts="exact"))
    names = torch.randperm(NODES)
    renamed = torch.empty_like(x)
    renamed[names] = x
    scores = model(x, CSR.from_edge_index(edges, NODES), pairs)
    found = model(renamed, CSR.from_edge_index(names[edges], NODES), names[pairs])
    torch.testing.assert_close(found, scores, rtol=0, atol=1e-10)


def test_reasons_are_asked_on_copies_with_the_same_sketches() -> None:
    torch.manual_seed(0)
    x, edges, _, pairs = graph()
    model, adj = settled(BUDDY(6, NODES, hidden_channels=8)), CSR.from_edge_index(edges, NODES)
    found = model.reasons(x, adj, pairs[:, :6])
    for p, (i, j) in enumerate(pairs.t().tolist()[:6]):
        for u, contribution in found.of(p):
            kept = [(s, t) for s, t in edges.t().tolist() if not (u in (s, t) and ({s, t} - {u} or {u}) & {i, j})]
            left = model(x, CSR.from_edge_index(torch.tensor(kept).t(), NODES), torch.tensor([[i], [j]]))
            assert contribution == pytest.approx(float(found.score[p] - left.detach()), abs=1e-9)


@pytest.mark.parametrize("settings", [BUDDYModel(hidden_channels=8), ELPHModel(hidden_channels=8)], ids=lambda s: s.name)
def test_blocks_of_a_step_hold_positives_and_negatives_together(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Normalized apart, positives and negatives would have the same mean."""
    task = make_task(planted(5), settings, LinkTask(micro_batch=20), batch_size=40)
    model, seen = new_model(task), []
    head = model.head
    monkeypatch.setattr(model, "head", lambda *features: seen.append(features[0].size(0)) or head(*features))
    monkeypatch.setattr(model, "training_loss", lambda scores, positives, negatives: (seen.append(positives), scores.sum())[1])
    task.step(model, first_batch(task), lambda loss: loss.backward())
    assert seen == [20, 10] * 4
