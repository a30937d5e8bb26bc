"""Forward and backward of one normalized propagation, X' = D^-1/2 A D^-1/2 X, against the ways PyG and torch offer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.nn import LGConv

from benchmarks.speed import graphs
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from graphkit.sparse import CSR, degree_order, normalize

CHANNELS = 64

Scatter = Callable[..., Tensor]


def contests(options: Options) -> Iterator[Contest]:
    """Gowalla's graph with its own ids, and with ids in the order of degree."""
    name, edge_index, num_nodes = graphs.gowalla(options)
    adjacency = CSR.from_edge_index(edge_index, num_nodes)
    scatter = _torch_scatter()
    if scatter is None:
        options.note("torch-scatter is not installed (extra `scatter`): its rows are left out")
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(2, num_nodes, CHANNELS, generator=generator)
    yield _contest(f"{name}, forward + backward", edge_index, adjacency, x, weight, scatter)
    order = degree_order(adjacency)
    ordered = order.apply_edges(edge_index)
    arrays = ordered, order.apply(adjacency), order.apply_nodes(x), order.apply_nodes(weight)
    yield _contest(f"{name}, ids in degree order", *arrays, scatter)


def _contest(label: str, edge_index: Tensor, adjacency: CSR, x: Tensor, weight: Tensor, scatter: Scatter | None) -> Contest:
    operator = normalize(adjacency, "gcn", self_loops=False, dtype=torch.float32)
    assert operator.symmetric  # looked up once, before time is taken
    ours = _side("graphkit CSR", operator.matmul, x, weight)
    peers = [_side(peer, propagate, x, weight) for peer, propagate in _peers(edge_index, operator, scatter).items()]
    entry = 2 * edge_index.size(1)  # index and value of an entry, read forward and backward
    work = Work(
        "12 bytes an entry and the features read and written once, forward and backward, at the copy rate",
        bytes=12.0 * entry + 4.0 * x.numel() * x.element_size(),
    )
    return Contest([Case(label, ours, peer, work) for peer in peers])


def _side(name: str, propagate: Callable[[Tensor], Tensor], x: Tensor, weight: Tensor) -> Side:
    """One forward and one backward pass of the loss <weight, propagate(x)>."""
    leaf = x.clone().requires_grad_()

    def call() -> Results:
        leaf.grad = None
        out = propagate(leaf)
        out.backward(weight)
        assert leaf.grad is not None
        return {"forward": out.detach(), "gradient": leaf.grad}

    return Side(name, call)


def _peers(edge_index: Tensor, operator: CSR, scatter: Scatter | None) -> dict[str, Callable[[Tensor], Tensor]]:
    """The peers by name; all but PyG's default get their weights precomputed."""
    num_nodes = operator.shape[0]
    values = operator.weights(torch.float32)
    matrix = operator.to_torch(torch.float32)
    weights = values[operator.positions(edge_index)]
    sources, targets = edge_index
    default, plain = LGConv(), LGConv(normalize=False)
    sorted_index = EdgeIndex(
        operator.edge_index(), sparse_size=(num_nodes, num_nodes), sort_order="col", is_undirected=True
    ).fill_cache_()
    peers = {
        "PyG LGConv, edge_index": lambda x: default(x, edge_index),
        "PyG LGConv, edge_index + weight": lambda x: plain(x, edge_index, weights),
        "PyG LGConv, torch CSR": lambda x: plain(x, matrix),
        "PyG EdgeIndex.matmul": lambda x: sorted_index.matmul(x, values, transpose=True),
        "torch.sparse.mm": lambda x: torch.sparse.mm(matrix, x),
        'torch.sparse.mm(..., "sum")': lambda x: torch.sparse.mm(matrix, x, "sum"),
    }
    if scatter is not None:
        peers["torch-scatter"] = lambda x: scatter(x[sources] * weights[:, None], targets, dim=0, dim_size=num_nodes)
    return peers


def _torch_scatter() -> Scatter | None:
    try:
        from torch_scatter import scatter
    except ImportError:
        return None
    found: Scatter = scatter
    return found
