"""Node-adaptive smoothing against dense powers and a limit from eigenvectors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.layers import NodeAdaptiveSmoothing
from graphkit.layers.conv.dgmlp import _limit
from graphkit.sparse import CSR, sparse_features
from tests.layers.conv.compare import assert_same
from tests.layers.oracle import dense_adjacency, messy_graph


def undirected() -> tuple[Tensor, Tensor]:
    """A graph of several components as edges, and its dense A_hat."""
    edge_index, n = messy_graph()
    edge_index = torch.cat([edge_index[:, :12], torch.tensor([[9], [10]])], dim=1)
    a = dense_adjacency(torch.cat([edge_index, edge_index.flip(0)], dim=1), n).clamp(max=1)
    a = a - torch.diag(a.diagonal()) + torch.eye(n, dtype=torch.float64)
    return edge_index, a.sum(1).rsqrt()[:, None] * a * a.sum(1).rsqrt()


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(1) / (a.square().sum(1).sqrt() * b.square().sum(1).sqrt())


def limit_of(a_hat: Tensor, x: Tensor) -> Tensor:
    """The projection on the eigenvectors of eigenvalue 1."""
    values, vectors = torch.linalg.eigh(a_hat)
    own = vectors[:, values > 1 - 1e-9]
    assert own.size(1) > 2, "several components"
    return own @ own.t() @ x


def test_node_adaptive_smoothing_equals_dense_oracle() -> None:
    edge_index, a_hat = undirected()
    x = torch.randn(a_hat.size(0), 4, dtype=torch.float64, requires_grad=True)
    hops = [torch.linalg.matrix_power(a_hat, k) @ x for k in range(4)]
    levels = torch.stack([cosine(h, x) * (1 - cosine(h, limit_of(a_hat, x))) for h in hops]) / 0.3
    weights = levels.exp() / levels.exp().sum(0)
    expected = sum(weight[:, None] * h for weight, h in zip(weights, hops, strict=True))
    layer = NodeAdaptiveSmoothing(num_hops=3, temperature=0.3)
    assert_same(layer(x, edge_index), expected, [x])
    torch.testing.assert_close(layer(x, edge_index.flip(0)), expected)
    sparse = sparse_features(x.detach(), density=1.0)
    torch.testing.assert_close(layer(sparse, edge_index), expected.detach())


def test_the_limit_is_that_of_the_operator_that_propagates() -> None:
    """The public code has the limit of D^-1 (A + I), which is the same for all nodes of a component."""
    edge_index, a_hat = undirected()
    n = a_hat.size(0)
    x = torch.randn(n, 3, dtype=torch.float64)
    loops = CSR.from_edge_index(torch.cat([edge_index, edge_index.flip(0)], dim=1).unique(dim=1), n).with_self_loops()
    torch.testing.assert_close(_limit(x, loops), torch.linalg.matrix_power(a_hat, 3000) @ x, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(_limit(x, loops), limit_of(a_hat, x))


def test_smoothing_takes_place_once_per_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = NodeAdaptiveSmoothing._smoothed
    monkeypatch.setattr(NodeAdaptiveSmoothing, "_smoothed", lambda self, x, adj: made.append(1) or original(self, x, adj))
    layer, x, graph = NodeAdaptiveSmoothing(num_hops=2), torch.randn(11, 3), CSR.from_edge_index(*messy_graph())
    assert layer(x, graph) is layer(x, graph) and len(made) == 1
    x.add_(1.0)
    layer(x, graph)
    assert len(made) == 2


def test_features_that_are_zero_and_wrong_arguments() -> None:
    assert torch.equal(NodeAdaptiveSmoothing()(torch.zeros(11, 2), messy_graph()[0]), torch.zeros(11, 2))
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        NodeAdaptiveSmoothing(temperature=0.0)
