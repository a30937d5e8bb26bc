"""Verdicts on pairs of graphs: by exact color refinement, and by networks with random weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from graphkit.data.graph import Graph
from graphkit.separation.ball_network import BallEmbedding
from graphkit.separation.collection import Batch, Collection
from graphkit.separation.networks import Embedding, Network
from graphkit.separation.refinement import PLAIN, Refinement, graph_colors

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_ENTRIES = 300_000  # index entries of a batch: small batches of color refinement stop when their own graphs are stable
_LEAST = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Untrained:
    """How networks with random weights are asked.

    Attributes:
        width: Channels.
        layers: Layers.
        draws: How often weights are drawn.
        copies: Relabeled copies of every graph, the control.
        factor: A pair is separated if for some draw its difference exceeds `factor` times that of the control.
        seed: Of weights and copies.
    """

    width: int = 16
    layers: int = 6
    draws: int = 3
    copies: int = 2
    factor: float = 1000.0
    seed: int = 0


@dataclass(frozen=True)
class Measured:
    """Verdicts of a network with random weights.

    Attributes:
        separated: Per pair [P].
        difference: Largest difference of a channel, relative to the pair's largest number, in the draw that speaks most for a
            separation [P].
        control: The same between either graph and its relabeled copies, at least the rounding error of 1 [P].
    """

    separated: Flags
    difference: Floats
    control: Floats


def ceiling(test: Refinement, collection: Collection) -> Flags:
    """Whether color refinement tells the two graphs of each pair apart [P]."""
    colors = np.empty(len(collection.graphs), dtype=np.int64)
    for batch in collection.batches(lambda graph: entries(test, graph), _ENTRIES):
        colors[batch.graphs] = graph_colors(test, batch.edge_index, batch.ptr)
    first, second = collection.places.T
    verdict: Flags = colors[first] != colors[second]
    return verdict


def measure(network: Network, collection: Collection, how: Untrained) -> Measured:
    """Whether a network with random weights tells the two graphs of each pair apart.

    Numbers are float64, so that what equal graphs differ in is rounding alone: the control measures it, graph by graph.
    """
    first, second = collection.places.T
    best, difference, control = (np.zeros(len(first)) for _ in range(3))
    for draw in range(how.draws):
        graphs, noise = _embedded(network, collection, how, draw)
        size = np.maximum(np.abs(graphs[first]), np.abs(graphs[second])).max(axis=1)
        size[size == 0] = 1.0
        gap = np.abs(graphs[first] - graphs[second]).max(axis=1) / size
        error = np.maximum(np.maximum(noise[first], noise[second]) / size, _LEAST)
        better = (gap / error > best) | (control == 0)
        best = np.where(better, gap / error, best)
        difference, control = np.where(better, gap, difference), np.where(better, error, control)
    return Measured(best > how.factor, difference, control)


def _embedded(network: Network, collection: Collection, how: Untrained, draw: int) -> tuple[Floats, Floats]:
    """Embeddings [G, C], and the largest difference between each graph and its copies [G]."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed + 1_000_003 * draw)
        model = network.embedding(how.width, how.layers).double().eval()
    generator = torch.Generator().manual_seed(how.seed + draw)
    out = np.empty((len(collection.graphs), how.width))
    noise = np.zeros(len(collection.graphs))
    for batch in collection.batches(lambda graph: entries(network.ceiling, graph), _ENTRIES):
        out[batch.graphs] = own = _embed(model, batch)
        for _ in range(how.copies):
            copy = _embed(model, batch.relabeled(generator))
            noise[batch.graphs] = np.maximum(noise[batch.graphs], np.abs(copy - own).max(axis=1))
    return out, noise


def _embed(model: Embedding | BallEmbedding, batch: Batch) -> Floats:
    with torch.inference_mode():
        embedded: Floats = model(model.test.bags(batch.edge_index, batch.ptr)).numpy()
    return embedded


def entries(test: Refinement, graph: Graph) -> int:
    """About how many index entries the bags of a graph take."""
    nodes, edges = graph.num_nodes, graph.edge_index.size(1)
    bags = {PLAIN: 1, "edge-deleted": edges // 2, "path": edges}.get(test.policy, nodes)
    products = nodes**3 if "fwl" in test.aggregations else 0
    return bags * (nodes + edges) + products
