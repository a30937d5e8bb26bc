import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from graphkit.data import load
from graphkit.data.catalog import DATASETS
from graphkit.data.readers.citations import read_citations
from graphkit.data.readers.heterophily import read_heterophilous
from graphkit.data.scaling import row_normalized
from graphkit.errors import DataError
from tests.data.oracle import check_graph

EDGES = [[0, 1], [1, 0], [2, 3], [3, 3], [1, 2], [1, 2]]


def archive(tmp_path, **changes):
    masks = {
        "train_masks": np.array([[1, 0, 1, 0, 0], [0, 1, 0, 1, 0]], dtype=bool),
        "val_masks": np.array([[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]], dtype=bool),
        "test_masks": np.array([[0, 0, 0, 1, 0], [0, 0, 1, 0, 0]], dtype=bool),
    }
    arrays = {
        "node_features": np.arange(10.0).reshape(5, 2),
        "node_labels": np.array([4, 0, 4, 2, 1]),
        "edges": np.array(EDGES),
        **masks,
        **changes,
    }
    path = tmp_path / "toy.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_an_undirected_graph_is_symmetric_and_without_loops(tmp_path):
    data, splits = read_heterophilous(archive(tmp_path), 0, directed=False)
    check_graph(data.edge_index, 5)
    assert data.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2]]
    assert data.x.dtype == torch.float32 and data.x[3].tolist() == [6, 7] and data.num_nodes == 5
    assert {name: nodes.tolist() for name, nodes in splits.items()} == {"train": [0, 2], "valid": [1], "test": [3]}


def test_a_directed_graph_keeps_direction_and_loops_and_drops_repeats(tmp_path):
    data, splits = read_heterophilous(archive(tmp_path), 1, directed=True)
    assert data.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 3], [3, 3]]
    assert {name: nodes.tolist() for name, nodes in splits.items()} == {"train": [1, 3], "valid": [0], "test": [2]}


def test_a_class_that_no_split_has_is_no_class(tmp_path):
    data, _ = read_heterophilous(archive(tmp_path), 0, directed=False)
    assert data.y.tolist() == [2, 0, 2, 1, -1]


@pytest.mark.parametrize(
    "changes",
    [
        {"edges": None},
        {"edges": np.array([[0, 5]])},
        {"edges": np.array([[0, -1]])},
        {"edges": np.array([0, 1])},
        {"node_features": np.ones((4, 2))},
        {"test_masks": np.ones((1, 5), dtype=bool)},
        {"train_masks": np.ones((2, 4), dtype=bool)},
        {"node_labels": np.array([object()] * 5)},
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes):
    with pytest.raises(DataError, match=r"toy\.npz is damaged .* delete it and load again"):
        read_heterophilous(archive(tmp_path, **changes), 1, directed=False)


def test_a_cut_file_and_another_kind_of_file_are_refused(tmp_path):
    path = archive(tmp_path)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], np.lib.format.magic(1, 0)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"toy\.npz is damaged"):
            read_heterophilous(path, 0, directed=False)
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(DataError, match="an archive of arrays was expected"):
        read_heterophilous(tmp_path / "one.npy", 0, directed=False)


def citation_archive(tmp_path, **changes):
    adjacency = csr_matrix(np.array([[0, 1, 0], [1, 0, 1], [0, 0, 1]], dtype=np.float32))
    features = csr_matrix(np.array([[0.5, 0], [0, 0], [1, 2]], dtype=np.float32))
    arrays = {"labels": np.array([1, 0, 1], dtype=np.int8)}
    for prefix, matrix in (("adj", adjacency), ("attr", features)):
        for part in ("data", "indices", "indptr", "shape"):
            arrays[f"{prefix}_{part}"] = np.array(getattr(matrix, part))
    np.savez(tmp_path / "cite.npz", **{**arrays, **changes})
    return tmp_path / "cite.npz"


def test_citations_with_and_without_direction(tmp_path):
    path = citation_archive(tmp_path)
    directed, undirected = read_citations(path, directed=True), read_citations(path, directed=False)
    assert directed.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 2]]
    assert undirected.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    assert directed.x.tolist() == [[0.5, 0], [0, 0], [1, 2]] and directed.y.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "changes", [{"adj_indices": np.array([1, 0, 7, 2])}, {"labels": np.array([0, 1])}, {"attr_shape": np.array([2, 2])}]
)
def test_citations_that_do_not_fit_are_refused(tmp_path, changes):
    with pytest.raises(DataError, match=r"cite\.npz is damaged"):
        read_citations(citation_archive(tmp_path, **changes), directed=True)


def test_row_normalization_leaves_nodes_without_features():
    assert row_normalized(torch.tensor([[1.0, 3.0], [0.0, 0.0]])).tolist() == [[0.25, 0.75], [0, 0]]


def test_names_say_what_they_are():
    for name, entry in DATASETS.items():
        if entry.reader.startswith("graphkit.data.generated."):
            continue
        statement = " ".join(protocol.statement for protocol in entry.protocols.values())
        assert entry.directed == name.endswith("-directed")
        assert not entry.row_normalized or "features are row-normalized (each node's sum to 1)" in statement.lower()
        if entry.directed:
            assert "keep their direction, published self-loops stay" in statement
        if "seed s takes split s mod 10" in statement.lower():
            assert "seeds=10" in statement


