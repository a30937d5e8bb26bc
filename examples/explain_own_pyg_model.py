"""Explain a network of your own, made of PyG's layers: a page that adds up, and our rule beside PyG's GNNExplainer.

python examples/explain_own_pyg_model.py
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch_geometric.explain import Explainer, GNNExplainer
from torch_geometric.nn import GCNConv

from graphkit.data import load
from graphkit.explain.masked import MaskedModule
from graphkit.explain.module import explain_module
from graphkit.explain.pyg import EdgeAttribution
from graphkit.metrics.fidelity import edge_groups, fidelity, random_explanations, top_edges


class Net(nn.Module):
    """Two convolutions of PyG's."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first, self.second = GCNConv(in_channels, 16), GCNConv(16, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits of the nodes."""
        return self.second(self.first(x, edge_index).relu(), edge_index)


def main(node: int = 9, epochs: int = 100, page: str = "node.html") -> dict[str, float]:
    """Train, write the page of a node, and return Fid+ - Fid- of the four strongest edges for three explanations."""
    torch.manual_seed(0)
    data = load("karate", task="node")
    x, edges, y = torch.eye(data.graph.num_nodes), data.graph.edge_index, data.graph.y
    net, train = Net(x.size(1), int(y.max()) + 1), data.splits["train"]
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(epochs):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x, edges)[train], y[train]).backward()
        optimizer.step()
    net.eval()

    explanation = explain_module(net, x, edges, index=node)
    Path(page).write_text(explanation.to_html(), encoding="utf-8")
    print(explanation.sentence)

    groups = edge_groups(edges, x.size(0))
    masked = MaskedModule(module=net, x=x, edges=edges, index=node)
    config = {"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"}
    found = {}
    for name, algorithm in {"ours": EdgeAttribution(by="support"), "GNNExplainer": GNNExplainer(epochs=100)}.items():
        explainer = Explainer(net, algorithm, explanation_type="model", edge_mask_type="object", model_config=config)
        chosen = top_edges(explainer(x, edges, index=node).edge_mask, groups, 4)
        found[name] = float(fidelity(masked, chosen, groups).delta)
    drawn = random_explanations(chosen, groups, 20, generator=torch.Generator().manual_seed(0))
    found["random"] = float(fidelity(masked, drawn, groups).delta.mean())
    return found


if __name__ == "__main__":
    for explainer, delta in main().items():
        print(f"Fid+ - Fid- of {explainer}: {delta:.3f}")
