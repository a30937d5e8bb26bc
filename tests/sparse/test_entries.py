"""Rows of edges in the order of the entries, against a plain loop over the edges."""

import pytest
import torch
from torch_geometric import EdgeIndex

from graphkit.sparse import CSR, as_csr, as_entries

N = 6


def edges(repeated: bool, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    found = torch.randint(N, (2, 15), generator=generator).unique(dim=1)
    found = found[:, torch.randperm(found.size(1), generator=generator)]
    return torch.cat([found, found[:, :4].flip(1)], dim=1) if repeated else found


def oracle(edge_index, edge_attr, csr, duplicates):
    """Entry by entry: the rows of the edges that lie there."""
    rows = []
    for row, col in zip(csr.row.tolist(), csr.col.tolist(), strict=True):
        own = [attr for s, t, attr in zip(*edge_index.tolist(), edge_attr, strict=True) if (t, s) == (row, col)]
        rows.append(torch.stack(own).sum(0) if duplicates == "sum" else own[0])
    return torch.stack(rows)


@pytest.mark.parametrize("duplicates", ["refuse", "sum", "first"])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_gather_equals_oracle(shape, repeated, duplicates):
    e = edges(repeated)
    attr = torch.randn(e.size(1), *shape, dtype=torch.float64, requires_grad=True)
    entries = as_entries(e, N)
    if repeated and duplicates == "refuse":
        with pytest.raises(ValueError, match="4 edges are listed again"):
            entries.gather(attr)
        return
    found, expected = entries.gather(attr, duplicates), oracle(e, attr, as_csr(e, N), duplicates)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)
    probe = torch.randn_like(found)
    ours, theirs = (torch.autograd.grad((rows * probe).sum(), attr)[0] for rows in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)


def test_sorted_edges_are_taken_as_they_are():
    e = edges(False)
    e = e[:, torch.argsort(e[1] * N + e[0])]
    attr = torch.randn(e.size(1), 2)
    assert as_entries(e, N).gather(attr) is attr


def test_entries_are_remembered_and_are_those_of_the_operator():
    e = edges(True)
    assert as_entries(e, N) is as_entries(e, N)
    assert as_entries(e, N).structure is as_csr(e, N).structure
    index = EdgeIndex(e, sparse_size=(N, N))
    assert torch.equal(as_entries(index, N).structure.col, as_csr(e, N).col)
    rectangular = as_entries(e, (N, N + 3))
    assert rectangular.structure.shape == (N, N + 3)


def test_a_sparse_matrix_keeps_the_order_of_its_entries():
    csr = CSR.from_edge_index(edges(False), N)
    attr = torch.randn(csr.nnz, 2)
    assert as_entries(csr, N).gather(attr) is attr
    assert as_entries(csr.to_torch(), N).gather(attr) is attr


def test_another_number_of_rows_is_refused():
    with pytest.raises(ValueError, match="edge_attr must have 15 rows|edge_attr must have"):
        as_entries(edges(False), N).gather(torch.zeros(3, 2))
