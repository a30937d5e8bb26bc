import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.stats import norm

from graphkit.conf.catalog import TASKS
from graphkit.data import load
from graphkit.data.catalog import DATASETS
from graphkit.data.generated import planted
from graphkit.data.loading import data_root as chosen_root
from graphkit.errors import RequestError
from tests.data.oracle import check_graph, check_link_split, pairs_of

GENERATED = ("digits", "karate", "planted-partition", "planted-communities")
CASES = [(name, task) for name in GENERATED for task in DATASETS[name].tasks if task in ("node", "link")]


def test_the_table_needs_no_torch():
    code = (
        "import sys, graphkit.data.catalog, graphkit.data\n"
        "print([name for name in ('torch', 'numpy', 'torch_geometric', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_table_is_sound():
    assert len(CASES) == 6
    assert {name for name, entry in DATASETS.items() if entry.embedded} == {
        *GENERATED,
        "planted-interactions",
        "planted-days",
        "planted-graphs",
        "counting",
        "planted-patches",
        "planted-categories",
        "dictionary-lookup",
        "planted-labels",
    }
    for name, entry in DATASETS.items():
        assert entry.name == name and entry.summary and entry.source and entry.tasks
        assert all(task in TASKS for task in entry.tasks)
        for protocol in entry.protocols.values():
            assert protocol.statement.endswith(".") and protocol.metric in protocol.metrics
        for file in entry.files:
            assert len(file.checksum) in (40, 64) and int(file.checksum, 16)
            assert file.url.startswith("https://") and (not file.member or file.url.endswith(".zip"))
        assert len({file.path for file in entry.files}) == len(entry.files)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_every_embedded_data_set_loads(name, task, monkeypatch):
    monkeypatch.setenv("GRAPHKIT_DATA", "/nowhere")
    dataset = load(name, task=task, seed=3)
    assert dataset.name == name
    assert dataset.metric in dataset.metrics and dataset.protocol.startswith(DATASETS[name].protocols[task].statement)
    check_graph(dataset.data.edge_index, dataset.data.num_nodes)
    again = load(name, task=task, seed=3)
    assert again.data.edge_index.equal(dataset.data.edge_index)
    if task == "node":
        everyone = torch.cat(list(dataset.splits.values()))
        assert sorted(everyone.tolist()) == list(range(dataset.data.num_nodes))
        assert dataset.data.x.dtype == torch.float32 and dataset.data.y.dtype == torch.int64
        assert all(part.equal(again.splits[split]) for split, part in dataset.splits.items())
    else:
        whole = {pair for part in dataset.splits.values() for pair in pairs_of(part.positive)}
        check_link_split(dataset.data.edge_index, dataset.splits, whole, dataset.data.num_nodes)
        assert dataset.splits["test"].negative.equal(again.splits["test"].negative)
        assert not load(name, task=task, seed=4).data.edge_index.equal(dataset.data.edge_index)


def test_karate_is_zacharys():
    node, link = load("karate", task="node"), load("karate", task="link")
    assert node.data.num_nodes == 34 and node.data.edge_index.size(1) == 156
    assert torch.bincount(node.data.y).tolist() == [17, 17] and node.data.y[0] != node.data.y[33]
    assert {0, 33} <= set(node.splits["train"].tolist())
    assert {name: part.numel() for name, part in node.splits.items()} == {"train": 8, "valid": 10, "test": 16}
    assert load("karate", task="node", seed=9).splits["test"].equal(node.splits["test"])
    assert [part.positive.size(1) for part in link.splits.values()] == [56, 7, 15]


def test_digits_are_tied_to_their_nearest():
    from sklearn.datasets import load_digits
    from sklearn.neighbors import NearestNeighbors

    dataset = load("digits", task="node")
    pixels, labels = load_digits(return_X_y=True)
    nearest = NearestNeighbors(n_neighbors=10, metric="cosine").fit(pixels).kneighbors(return_distance=False)
    ties = {frozenset((node, int(other))) for node, row in enumerate(nearest) for other in row}
    ours = set(pairs_of(dataset.data.edge_index))
    assert len(ours ^ ties) < 0.01 * len(ties)  # equal distances may be broken otherwise
    np.testing.assert_allclose(dataset.data.x.numpy(), pixels / 16, rtol=1e-6)
    assert dataset.data.y.tolist() == labels.tolist()
    assert torch.bincount(dataset.data.y[dataset.splits["train"]]).tolist() == [20] * 10
    assert {name: part.numel() for name, part in dataset.splits.items()} == {"train": 200, "valid": 500, "test": 1097}


def test_planted_partition_has_the_answer_it_claims():
    t = np.linspace(-12, 12, 200_001)
    best = np.trapezoid(norm.pdf(t) * norm.cdf(t + planted.SIGNAL) ** (planted.CLASSES - 1), t)
    assert round(100 * best) == 55  # as the catalog says
    assert "55 %" in DATASETS["planted-partition"].protocols["node"].statement
    right, inside, degree = [], [], []
    for seed in range(20):
        data = load("planted-partition", task="node", seed=seed).data
        right.append((data.x.argmax(dim=1) == data.y).double().mean().item())
        same = data.y[data.edge_index[0]] == data.y[data.edge_index[1]]
        inside.append(same.double().mean().item())
        degree.append(data.edge_index.size(1) / data.num_nodes)
    assert abs(np.mean(right) - best) < 0.02
    expected = planted.DEGREE_INSIDE * (planted.CLASS_SIZE - 1) / planted.CLASS_SIZE
    assert abs(np.mean(degree) - expected - planted.DEGREE_ACROSS) < 0.1
    assert abs(np.mean(inside) - expected / (expected + planted.DEGREE_ACROSS)) < 0.01


def test_in_planted_communities_common_neighbors_decide():
    dataset = load("planted-communities", task="link")
    adjacency = torch.zeros(1000, 1000, dtype=torch.float64)
    adjacency[tuple(dataset.data.edge_index)] = 1
    common = adjacency @ adjacency
    positive, negative = (common[tuple(pairs)] for pairs in (dataset.splits["test"].positive, dataset.splits["test"].negative))
    hits = (positive > negative.sort().values[-20]).double().mean().item()
    assert 0.85 < hits < 0.97  # all but the stray twentieth, and few of those
    community = dataset.data.y[dataset.splits["test"].positive]
    assert 0.02 < (community[0] != community[1]).double().mean().item() < 0.09


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("ogbl-dii", {"task": "link"}, "unknown data set 'ogbl-dii': did you mean ogbl-ddi"),
        ("qqqq", {"task": "link"}, "unknown data set 'qqqq': choose one of: ogbl-ddi, cora"),
        ("ogbl-ddi", {"task": "node"}, "data set 'ogbl-ddi' has no task 'node'; for task=node choose one of: cora"),
        ("karate", {"task": "image"}, "data set 'karate' has no task 'image'; for task=image choose one of: digits, mnist"),
        ("karate", {"task": "link", "edges": "e.csv"}, "own files .* go with dataset=custom, not with 'karate'"),
        ("karate", {"task": "link", "split": (0.8, 0.1, 0.1)}, "data set 'karate' has its own split"),
        ("planted-partition", {"task": "node", "split": (0.8, 0.1, 0.2)}, "must be three positive shares that sum to 1"),
        ("planted-partition", {"task": "node", "split": (0.8, 0.2)}, "must be three positive shares"),
        ("planted-partition", {"task": "node", "split": (1.1, 0.1, -0.2)}, "must be three positive shares"),
        ("planted-partition", {"task": "node", "split": (float("nan"), 0.1, 0.2)}, "must be three positive shares"),
    ],
)
def test_a_wrong_request_says_what_to_do(name, arguments, says):
    with pytest.raises(RequestError, match=says) as caught:
        load(name, **arguments)
    assert caught.value.exit_code == 2


def test_the_data_root(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHKIT_DATA", str(tmp_path / "env"))
    assert chosen_root(tmp_path / "argument") == tmp_path / "argument"
    assert chosen_root() == tmp_path / "env"
    monkeypatch.setenv("GRAPHKIT_DATA", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert chosen_root() == tmp_path / ".cache/graphkit"
    assert chosen_root("~/data") == tmp_path / "data"


def test_an_unknown_attribute_is_an_attribute_error():
    import graphkit.data

    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        _ = graphkit.data.lode
