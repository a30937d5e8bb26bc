"""Accuracy and energy by depth: what is trained, measured and left behind."""

import csv
import importlib.util
import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.depth.__main__ import main
from benchmarks.depth.output import draw
from benchmarks.depth.points import LAYERS, MODELS, Plan
from graphkit import run as door
from graphkit.data import load

TINY = ["--dataset", "karate", "--seeds", "2", "--epochs", "5", "--out", "out"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(name: str) -> dict:
    return json.loads(Path("out", name).read_text())


def lines() -> list[dict[str, str]]:
    with Path("out/karate.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def energy_of_two_layers(folder: Path, seed: int) -> float:
    """Energy of relu(A X W + b), from the stored weights, an edge after the other."""
    weights = load_file(folder / f"seed-{seed}" / "best.safetensors")
    weight, bias = weights["network.hidden.0.lin.weight"], weights["network.hidden.0.bias"]
    data = load("karate", task="node").data
    dense = torch.zeros(data.num_nodes, data.num_nodes, dtype=torch.float64)
    dense[data.edge_index[0], data.edge_index[1]] = 1.0
    degree = dense.sum(1) + 1
    normal = (dense + torch.eye(len(dense))) / (degree[:, None] * degree[None, :]).sqrt()
    x = (normal @ data.x.double() @ weight.double().t() + bias.double()).relu()
    total = 0.0
    for i, j in data.edge_index.t().tolist():
        total += 0.5 * float(((x[i] / math.sqrt(degree[i])) - (x[j] / math.sqrt(degree[j]))).square().sum())
    return total / float(x.square().sum())


@pytest.mark.slow
def test_points_are_trained_measured_and_then_only_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert main([*TINY, "--models", "gcn", "sheaf-identity", "--layers", "2", "4"]) == 0
    points = {(point["model"], point["layers"]): point for point in read("karate.json")["points"]}
    assert list(points) == [("gcn", 2), ("gcn", 4), ("sheaf-identity", 2), ("sheaf-identity", 4)]
    (folder,) = Path("runs/depth/node-karate-gcn-2").iterdir()
    stored = json.loads((folder / "result.json").read_text())
    assert points["gcn", 2]["test"] == stored["metrics"]["test"]["accuracy"]["per_seed"]
    assert stored["settings"]["model"]["num_layers"] == 2 and stored["settings"]["train"]["epochs"] == 5
    oracle = [energy_of_two_layers(folder, seed) for seed in (0, 1)]
    assert points["gcn", 2]["energy"] == pytest.approx(oracle, rel=1e-4)
    assert points["gcn", 2]["sheaf_energy"] == [None, None]
    for depth in (2, 4):  # identity maps: the sheaf Laplacian is that of the graph
        point = points["sheaf-identity", depth]
        assert point["sheaf_energy"] == pytest.approx(point["energy"], abs=1e-12) and min(point["energy"]) > 0
    written = lines()
    assert [line["seed"] for line in written] == ["0", "1"] * 4 and written[0]["device"] and written[0]["commit"]
    assert float(written[0]["energy"]) == points["gcn", 2]["energy"][0] and written[0]["sheaf_energy"] == ""
    assert Path("out/karate.png").read_bytes().startswith(b"\x89PNG")

    def refuse(*args: object, **settings: object) -> None:
        raise AssertionError("nothing may be trained here")

    text = Path("out/karate.json").read_text()
    monkeypatch.setattr(door, "run", refuse)
    assert main([*TINY, "--models", "gcn", "--layers", "4", "--no-plot"]) == 0
    assert Path("out/karate.json").read_text() == text  # what the first call found stays

    capsys.readouterr()
    assert main([*TINY, "--epochs", "6"]) == 2
    assert "is of 2 seeds and 5 epochs: ask for the same, or give another folder with --out" in capsys.readouterr().err
    Path("out/karate.json").write_text(text[:50])
    assert main(TINY) == 2
    assert "is damaged: remove it; finished runs are not trained again" in capsys.readouterr().err


def test_an_interrupted_call_keeps_its_points(monkeypatch: pytest.MonkeyPatch):
    from benchmarks.depth import __main__ as command
    from graphkit.errors import Interrupted

    measure, calls = command.measure, []

    def stop_at_the_second(*given: object) -> dict:
        calls.append(given)
        if len(calls) == 2:
            raise Interrupted("interrupted")
        return measure(*given)

    monkeypatch.setattr(command, "measure", stop_at_the_second)
    assert main([*TINY, "--models", "gcn", "--layers", "1", "2", "4", "--no-plot"]) == 130
    assert [point["layers"] for point in read("karate.json")["points"]] == [1] and len(calls) == 2


def test_the_default_plan():
    rows = Plan().rows()
    assert list(rows) == [(model, depth) for model in MODELS for depth in LAYERS] and LAYERS == (2, 4, 8, 16, 32, 64)
    assert set(MODELS) == {
        "gcn",
        "dagnn",
        "air-gcn",
        *(f"sheaf-{maps}" for maps in ("identity", "diagonal", "orthogonal", "general")),
    }
    assert len({row.name for row in rows.values()}) == len(rows)
    asked = [rows[name, 8].overrides for name in ("gcn", "dagnn", "air-gcn")]
    assert [(one.get("model.num_layers"), one.get("model.num_hops")) for one in asked] == [(8, None), (None, 8), (None, 8)]
    widths = {name: model.get("model.stalk_dim", 1) * model["model.hidden_channels"] for name, model in MODELS.items()}
    assert set(widths.values()) == {48}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--dataset", "squirrel-directed"], "squirrel-directed is directed: the energy is that of an undirected graph"),
        (["--dataset", "carate"], "karate"),
        (["--layers", "0"], "model.num_layers=0: expected an integer from 1 to 10000"),
        (["--seeds", "0"], "seeds=0"),
    ],
)
def test_wrong_requests(capsys: pytest.CaptureFixture[str], arguments: list[str], says: str):
    assert main([*TINY, *arguments]) == 2
    assert says in (printed := capsys.readouterr().err) and "Traceback" not in printed
    assert not Path("runs").exists() and not Path("out").exists()


def test_the_plot_draws_means_and_its_legend_covers_no_panel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from matplotlib import pyplot

    close, figures = pyplot.close, []
    monkeypatch.setattr(pyplot, "close", figures.append)
    points = {
        (model, layers): {"test": [70.0, 80.0 + layers], "energy": [0.5, 0.1], "sheaf_energy": [None, None]}
        for model in ("gcn", "sheaf-general")
        for layers in (2, 4)
    }
    draw(tmp_path, Plan("karate", ("gcn", "sheaf-general"), (2, 4), 2, 5), "accuracy", points)
    (figure,) = figures
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["gcn", "sheaf-general"]
    figure.canvas.draw()
    assert not any(legend.get_window_extent().overlaps(axis.get_window_extent()) for axis in figure.axes)
    lines = [[container.lines[0].get_xydata().tolist() for container in axis.containers] for axis in figure.axes]
    assert lines == [[[[2, 76], [4, 77]]] * 2, [[[2, 0.3], [4, 0.3]]] * 2, []]
    close(figure)


def test_a_plot_needs_matplotlib(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None)
    assert main(TINY) == 2
    assert "error: the plot needs matplotlib: pip install 'graphkit-layers[plot]', or give --no-plot" in capsys.readouterr().err
    assert not Path("runs").exists()
