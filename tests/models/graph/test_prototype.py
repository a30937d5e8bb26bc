"""Prototype models of graphs: against loops, and as one with those of nodes where a graph is a node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from graphkit.errors import RequestError
from graphkit.models.graph.base import GraphView
from graphkit.models.graph.message_passing import GCN, GIN, DeepSets
from graphkit.models.graph.ppgn import PPGN
from graphkit.models.graph.prototype import PARTS, PrototypeGraphs
from graphkit.models.graph.subgraphs import DS, KPath
from graphkit.models.node.classic import MLP
from graphkit.models.node.prototype import PrototypeNodes
from graphkit.sparse import GraphBatch
from tests.models.graph.frame import assert_whole_model, example, scrambled


def made(parts: str = "nodes", backbone: Any = None, **options: Any) -> PrototypeGraphs:
    torch.manual_seed(0)
    backbone = backbone or GCN(4, 3, hidden_channels=5, num_layers=2)
    return PrototypeGraphs(backbone, 3, parts=parts, **{"per_class": 2, **options})


@pytest.mark.parametrize("parts", PARTS)
def test_renaming_nodes_and_the_company_of_others_change_nothing(parts: str) -> None:
    assert_whole_model(lambda: made(parts, part_hops=2))


def scores_by_loops(model: PrototypeGraphs, batch: GraphBatch, hops: int | None) -> Tensor:
    """Cosines of nodes, or of means over balls, one part and one prototype after the other; hops None: the whole graph."""
    nodes, graphs, rows = model.embed_nodes(batch), model.embed(batch), []
    edges = batch.adj.edge_index().t().tolist()
    bounds = batch.ptr.tolist()
    for number, (first, last) in enumerate(zip(bounds, bounds[1:], strict=False)):
        found = [graphs[number]] if hops is None else []
        for v in range(first, last) if hops is not None else ():
            members = {v}
            for _ in range(hops):
                members |= {source for source, target in edges if target in members}
            found.append(sum(nodes[u] for u in sorted(members)) / len(members))
        similar = [max(torch.cosine_similarity(z, p, dim=0) for z in found) for p in model.head.bank.weight]
        rows.append(model.head.classifier.weight @ torch.stack(similar))
    return torch.stack(rows)


@pytest.mark.parametrize(("parts", "hops"), [("nodes", 0), ("balls", 0), ("balls", 1), ("balls", 2), ("graph", None)])
def test_scores_equal_loops(parts: str, hops: int | None) -> None:
    model = scrambled(made(parts, part_hops=hops or 0).double().eval())
    batch = example()
    batch = batch.with_index(model.prepare(batch))
    inputs = list(model.parameters())
    found, expected = model(batch), scores_by_loops(model, batch, hops)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    gradients = [torch.autograd.grad(one.sin().sum(), inputs, allow_unused=True) for one in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-9)


def test_graphs_of_one_node_are_nodes() -> None:
    """Nodes, balls and the whole graph are then one part, and a node model of the same weights gives the same scores."""
    x = torch.randn(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    batch = GraphBatch.of(torch.empty(2, 0, dtype=torch.long), torch.arange(8), x)
    torch.manual_seed(0)
    layer = MLP(4, 3, hidden_channels=5)  # one hidden layer: relu(W x + b), as Deep Sets without normalization
    on_nodes = [PrototypeNodes(layer, 3, per_class=2)]
    on_nodes += [PrototypeNodes(layer, 3, per_class=2, parts="neighborhood", part_hops=hops) for hops in (0, 2)]
    on_graphs = [made(parts, DeepSets(4, 3, hidden_channels=5, num_layers=1, norm="none"), part_hops=1) for parts in PARTS]
    found = []
    for model in (*on_nodes, *on_graphs):
        model.double().eval().head.load_state_dict(on_nodes[0].double().head.state_dict())
        if isinstance(model, PrototypeGraphs):
            model.backbone.layers[0].load_state_dict(layer.network.hidden[0].state_dict())
            found.append(model(batch.with_index(model.prepare(batch))))
        else:
            found.append(model(x, batch.adj))
    for scores in found[1:]:
        torch.testing.assert_close(scores, found[0], rtol=0, atol=1e-12)
    assert found[0].std(dim=0).min() > 1e-3


def view(model: PrototypeGraphs, batch: GraphBatch, kind: str = "classes", size: int = 2) -> GraphView:
    whole, graphs = batch.with_index(model.prepare(batch)), torch.tensor([4, 0, 2])

    def batches() -> Iterator[GraphBatch]:
        for part in graphs.split(size):
            yield whole.take(part)

    return GraphView(kind, 5, graphs, torch.tensor([1, 0, 1]), batches)


@pytest.mark.parametrize("parts", PARTS)
def test_parts_are_known_by_graph_and_node(parts: str) -> None:
    model, batch = made(parts).eval(), example().to("cpu")
    model = model.double()
    sizes = batch.ptr.diff().tolist()
    found = torch.cat([part.rows[1] for part in model._training_parts(view(model, batch))]).tolist()
    assert found == [
        [g, -1] if parts == "graph" else [g, v] for g in (4, 0, 2) for v in range(1 if parts == "graph" else sizes[g])
    ]
    again = torch.cat([part.rows[0] for part in model._training_parts(view(model, batch, size=3))])
    assert torch.allclose(again, torch.cat([part.rows[0] for part in model._training_parts(view(model, batch))]), atol=1e-12)


def test_classes_get_no_more_prototypes_than_graphs_and_other_targets_none() -> None:
    model, batch = made(), example()
    model.fit(view(model, batch))
    assert model.head.bank.identity.sum(dim=0).tolist() == [1, 2, 0]
    for kind in ("labels", "numbers"):
        with pytest.raises(RequestError, match=f"prototypes stand for classes, and the data set has {kind} to predict"):
            model.fit(view(model, batch, kind))


def test_backbones_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="a backbone must embed a graph the same way every time: leave sample=0"):
        made(backbone=DS(4, 3, sample=0.5))
    with pytest.raises(ValueError, match="parts must be one of nodes, balls, graph, got 'motif'"):
        made("motif")
    model, batch = made(backbone=KPath(4, 3, hidden_channels=4, num_layers=1)).double(), example()
    with pytest.raises(RequestError, match=r"model.parts=nodes: KPath embeds .*Take model.parts=graph or another backbone"):
        model(batch.with_index(model.prepare(batch)))


def test_the_width_of_node_embeddings_is_the_backbone_s() -> None:
    batch = example()
    for backbone in (PPGN(4, 3, hidden_channels=4, num_layers=1), GIN(4, 3, hidden_channels=4, num_layers=2)):
        model = made("nodes", backbone).double()
        ready = batch.with_index(model.prepare(batch))
        assert model.embed_nodes(ready).shape == (batch.num_nodes, model.node_width) and model(ready).shape == (5, 3)
