"""Predictions as functions of their edges: every copy is the model on a graph that really lacks the edges."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from graphkit.conf.catalog import MODELS
from graphkit.explain.edges import attribute_to_edges
from graphkit.explain.masked import MaskedGraph, MaskedModule, MaskedNode
from graphkit.metrics.fidelity import edge_groups, fidelity, random_explanations
from graphkit.models.node.base import NodeModel, NodeView
from graphkit.sparse import CSR, GraphBatch, sparse_features
from graphkit.tasks.build import model_maker

N = 11
SCALED = ("dir-gnn", "sage")  # a common factor of all weights cancels in them
TIED = ("linkx", "x-node", "hei", "fastrp", "trees")  # parameters, contexts or random rows belong to nodes


def graph(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Edges in both directions but for a few, two self-loops, and features."""
    random = torch.Generator().manual_seed(seed)
    pairs = torch.randint(N, (2, 14), generator=random)
    edges = torch.cat([pairs, pairs.flip(0)[:, :11], torch.tensor([[3, 5], [3, 5]])], dim=1)
    return torch.unique(edges, dim=1), torch.randn(N, 4, generator=random)


def node_model(name: str) -> NodeModel:
    torch.manual_seed(0)
    edges, x = graph()
    model = model_maker("node", MODELS["node"][name].settings())(in_channels=4, out_channels=3, num_nodes=N)
    labels = torch.arange(N) % 3
    model.fit(NodeView(x=x, adj=CSR.from_edge_index(edges, N), y=labels))
    return model.eval()  # type: ignore[no-any-return]


def some_masks(count: int, edges: int) -> Tensor:
    kept = torch.rand(count, edges, generator=torch.Generator().manual_seed(1)) < 0.6
    kept[0], kept[1] = True, False
    return kept


@pytest.mark.parametrize("name", sorted(MODELS["node"]))
def test_a_copy_of_a_node_model_is_the_model_on_the_graph_without_the_edges(name: str) -> None:
    edges, x = graph()
    model, adj = node_model(name), CSR.from_edge_index(edges, N)
    kept = some_masks(4, adj.nnz)
    masked = MaskedNode(model=model, x=x, adj=adj, node=6, together=1 if name in TIED else None)
    found = masked.scores(kept)
    for row, stays in zip(found, kept, strict=True):
        left = CSR.from_edge_index(adj.edge_index()[:, stays], N)
        torch.testing.assert_close(row, model(x, left)[6].detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(masked(kept), found.double().softmax(dim=1))
    torch.testing.assert_close(masked.weighted(torch.ones(adj.nnz)).detach(), found[0], rtol=1e-4, atol=1e-5)


def test_sparse_features_and_weighted_graphs_are_copied_as_well() -> None:
    edges, x = graph()
    model = node_model("gcn")
    x = x * (x > 1.0)
    sparse = sparse_features(x, density=1.0)
    adj = CSR.from_edge_index(edges, N, torch.rand(edges.size(1)) + 0.5)
    kept = some_masks(3, adj.nnz)
    found = MaskedNode(model=model, x=sparse, adj=adj, node=2).scores(kept)
    for row, stays in zip(found, kept, strict=True):
        left = CSR.from_edge_index(adj.edge_index()[:, stays], N, adj.weights(torch.float32)[stays])
        torch.testing.assert_close(row, model(x, left)[2].detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["gin", "ds", "prototype"])
def test_a_copy_of_a_graph_model_is_the_model_on_the_graph_without_the_edges(name: str) -> None:
    edges, x = graph()
    torch.manual_seed(0)
    make = model_maker("graph", MODELS["graph"][name].settings())
    model = make(in_channels=4, out_channels=2, edge_channels=0, max_degree=9).eval()
    ptr = torch.tensor([0, N])
    whole = GraphBatch.of(edges, ptr, x)
    kept = some_masks(4, whole.adj.nnz)
    found = MaskedGraph(model=model, graph=whole).scores(kept)
    for row, stays in zip(found, kept, strict=True):
        left = GraphBatch.of(whole.adj.edge_index()[:, stays], ptr, x)
        expected = torch.stack([model(left.with_index(model.prepare(left, vote=vote)))[0] for vote in range(model.votes)])
        torch.testing.assert_close(row, expected.mean(dim=0).detach(), rtol=1e-4, atol=1e-5)


def pyg_module(per_graph: bool = False) -> Any:
    from torch_geometric.nn import GATConv, GCNConv, global_mean_pool

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = GCNConv(4, 6), GATConv(6, 3, edge_dim=2)

        def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor | None = None) -> Tensor:
            h = self.second(self.first(x, edge_index).relu(), edge_index, edge_attr)
            return global_mean_pool(h, batch) if per_graph else h

    torch.manual_seed(0)
    return Net().eval()


@pytest.mark.parametrize("per_graph", [False, True])
def test_a_copy_of_any_module_is_the_module_on_the_graph_without_the_edges(per_graph: bool) -> None:
    edges, x = graph()
    module, attr = pyg_module(per_graph), torch.randn(edges.size(1), 2)
    row = 0 if per_graph else 6
    masked = MaskedModule(module=module, x=x, edges=edges, index=row, per_graph=per_graph, arguments={"edge_attr": attr})
    kept = some_masks(4, edges.size(1))
    batch = {"batch": torch.zeros(N, dtype=torch.int64)} if per_graph else {}
    for found, stays in zip(masked.scores(kept), kept, strict=True):
        expected = module(x, edges[:, stays], edge_attr=attr[stays], **batch)[row].detach()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("returns", ["raw", "probs", "log_probs"])
