"""Gradients of gradients of every operation of the engine, by autograd and by differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradgradcheck

from graphkit.sparse import (
    CSR,
    NeighborSets,
    dropout,
    norm_dropout_relu,
    normalize,
    pair_product,
    polynomial,
    polynomial_rows,
    segment_max,
    segment_softmax,
    segment_sum,
)
from graphkit.sparse.sheaf import Fixed, at_ends, diffuse, edge_ends, householder, inverse_root, tanh_transports, transports

N = 5
EDGES = torch.tensor([[0, 3, 1, 4, 4, 2, 0], [2, 1, 1, 0, 2, 3, 4]])
PAIRS = torch.tensor([[0, 4, 2, 2], [2, 1, 2, 3]])
ROWS = torch.tensor([2, 0, 3])
ROWPTR = torch.tensor([0, 2, 2, 5])


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, requires_grad=True)


def operator(value: Tensor | None = None) -> CSR:
    return CSR.from_edge_index(EDGES, N, value)


ENDS = edge_ends(operator().structure)
M = ENDS.structure.nnz
WEIGHT = torch.rand(M, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.5
WEIGHT = (WEIGHT + WEIGHT[ENDS.twin.long()]) / 2


def diffused(nodes: Tensor, x: Tensor, d: int, fixed: bool) -> Tensor:
    """A whole diffusion, since T and S are symmetric: their entries are not free."""
    transport, degree = tanh_transports(nodes, d, None, ENDS)
    rows, columns = torch.triu_indices(d, d)
    triangle = torch.zeros(d, d, dtype=torch.long)
    triangle[rows, columns] = triangle[columns, rows] = torch.arange(len(rows))
    root = inverse_root(degree[:, triangle] + torch.eye(d, dtype=torch.float64))
    rest = Fixed(x.new_ones(N) / 2, WEIGHT / 3, x.new_tensor([-1.0])) if fixed else None
    return diffuse(transport, root, x, ENDS, rest)


def seeded(call):
    torch.manual_seed(3)  # the same mask in every call
    return call()


CASES = {
    "spmm": (lambda x: (operator() @ x).tanh(), [numbers(N, 2)]),
    "spmm, learned values": (lambda value, x: operator(value) @ x, [numbers(7), numbers(N, 2)]),
    "spmm, symmetric values": (
        lambda value, x: ENDS.adjacency(value + value[ENDS.twin.long()]) @ x,
        [numbers(M), numbers(N, 2)],
    ),
    "gcn norm": (lambda value, x: normalize(operator(value.exp()), "gcn") @ x, [numbers(7), numbers(N, 1)]),
    "polynomial": (lambda x: polynomial(operator(), (0.5, -1.0, 2.0), x).tanh(), [numbers(N, 2)]),
    "polynomial, learned": (lambda c, x: polynomial(operator(), c, x), [numbers(3), numbers(N, 2)]),
    "polynomial, learned values": (
        lambda value, x: polynomial(operator(value), (0.5, -1.0, 2.0), x),
        [numbers(7), numbers(N, 2)],
    ),
    "rows": (lambda x: tuple(y.tanh() for y in polynomial_rows(operator(), (0.5, 1.0), x, ROWS)), [numbers(N, 2)]),
    "rows, learned": (lambda c, x: polynomial_rows(operator(), c, x, ROWS), [numbers(3), numbers(N, 2)]),
    "segment sum": (lambda v: segment_sum(v, ROWPTR).tanh(), [numbers(5, 2)]),
    "segment softmax": (lambda v: segment_softmax(v, ROWPTR), [numbers(5, 2)]),
    "segment softmax of numbers": (lambda v: segment_softmax(v, ROWPTR), [numbers(5)]),
    "segment max": (lambda v: segment_max(v, ROWPTR).tanh(), [numbers(5, 2)]),
    "pair product": (lambda x: pair_product(x, PAIRS), [numbers(N, 2)]),
    "pool": (lambda x: NeighborSets(operator(), "sorted").pool(PAIRS, x).tanh(), [numbers(N, 2)]),
    "pool left, dense": (lambda x: NeighborSets(operator(), "dense").pool(PAIRS, x, "left").tanh(), [numbers(N, 2)]),
    "dropout": (lambda x: seeded(lambda: dropout(x, 0.4)).tanh(), [numbers(N, 2)]),
    "normalize, drop, rectify": (
        lambda x, w, b: seeded(lambda: norm_dropout_relu(x, w, b, p=0.3)),
        [numbers(N, 4), numbers(4, seed=1), numbers(4, seed=2)],
    ),
    "rectify": (lambda x: norm_dropout_relu(x).tanh(), [numbers(N, 4)]),
    "at the ends": (lambda nodes: at_ends(nodes, ENDS).tanh(), [numbers(N, 4)]),
    "transports": (lambda maps: transports(maps, WEIGHT, ENDS, degree=True), [numbers(M, 2, 2)]),
    "transports without degree": (lambda maps: transports(maps, None, ENDS, degree=False)[0], [numbers(M, 2, 2)]),
    "diagonal transports": (lambda maps, w: transports(maps, w.exp(), ENDS, degree=True), [numbers(M, 2), numbers(M, seed=1)]),
    "transports of tanh": (lambda nodes, w: tanh_transports(nodes, 2, w.exp(), ENDS), [numbers(N, 8), numbers(M, seed=1)]),
    "diffusion": (lambda nodes, x: diffused(nodes, x, 2, False), [numbers(N, 8), numbers(N, 2, 1)]),
    "diffusion beside fixed stalks": (lambda nodes, x: diffused(nodes, x, 2, True), [numbers(N, 8), numbers(N, 3, 1)]),
    "householder": (lambda theta: householder(theta, 3), [numbers(2, 3)]),
    "householder of two": (lambda theta: householder(theta, 2), [numbers(2, 1)]),
    "inverse root": (lambda m: inverse_root(m @ m.mT + torch.eye(3, dtype=m.dtype)), [numbers(2, 3, 3)]),
    "inverse root, equal eigenvalues": (
        lambda m: inverse_root(m @ m.mT + torch.eye(2, dtype=m.dtype)),
        [torch.eye(2, dtype=torch.float64).repeat(2, 1, 1).requires_grad_()],
    ),
}


@pytest.mark.parametrize(("call", "inputs"), CASES.values(), ids=CASES.keys())
def test_against_differences(call, inputs):
    assert gradgradcheck(call, tuple(inputs))


def test_inputs_that_depend_on_each_other():
    """A penalty through an operation whose inputs come from one tensor counts each way once."""
    x = numbers(7)
    assert gradgradcheck(lambda x: operator(x) @ x[:N].unsqueeze(1), (x,))
    nodes = numbers(N, 8)
    assert gradgradcheck(lambda nodes: diffused(nodes, nodes[:, :2].unsqueeze(2), 2, False), (nodes,))
