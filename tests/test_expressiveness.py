"""The door `graphkit.expressiveness`: what it prints in each format, and what it says of wrong requests."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import networkx as nx
import pytest

from graphkit import expressiveness
from graphkit.__main__ import main as graphkit_main

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]):
    def ask(*arguments: str, status: int = 0) -> str:
        assert expressiveness.main(list(arguments)) == status
        captured = capsys.readouterr()
        return captured.out if status == 0 else captured.err

    return ask


def test_json_for_scripts(answer):
    found = json.loads(answer("model=sswl+,gin", "test=lfwl", "only=fuerer,k33-prism", "draws=1", "format=json"))
    assert (found["pairs"], found["protocol"]) == ("generated", "untrained")
    sswl, gin, lfwl = found["columns"]
    assert sswl["model"] == "sswl+" and sswl["policy"] == "distance" and sswl["draws"] == 1 and sswl["factor"] == 1000
    assert sswl["separated"] == sswl["ceiling"] == {"all": 4, "basic": 1, "fuerer": 3}
    assert gin["separated"] == {"all": 0, "basic": 0, "fuerer": 0}
    assert lfwl == {"test": "lfwl", "separated": {"all": 5, "basic": 1, "fuerer": 4}, "ceiling": None}
    by_name = {row["pair"]: row for row in found["table"]}
    assert by_name["k33-prism"]["nodes"] == 6 and by_name["k33-prism"]["edges"] == 9
    verdict = by_name["fuerer-b2"]["verdicts"]["sswl+"]
    assert verdict["separated"] and verdict["ceiling"] and verdict["difference"] > 1000 * verdict["control"] > 0
    assert by_name["fuerer-b3"]["verdicts"]["lfwl"] == {"separated": True}


def test_csv_and_text(answer):
    rows = list(csv.DictReader(io.StringIO(answer("model=swl", "test=1-wl", "only=triangles-hexagon,fuerer-b1", "format=csv"))))
    assert [(row["pair"], row["name"], row["separated"], row["ceiling"]) for row in rows] == [
        ("triangles-hexagon", "swl", "True", "True"),
        ("triangles-hexagon", "1-wl", "False", ""),
        ("fuerer-b1", "swl", "False", "False"),
        ("fuerer-b1", "1-wl", "False", ""),
    ]
    assert float(rows[0]["difference"]) > 1e-6 and rows[1]["difference"] == ""
    page = answer("model=swl", "only=triangles-hexagon,fuerer-b1")
    lines = [line.split() for line in page.splitlines()]
    assert ["triangles-hexagon", "6", "yes"] in lines and ["fuerer-b1", "16", "-"] in lines
    assert ["swl", "1", "/", "1", "0", "/", "0", "1", "/", "1"] in lines and "the ceiling" in page


def test_a_network_below_its_ceiling_is_said_to_be(answer):
    page = answer("model=sswl", "only=fuerer-b2,fuerer-b4", "layers=1", "draws=1")
    assert "sswl does not reach its ceiling on" in page and "- / yes" in page


def test_own_graphs(answer, tmp_path: Path):
    path = tmp_path / "mine.g6"
    two = nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3))
    graphs = [two, nx.cycle_graph(6), nx.relabel_nodes(two, {0: 5, 5: 0}), nx.path_graph(4)]
    path.write_bytes(b"".join(nx.to_graph6_bytes(nx.convert_node_labels_to_integers(one, ordering="sorted")) for one in graphs))
    found = json.loads(answer("model=ds", f"pairs={path}", "format=json"))
    separated = {row["pair"]: row["verdicts"]["ds"]["separated"] for row in found["table"]}
    assert separated == {"1-2": True, "1-3": False, "1-4": True, "2-3": True, "2-4": True, "3-4": True}
    found = json.loads(answer("model=ds", f"pairs={path}", "pairing=next", "format=json"))
    assert [row["pair"] for row in found["table"]] == ["1-2", "3-4"]
    path.write_text("?\n@\nA?\nA_\n")
    found = json.loads(answer("model=gin,ds,sswl+,ppgn", f"pairs={path}", "format=json"))
    assert [column["separated"]["all"] for column in found["columns"]] == [6] * 4
    path.write_bytes(nx.to_graph6_bytes(two))
    assert "mine.g6 holds 1 graph(s): write at least two graphs" in answer("model=ds", f"pairs={path}", status=2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("only=circulants",), "only=circulants: no category and no pair; categories: basic, csl, exp, fuerer"),
        (("only=csl-2-3,exp-5",), "only=exp-5: did you mean exp-"),
        (("model=sswl", "policy=edge-deleted"), "policy=edge-deleted: model=sswl reads vL, which these bags lack"),
        (("model=id-gnn", "policy=node-deleted"), "policy=node-deleted: model=id-gnn reads the root's row"),
        (("model=ppgn", "policy=ego"), "policy=ego: model=ppgn needs bags of whole graphs: give policy=distance"),
        (("model=gin", "policy=ego"), "policy=ego: model=gin has no choice of bags, leave it out"),
        (("model=swl", "hops=2"), "hops=2: bags of policy=distance take none, leave it out"),
        (("pairs=none.g6",), "none.g6 cannot be read (No such file or directory): name an existing graph6 file"),
        (("model=foo",), "model=foo: unknown"),
    ],
)
def test_wrong_requests(answer, arguments: tuple[str, ...], says: str):
    error = answer(*arguments, status=2)
    assert error.startswith("error: ") and says in error and "Traceback" not in error


def test_pages_and_wrong_requests_need_no_torch():
    code = """if True:
        import sys
        from graphkit.expressiveness import main
        assert main(["--help"]) == 0 and main(["--version"]) == 0 and main(["model=nothing"]) == 2
        assert not {"torch", "numpy", "networkx"} & set(sys.modules)
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_graphkit_knows_the_command(capsys: pytest.CaptureFixture[str]):
    assert graphkit_main(["--help"]) == 0
    assert "expressiveness  which pairs of graphs a network separates" in capsys.readouterr().out
    assert graphkit_main(["expressiveness", "--version"]) == 0
