"""Prototype models of nodes against loops over nodes and their neighborhoods."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from graphkit.models.node import prototype
from graphkit.models.node.base import NodeView
from graphkit.models.node.classic import GCN, MLP
from graphkit.models.node.prototype import NeighborhoodHead, PrototypeNodes
from graphkit.sparse import as_csr
from tests.layers.oracle import messy_graph

WIDTH, CLASSES = 6, 3
EDGE_INDEX, N = messy_graph()


def made(hops: int | None = None, **options: Any) -> PrototypeNodes:
    torch.manual_seed(0)
    kind = {"parts": "node"} if hops is None else {"parts": "neighborhood", "part_hops": hops}
    backbone = GCN(WIDTH, CLASSES, hidden_channels=5, linear_head=True)
    model = PrototypeNodes(backbone, CLASSES, **kind, **{"per_class": 2, **options}).double().eval()
    with torch.no_grad():
        model.head.classifier.weight.add_(0.3 * torch.randn_like(model.head.classifier.weight))
    return model


def features() -> Tensor:
    return torch.randn(N, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def view(x: Tensor | None = None) -> NodeView:
    y = torch.arange(N) % CLASSES
    y[1::2] = -1
    return NodeView(features() if x is None else x, as_csr(EDGE_INDEX, N), y)


def ball(node: int, hops: int) -> list[int]:
    """Nodes from which a node is reached in at most that many edges, edge by edge."""
    found = {node}
    for _ in range(hops):
        found |= {source for source, target in EDGE_INDEX.t().tolist() if target in found}
    return sorted(found)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """0 of a vector of zeros, which a node has if no ReLU lets anything through."""
    return torch.cosine_similarity(a, b, dim=0)


def by_loops(model: PrototypeNodes, x: Tensor, hops: int) -> Tensor:
    h, rows = model.backbone.embed(x, EDGE_INDEX), []
    for node in range(N):
        similar = []
        for p in model.head.bank.weight:
            similar.append(max(cosine(h[u], p) for u in ball(node, hops)))
        rows.append(model.head.classifier.weight @ torch.stack(similar))
    return torch.stack(rows)


@pytest.mark.parametrize("hops", [None, 0, 1, 2])
def test_scores_equal_loops(hops: int | None) -> None:
    model, x = made(hops), features().requires_grad_()
    found, expected = model(x, EDGE_INDEX), by_loops(model, x, hops or 0)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    inputs = [x, *model.parameters()]
    gradients = [torch.autograd.grad(one.sin().sum(), inputs, allow_unused=True) for one in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-9)


def test_the_size_of_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(2, pool="top-k", top_k=2)
    expected, parts = model(features(), EDGE_INDEX), list(model._training_parts(view()))
    monkeypatch.setattr(prototype, "BLOCK", 40)
    torch.testing.assert_close(model(features(), EDGE_INDEX), expected, rtol=0, atol=0)
    blocks = list(model._training_parts(view()))
    assert len(blocks) > len(parts) == 1 and max(block.z.numel() for block in blocks) <= max(40, blocks[0].z[0].numel())
    assert torch.equal(torch.cat([block.rows[0] for block in blocks]), parts[0].rows[0])
    assert torch.equal(torch.cat([block.rows[1] for block in blocks]), parts[0].rows[1])


@pytest.mark.parametrize("hops", [None, 1])
def test_the_loss_is_of_the_nodes_that_are_asked_for(hops: int | None) -> None:
    model, nodes = made(hops), torch.tensor([4, 0, 2])
    h = model.embed(features(), EDGE_INDEX)
    similarity = torch.stack(
        [
            torch.stack([max(cosine(h[u], p) for u in ball(node, hops or 0)) for p in model.head.bank.weight])
            for node in nodes.tolist()
        ]
    )
    expected = model.head.loss(similarity, view().y[nodes])
    torch.testing.assert_close(model.training_loss(view(), nodes), expected, rtol=0, atol=1e-10)


def test_only_training_nodes_can_become_prototypes() -> None:
    model, data = made(2), view()
    (parts,) = model._training_parts(data)
    wanted = [[int(v), u] for v in data.nodes for u in ball(int(v), 2) if int(data.y[u]) >= 0]
    assert parts.rows[1].tolist() == wanted
    every = model.parts_of(data, torch.tensor([3, 1]))
    assert every.rows[1].tolist() == [[v, u] for v in (3, 1) for u in ball(v, 2)]


def test_a_model_without_parameters_of_its_own_takes_any_features() -> None:
    """A perceptron of one layer is its head alone: then the features are compared."""
    model = PrototypeNodes(MLP(WIDTH, CLASSES, num_layers=1), CLASSES, per_class=1).double().eval()
    sparse = as_csr(torch.tensor([[0, 2], [1, 0]]), (N, WIDTH))  # rows are the second line
    torch.testing.assert_close(model(sparse, EDGE_INDEX), model(sparse.to_dense(torch.float64), EDGE_INDEX))
    assert not list(model.backbone.parameters()) and model.embedding_channels == WIDTH


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="parts must be one of node, neighborhood, got 'edge'"):
        PrototypeNodes(MLP(WIDTH, CLASSES), CLASSES, parts="edge")
    with pytest.raises(ValueError, match="part_hops must be at least 0, got -1"):
        PrototypeNodes(MLP(WIDTH, CLASSES), CLASSES, part_hops=-1)
    assert isinstance(made(1).head, NeighborhoodHead)
