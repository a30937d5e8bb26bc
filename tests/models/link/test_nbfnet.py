"""NBFNet against dense matrices, source by source, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.models.link import nbfnet as module
from graphkit.models.link.nbfnet import NBFNet
from graphkit.sparse import CSR
from tests.models.link.dense import NODES, assert_same, graph


def seen_from(model: NBFNet, adjacency: Tensor, source: int) -> Tensor:
    """Representations [N, C] of all nodes, by dense sums and maxima."""
    pattern = adjacency + torch.eye(NODES, dtype=torch.float64) if model.self_loops else adjacency
    degree = pattern.sum(1) + 1
    own = torch.arange(NODES) == source
    boundary = own.double().unsqueeze(1) * model.query
    h = boundary
    for layer in model.layers:
        members = torch.cat([(h * layer.relation).expand(NODES, -1, -1), boundary.unsqueeze(1)], dim=1)
        inside = torch.cat([pattern, torch.ones(NODES, 1, dtype=torch.float64)], dim=1).unsqueeze(2)
        total = (members * inside).sum(1)
        if layer.aggregate == "sum":
            found = total
        else:
            mean = total / degree.unsqueeze(1)
            most = members.masked_fill(inside == 0, -torch.inf).amax(1)
            least = members.masked_fill(inside == 0, torch.inf).amin(1)
            spread = ((members.square() * inside).sum(1) / degree.unsqueeze(1) - mean.square()).clamp(min=1e-6).sqrt()
            found = torch.cat([mean, most, least, spread], dim=1)
            scale = (degree.log() / degree.log().mean()).unsqueeze(1)
            found = torch.cat([found, scale * found, found / scale.clamp(min=1e-2)], dim=1)
        z = torch.cat([h, found], dim=1) @ layer.lin.weight.t() + layer.lin.bias
        z = torch.nn.functional.layer_norm(z, z.shape[1:], layer.norm.weight, layer.norm.bias).relu()
        h = z + h if layer.shortcut else z
    return h


def dense_scores(model: NBFNet, adjacency: Tensor, pairs: Tensor) -> Tensor:
    views = [seen_from(model, adjacency, source) for source in range(NODES)]
    ways = (pairs, pairs.flip(0)) if model.symmetric else (pairs,)
    scores = []
    for i, j in zip(*ways[0].tolist(), strict=True):
        ends = [(i, j), (j, i)][: len(ways)]
        logits = [model.mlp(torch.cat([views[u][v], model.query])) for u, v in ends]
        scores.append(torch.stack(logits).mean())
    return torch.stack(scores)


@pytest.mark.parametrize(
    "options", [{"aggregate": "pna"}, {"aggregate": "sum", "symmetric": False, "self_loops": False, "shortcut": False}]
)
def test_equals_dense_algebra(options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    _, edges, adjacency, pairs = graph(0)
    model = NBFNet(hidden_channels=4, num_layers=3, **options).double()
    adj = CSR.from_edge_index(edges, NODES)
    expected, leaves = dense_scores(model, adjacency, pairs), list(model.parameters())
    assert_same(model(None, adj, pairs), expected, leaves)
    monkeypatch.setattr(module, "_CELLS", 3 * 4 * NODES)  # three sources at a time
    assert_same(model(None, adj, pairs), dense_scores(model, adjacency, pairs), leaves)


def test_a_score_depends_on_its_own_pair_and_the_present_edges_alone() -> None:
    torch.manual_seed(0)
    _, edges, adjacency, pairs = graph(0)
    model = NBFNet(hidden_channels=4, num_layers=2).double().eval()
    adj = CSR.from_edge_index(edges, NODES)
    with torch.no_grad():
        scores = model(None, adj, pairs)
        for part in (slice(0, 1), slice(7, 20)):
            torch.testing.assert_close(model(None, adj, pairs[:, part]), scores[part], rtol=0, atol=1e-12)
        torch.testing.assert_close(model(None, adj, pairs.flip(0)), scores, rtol=0, atol=1e-12)
        names = torch.randperm(NODES)
        torch.testing.assert_close(
            model(None, CSR.from_edge_index(names[edges], NODES), names[pairs]), scores, rtol=0, atol=1e-12
        )
        entries = torch.arange(6)
        adjacency[adj.row[entries], adj.col[entries]] = adjacency[adj.col[entries], adj.row[entries]] = 0.0
        left = model(None, adj.without(entries, mirror=True), pairs)
        torch.testing.assert_close(left, dense_scores(model, adjacency, pairs), rtol=0, atol=1e-10)
        assert model(None, adj, pairs[:, :0]).shape == (0,)


def test_nodes_can_be_asked_for_reasons_without_features() -> None:
    _, edges, _, pairs = graph(0)
    adj = CSR.from_edge_index(edges, NODES)
    model = NBFNet(hidden_channels=4, num_layers=2).eval()
    found = model.reasons(None, adj, pairs[:, :5])
    torch.testing.assert_close(found.score, model(None, adj, pairs[:, :5]).detach().double(), rtol=0, atol=1e-6)
