"""Propagation along the six directed patterns, against products with the patterns as matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.utils import spmm

from benchmarks.speed import graphs
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from graphkit.layers.conv.patterns import PATTERNS, propagate_patterns
from graphkit.sparse import CSR

SQUIRREL = Path("heterophilous_npz/squirrel_directed.npz")
NODES, EDGES = 5_201, 217_073
CHANNELS, HOPS, EXPONENT = 64, 2, 0.5
_PRODUCTS = 10  # of a hop: one for each of two patterns, two for each of four

Multiply = Callable[[Tensor, Tensor], Tensor]


def contests(options: Options) -> Iterator[Contest]:
    """With the peer's matrices made before time is taken, and with their making."""
    name, edge_index, num_nodes = squirrel(options)
    graph = CSR.from_edge_index(edge_index, num_nodes, duplicates="first")
    graph.t()  # kept with the graph, as the peer's matrices are
    x = torch.randn(num_nodes, CHANNELS, generator=torch.Generator().manual_seed(0))
    work = Work(
        "4 bytes an entry and the features read and written once, for ten products a hop, at the copy rate",
        bytes=_PRODUCTS * HOPS * (4.0 * graph.nnz + 2.0 * x.numel() * x.element_size()),
    )
    ours = Side("graphkit, nothing materialized", lambda: _named(propagate_patterns(graph, x, HOPS, EXPONENT, decay=False)))
    matrices = materialized(graph)
    entries = sum(int(matrix.values().numel()) for matrix in matrices)
    label = f"{name}, {HOPS} hops, {CHANNELS} channels; six matrices have {entries / graph.nnz:.0f} times the graph's entries"
    ways: dict[str, Multiply] = {
        "torch.sparse.mm": torch.sparse.mm,
        'torch.sparse.mm(..., "sum")': lambda matrix, h: torch.sparse.mm(matrix, h, "sum"),
        "PyG spmm": spmm,
    }
    peers = [Side(f"{way}, materialized before", _peer(lambda: matrices, x, multiply)) for way, multiply in ways.items()]
    yield Contest([Case(label, ours, peer, work) for peer in peers])
    whole = Side("torch.sparse.mm, materialized in the call", _peer(lambda: materialized(graph), x, torch.sparse.mm))
    yield Contest([Case(f"{name}, once for a graph", ours, whole, work)])


def squirrel(options: Options) -> tuple[str, Tensor, int]:
    """A directed graph: its name, `edge_index`, and the number of nodes."""
    if options.quick:
        return "tiny", _directed(200, 1_500), 200
    path = None if options.data is None else options.data / SQUIRREL
    if path is not None and path.is_file():
        with np.load(path, allow_pickle=False) as archive:
            return "squirrel-directed", torch.from_numpy(archive["edges"].astype(np.int64)).T, len(archive["node_labels"])
    options.note(f"no {SQUIRREL} in the data folder: a synthetic graph of Squirrel's size is used")
    return "squirrel-sized", _directed(NODES, EDGES), NODES


def materialized(graph: CSR) -> list[Tensor]:
    """The normalized patterns as torch CSR tensors, made by torch's own products."""
    size = graph.shape
    target_source = torch.stack([graph.row, graph.col])
    ones = torch.ones(graph.nnz)
    a_t = torch.sparse_coo_tensor(target_source, ones, size).coalesce()
    a = torch.sparse_coo_tensor(target_source.flip(0), ones, size).coalesce()
    diagonal = torch.arange(size[0]).repeat(2, 1)
    eye = torch.sparse_coo_tensor(diagonal, torch.ones(size[0]), size).coalesce()
    products = [torch.sparse.mm(left, right) for left in (a, a_t) for right in (a, a_t)]
    order = (a + eye, a_t + eye, products[0], products[1], products[2], products[3])
    return [_normalized(matrix.coalesce()) for matrix in order]


def _normalized(matrix: Tensor) -> Tensor:
    row, col = matrix.indices()
    total = torch.zeros(matrix.size(0)).index_add(0, row, matrix.values())
    left, right = ((total**power).masked_fill(total == 0, 0.0) for power in (EXPONENT - 1.0, -EXPONENT))
    value = left[row] * matrix.values() * right[col]
    return torch.sparse_coo_tensor(matrix.indices(), value, matrix.shape, is_coalesced=True).to_sparse_csr()


def _peer(matrices: Callable[[], list[Tensor]], x: Tensor, multiply: Multiply) -> Callable[[], Results]:
    def call() -> Results:
        hops = []
        for matrix in matrices():
            found = [x]
            for _ in range(HOPS):
                found.append(multiply(matrix, found[-1]))
            hops.append(found[1:])
        return _named(hops)

    return call


def _named(hops: list[list[Tensor]]) -> Results:
    return {f"{name}, hop {k}": h for name, own in zip(PATTERNS, hops, strict=True) for k, h in enumerate(own, start=1)}


def _directed(num_nodes: int, num_edges: int) -> Tensor:
    """Skewed random pairs, each in a random direction."""
    generator = torch.Generator().manual_seed(0)
    pairs = graphs.skewed_pairs(num_nodes, num_edges, generator)
    turned = torch.rand(num_edges, generator=generator) < 0.5
    return torch.where(turned, pairs.flip(0), pairs)
