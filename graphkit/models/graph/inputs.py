"""What graph models read of nodes, and how they normalize rows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.errors import RequestError
from graphkit.layers import GraphNorm
from graphkit.layers.checks import check_at_least, check_choice, check_probability
from graphkit.sparse import GraphBatch

NODE_FEATURES = ("auto", "given", "degree", "constant", "given+degree")
NORMS = ("none", "batch", "layer", "graph")


class NodeFeatures(nn.Module):
    """The first features of nodes.

    `given` are those of the batch; `degree` is the number of in-neighbors as a one-hot vector, from 0 to `max_degree`, which
    also stands for more; `constant` is a one; `given+degree` both side by side. `auto` is `given` where there are features,
    else `degree`.

    Args:
        in_channels: Width of the given features; 0 for none.
        max_degree: The largest degree that is told apart, at least 0.
        node_features: One of `NODE_FEATURES`.

    Attributes:
        channels: Width of what comes out.

    Raises:
        ValueError: A number below 0, or an unknown name.
        RequestError: `given` where there are no features.
    """

    def __init__(self, in_channels: int, max_degree: int, *, node_features: str = "auto") -> None:
        super().__init__()
        check_at_least(0, in_channels=in_channels, max_degree=max_degree)
        check_choice(NODE_FEATURES, node_features=node_features)
        if node_features == "auto":
            node_features = "given" if in_channels else "degree"
        if "given" in node_features and in_channels == 0:
            raise RequestError(
                f"model.node_features={node_features} needs node features, and the data set has none: take auto, degree or "
                "constant."
            )
        self.parts = node_features.split("+")
        self.max_degree = max_degree
        widths = {"given": in_channels, "degree": max_degree + 1, "constant": 1}
        self.channels = sum(widths[part] for part in self.parts)

    def forward(self, batch: GraphBatch, dtype: torch.dtype) -> Tensor:
        """Features [N, channels] of this dtype."""
        found = [self._part(part, batch, dtype) for part in self.parts]
        return torch.cat(found, dim=1) if len(found) > 1 else found[0]

    def _part(self, part: str, batch: GraphBatch, dtype: torch.dtype) -> Tensor:
        if part == "constant":
            return torch.ones(batch.num_nodes, 1, dtype=dtype, device=batch.ptr.device)
        if part == "degree":
            degree = batch.adj.degree().clamp(max=self.max_degree)
            return F.one_hot(degree, self.max_degree + 1).to(dtype)
        if batch.x is None:
            raise ValueError("the model was made for node features, and the batch has none.")
        return batch.x.to(dtype)


def edge_features(batch: GraphBatch, channels: int, dtype: torch.dtype) -> Tensor | None:
    """Features of edges [nnz, channels] in the order of entries; None for 0 channels.

    Raises:
        ValueError: The batch has no features of edges, or of another width.
    """
    if channels == 0:
        return None
    if batch.edge_attr is None or batch.edge_attr.size(1) != channels:
        found = "none" if batch.edge_attr is None else f"{batch.edge_attr.size(1)} channels"
        raise ValueError(f"the model was made for edge features of {channels} channels, and the batch has {found}.")
    return batch.edge_attr.to(dtype)


class RowNorm(nn.Module):
    """A normalization of rows that belong to graphs: over all of them (`batch`), over channels (`layer`), per graph (`graph`).

    Args:
        channels: Width C.
        norm: One of `NORMS`.

    Raises:
        ValueError: An unknown name.
    """

    def __init__(self, channels: int, *, norm: str = "batch") -> None:
        super().__init__()
        check_choice(NORMS, norm=norm)
        makers = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "graph": GraphNorm}
        self.norm = makers[norm](channels)

    def forward(self, x: Tensor, ptr: Tensor) -> Tensor:
        """Normalize rows [R, channels] by the boundaries of the graphs [G + 1]."""
        out: Tensor = self.norm(x, ptr) if isinstance(self.norm, GraphNorm) else self.norm(x)
        return out


def make_head(channels: int, out_channels: int, *, hidden: tuple[int, ...] = (), dropout: float = 0.0) -> nn.Sequential:
    """A perceptron: dropout and a linear map, with as many hidden layers of Linear and ReLU before as there are widths."""
    check_probability(head_dropout=dropout)
    parts: list[nn.Module] = []
    for before, after in zip((channels, *hidden), hidden, strict=False):
        parts += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*parts, nn.Dropout(dropout), nn.Linear((channels, *hidden)[-1], out_channels))
