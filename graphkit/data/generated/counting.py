"""Random graphs whose small patterns are counted: the benchmark on which networks show what they can count."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from graphkit.data.graphs import Graphs, pointers
from graphkit.data.measures.cycles import edge_cycles, graph_cycles, node_cycles, stars, tailed_triangles
from graphkit.data.sources import DataRequest, GraphsSource
from graphkit.data.splits.edges import both_directions

NUM_GRAPHS = 5000
FAMILIES = ((10, 6), (15, 6), (20, 5), (30, 5))
"""Nodes and degree of the regular graphs that edges are taken from, in equal shares."""
SPLIT = {"train": 1500, "valid": 1000, "test": 2500}
PATTERNS = ("triangle", "tailed-triangle", "star", "4-cycle", "5-cycle", "6-cycle")
CYCLES = {"triangle": 3, "4-cycle": 4, "5-cycle": 5, "6-cycle": 6}
LEVELS = ("graph", "node", "edge")
_SEED = 0  # the collection does not depend on a run's seed, so that seeds differ in weights and batches alone


@dataclass(frozen=True)
class CountingSet:
    """Graphs with the counts of one pattern.

    Attributes:
        ptr: Boundaries of the graphs' nodes [G + 1].
        edge_index: Both directions of all edges, global node ids [2, E].
        y: Counts divided by `scale`: per graph [G], per node [N], or per entry of `edge_index` [E], float32.
        scale: Standard deviation of the counts of all graphs, also for counts per node and per edge.
        splits: Graph ids of `train`, `valid` and `test`.
        level: What `y` counts: `graph`, `node` or `edge`.
    """

    ptr: Tensor
    edge_index: Tensor
    y: Tensor
    scale: float
    splits: dict[str, Tensor]
    level: str = "graph"


def counting_set(pattern: str, *, level: str = "graph", num_graphs: int = NUM_GRAPHS, seed: int = 0) -> CountingSet:
    """Random graphs, a pattern counted in each.

    A graph is a random d-regular graph of n nodes without n random edges, for (n, d) of `FAMILIES`. Some are not connected.
    Counts include copies that are no induced subgraphs: K_4 has three 4-cycles.

    Args:
        pattern: One of `PATTERNS`.
        level: `graph`; for cycles also `node` and `edge`: copies through each node or edge.
        num_graphs: At least 10, a multiple of 4; split as 3 : 2 : 5 at random.
        seed: Of the graphs and the split.

    Raises:
        ValueError: An unknown pattern or level, a level that the pattern does not have, or another number of graphs.

    Source: Zhao et al., "From Stars to Subgraphs", ICLR 2022, after Chen et al., NeurIPS 2020: sizes, split and labels of their
    5,000 graphs. Counts per node and edge: Zhang et al., ICLR 2024.
    """
    if pattern not in PATTERNS or level not in LEVELS:
        raise ValueError(f"pattern must be one of {', '.join(PATTERNS)} and level one of {', '.join(LEVELS)}.")
    if level != "graph" and pattern not in CYCLES:
        raise ValueError(f"{pattern} is counted per graph alone; cycles are counted per node and edge too.")
    if num_graphs < 10 or num_graphs % len(FAMILIES):
        raise ValueError(f"num_graphs must be at least 10 and a multiple of {len(FAMILIES)}, got {num_graphs}.")
    source = np.random.default_rng(seed)
    blocks = _blocks(num_graphs, source)
    counts = torch.cat([_per_graph(block, pattern) for block in blocks])
    scale = float(counts.std(correction=0))
    values = [counts] if level == "graph" else []
    for block in blocks:
        if level == "node":
            values.append(node_cycles(block, CYCLES[pattern]).flatten())
        elif level == "edge":
            values.append(edge_cycles(block, CYCLES[pattern])[block.nonzero(as_tuple=True)])
    ptr, edge_index = _joined(blocks)
    return CountingSet(ptr, edge_index, (torch.cat(values) / scale).float(), scale, _splits(num_graphs, source), level)


def read(request: DataRequest) -> GraphsSource:
    """The 5,000 graphs with all `PATTERNS` counted, each in its standard deviations; see `counting_set`.

    Args:
        request: What was asked for; its seed changes nothing.
    """
    return counting_source(NUM_GRAPHS)


def counting_source(num_graphs: int) -> GraphsSource:
    """As `read`, with another number of graphs: a multiple of 4."""
    source = np.random.default_rng(_SEED)
    blocks = _blocks(num_graphs, source)
    counts = torch.stack([torch.cat([_per_graph(block, pattern) for block in blocks]) for pattern in PATTERNS], dim=1)
    ptr, edge_index = _joined(blocks)
    y = (counts / counts.std(dim=0, correction=0)).float()
    return GraphsSource(Graphs(ptr, edge_index, y), kind="numbers", splits=_splits(num_graphs, source), target_names=PATTERNS)


def _blocks(num_graphs: int, source: np.random.Generator) -> list[Tensor]:
    """Adjacency matrices of each family [G / 4, n, n]."""
    return [_family(nodes, degree, num_graphs // len(FAMILIES), source) for nodes, degree in FAMILIES]


def _joined(blocks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Boundaries of the graphs' nodes [G + 1], and their edges with global node ids, ascending [2, E]."""
    edges, start = [], 0
    for block in blocks:
        graph, row, col = block.nonzero(as_tuple=True)
        edges.append(torch.stack([row, col]) + start + graph * block.size(1))
        start += block.size(0) * block.size(1)
    return pointers(torch.cat([torch.full((len(block),), block.size(1)) for block in blocks])), torch.cat(edges, dim=1)


def _splits(num_graphs: int, source: np.random.Generator) -> dict[str, Tensor]:
    order = torch.from_numpy(source.permutation(num_graphs))
    sizes = [num_graphs * size // NUM_GRAPHS for size in SPLIT.values()]
    sizes[-1] = num_graphs - sum(sizes[:-1])
    return {name: part.sort().values for name, part in zip(SPLIT, order.split(sizes), strict=True)}


def _family(num_nodes: int, degree: int, count: int, source: np.random.Generator) -> Tensor:
    """Adjacency matrices of random regular graphs without `num_nodes` of their edges [count, n, n]."""
    out = torch.zeros(count, num_nodes, num_nodes, dtype=torch.float64)
    for number in range(count):
        graph = nx.random_regular_graph(degree, num_nodes, seed=int(source.integers(2**31)))
        pairs = np.array(graph.edges).T
        kept = source.permutation(pairs.shape[1])[num_nodes:]
        row, col = both_directions(torch.from_numpy(pairs[:, kept]), num_nodes)
        out[number, row, col] = 1.0
    return out


def _per_graph(adjacency: Tensor, pattern: str) -> Tensor:
    if pattern == "tailed-triangle":
        return tailed_triangles(adjacency)
    return stars(adjacency) if pattern == "star" else graph_cycles(adjacency, CYCLES[pattern])
