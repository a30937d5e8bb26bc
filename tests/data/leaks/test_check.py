"""`check_leaks` on PyG's own objects."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.transforms import RandomLinkSplit
from torch_geometric.utils import to_undirected

from graphkit.data import check_leaks, load
from graphkit.errors import RequestError


@pytest.fixture
def data() -> Data:
    torch.manual_seed(0)
    edges = torch.randint(60, (2, 200))
    return Data(edge_index=to_undirected(edges[:, edges[0] != edges[1]]), num_nodes=60)


@pytest.mark.parametrize("options", [{}, {"split_labels": True}, {"disjoint_train_ratio": 0.3}])
def test_a_random_link_split(data: Data, options: dict[str, object]) -> None:
    split = RandomLinkSplit(num_val=0.1, num_test=0.2, is_undirected=True, **options)(data)
    report = check_leaks(*split)
    own = [note for note in report.notes if "training pairs are edges" in note]  # others are on negatives, which PyG draws
    assert report.clean and len(own) == (0 if "disjoint_train_ratio" in options else 1)
    assert check_leaks(split).to_dict() == report.to_dict()
    train, valid, test = split
    leaked = getattr(test, "pos_edge_label_index", test.get("edge_label_index"))[:, :3]
    test.edge_index = torch.cat([test.edge_index, leaked], dim=1)
    (found,) = check_leaks(train, valid, test, names=[f"n{number}" for number in range(60)]).findings
    assert (found.kind, found.count) == ("supervision edges in the message graph", 3)
    assert found.examples[0] == "n{} - n{}".format(*leaked[:, 0].tolist())


def test_an_undirected_graph_that_is_split_as_a_directed_one(data: Data) -> None:
    split = RandomLinkSplit(num_val=0.1, num_test=0.2, is_undirected=False)(data)
    assert {one.kind for one in check_leaks(*split).findings} >= {"reversed duplicates"}
    assert "reversed duplicates" not in {one.kind for one in check_leaks(*split, directed=True).findings}


def test_masks_of_nodes(data: Data) -> None:
    data.x, data.y = torch.randn(60, 4), torch.arange(60) % 2
    masks = torch.arange(60) % 3 == torch.arange(3)[:, None]
    data.train_mask, data.val_mask, data.test_mask = masks
    assert check_leaks(data).clean
    data.train_mask = torch.stack([masks[0], masks[0] | (torch.arange(60) == 5)], dim=1)  # of two splits the second leaks
    (found,) = check_leaks(data).findings
    assert str(found) == "1 of 20 test nodes are train nodes, too: 5"
    club = load("karate", task="node")
    assert check_leaks(club).to_dict() == club.leaks().to_dict()


def test_what_has_no_split_is_refused(data: Data) -> None:
    with pytest.raises(RequestError, match="the data has no split: give train_mask"):
        check_leaks(data)
    with pytest.raises(RequestError, match="check_leaks got int, Data: give a data set"):
        check_leaks(3, data)
    with pytest.raises(RequestError, match="check_leaks got nothing"):
        check_leaks()
