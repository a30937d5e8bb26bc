"""The door: what is asked, refused, written and where; the same from Python."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import graphkit
from graphkit.errors import CheckpointError, RequestError
from graphkit.explain import explain, explain_all, main
from graphkit.run import run

NAMES = [f"{kind} {number}" for kind in ("red", "blue, dark") for number in range(8)]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds on own files: two cliques with names that have commas, and one edge between them."""
    folder = tmp_path_factory.mktemp("named")
    cliques = [[name for name in NAMES if name.startswith(kind)] for kind in ("red", "blue")]
    edges = [(u, v) for clique in cliques for place, u in enumerate(clique) for v in clique[place + 1 :]]
    tables = {
        "edges": [("source", "target"), *edges, (cliques[0][0], cliques[1][0])],
        "labels": [("node", "label"), *((name, name.split()[0].strip(",")) for name in NAMES)],
        "features": [
            ("node", "a", "b"),
            *((name, int(name.startswith("red")), number % 3) for number, name in enumerate(NAMES)),
        ],
    }
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    data = {name: str(folder / f"{name}.csv") for name in tables} | {"split": [0.5, 0.25, 0.25], "scale": "none"}
    model = {"name": "gcn", "hidden_channels": 8}
    made = run("node", "custom", model, data=data, seeds=3, train={"epochs": 20}, device="cpu", out=str(folder / "runs"))
    return made.folder


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and printed.err.count("\n") == 1
    return printed.err.removeprefix("error: ").strip()


def test_asking_and_mistakes_need_no_torch(named: Path):
    code = f"""if True:
        import sys
        import graphkit.explain
        from graphkit.explain import main
        requests = [["--help"], ["--version"], ["nod=3"], ["run=no", "node=1"], [{f"run={named}"!r}, "graph=1"]]
        print([main(request) for request in requests], file=sys.stderr)
        print([name for name in sys.modules if name in ("torch", "torch_geometric", "jinja2")], file=sys.stderr)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-2:] == ["[0, 0, 2, 2, 2]", "[]"], done.stderr
    assert f"error: {named} is a run of task=node: give node=, not graph=" in done.stderr
    assert "error: no is no run folder (it has no config.yaml): check run=..." in done.stderr
    assert done.stdout.endswith(f"graphkit {graphkit.__version__}\n")


def test_one_page_in_the_run_folder(named: Path, capsys: pytest.CaptureFixture[str]):
    assert main([f"run={named}", "node=red 3", "device=cpu"]) == 0
    sentence, wrote = capsys.readouterr().out.splitlines()
    (page,) = (named / "explain").glob("node-red_3-*.html")
    assert wrote == f"wrote {page}" and sentence.startswith("Node red 3 is predicted as red (")
    html = page.read_text(encoding="utf-8")
    assert sentence in html.replace("&#39;", "'") and "blue, dark" in html
    assert "Seed " in html and "(not seen by the model)" in html or "training" in html
    shutil.rmtree(named / "explain")


def test_several_and_json(named: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "all.json"
    asked = 'node=red 1,"blue, dark 2"'
    assert main([f"run={named}", asked, "format=json", f"out={out}", "seed=1", "top=3", "other_seeds=0"]) == 0
    both = json.loads(out.read_text(encoding="utf-8"))
    assert [one["subject"] for one in both] == ["node red 1", "node blue, dark 2"]
    assert all(one["facts"]["seed"] == "1" and len(one["predicted"]["terms"]) == 3 and not one["agreements"] for one in both)
    capsys.readouterr()
    assert main([f"run={named}", asked, f"out={tmp_path / 'index.html'}", "other_seeds=0"]) == 0
    assert "2 explanations" in (tmp_path / "index.html").read_text(encoding="utf-8")
    again = explain_all(named, node=["red 1", "blue, dark 2"], seed=1, top=3, other_seeds=0, device="cpu")
    assert [json.loads(one.to_json()) for one in again] == both


def test_the_text_and_what_other_seeds_say(named: Path, capsys: pytest.CaptureFixture[str]):
    assert main([f"run={named}", "node=blue, dark 0", "format=text", "other_seeds=1"]) == 0
    text = capsys.readouterr().out
    assert "An attribution, not the model's own reasons." in text and "score of " in text
    one = explain(named, node="blue, dark 0", device="cpu")
    assert {agreement.seed for agreement in one.agreements} < {0, 1, 2} and len(one.agreements) == 2
    assert one.sentence.startswith("Node blue, dark 0 is predicted as ")


def test_refusals(named: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "no node 'rad 3' among 16; nearest: red 3" in refusal(capsys, f"run={named}", "node=rad 3")
    assert "is a file of the run itself" in refusal(capsys, f"run={named}", "node=red 3", f"out={named / 'config.yaml'}")
    assert "there is no folder" in refusal(capsys, f"run={named}", "node=red 3", f"out={tmp_path / 'no' / 'a.html'}")
    assert "seed=7" in refusal(capsys, f"run={named}", "node=red 3", "seed=7")
    with pytest.raises(RequestError, match="2 explanations were asked for"):
        explain(named, node=["red 1", "red 2"], other_seeds=0)
    with pytest.raises(CheckpointError, match="no run folder"):
        explain(tmp_path, node=1)
    with pytest.raises(RequestError, match="unknown key 'nodes'"):
        explain(named, nodes=1)
