"""Scaling of features against NumPy, which columns stay as they are, and that labels and held-out nodes have no part in it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from graphkit.data import load
from graphkit.data.scaling import fit_scaling
from graphkit.errors import RequestError
from graphkit.run import run


def table() -> torch.Tensor:
    source = np.random.default_rng(3)
    columns = [
        source.normal(5e4, 2e4, 40),
        source.normal(0, 1e-3, 40),
        source.integers(0, 2, 40),
        np.full(40, 7.0),
        np.where(np.arange(40) < 20, 1.0, 9.0),  # constant over the first half
    ]
    return torch.from_numpy(np.stack(columns, axis=1)).float()


def test_equal_to_numpy_column_by_column():
    x, nodes = table(), torch.arange(5, 35)
    scaling = fit_scaling(x, nodes)
    expected = x.double().numpy().copy()
    for column in (0, 1, 4):
        values = expected[5:35, column]
        expected[:, column] = (expected[:, column] - np.mean(values)) / np.std(values)
    np.testing.assert_allclose(scaling.apply(x).numpy(), expected, rtol=1e-5, atol=1e-5)
    assert scaling.num_scaled == 3 and scaling.apply(x).dtype == torch.float32


def test_constant_columns_and_zeros_and_ones_stay():
    x, nodes = table(), torch.arange(20)
    scaled = fit_scaling(x, nodes).apply(x)
    for column in (2, 3, 4):
        assert torch.equal(scaled[:, column], x[:, column])
    assert fit_scaling(x, nodes).num_scaled == 2
    every = fit_scaling(x, nodes, every=True)
    assert every.num_scaled == 3 and float(every.apply(x)[nodes, 2].mean()) == pytest.approx(0, abs=1e-6)


def test_a_bag_of_words_stays_and_a_sparse_column_beside_others_does_not():
    words = torch.zeros(50, 20)
    words[torch.arange(50), torch.arange(50) % 20] = torch.arange(50).remainder(4).float()
    assert fit_scaling(words).num_scaled == 0 < fit_scaling(words, every=True).num_scaled
    assert fit_scaling(words / 4).num_scaled > 0 and fit_scaling(-words).num_scaled > 0
    gain = torch.zeros(50, 1)
    gain[3] = 99999.0
    assert fit_scaling(torch.cat([gain, table()[:1].expand(50, 5)], dim=1)).num_scaled == 1


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    source = np.random.default_rng(0)
    nodes = 30
    (tmp_path / "edges.csv").write_text("".join(f"{i},{(i + 1) % nodes}\n{i},{(i + 7) % nodes}\n" for i in range(nodes)))
    (tmp_path / "features.csv").write_text(
        "".join(f"{i},{v:.1f},{i % 2}\n" for i, v in enumerate(source.normal(1e4, 3e3, nodes)))
    )
    (tmp_path / "labels.csv").write_text("".join(f"{i},{'ab'[i % 3 == 0]}\n" for i in range(nodes)))
    return {name: str(tmp_path / f"{name}.csv") for name in ("edges", "features", "labels")}


def test_own_features_are_scaled_by_the_training_nodes_of_the_seed(files: dict[str, str]):
    raw = load("custom", task="node", scale="none", seed=4, **files)
    assert raw.scaling is None and not any("standardized" in note for note in raw.notes)
    scaled = load("custom", task="node", seed=4, **files)
    train = raw.data.x[raw.splits["train"], 0].double()
    assert scaled.scaling is not None and float(scaled.scaling.mean[0]) == pytest.approx(float(train.mean()))
    assert float(scaled.scaling.std[0]) == pytest.approx(float(train.std(correction=0)))
    assert torch.equal(scaled.data.x[:, 1], raw.data.x[:, 1])
    torch.testing.assert_close(scaled.scaling.apply(raw.data.x), scaled.data.x)
    assert scaled.notes[-1:] == (
        "features: 1 of 2 columns are standardized by mean and deviation of the training nodes (data.scale=auto); "
        "data.scale=none leaves them as they are",
    )
    other = load("custom", task="node", seed=5, **files)
    assert other.scaling is not None and not torch.equal(other.scaling.mean, scaled.scaling.mean)


def test_links_take_all_nodes(files: dict[str, str]):
    own = {key: files[key] for key in ("edges", "features")}
    dataset = load("custom", task="link", **own)
    assert float(dataset.data.x[:, 0].mean()) == pytest.approx(0, abs=1e-5)
    assert float(dataset.data.x[:, 0].std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert "of all nodes, of which none is held out" in " ".join(dataset.notes)


def test_named_data_stays_as_published_unless_asked():
    plain, asked = load("digits", task="node"), load("digits", task="node", scale="standard")
    assert plain.scaling is None and asked.scaling is not None and "data.scale=standard" in asked.notes[0]
    train = asked.data.x[asked.splits["train"]]
    assert torch.allclose(train.mean(0), torch.zeros(1), atol=1e-5)
    assert torch.equal(load("digits", task="node").data.x, plain.data.x)


@pytest.mark.parametrize(
    ("name", "task", "scale", "says"),
    [
        ("karate", "node", "minmax", "data.scale=minmax: expected auto, standard, none"),
        ("planted-interactions", "recommend", "standard", "data.scale=standard: task=recommend has no features to scale"),
    ],
)
def test_what_cannot_be_scaled_is_refused(name: str, task: str, scale: str, says: str):
    with pytest.raises(RequestError, match=says):
        load(name, task=task, scale=scale)


def test_nothing_to_scale_is_refused(files: dict[str, str]):
    with pytest.raises(RequestError, match="has no node features, leave it out"):
        load("custom", task="link", scale="standard", edges=files["edges"])


def test_a_run_tells_it_and_keeps_what_new_nodes_need(files: dict[str, str], tmp_path: Path):
    result = run("node", "custom", "mlp", data=files, train={"epochs": 2}, out=str(tmp_path / "runs"))
    assert any(note.startswith("features: 1 of 2 columns are standardized") for note in result.notes)
    kept = np.load(result.folder / "seed-0/predictions.npz")
    scaling = load("custom", task="node", **files).scaling
    assert scaling is not None and kept["feature_mean"].tolist() == scaling.mean.tolist()
    assert kept["feature_std"].tolist() == scaling.std.tolist()
    with pytest.raises(RequestError, match="data.scale=none: task=recommend has no features to scale"):
        run("recommend", "planted-interactions", "mostpop", data={"scale": "none"})
