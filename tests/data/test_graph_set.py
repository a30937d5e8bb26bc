"""Collections of graphs by name: their folds, what they tell of themselves, and features scaled by training graphs alone."""

from pathlib import Path

import pytest
import torch

from graphkit.data import load
from graphkit.data.catalog import DATASETS
from graphkit.data.graph_set import GraphSet
from graphkit.errors import RequestError

COLLECTIONS = {"mutag": 188, "proteins": 1_113, "nci1": 4_110, "imdb-binary": 1_000, "mutagenicity": 4_337, "csl": 150}


def graph_set(name: str, **options) -> GraphSet:
    dataset = load(name, task="graph", **options)
    assert isinstance(dataset, GraphSet)
    return dataset


@pytest.mark.data("TUDataset", "TU_10fold_idx", "GNNBenchmarkDataset")
@pytest.mark.parametrize("name", COLLECTIONS)
def test_each_graph_is_tested_once_over_the_folds(name: str, data_root: Path) -> None:
    folds = 5 if name == "csl" else 10
    tested, chosen = [], []
    for seed in range(folds):
        dataset = graph_set(name, root=data_root, seed=seed)
        assert (dataset.fold, dataset.num_folds, dataset.graphs.num_graphs) == (seed, folds, COLLECTIONS[name])
        parts = [set(dataset.splits[part].tolist()) for part in ("train", "valid", "test")]
        assert sum(map(len, parts)) == len(set.union(*parts)) == COLLECTIONS[name]
        tested += parts[2]
        chosen += parts[1]
    left = 3 if name == "proteins" else 0  # in no published fold
    assert len(tested) == len(set(tested)) == COLLECTIONS[name] - left
    assert name == "csl" or len(set(chosen)) == len(tested)
    again = graph_set(name, root=data_root, seed=folds + 1)
    assert torch.equal(again.splits["test"], graph_set(name, root=data_root, seed=1).splits["test"])


@pytest.mark.data("TUDataset", "TU_10fold_idx")
@pytest.mark.parametrize(("name", "folder"), [("proteins", "PROTEINS"), ("nci1", "NCI1"), ("imdb-binary", "IMDBBINARY")])
def test_published_folds_are_test_and_their_files_training(name: str, folder: str, data_root: Path) -> None:
    for seed in (0, 9):
        splits = graph_set(name, root=data_root, seed=seed).splits
        files = [data_root / "TU_10fold_idx" / folder / f"{part}_idx-{seed + 1}.txt" for part in ("test", "train")]
        test, train = ({int(line) for line in file.read_text().split()} for file in files)
        assert set(splits["test"].tolist()) == test
        assert set(splits["train"].tolist()) | set(splits["valid"].tolist()) == train


@pytest.mark.data("TUDataset")
def test_facts_and_sizes(data_root: Path) -> None:
    dataset = graph_set("mutag", root=data_root)
    assert dataset.facts() == {
        "graphs": 188, "nodes": 3_371, "edges": 3_721, "directed": False,
        "nodes_per_graph": {"least": 10, "median": 17, "most": 28}, "isolated_nodes": 0, "node_features": 7, "edge_features": 4,
        "targets": "classes", "graphs_per_class": {"-1": 63, "1": 125}, "splits": {"train": 150, "valid": 19, "test": 19},
    }  # fmt: skip
    assert dataset.sizes() == {
        "graphs": 188, "nodes": 3_371, "edges": 7_442, "features": 7, "edge features": 4, "classes": 2,
    }  # fmt: skip
    assert dataset.names()["classes"] == ("-1", "1")


def own(folder: Path, **options) -> GraphSet:
    graphs = "".join(f"{number},{number % 2}\n" for number in range(40))
    edges = "".join(f"{number},0,1\n{number},1,2\n" for number in range(40))
    nodes = "".join(f"{number},{node},{number * 10 + node},{node % 2}\n" for number in range(40) for node in range(4))
    files = {"graphs": graphs, "edges": edges, "features": nodes}
    for name, text in files.items():
        (folder / name).write_text(text)
    return graph_set("custom", **{name: folder / name for name in files}, **options)


def test_features_are_scaled_by_training_graphs_alone(tmp_path: Path) -> None:
    dataset = own(tmp_path)
    train = torch.tensor([0, 3, 7])
    x, scaling, notes = dataset.features(train)
    seen = [float(number * 10 + node) for number in (0, 3, 7) for node in range(4)]
    mean = sum(seen) / 12
    std = (sum((value - mean) ** 2 for value in seen) / 12) ** 0.5
    expected = [[(number * 10 + node - mean) / std, float(node % 2)] for number in range(40) for node in range(4)]
    assert torch.allclose(x, torch.tensor(expected), atol=1e-5) and scaling is not None and scaling.num_scaled == 1
    assert "1 of 2 columns are standardized by mean and deviation of the nodes of the training graphs" in notes[0]
    assert dataset.facts()["isolated_nodes"] == 40 and dataset.graph_names[11] == "11"


def test_features_stay_where_that_is_asked(tmp_path: Path) -> None:
    for dataset in (own(tmp_path, scale="none"), graph_set("planted-graphs")):
        x, scaling, notes = dataset.features(torch.arange(5))
        assert x is dataset.graphs.x and scaling is None and notes == ()
    assert graph_set("planted-graphs", scale="standard").features(torch.arange(5))[1] is not None
    files = {"graphs": tmp_path / "graphs", "edges": tmp_path / "edges"}
    with pytest.raises(RequestError, match="data.scale=standard: data set 'custom' has no node features, leave it out"):
        graph_set("custom", **files, scale="standard").features(torch.arange(5))


def test_the_metrics_of_own_graphs_are_those_of_their_targets(tmp_path: Path) -> None:
    assert (own(tmp_path).metric, own(tmp_path).kind) == ("accuracy", "classes")
    numbers = own(tmp_path, targets="numbers")
    assert (numbers.metric, numbers.metrics, numbers.num_targets) == ("mae", ("mae",), 1)
    assert numbers.facts()["known"] == {"0": 40} and numbers.fallbacks == ("mae",)
    assert own(tmp_path, targets="labels").metrics == ("roc-auc", "ap", "accuracy")


def test_rows_of_the_catalog_name_their_files() -> None:
    rows = [entry for entry in DATASETS.values() if "graph" in entry.tasks and not entry.own]
    assert {entry.name for entry in rows} >= {*COLLECTIONS, "ptc-mr", "enzymes", "nci109", "imdb-multi", "planted-graphs"}
    for entry in rows:
        assert all(len(file.checksum) == 64 and file.url.startswith("https://github.com/") for file in entry.files)
        tested = [file.path for file in entry.files if "test_idx" in file.path]
        assert len(tested) in (0, 10)
