"""A small planted data set for link prediction, and what its tests share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphkit.conf.models.link import GAEModel, NCNModel
from graphkit.conf.schema import LinkTask, Train
from graphkit.data.dataset import LinkData, Pairs
from graphkit.data.graph import Graph
from graphkit.models.link.base import LinkModel
from graphkit.tasks.build import model_maker
from graphkit.tasks.link import LinkPrediction, PairBatch

NODES = 41
NCN = NCNModel(hidden_channels=8, conv="puresum", residual=True, tail_activation=False, two_layer_head=True)
GAE = GAEModel(hidden_channels=8, conv="puresum", residual=True, head_layers=2)


def planted(features: int = 0, seed: int = 0, **changes: Any) -> LinkData:
    """Five cliques of eight and a node without edges; 12 edges held out for validation, 20 for test."""
    generator = torch.Generator().manual_seed(seed)
    community = torch.arange(NODES) // 8
    tied = community[:, None] == community[None]
    edges, others = tied.triu(1).nonzero().t(), (~tied).triu(1).nonzero().t()
    edges = edges[:, torch.randperm(edges.size(1), generator=generator)]
    others = others[:, torch.randperm(others.size(1), generator=generator)]
    train = edges[:, 32:]
    fields: dict[str, Any] = {
        "name": "planted",
        "graph": Graph(edge_index=torch.cat([train, train.flip(0)], dim=1), num_nodes=NODES),
        "splits": {
            "train": Pairs(train),
            "valid": Pairs(edges[:, :12], others[:, :40]),
            "test": Pairs(edges[:, 12:32], others[:, 40:100]),
        },
        "metric": "hits@5",
        "metrics": ("hits@5", "hits@1"),
        "protocol": "planted communities",
    }
    if features:
        fields["graph"].x = torch.randn(NODES, features, generator=generator)
    return LinkData(**(fields | changes))


def make_task(dataset: LinkData, model: Any = NCN, settings: LinkTask | None = None, **train: Any) -> LinkPrediction:
    return LinkPrediction(dataset, settings or LinkTask(), model_maker("link", model), Train(**train), torch.device("cpu"))


def first_batch(task: LinkPrediction, seed: int = 0) -> PairBatch:
    return next(task.batches(torch.Generator().manual_seed(seed)))


def new_model(task: LinkPrediction, seed: int = 0) -> LinkModel:
    torch.manual_seed(seed)
    return task.build_model()


def both_ways(pairs: Tensor) -> set[tuple[int, int]]:
    return {edge for u, v in pairs.t().tolist() for edge in ((u, v), (v, u))}


def edges_without(dataset: LinkData, pairs: Tensor) -> Tensor:
    """The message passing graph, rebuilt edge by edge without these pairs."""
    gone = both_ways(pairs)
    return torch.tensor([edge for edge in dataset.data.edge_index.t().tolist() if tuple(edge) not in gone]).t()


def dense(edge_index: Tensor) -> Tensor:
    adjacency = torch.zeros(NODES, NODES, dtype=torch.float64)
    adjacency[edge_index[1], edge_index[0]] = 1.0
    return adjacency
