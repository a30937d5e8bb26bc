"""What the tests of graph models share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from graphkit import testing
from graphkit.models.graph.base import GraphModel
from graphkit.sparse import GraphBatch, as_csr

EDGES = 2


def batch_of(x: Tensor, edge_index: Tensor, ptr: Tensor, edges: bool = False) -> GraphBatch:
    """A batch of graphs, with features of edges that follow the nodes at their ends."""
    adj = as_csr(edge_index, x.size(0))
    return GraphBatch.of(adj, ptr, x, (x[adj.row] * x[adj.col].sin())[:, :EDGES] if edges else None)


def example(edges: bool = False, seed: int = 0) -> GraphBatch:
    """Graphs of five sizes with isolated nodes, one without edges and one of a single node; 4 features."""
    return batch_of(*testing.graph_batch(seed=seed), edges)


class OnBatch(nn.Module):
    """A model as the assertions of `graphkit.testing` call it."""

    def __init__(self, model: GraphModel, edges: bool) -> None:
        super().__init__()
        self.model, self.edges = model, edges

    def forward(self, x: Tensor, edge_index: Tensor, ptr: Tensor) -> Tensor:
        batch = batch_of(x, edge_index, ptr, self.edges)
        return self.model(batch.with_index(self.model.prepare(batch)))


def scrambled(model: nn.Module, seed: int = 1) -> nn.Module:
    """Other numbers than those of a fresh model, whose normalizations and biases are trivial."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if value.is_floating_point():
                noise = torch.rand(value.shape, generator=generator, dtype=value.dtype)
                value.add_(noise) if name.endswith(("running_var", "eps")) else value.add_(0.5 * noise - 0.2)
    return model


def assert_whole_model(make: Callable[[], GraphModel], edges: bool = False) -> None:
    """Renaming the nodes of each graph changes nothing, nor does the company of other graphs or their order.

    Values and the gradients of features and parameters, float64. Batches that are taken, with repeats, give the same too.
    """

    def build() -> nn.Module:
        return scrambled(OnBatch(make(), edges))

    testing.assert_relabeling(build, per="graph", tolerance=1e-10)
    testing.assert_graphs_apart(build, per="graph", tolerance=1e-10)
    model = scrambled(make().double().eval())
    whole = example(edges)
    whole = whole.with_index(model.prepare(whole))
    every = model(whole)
    assert every.shape == (5, 3) and model.embed(whole).shape == (5, model.width)
    graphs = torch.tensor([3, 0, 4, 3])
    torch.testing.assert_close(model(whole.take(graphs)), every[graphs], rtol=1e-10, atol=1e-10)


def assert_same(actual: Tensor, expected: Tensor, inputs: list[Tensor]) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
    probe = torch.linspace(-1.0, 1.0, expected.numel(), dtype=torch.float64).sin().view_as(expected)
    ours = torch.autograd.grad((actual * probe).sum(), inputs)
    theirs = torch.autograd.grad((expected * probe).sum(), inputs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def batch_norm(module: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """In evaluation, along the last axis of any tensor."""
    assert module.running_mean is not None and module.running_var is not None
    return (x - module.running_mean) / (module.running_var + module.eps).sqrt() * module.weight + module.bias


def linear(module: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(module, nn.Linear)
    out = x @ module.weight.t()
    return out if module.bias is None else out + module.bias


def graphs_of(batch: GraphBatch) -> list[tuple[Tensor, Tensor]]:
    """Features and dense adjacency matrix A[target, source] of each graph, edge by edge."""
    dense = torch.zeros(batch.num_nodes, batch.num_nodes, dtype=torch.float64)
    for source, target in batch.adj.edge_index().t().tolist():
        dense[target, source] = 1.0
    bounds = batch.ptr.tolist()
    assert batch.x is not None
    return [(batch.x[a:b], dense[a:b, a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]
