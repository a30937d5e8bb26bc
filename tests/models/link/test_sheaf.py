"""Sheaf diffusion for links: dense Laplacians written out by node and edge, absent edges, and wrong widths."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from graphkit.conf.models.link import SheafGAEModel
from graphkit.conf.schema import LinkTask
from graphkit.errors import RequestError
from graphkit.models.link.sheaf import SheafEncoder, SheafGAE
from graphkit.sparse import CSR
from tests.models.link.dense import NODES, assert_same, graph
from tests.tasks.links import make_task, planted


def dense_diffusion(layer, x, adjacency):
    """x' = (1 + tanh eps) x - elu(Delta (I kron W_1) x W_2) for diagonal maps, in loops over edges."""
    n, d, h = x.size(0), layer.stalk_dim, x.size(1) // layer.stalk_dim
    weight = layer.map_learner.weight

    def maps(v, u):
        return torch.tanh(weight @ torch.cat([x[v], x[u]]))

    degree = [torch.ones(d, dtype=x.dtype) for _ in range(n)]
    for v, u in adjacency.nonzero().tolist():
        degree[v] = degree[v] + maps(v, u) ** 2
    root = [one.rsqrt() for one in degree]
    y = torch.einsum("ab,nbh->nah", layer.left, x.view(n, d, h)) @ layer.right
    delta = [(1 - root[v] ** 2)[:, None] * y[v] for v in range(n)]
    for v, u in adjacency.nonzero().tolist():
        delta[v] = delta[v] - (root[v] * maps(v, u) * maps(u, v) * root[u])[:, None] * y[u]
    gain = (1 + torch.tanh(layer.step))[:, None]
    return (gain * x.view(n, d, h) - F.elu(torch.stack(delta))).reshape(n, d * h)


@pytest.mark.parametrize("features", [6, 0])
def test_equals_loops_over_edges(features: int) -> None:
    torch.manual_seed(0)
    x, edges, adjacency, pairs = graph(features)
    model = SheafGAE(features, NODES, stalk_dim=2, hidden_channels=6, head_layers=2, num_layers=2).double().eval()
    with torch.no_grad():
        for layer in model.encoder.layers:
            layer.step.normal_()
            layer.left.normal_()
    encoder = model.encoder
    h = encoder.input.table if x is None else encoder.lin(x)
    for layer in encoder.layers:
        h = dense_diffusion(layer, h, adjacency)
    z = h[pairs[0]] * h[pairs[1]]
    for lin, act in zip(model.score.lins, model.score.acts, strict=True):
        z = F.layer_norm(lin(z), (6,), act.weight, act.bias).clamp(min=0)
    assert_same(model(x, CSR.from_edge_index(edges, NODES), pairs), model.score.out(z).squeeze(1), list(model.parameters()))


@pytest.mark.parametrize("maps", ["identity", "diagonal", "orthogonal", "general"])
def test_edges_that_are_absent_are_those_of_a_graph_rebuilt_without_them(maps: str) -> None:
    torch.manual_seed(0)
    x, edges, _, pairs = graph()
    model = SheafGAE(6, NODES, maps=maps, hidden_channels=8, low_pass=True, high_pass=True).double().eval()
    adj = CSR.from_edge_index(edges, NODES)
    gone = edges[:, ::7]
    kept = [edge for edge in edges.t().tolist() if edge not in gone.t().tolist() + gone.flip(0).t().tolist()]
    rebuilt = CSR.from_edge_index(torch.tensor(kept).t(), NODES)
    found = model(x, adj.without(adj.positions(gone), mirror=True), pairs)
    torch.testing.assert_close(found, model(x, rebuilt, pairs), rtol=0, atol=1e-10)
    assert (found - model(x, adj, pairs)).abs().max() > 1e-3


def test_dropouts_work_in_training_only() -> None:
    x, edges, _, _ = graph()
    adj, x = CSR.from_edge_index(edges, NODES), x.float()
    for option in ("feature_dropout", "dropout"):
        encoder = SheafEncoder(6, NODES, 8, **{option: 0.5})
        assert not torch.equal(encoder(x, adj), encoder(x, adj))
        encoder.eval()
        assert torch.equal(encoder(x, adj), encoder(x, adj))


def test_a_width_that_fits_no_stalks_is_told_as_a_wrong_request() -> None:
    task = make_task(planted(5), SheafGAEModel(hidden_channels=9), LinkTask())
    with pytest.raises(RequestError, match="model=sheaf: in_channels must be a positive multiple of 2"):
        task.build_model()
    with pytest.raises(ValueError, match="num_layers must be at least 1"):
        SheafEncoder(6, NODES, 8, num_layers=0)
