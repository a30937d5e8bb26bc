from __future__ import annotations

import pytest
import torch

from graphkit.errors import DataError
from graphkit.prototypes import PartBatch
from tests.prototypes.compare import assert_same, normal

PTR, SAMPLES, ITEMS = torch.tensor([0, 3, 4, 6]), torch.tensor([10, 7, 8]), torch.tensor([5, 1, 2, 9, 9, 0])


def test_ragged_parts_are_padded_and_keep_their_ids() -> None:
    z = normal(6, 2)
    batch = PartBatch.of_ragged(z, PTR, SAMPLES, ITEMS)
    assert batch.mask.tolist() == [[True, True, True], [True, False, False], [True, True, False]]
    for b, (start, stop) in enumerate(zip(PTR[:-1].tolist(), PTR[1:].tolist(), strict=True)):
        assert torch.equal(batch.z[b, : stop - start], z[start:stop])
        assert batch.z[b, stop - start :].eq(0).all()
        assert batch.ref[b, : stop - start].tolist() == [[int(SAMPLES[b]), item] for item in ITEMS[start:stop].tolist()]
    assert batch.ref[1, 1:].tolist() == [[7, -1], [7, -1]]
    rows, ref = batch.rows
    assert torch.equal(rows, z)
    assert ref[:, 1].tolist() == ITEMS.tolist()


def test_gradients_of_ragged_parts() -> None:
    def by_loop(z: torch.Tensor) -> torch.Tensor:
        blocks = [z[0:3], torch.cat([z[3:4], torch.zeros(2, 2)]), torch.cat([z[4:6], torch.zeros(1, 2)])]
        return torch.stack(blocks)

    assert_same(lambda z: PartBatch.of_ragged(z, PTR, SAMPLES, ITEMS).z, by_loop, normal(6, 2))


def test_maps_become_patches() -> None:
    maps = normal(2, 3, 2, 4)
    batch = PartBatch.of_maps(maps, torch.tensor([6, 5]))
    for b, y, x in [(0, 0, 0), (0, 1, 2), (1, 1, 3)]:
        assert torch.equal(batch.z[b, 4 * y + x], maps[b, :, y, x])
        assert batch.ref[b, 4 * y + x].tolist() == [[6, 5][b], 4 * y + x]
    assert batch.mask.all()


def test_a_node_is_its_own_part() -> None:
    z = normal(3, 2)
    batch = PartBatch.of_nodes(z)
    assert torch.equal(batch.z, z[:, None])
    assert batch.ref.tolist() == [[[0, 0]], [[1, 1]], [[2, 2]]]
    assert PartBatch.of_nodes(z, torch.tensor([4, 2, 9])).ref[:, 0, 0].tolist() == [4, 2, 9]


def test_nodes_maps_and_graphs_of_one_part_are_the_same() -> None:
    z, ids = normal(4, 3), torch.tensor([3, 1, 0, 2])
    nodes = PartBatch.of_nodes(z, ids)
    maps = PartBatch.of_maps(z[:, :, None, None], ids)
    graphs = PartBatch.of_ragged(z, torch.arange(5), ids, torch.zeros(4, dtype=torch.long))
    assert torch.equal(nodes.z, maps.z) and torch.equal(nodes.z, graphs.z)
    assert torch.equal(maps.ref, graphs.ref)


def test_ids_of_winning_parts() -> None:
    batch = PartBatch.of_ragged(normal(6, 2), PTR, SAMPLES, ITEMS)
    assert batch.ref_of(torch.tensor([[2, 0], [0, 0], [1, 0]])).tolist() == [
        [[10, 2], [10, 5]],
        [[7, 9], [7, 9]],
        [[8, 0], [8, 9]],
    ]


def test_a_sample_without_parts_is_refused() -> None:
    with pytest.raises(DataError, match="sample 1 of the batch has no part: leave out samples without parts"):
        PartBatch.of_ragged(normal(3, 2), torch.tensor([0, 2, 2, 3]), torch.arange(3), torch.arange(3))


def test_shapes_that_do_not_fit_are_refused(unchecked_shapes: None) -> None:
    with pytest.raises(ValueError, match=r"must fit each other, got \[2, 3, 4\], \[2, 2\] and \[2, 3, 2\]"):
        PartBatch(normal(2, 3, 4), torch.ones(2, 2, dtype=torch.bool), torch.zeros(2, 3, 2, dtype=torch.long))