# nodes, entries of the graph, features, classes, sizes of split 3
REAL = {
    "texas": (183, 558, 1703, 5, (87, 59, 37)),
    "texas-4-classes": (183, 558, 1703, 4, (86, 59, 37)),
    "wisconsin": (251, 900, 1703, 5, (120, 80, 51)),
    "actor": (7600, 53318, 932, 5, (3648, 2432, 1520)),
    "chameleon": (2277, 62742, 2325, 5, (1092, 729, 456)),
    "chameleon-directed": (2277, 36101, 2325, 5, (1092, 729, 456)),
    "squirrel": (5201, 396706, 2089, 5, (2496, 1664, 1041)),
    "squirrel-directed": (5201, 217073, 2089, 5, (2496, 1664, 1041)),
    "squirrel-filtered": (2223, 93996, 2089, 5, (1060, 713, 450)),
    "squirrel-filtered-directed": (2223, 65718, 2089, 5, (1060, 713, 450)),
    "minesweeper": (10000, 78804, 7, 2, (5000, 2500, 2500)),
    "tolokers": (11758, 1038000, 10, 2, (5879, 2939, 2940)),
    "cora-geom": (2708, 10556, 1433, 7, (1192, 796, 497)),
    "citeseer-geom": (3327, 9104, 3703, 6, (1591, 1058, 663)),
    "cora-ml": (2995, 16316, 2879, 7, (140, 500, 2355)),
    "cora-ml-directed": (2995, 8416, 2879, 7, (140, 500, 2355)),
    "citeseer-directed": (3312, 4715, 3703, 6, (120, 500, 2692)),
}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.data("heterophilous_npz", "HeterophilousGraphDataset", "Planetoid", "geom_gcn_splits", "CitationFull", "directed")
def test_real_files(name, data_root):
    nodes, entries, features, classes, sizes = REAL[name]
    dataset = load(name, task="node", root=data_root, seed=3)
    data = dataset.data
    assert (data.num_nodes, data.edge_index.size(1), data.x.size(1)) == (nodes, entries, features)
    assert torch.unique(data.y[data.y >= 0]).tolist() == list(range(classes))
    assert tuple(part.numel() for part in dataset.splits.values()) == sizes
    everyone = torch.cat(list(dataset.splits.values()))
    assert torch.unique(everyone).numel() == everyone.numel() and bool((data.y[everyone] >= 0).all())
    assert dataset.metric == ("roc-auc" if name in ("minesweeper", "tolokers") else "accuracy")
    source, target = data.edge_index
    keys, turned = source * nodes + target, target * nodes + source
    assert bool((keys[1:] > keys[:-1]).all())
    assert dataset.directed == name.endswith("-directed")
    assert torch.equal(keys, turned.sort().values) != dataset.directed
    assert dataset.directed or not bool((source == target).any())
    sums = data.x.sum(dim=1)
    assert torch.allclose(sums[sums != 0], torch.ones(1), atol=1e-5) == (DATASETS[name].row_normalized or name == "minesweeper")


@pytest.mark.data("heterophilous_npz")
def test_ten_seeds_take_all_ten_published_splits(data_root):
    test = [load("texas", task="node", root=data_root, seed=seed).splits["test"].tolist() for seed in range(11)]
    masks = np.load(data_root / "heterophilous_npz/texas.npz")["test_masks"]
    assert test[:10] == [np.flatnonzero(mask).tolist() for mask in masks] and test[10] == test[0]


@pytest.mark.data("geom_gcn_splits", "Planetoid")
def test_a_seed_takes_its_split_of_geom_gcn(data_root):
    for seed in (9, 10):
        splits = load("cora-geom", task="node", root=data_root, seed=seed).splits
        masks = np.load(data_root / f"geom_gcn_splits/cora_split_0.6_0.2_{seed % 10}.npz")
        assert splits["valid"].tolist() == np.flatnonzero(masks["val_mask"]).tolist()


@pytest.mark.data("Planetoid", "geom_gcn_splits")
def test_citeseers_papers_without_label_are_in_no_split(data_root):
    dataset = load("citeseer-geom", task="node", root=data_root)
    unlabeled = (dataset.data.y < 0).nonzero().view(-1)
    assert unlabeled.numel() == 15 and not dataset.data.x[unlabeled].any()
    assert not any(torch.isin(unlabeled, nodes).any() for nodes in dataset.splits.values())


@pytest.mark.data("Planetoid", "geom_gcn_splits")
@pytest.mark.parametrize(("name", "split", "size"), [("cora-geom", 0, 2485), ("citeseer-geom", 4, 2120)])
def test_which_splits_hold_the_largest_component_alone(name, split, size, data_root):
    import networkx

    dataset = load(name, task="node", root=data_root, seed=split)
    largest = max(networkx.connected_components(networkx.Graph(dataset.data.edge_index.T.tolist())), key=len)
    assert len(largest) == size and set(torch.cat(list(dataset.splits.values())).tolist()) <= largest


@pytest.mark.data("CitationFull")
def test_cora_mls_split_is_drawn_anew(data_root):
    first, again, other = (load("cora-ml-directed", task="node", root=data_root, seed=seed).splits for seed in (0, 0, 1))
    assert all(first[part].equal(again[part]) for part in first) and not first["train"].equal(other["train"])
