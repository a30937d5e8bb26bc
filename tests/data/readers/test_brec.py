"""BREC's pairs from the table and from the publisher's arrays."""

from collections import Counter

import numpy as np
import pytest

from graphkit.data.readers import brec as module
from graphkit.data.readers.brec import read_brec
from graphkit.errors import DataError

PAIRS = {"basic": [("Bw", "BW")], "cfi": [("C~", "C]"), ("C\\", "Cr")]}


def described(pairs):
    return [(pair.name, pair.category, pair.first.edge_index.tolist(), pair.second.edge_index.tolist()) for pair in pairs]


@pytest.fixture
def arrays(tmp_path, monkeypatch):
    """A data root with the arrays of `PAIRS`, of the three types that the publisher's have."""
    monkeypatch.setattr(module, "ensure", lambda entry, root: None)
    monkeypatch.setattr(module, "ARRAYS", {name: module.ARRAYS[name] for name in PAIRS})
    for name, pairs in PAIRS.items():
        path = tmp_path / module.ARRAYS[name].path
        path.parent.mkdir(parents=True, exist_ok=True)
        flat = [graph for pair in pairs for graph in pair]
        np.save(path, np.array(flat, dtype="U9") if name == "basic" else np.array(pairs, dtype="S9"))
    return tmp_path


def test_arrays_and_table_give_the_same_pairs(arrays, monkeypatch):
    from_arrays = described(read_brec(arrays))
    assert [name for name, *_ in from_arrays] == ["basic-0", "cfi-0", "cfi-1"]
    rows = [(category, *pair) for category, pairs in PAIRS.items() for pair in pairs]
    lines = ["\t".join(["pair", "category", "first", "second"])]
    lines += ["\t".join([str(number), *row]) for number, row in enumerate(rows)]
    (arrays / "BREC" / "pairs.tsv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="does not match its checksum"):
        read_brec(arrays)
    monkeypatch.setattr(module, "has_checksum", lambda path, checksum: True)
    assert described(read_brec(arrays)) == from_arrays


def test_damaged_files(arrays, monkeypatch):
    monkeypatch.setattr(module, "has_checksum", lambda path, checksum: True)
    path = arrays / module.ARRAYS["cfi"].path
    np.save(path, np.array([("C", "C~")], dtype="S9"))
    with pytest.raises(DataError, match=r"cfi.npy is damaged \(1 characters after the size"):
        read_brec(arrays)
    path.write_bytes(b"no array")
    with pytest.raises(DataError, match="cfi.npy is damaged"):
        read_brec(arrays)
    (arrays / "BREC" / "pairs.tsv").write_text("pair\tcategory\n0\tbasic\n")
    with pytest.raises(DataError, match="the columns pair, category, first, second were expected"):
        read_brec(arrays)


@pytest.mark.data("BREC")
def test_the_published_pairs(data_root):
    pairs = read_brec(data_root)
    counts = {"basic": 60, "regular": 50, "strongly_regular": 50, "extension": 100, "cfi": 100}
    assert Counter(pair.category for pair in pairs) == counts | {"four_vertex_condition": 20, "distance_regular": 20}
    assert max(pair.first.num_nodes for pair in pairs) == 198
    for pair in pairs:
        sizes = {(graph.num_nodes, graph.edge_index.size(1)) for graph in (pair.first, pair.second)}
        assert len(sizes) == 1
        assert not np.array_equal(pair.first.edge_index, pair.second.edge_index)