def test_probabilities_whatever_a_module_returns(returns: Any) -> None:
    edges, x = graph()

    class Net(torch.nn.Module):
        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            logits = x.index_add(0, edge_index[1], x[edge_index[0]])
            return {"raw": logits, "probs": logits.softmax(1), "log_probs": logits.log_softmax(1)}[returns]

    masked = MaskedModule(module=Net(), x=x, edges=edges, index=4, returns=returns)
    kept = some_masks(3, edges.size(1))
    plain = MaskedModule(module=Net(), x=x, edges=edges, index=4, returns=returns).scores(kept).double()
    expected = {"raw": plain.softmax(1), "probs": plain, "log_probs": plain.exp()}[returns]
    torch.testing.assert_close(masked(kept), expected)
    fidelity(masked, kept[2], torch.arange(edges.size(1)))  # probabilities, which it insists upon


def test_5_edges_keep_the_ids_of_the_whole_graph() -> None:
    """The fifth defect of published code: fidelity in a neighborhood that is cut out is that of the whole graph."""
    edges, x = graph()
    adj, node = CSR.from_edge_index(edges, N), 6
    model = node_model("gcn")  # two layers, whose normalization reads one step more
    masked = MaskedNode(model=model, x=x, adj=adj, node=node)
    reached = torch.zeros(N, dtype=torch.bool).index_fill(0, torch.tensor([node]), True)
    for _ in range(3):
        reached[adj.edge_index()[0][reached[adj.edge_index()[1]]]] = True
    inside = reached[adj.edge_index()].all(dim=0)
    assert 0 < int(reached.sum()) <= N and int(inside.sum()) > 3
    place = reached.cumsum(0) - 1
    cut = MaskedNode(
        model=model,
        x=x[reached],
        adj=CSR.from_edge_index(place[adj.edge_index()[:, inside]], int(reached.sum())),
        node=int(place[node]),
    )
    explanation = random_explanations(
        inside, edge_groups(adj.edge_index(), N), 1, generator=torch.Generator().manual_seed(3), among=inside
    )[0]
    whole = fidelity(masked, explanation & inside, masked.groups)
    part = fidelity(cut, explanation[inside], cut.groups)
    torch.testing.assert_close(whole.plus, part.plus, rtol=1e-5, atol=1e-6)
    # Edges beyond the neighborhood belong to no explanation, and what is left of it is the same.
    torch.testing.assert_close(whole.minus, part.minus, rtol=1e-5, atol=1e-6)
    assert float(whole.plus.abs()) > 1e-4


@pytest.mark.parametrize("name", ["gat", "gcn", "linkx", "sheaf"])
def test_gradients_add_up_to_what_edges_do(name: str) -> None:
    edges, x = graph()
    model, adj = node_model(name), CSR.from_edge_index(edges, N)
    masked = MaskedNode(model=model, x=x, adj=adj, node=6)
    for of in ("score", "log-probability"):
        found = attribute_to_edges(masked, 1, of=of, steps=100)
        ends = torch.stack([masked.weighted(torch.full((adj.nnz,), weight)) for weight in (1.0, 0.0)]).detach()
        scores = ends[:, 1] if of == "score" else ends.log_softmax(dim=1)[:, 1]
        assert float(found.sum()) == pytest.approx(float(scores[0] - scores[1]), abs=0.02) and bool(found.any())


@pytest.mark.parametrize("name", ["gat", "linkx", "sage"])
def test_occlusion_is_what_the_score_loses(name: str) -> None:
    edges, x = graph()
    model, adj = node_model(name), CSR.from_edge_index(edges, N)
    masked = MaskedNode(model=model, x=x, adj=adj, node=6, together=1 if name in TIED else None)
    found = attribute_to_edges(masked, 1, "occlusion")
    score = float(model(x, adj)[6, 1].detach())
    sums: dict[frozenset[int], float] = {}
    for edge, contribution in zip(adj.edge_index().t().tolist(), found.tolist(), strict=True):
        sums[frozenset(edge)] = sums.get(frozenset(edge), 0.0) + contribution
    for ends, contribution in sums.items():
        stays = [edge for edge in adj.edge_index().t().tolist() if frozenset(edge) != ends]
        left = model(x, CSR.from_edge_index(torch.tensor(stays).t(), N))[6, 1].item()
        assert contribution == pytest.approx(score - left, abs=1e-5)
    among = adj.row == 6
    some = attribute_to_edges(masked, 1, "occlusion", among=among)
    near = torch.isin(masked.groups, masked.groups[among])
    torch.testing.assert_close(some, torch.where(near, found, 0.0))


def test_a_wrong_rule_is_named() -> None:
    edges, x = graph()
    masked = MaskedNode(model=node_model("mlp"), x=x, adj=CSR.from_edge_index(edges, N), node=1)
    assert not bool(attribute_to_edges(masked, 0).any())  # it reads no edge
    with pytest.raises(ValueError, match="rule must be one of gradients, occlusion"):
        attribute_to_edges(masked, 0, "saliency")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="of must be score or log-probability"):
        attribute_to_edges(masked, 0, of="logit")  # type: ignore[arg-type]
