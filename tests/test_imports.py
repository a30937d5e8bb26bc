"""No door imports what it does not use: each is asked in a process of its own which packages it has imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SLOW = ("torch_geometric", "torch._dynamo", "networkx", "sklearn", "scipy.sparse", "pandas")
"""Packages that take half a second or more to import."""


def imported(folder: Path, code: str) -> set[str]:
    """Those of `SLOW` that are imported once `code` has run."""
    script = f"import json, sys\n{code}\nprint(json.dumps([name for name in {SLOW} if name in sys.modules]), file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("doors")


def test_a_recommend_run_and_its_predictions(folder: Path):
    run = """if True:
        from graphkit.run import main
        settings = ["dataset=planted-interactions", "model=lightgcn", "train.epochs=1", "device=cpu", "progress=false"]
        assert main(["task=recommend", *settings, "out=runs"]) == 0
    """
    predict = """if True:
        from pathlib import Path
        from graphkit.predict import main
        (run,) = Path("runs").iterdir()
        assert main([f"run={run}", "user=7", "top=3"]) == 0
    """
    assert "torch_geometric" not in imported(folder, run)
    assert imported(folder, predict) == set()


def test_counting_the_parameters_of_any_model(folder: Path):
    code = """if True:
        from graphkit.conf.catalog import MODELS
        from graphkit.tasks.build import model_maker
        from graphkit.tasks.memory import require_memory_for
        sizes = {"in_channels": 20, "out_channels": 4, "num_nodes": 30, "num_users": 30, "num_items": 40, "size": (8, 8)}
        for task, models in MODELS.items():
            for model in models.values():
                require_memory_for(model_maker(task, model.settings()).outline(**sizes))
    """
    assert imported(folder, code) <= {"scipy.sparse"}  # the input of implicit's solver


@pytest.mark.parametrize("task", ["link", "node"])
def test_runs_on_graphs(folder: Path, task: str):
    arguments = [f"task={task}", "dataset=karate", "train.epochs=1", "device=cpu", "progress=false"]
    assert "torch_geometric" not in imported(folder, f"from graphkit.run import main\nassert main({arguments}) == 0")


@pytest.mark.parametrize("door", ["sweep", "compare"])
def test_asking_and_mistakes_need_neither_torch_nor_optuna(folder: Path, door: str):
    code = f"""if True:
        from graphkit.{door} import main
        assert main(["--help"]) == 0 and main(["model.dropout=0.1,2"]) == 2 and main(["trials=x", "metric=y"]) == 2
        assert not {{"torch", "numpy", "optuna"}} & set(sys.modules)
    """
    assert imported(folder, code) == set()


def test_layers_and_data(folder: Path):
    assert imported(folder, "import graphkit.layers\nfrom graphkit.data import load\nload") == set()


def test_data_is_pyg_s_where_it_is_asked_for(folder: Path):
    code = """if True:
        from graphkit.data import load
        dataset = load("planted-interactions", task="recommend")
        assert "torch_geometric" not in sys.modules
        data, graph = dataset.data, dataset.graph
        from torch_geometric.data import Data
        assert type(data) is Data and dataset.data is data and data.edge_index is graph.edge_index
        assert (data.num_users, data.num_items, data.num_nodes, data.x) == (500, 500, 1000, None)
        node = load("karate", task="node").data
        assert node.x.shape == (34, 34) and node.y.shape == (34,) and "num_users" not in node
    """
    assert "torch_geometric" in imported(folder, code)
