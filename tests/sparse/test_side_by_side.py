"""Copies of a graph side by side, against their dense blocks."""

import pytest
import torch

from graphkit.sparse import CSR, copies, normalize, stacked
from tests.sparse.graphs import N, dense, features, undirected, weights

EDGES = undirected()


def operator(weighted: bool, holed: bool) -> tuple[CSR, torch.Tensor]:
    value = weights(EDGES.size(1)) if weighted else None
    adj, matrix = CSR.from_edge_index(EDGES, N, value), dense(EDGES, value)
    if not holed:
        return adj, matrix
    source, target = EDGES[:, 3].tolist()
    matrix[target, source] = 0.0
    return adj.without(adj.positions(EDGES[:, 3:4])), matrix


@pytest.mark.parametrize("holed", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_copy_lacks_its_own_entries(weighted: bool, holed: bool) -> None:
    adj, matrix = operator(weighted, holed)
    kept = torch.rand(4, adj.nnz, generator=torch.Generator().manual_seed(0)) < 0.7
    found, x = copies(adj, kept), features()
    expected = torch.zeros(4 * N, 4 * N, dtype=torch.float64)
    for s in range(4):
        for e in range(adj.nnz):
            if kept[s, e]:
                i, j = int(adj.row[e]), int(adj.col[e])
                expected[s * N + i, s * N + j] = matrix[i, j]
    torch.testing.assert_close(found.to_dense(torch.float64), expected)
    assert found.degree().tolist() == (expected != 0).sum(1).tolist()
    torch.testing.assert_close(found @ stacked(x, 4), expected @ torch.cat([x] * 4))
    # What a copy lacks counts in no degree.
    degree = expected.sum(1, keepdim=True)
    torch.testing.assert_close(normalize(found, "mean").to_dense(torch.float64), expected / degree.where(degree > 0, 1.0))


@pytest.mark.parametrize("weighted", [False, True])
def test_weights_of_copies_have_gradients(weighted: bool) -> None:
    adj, matrix = operator(weighted, True)
    scale = torch.rand(3, adj.nnz, dtype=torch.float64).requires_grad_()
    x = features()
    out = copies(adj, scale) @ torch.cat([x] * 3)
    out.square().sum().backward()
    plain = scale.detach().clone().requires_grad_()
    blocks = []
    for s in range(3):
        block = torch.zeros(N, N, dtype=torch.float64).index_put((adj.row, adj.col), plain[s]) * matrix
        blocks.append(block @ x)
    torch.testing.assert_close(out, torch.cat(blocks))
    torch.cat(blocks).square().sum().backward()
    torch.testing.assert_close(scale.grad, plain.grad)


def test_sparse_features_are_stacked_too() -> None:
    x = CSR.from_edge_index(torch.tensor([[0, 4, 2], [1, 1, 3]]), (5, 6), torch.tensor([2.0, 3.0, 4.0]))
    dense_x = x.to_dense()
    assert torch.equal(stacked(x, 3).to_dense(), torch.cat([dense_x] * 3))
    assert torch.equal(stacked(dense_x, 1), dense_x)
    holed = x.without(torch.tensor([1]))
    assert torch.equal(stacked(holed, 2).to_dense(), torch.cat([holed.to_dense()] * 2))


def test_what_does_not_fit_is_refused() -> None:
    adj, _ = operator(False, False)
    with pytest.raises(ValueError, match=rf"\[S, {adj.nnz}\]"):
        copies(adj, torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="square"):
        copies(CSR.from_edge_index(torch.tensor([[0], [1]]), (3, 2)), torch.ones(1, 1, dtype=torch.bool))
