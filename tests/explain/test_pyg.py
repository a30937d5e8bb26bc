"""Our rules under PyG's `Explainer`, and PyG's algorithms on our models, through the same protocol."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.explain import Explainer, GNNExplainer, PGExplainer
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.explain.metric import fidelity as pyg_fidelity

from graphkit.conf.catalog import MODELS
from graphkit.explain.edges import attribute_to_edges
from graphkit.explain.masked import MaskedModule, MaskedNode
from graphkit.explain.pyg import EdgeAttribution, ModelForPyG
from graphkit.layers import GATConv, SAGEConv
from graphkit.metrics.fidelity import edge_groups, fidelity
from graphkit.models.graph.message_passing import GIN
from graphkit.models.node.classic import GCN
from graphkit.sparse import CSR
from tests.explain.test_masked import SCALED, N, graph, node_model, pyg_module

CONFIG = {"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"}


def explainer(model: torch.nn.Module, algorithm: Any, level: str = "node") -> Any:
    return Explainer(
        model, algorithm, explanation_type="model", edge_mask_type="object", model_config={**CONFIG, "task_level": level}
    )


@pytest.mark.parametrize("rule", ["gradients", "occlusion"])
def test_pyg_runs_our_rules_on_a_module_of_its_own(rule: Any) -> None:
    edges, x = graph()
    module, attr = pyg_module(), torch.randn(edges.size(1), 2)
    found = explainer(module, EdgeAttribution(rule))(x, edges, index=6, edge_attr=attr)
    masked = MaskedModule(module=module, x=x, edges=edges, index=6, arguments={"edge_attr": attr})
    expected = attribute_to_edges(masked, int(found.target[6]), rule, of="log-probability")
    torch.testing.assert_close(found.contributions, expected)
    groups = edge_groups(edges, N)
    sums = torch.stack([expected[groups == group].mean().abs() for group in groups])
    torch.testing.assert_close(found.edge_mask.double(), sums / sums.max(), rtol=1e-5, atol=1e-6)
    assert float(found.edge_mask.max()) == 1 and float(found.edge_mask.min()) >= 0
    support = explainer(module, EdgeAttribution(rule, by="support"))(x, edges, index=6, edge_attr=attr).edge_mask
    against = torch.stack([expected[groups == group].mean() <= 0 for group in groups])
    assert bool((support[against] == 0).all()) and bool((support[~against] > 0).all()) and bool(against.any())
    # PyG's own metric takes what it returned; hard masks, since soft ones are not what its convolutions were trained on.
    assert all(0 <= value <= 1 for value in pyg_fidelity(explainer(module, EdgeAttribution(rule)), found))


def test_gradients_of_messages_add_up() -> None:
    edges, x = graph()
    module, attr = pyg_module(), torch.randn(edges.size(1), 2)
    masked = MaskedModule(module=module, x=x, edges=edges, index=6, arguments={"edge_attr": attr})
    found = attribute_to_edges(masked, 2, steps=100)
    ends = [masked.weighted(torch.full((edges.size(1),), weight))[2].item() for weight in (1.0, 0.0)]
    assert float(found.sum()) == pytest.approx(ends[0] - ends[1], abs=0.02)
    assert all(getattr(one, "_edge_mask", None) is None for one in module.modules())


def test_pyg_runs_our_rules_on_graphs() -> None:
    edges, x = graph()
    module, attr = pyg_module(per_graph=True), torch.randn(edges.size(1), 2)
    batch = torch.zeros(N, dtype=torch.int64)
    found = explainer(module, EdgeAttribution("occlusion"), "graph")(x, edges, edge_attr=attr, batch=batch)
    whole = module(x, edges, edge_attr=attr, batch=batch)[0].detach().log_softmax(0)[found.target[0]]
    group = edge_groups(edges, N) == edge_groups(edges, N)[0]
    left = module(x, edges[:, ~group], edge_attr=attr[~group], batch=batch)[0].detach().log_softmax(0)[found.target[0]]
    assert float(found.contributions[group].sum()) == pytest.approx(float(whole - left), abs=1e-5)


@pytest.mark.parametrize("name", sorted(MODELS["node"]))
def test_a_model_of_ours_is_the_same_module_to_pyg(name: str) -> None:
    edges, x = graph()
    model = node_model(name)
    wrapped = ModelForPyG(model, hops=2)
    torch.testing.assert_close(wrapped(x, edges), model(x, edges))
    mask = torch.rand(edges.size(1), generator=torch.Generator().manual_seed(0))
    found = explainer(wrapped, EdgeAttribution()).get_masked_prediction(x, edges, edge_mask=mask)
    torch.testing.assert_close(found, model(x, CSR.from_edge_index(edges, N, mask)).detach(), rtol=1e-4, atol=1e-5)


def test_a_graph_model_of_ours_is_the_same_module_to_pyg() -> None:
    edges, x = graph()
    torch.manual_seed(0)
    model = GIN(4, 2).eval()
    wrapped = ModelForPyG(model, hops=3)
    twice = wrapped(x.repeat(2, 1), torch.cat([edges, edges + N], dim=1), batch=torch.arange(2).repeat_interleave(N))
    torch.testing.assert_close(twice, wrapped(x, edges).expand(2, -1), rtol=1e-4, atol=1e-5)
    found = explainer(wrapped, GNNExplainer(epochs=3), "graph")(x, edges)
    assert found.edge_mask.shape == (edges.size(1),) and bool((found.edge_mask > 0).any())


@pytest.mark.parametrize("name", ["adpa", "gat", "linkx", "polynsd", "prototype", "sage"])
def test_gnn_explainer_masks_every_model_that_reads_edges(name: str) -> None:
    edges, x = graph()
    torch.manual_seed(0)
    found = explainer(ModelForPyG(node_model(name), hops=2), GNNExplainer(epochs=3))(x, edges, index=6)
    assert bool((found.edge_mask > 0).any()) and bool(found.edge_mask.isfinite().all())


def test_a_model_without_edges_has_none_to_mask() -> None:
    edges, x = graph()
    with pytest.raises(ValueError, match="edges"):
        explainer(ModelForPyG(node_model("mlp"), hops=1), GNNExplainer(epochs=2))(x, edges, index=6)


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True:UserWarning")  # PyG's own loss
def test_pg_explainer_reads_our_embeddings() -> None:
    edges, x = graph()
    torch.manual_seed(0)
    wrapped = ModelForPyG(node_model("gcn"), hops=2)
    explain = Explainer(
        wrapped,
        PGExplainer(epochs=2),
        explanation_type="phenomenon",
        edge_mask_type="object",
        model_config=CONFIG,
    )
    target = wrapped(x, edges).argmax(1)
    for epoch in range(2):
        for node in (3, 6):
            assert explain.algorithm.train(epoch, wrapped, x, edges, target=target, index=node) > 0
    found = explain(x, edges, target=target, index=6)
    assert found.edge_mask.shape == (edges.size(1),) and bool((found.edge_mask > 0).any())


def test_a_prediction_through_pyg_is_the_one_that_fidelity_measures() -> None:
    """Removed edges, as hard masks of PyG and as copies of ours, do the same to a model of ours."""
    edges, x = graph()
    model, adj = node_model("sheaf"), CSR.from_edge_index(edges, N)
    masked, wrapped = MaskedNode(model=model, x=x, adj=adj, node=6), ModelForPyG(model, hops=2)
    chosen = edge_groups(adj.edge_index(), N) < 5
    found = fidelity(masked, chosen, masked.groups)
    asked = explainer(wrapped, EdgeAttribution("occlusion"))
    for mask, drop in ((~chosen, found.plus), (chosen, found.minus)):
        left = asked.get_masked_prediction(x, adj.edge_index(), edge_mask=mask.float())[6].softmax(0)
        whole = wrapped(x, adj.edge_index())[6].softmax(0).detach()
        assert float(whole[found.target] - left[found.target]) == pytest.approx(float(drop), abs=1e-5)


def test_scaled_models_still_rank_edges() -> None:
    edges, x = graph()
    for name in SCALED:
        masked = MaskedNode(model=node_model(name), x=x, adj=CSR.from_edge_index(edges, N), node=6)
        found = attribute_to_edges(masked, 1)
        assert bool(found.any()) and float(found.sum()) == pytest.approx(0.0, abs=1e-5)


def test_what_cannot_be_explained_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    edges, x = graph()
    module = GCN(4, 3)
    with pytest.raises(ValueError, match="does not support"):
        Explainer(module, EdgeAttribution(), explanation_type="model", node_mask_type="object", model_config=CONFIG)
    assert "node_mask_type=None" in caplog.text
    with pytest.raises(ValueError, match="index of one node"):
        explainer(ModelForPyG(module, hops=2), EdgeAttribution())(x, edges)
    with pytest.raises(ValueError, match="rule must be one of"):
        EdgeAttribution("saliency")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="by must be size or support"):
        EdgeAttribution(by="sign")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hops must be at least 1"):
        ModelForPyG(module, hops=0)

    class Plain(torch.nn.Module):
        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return x.index_add(0, edge_index[1], x[edge_index[0]])

    with pytest.raises(ValueError, match="take rule='occlusion'"):
        explainer(Plain(), EdgeAttribution())(x, edges, index=2)
    assert explainer(Plain(), EdgeAttribution("occlusion"))(x, edges, index=2).edge_mask.max() == 1


class OwnNetwork(nn.Module):
    """A network of its own, made of our layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = SAGEConv(5, 8), GATConv(8, 3, heads=2, concat=False)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        return self.second(self.first(x, edge_index, edge_weight).relu(), edge_index, edge_weight)


def test_a_network_of_our_layers_is_masked_through_its_edge_weight() -> None:
    """PyG's mask of an edge is its weight to the layers: a mask of 0 is the graph without the edge, and gradients reach it."""
    torch.manual_seed(0)
    network, (edges, x) = OwnNetwork().eval(), (torch.tensor([[0, 1, 2, 3, 4, 0], [1, 2, 3, 4, 0, 2]]), torch.randn(5, 5))
    wrapped = ModelForPyG(network, hops=2)
    torch.testing.assert_close(wrapped(x, edges), network(x, edges))
    keep = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0, 0.0], requires_grad=True)
    set_masks(wrapped, keep, edges, apply_sigmoid=False)
    masked = wrapped(x, edges)
    torch.testing.assert_close(masked, network(x, edges[:, keep.detach() > 0]))
    masked[2, 0].backward()
    assert bool((keep.grad != 0).any())
    clear_masks(wrapped)
    config = {"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"}
    explainer = Explainer(
        wrapped, GNNExplainer(epochs=2), explanation_type="model", edge_mask_type="object", model_config=config
    )
    assert explainer(x, edges, index=2).edge_mask.shape == (6,)
