"""A forward and a backward pass of sheaf diffusion at Squirrel's size, every layer with its own sheaf, beside a GCN of PyG."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from benchmarks.speed import graphs
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from benchmarks.speed.sheaf_reference import Reference
from graphkit.data.splits.edges import both_directions
from graphkit.layers import SheafDiffusion

SQUIRREL = Path("heterophilous_npz/squirrel.npz")
NODES, EDGES = 5_201, 198_353
LAYERS, STALK_DIM, CHANNELS = 5, 3, 32  # and one low-pass dimension: 128 channels
_TOLERANCE = 1e-4  # of float32 after five layers


def diagonal(options: Options) -> Iterator[Contest]:
    """Diagonal restriction maps."""
    yield _contest("diagonal", options)


def orthogonal(options: Options) -> Iterator[Contest]:
    """Products of Householder reflections."""
    yield _contest("orthogonal", options)


def general(options: Options) -> Iterator[Contest]:
    """Any 3 x 3 matrices."""
    yield _contest("general", options)


def squirrel(options: Options) -> tuple[str, Tensor, int]:
    """An undirected graph: its name, `edge_index` with both directions, and the number of nodes."""
    generator = torch.Generator().manual_seed(0)
    if options.quick:
        return "tiny", both_directions(graphs.skewed_pairs(60, 200, generator), 60), 60
    path = None if options.data is None else options.data / SQUIRREL
    if path is not None and path.is_file():
        with np.load(path, allow_pickle=False) as archive:
            pairs = torch.from_numpy(archive["edges"].astype(np.int64)).t()
            return "squirrel", both_directions(pairs, len(archive["node_labels"])), len(archive["node_labels"])
    options.note(f"no {SQUIRREL} in the data folder: a synthetic graph of Squirrel's size is used")
    return "squirrel-sized", both_directions(graphs.skewed_pairs(NODES, EDGES, generator), NODES), NODES


def _contest(maps: str, options: Options) -> Contest:
    """With a graph that is known from the call before, and with one that is new in each call."""
    name, edge_index, num_nodes = squirrel(options)
    torch.manual_seed(0)
    width = (STALK_DIM + 1) * CHANNELS
    ours = [SheafDiffusion(width, STALK_DIM, maps=maps, low_pass=True) for _ in range(LAYERS)]
    x, weight = torch.randn(2, num_nodes, width)

    def right() -> Results:
        exact, reference = copy.deepcopy(ours), Reference(edge_index, num_nodes)
        model = nn.ModuleList(exact).double()
        return _step(model, x.double(), weight.double(), lambda h: reference(exact, h))

    peers = [GCNConv(width, width) for _ in range(LAYERS)]
    peer = Side(
        f"PyG GCNConv x {LAYERS}, edge_index",
        lambda: _step(nn.ModuleList(peers), x, weight, lambda h: _gcn(peers, h, edge_index)),
        right,
    )
    stack = nn.ModuleList(ours)
    known = Side("graphkit", lambda: _step(stack, x, weight, lambda h: _sheaf(ours, h, edge_index)))
    new = Side("graphkit, graph not seen before", lambda: _step(stack, x, weight, _on_a_copy(ours, edge_index)))
    label = f"{name}, {LAYERS} layers, {maps} maps, stalks of {STALK_DIM} + 1, {CHANNELS} channels, forward + backward"
    checked = (
        "ours against the explicit block Laplacian as a torch sparse matrix in float64: output and gradients of x and all "
        "parameters; PyG's GCN, which computes something else, is there for its time"
    )
    work = _work(maps, edge_index.size(1), num_nodes)
    return Contest(
        [Case(label, known, peer, work, _TOLERANCE, checked), Case(label, new, peer, work, _TOLERANCE, checked)],
        remark=lambda ms: f"What is static of a new graph: {ms[new] - ms[known]:.1f} ms, once.",
    )


def _sheaf(layers: list[SheafDiffusion], x: Tensor, edge_index: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x, edge_index)
    return x


def _on_a_copy(layers: list[SheafDiffusion], edge_index: Tensor) -> Callable[[Tensor], Tensor]:
    def propagate(x: Tensor) -> Tensor:
        return _sheaf(layers, x, edge_index.clone())

    return propagate


def _gcn(layers: list[GCNConv], x: Tensor, edge_index: Tensor) -> Tensor:
    for layer in layers:
        x = nn.functional.elu(layer(x, edge_index))
    return x


def _step(model: nn.Module, x: Tensor, weight: Tensor, propagate: Callable[[Tensor], Tensor]) -> Results:
    """One forward and one backward pass of the loss <weight, propagate(x)>."""
    leaf = x.clone().requires_grad_()
    model.zero_grad()
    out = propagate(leaf)
    out.backward(weight)
    given = {"x": leaf, **dict(model.named_parameters())}
    return {"forward": out.detach()} | {f"gradient of {name}": one.grad for name, one in given.items() if one.grad is not None}


def _work(maps: str, entries: int, num_nodes: int) -> Work:
    """What cannot be avoided: an operator of d x d blocks applied forward and backward, and its gradient."""
    blocks = {"diagonal": STALK_DIM, "orthogonal": STALK_DIM**2, "general": STALK_DIM**2}[maps]
    width = (STALK_DIM + 1) * CHANNELS
    products = 2.0 * entries * (blocks + 1) * CHANNELS
    dense = 2.0 * num_nodes * width**2
    return Work(
        "the blocks' products forward and backward, the gradients of half of them, and the dense products, at the GEMM rate",
        flops=LAYERS * (3.0 * products + 3.0 * dense),
    )
