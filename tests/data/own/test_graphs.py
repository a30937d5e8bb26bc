"""Own collections of graphs in their three forms, which hold the same graphs here, and every mistake with its place."""

import json
from pathlib import Path

import networkx
import pytest
import torch

from graphkit.data.own.graphs import OwnGraphs, read_own_graphs
from graphkit.data.readers.inputs import InputFile, InputFolder
from graphkit.errors import DataError, RequestError

GRAPHS = "graph,label\n10,toxic\n9,harmless\n"
EDGES = "graph,source,target,bond\n10,a,c,2\n10,c,b,1\n9,y,x,1\n10,b,c,1\n"
NODES = "graph,node,charge,mass\n9,x,0,12\n10,a,1,1\n10,b,0,12\n9,z,0,1\n9,y,-1,16\n10,c,0,14\n"
LINES = [
    {"graph": "10", "label": "toxic", "edges": [[0, 2], [2, 1]], "edge_features": [[2], [1]],
     "features": [[1, 1], [0, 12], [0, 14]]},
    {"graph": "9", "label": "harmless", "edges": [[1, 0]], "edge_features": [[1.0]], "features": [[0, 12], [-1, 16], [0, 1]]},
]  # fmt: skip


def tables(tmp_path: Path, graphs: str = GRAPHS, edges: str | None = EDGES, nodes: str | None = NODES, **options) -> OwnGraphs:
    files = []
    for name, text in {"graphs.csv": graphs, "edges.csv": edges, "nodes.csv": nodes}.items():
        if text is not None:
            (tmp_path / name).write_text(text)
        files.append(None if text is None else InputFile(tmp_path / name))
    return read_own_graphs(*files, **options)


def lines(tmp_path: Path, rows: list | str, **options) -> OwnGraphs:
    path = tmp_path / "graphs.jsonl"
    path.write_text(rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows)))
    return read_own_graphs(InputFile(path), **options)


def folder(tmp_path: Path, labels: str | None = GRAPHS, **options) -> OwnGraphs:
    if labels is not None:
        (tmp_path / "labels.csv").write_text(labels)
    place = tmp_path / "graphs"
    return read_own_graphs(InputFolder(place), labels=None if labels is None else InputFile(tmp_path / "labels.csv"), **options)


def graphml(tmp_path: Path) -> Path:
    place = tmp_path / "graphs"
    place.mkdir()
    first, second = networkx.Graph(), networkx.Graph()
    for node, (charge, mass) in {"a": (1, 1.0), "b": (0, 12.0), "c": (0, 14.0)}.items():
        first.add_node(node, charge=charge, mass=mass)
    first.add_edge("a", "c", bond=2)
    first.add_edge("c", "b", bond=1)
    for node, (charge, mass) in {"z": (0, 1.0), "x": (0, 12.0), "y": (-1, 16.0)}.items():
        second.add_node(node, charge=charge, mass=mass)
    second.add_edge("x", "y", bond=1)
    networkx.write_graphml(first, place / "10.graphml")
    networkx.write_graphml(second, place / "9.graphml")
    return place


@pytest.mark.parametrize("form", ["tables", "lines", "folder"])
def test_the_same_graphs_in_each_form(form: str, tmp_path: Path) -> None:
    if form == "folder":
        graphml(tmp_path)
    own = {"tables": tables, "lines": lambda path: lines(path, LINES), "folder": folder}[form](tmp_path)
    assert own.names == ("9", "10") and own.classes == ("harmless", "toxic")
    graphs = own.graphs
    assert graphs.ptr.tolist() == [0, 3, 6] and graphs.y.tolist() == [0, 1]
    # 9: x, y, z; 10: a, b, c
    assert graphs.edge_index.T.tolist() == [[0, 1], [1, 0], [3, 5], [4, 5], [5, 3], [5, 4]]
    assert graphs.x is not None and graphs.x.tolist() == [[0, 12], [-1, 16], [0, 1], [1, 1], [0, 12], [0, 14]]
    assert graphs.edge_attr is not None and graphs.edge_attr.tolist() == [[1], [1], [2], [1], [2], [1]]
    assert graphs.x.dtype == graphs.edge_attr.dtype == torch.float32


def test_nodes_are_those_that_edges_name_where_there_are_no_features(tmp_path: Path) -> None:
    own = tables(tmp_path, edges="1,10,9\n1,9,8\n0,4,3\n0,3,3\n0,3,4\n0,4,3\n", graphs="0,x\n1,y\n", nodes=None)
    assert own.graphs.ptr.tolist() == [0, 2, 5]
    assert own.graphs.edge_index.T.tolist() == [[0, 1], [1, 0], [2, 3], [3, 2], [3, 4], [4, 3]]
    assert own.graphs.x is None and own.graphs.edge_attr is None
    assert own.dropped == ("Dropped from the edges: 1 self-loops, 1 repeated edges.",)


def test_directed(tmp_path: Path) -> None:
    own = tables(tmp_path, edges="0,a,b\n0,b,b\n1,x,y\n", graphs="0,x\n1,y\n", nodes=None, directed=True)
    assert own.graphs.edge_index.T.tolist() == [[0, 1], [1, 1], [2, 3]]
    assert own.dropped == ("Kept in the graphs: 1 self-loops.",)


@pytest.mark.parametrize(
    ("columns", "options", "expected"),
    [
        (["1", "0", "1"], {}, ([1, 0, 1], ("0", "1"))),
        (["1", "0", "1"], {"targets": "numbers"}, ([[1], [0], [1]], ())),
        (["1.5", "", "-2"], {}, ([[1.5], [None], [-2]], ())),
        (["b", "1.5", "b"], {}, ([1, 0, 1], ("1.5", "b"))),
        (["1,0", ",1", "0,0"], {}, ([[1, 0], [None, 1], [0, 0]], ())),
        (["1,0", ",1", "0,2"], {}, ([[1, 0], [None, 1], [0, 2]], ())),
        (["1", "", "0"], {"targets": "labels"}, ([[1], [None], [0]], ())),
    ],
)
def test_targets(columns: list[str], options: dict, expected: tuple, tmp_path: Path) -> None:
    text = "".join(f"g{place},{column}\n" for place, column in enumerate(columns))
    edges = "".join(f"g{place},a,b\n" for place in range(3))
    own = tables(tmp_path, text, edges, None, **options)
    found = [
        [None if value != value else value for value in row] if isinstance(row, list) else row for row in own.graphs.y.tolist()
    ]
    assert (found, own.classes) == expected
    assert own.graphs.y.dtype == (torch.int64 if own.classes else torch.float32)


def test_many_integers_may_be_meant_as_numbers(tmp_path: Path) -> None:
    text, edges = ("".join(f"{place},{column}\n" for place in range(30)) for column in ("{place}", "a,b"))
    text = "".join(f"{place},{place}\n" for place in range(30))
    own = tables(tmp_path, text, edges.replace("{place}", "a"), None)
    assert own.notes == ("the 30 distinct labels are read as classes; data.targets=numbers predicts them as numbers",)
    assert tables(tmp_path, text, edges, None, targets="numbers").notes == ()


def test_names_of_targets(tmp_path: Path) -> None:
    own = tables(tmp_path, "id,solubility,energy\na,1.5,2\nb,0,1\n", "a,1,2\nb,1,2\n", None)
    assert own.targets == ("solubility", "energy") and own.graphs.y.tolist() == [[1.5, 2], [0, 1]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edges": None}, r"graphs\.csv is a table of graphs, of which the edges are needed, too: give data\.edges=FILE"),
        ({"graphs": ""}, r"graphs\.csv holds no graph"),
        ({"graphs": GRAPHS + "11\n"}, r"graphs\.csv, line 4, column 2: expected 2 columns"),
        ({"graphs": GRAPHS + "9,toxic\n"}, r"graphs\.csv, line 4, column 1: graph '9' has a row already, line 3"),
        ({"graphs": GRAPHS + "11,toxic\n"}, r"graphs\.csv, line 4, column 1: graph '11' has no node"),
        ({"graphs": GRAPHS + ",toxic\n"}, r"graphs\.csv, line 4, column 1: expected a graph id, found an empty field"),
        ({"graphs": "10,toxic\n9,\n"}, r"graphs\.csv, line 2, column 2: expected a label, found an empty field"),
        ({"graphs": "10,1,x\n9,0,1\n"}, r"graphs\.csv: cannot tell whether the first row is a header: 10, 1, x"),
        ({"graphs": "10,1,2\n9,0,x\n"}, r"graphs\.csv, line 2, column 3: expected a finite number .* found 'x'"),
        ({"graphs": "10,1,2\n9,0,1\n", "targets": "labels"}, r"graphs\.csv, line 1, column 3: expected 0, 1 or an empty field"),
        ({"graphs": "10,1,2\n9,0,1\n", "targets": "classes"}, r"graphs\.csv has 2 columns of targets, and classes need one"),
        ({"graphs": "id,a,b\n10,1.5,\n9,0,\n"}, r"graphs\.csv: target 2 is known of no graph"),
        ({"edges": EDGES + "12,a,b,1\n"}, r"edges\.csv, line 6, column 1: graph '12' has no row in .*graphs\.csv"),
        ({"edges": EDGES + "9,x,a,1\n"}, r"edges\.csv, line 6, column 3: node 'a' of graph '9' has no row in .*nodes\.csv"),
        ({"edges": EDGES + "9,q,x,1\n"}, r"edges\.csv, line 6, column 2: node 'q' of graph '9' has no row"),
        ({"edges": EDGES + "9,x\n"}, r"edges\.csv, line 6, column 3: expected 4 columns"),
        ({"edges": EDGES + "9,x,,1\n"}, r"edges\.csv, line 6, column 3: expected a node id, found an empty field"),
        ({"edges": EDGES + "9,x,z,nan\n"}, r"edges\.csv, line 6, column 4: expected a finite number"),
        ({"edges": EDGES + "9,x,y,5\n"}, r"edges\.csv: the edge from node 0 to node 1 is listed twice with different features"),
        ({"edges": ""}, r"edges\.csv is empty"),
        ({"nodes": NODES + "9,x,1,1\n"}, r"nodes\.csv, line 8, column 2: node 'x' of graph '9' has a row already"),
        ({"nodes": NODES + "8,x,1,1\n"}, r"nodes\.csv, line 8, column 1: graph '8' has no row in .*graphs\.csv"),
        ({"nodes": NODES + "9,q,1,1e39\n"}, r"nodes\.csv, line 8, column 4: expected a finite number within float32's range"),
        ({"nodes": "9,x\n10,a\n"}, r"nodes\.csv, line 1, column 3: expected a feature"),
    ],
)
def test_mistakes_in_tables(changes: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        tables(tmp_path, **changes)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "no JSON object"),
        ("[1]", "no JSON object in braces"),
        ('{"label": 1, "edges": [], "num_nodes": 1, "lable": 2}', "unknown key 'lable': a graph has "),
        ('{"edges": [[0, 1]]}', 'expected "label", text or a number, or else "targets"'),
        ('{"label": 1, "targets": [1], "edges": [[0, 1]]}', 'expected "label"'),
        ('{"targets": [], "edges": [[0, 1]]}', 'expected "label"'),
        ('{"label": [1], "edges": [[0, 1]]}', "expected a label or targets that are text, numbers or null"),
        ('{"targets": [1, 2], "edges": [[0, 1]]}', "2 targets, and 1 in line 1|1 targets, and 2 in line"),
        ('{"label": 1, "edges": [[0, 1, 2]]}', 'expected "edges", a list of pairs'),
        ('{"label": 1, "edges": [[0], [1, 2]]}', 'expected "edges"'),
        ('{"label": 1, "edges": [[0, -1]]}', 'expected "edges"'),
        ('{"label": 1, "edges": [[0, 0.5]]}', 'expected "edges"'),
        ('{"label": 1}', 'expected "edges"'),
        ('{"label": 1, "edges": []}', 'the graph has 0 nodes: give "num_nodes" or "features"'),
        ('{"label": 1, "edges": [[0, 3]], "num_nodes": 3}', "the graph has 3 nodes: its edges name node 3"),
        ('{"label": 1, "edges": [[0, 1]], "num_nodes": "x"}', "the graph has x nodes"),
        ('{"label": 1, "edges": [[0, 1]], "features": [[1], [2]]}', 'no "features", which other lines have'),
        ('{"graph": 1, "label": 1, "edges": [[0, 1]]}', "graph '1' stands in line 1 already"),
        ('{"graph": [1], "label": 1, "edges": [[0, 1]]}', r'expected "graph", text or a number, found \[1\]'),
        ('{"graph": "a\\u0007", "label": 1, "edges": [[0, 1]]}', "without control characters"),
    ],
)
def test_mistakes_in_lines(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        lines(tmp_path, f'{{"label": 0, "edges": [[0, 1]]}}\n{row}\n')
    assert "graphs.jsonl, line 2" in str(caught.value) or "line 1: no" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"features": [[1, 2], [3]]}, 'expected "features"'),
        ({"features": [[1], ["x"]]}, 'expected "features"'),
        ({"features": [[1], [1e39]]}, 'expected "features"'),
        ({"features": [[], []]}, 'expected "features"'),
        ({"features": [[1, 2], [3, 4]]}, '"features" have 2 numbers each, and 1 in a line above'),
        ({"features": [[1], [2]], "num_nodes": 3}, '"num_nodes" is 3, and "features" has 2 rows'),
        ({"features": [[1], [2]], "edge_features": [[1], [2]]}, '2 rows of "edge_features" for 1 edges'),
    ],
)
def test_mistakes_in_features_of_lines(row: dict, message: str, tmp_path: Path) -> None:
    first = {"label": 0, "edges": [[0, 1]], "features": [[1], [2]]}
    if "edge_features" in row:
        first["edge_features"] = [[1]]
    with pytest.raises(DataError, match=f"line 2: {message}"):
        lines(tmp_path, [first, {"label": 1, "edges": [[0, 1]], **row}])


def test_lines_have_numbers_for_names_and_may_have_lonely_nodes(tmp_path: Path) -> None:
    own = lines(
        tmp_path,
        '{"targets": [1, null], "edges": [[0, 1]], "num_nodes": 4}\n\n{"targets": [0, 2.5], "edges": [], "num_nodes": 1}\n',
    )
    assert own.names == ("1", "3") and own.graphs.sizes.tolist() == [4, 1]
    assert own.graphs.y.tolist()[1] == [0, 2.5] and own.graphs.y[0].isnan().tolist() == [False, True]


def test_graph6_and_text_attributes(tmp_path: Path) -> None:
    place = tmp_path / "graphs"
    place.mkdir()
    (place / "one.g6").write_text("Bw\n")
    (place / "two.g6").write_text("A_\nBW\n")
    own = folder(tmp_path, "one,1\ntwo:1,0\ntwo:2,1\n")
    assert own.names == ("one", "two:1", "two:2") and own.graphs.sizes.tolist() == [3, 2, 3]
    assert own.graphs.edge_ptr.tolist() == [0, 6, 8, 12] and own.graphs.x is None
    graph = networkx.Graph([("u", "v")])
    networkx.set_node_attributes(graph, {"u": "C", "v": "O"}, "atom")
    for path in place.iterdir():
        path.unlink()
    networkx.write_graphml(graph, place / "m.graphml")
    networkx.write_graphml(networkx.relabel_nodes(graph, {"u": "w"}), place / "n.graphml")
    own = folder(tmp_path, "m,1\nn,0\n")
    assert own.graphs.x is not None and own.graphs.x.tolist() == [[1, 0], [0, 1], [0, 1], [1, 0]]  # m: u, v; n: v, w


@pytest.mark.parametrize(
    ("change", "labels", "message"),
    [
        (lambda place: None, None, "is a folder of graphs, whose labels are needed, too: give data.labels=FILE"),
        (lambda place: None, "10,toxic\n", "has no row for graph '9'"),
        (lambda place: None, GRAPHS + "11,toxic\n", r"labels\.csv, line 4: no graph '11' in"),
        (lambda place: [path.unlink() for path in place.iterdir()], GRAPHS, "holds no file .*graphml or .*g6"),
        (lambda place: (place / "9.graphml").write_text("<x"), GRAPHS, r"9\.graphml is no GraphML"),
        (lambda place: (place / "9.graphml").write_text("<graphml/>"), GRAPHS, r"9\.graphml is no GraphML"),
        (lambda place: (place / "9.g6").write_text("Bw\n"), GRAPHS, "holds two graphs called '9'"),
        (lambda place: (place / "8.g6").write_text("?\n"), GRAPHS + "8,toxic\n", "graph '8' has no node"),
        (
            lambda place: (place / "8.g6").write_text("Bw\n"),
            GRAPHS + "8,toxic\n",
            "attribute 'charge' is missing at some of its nodes",
        ),
    ],
)
def test_mistakes_in_folders(change, labels: str | None, message: str, tmp_path: Path) -> None:
    change(graphml(tmp_path))
    with pytest.raises(DataError, match=message):
        folder(tmp_path, labels)


def test_files_that_do_not_go_with_the_form(tmp_path: Path) -> None:
    (tmp_path / "g.jsonl").write_text('{"label": 1, "edges": [], "num_nodes": 1}')
    other = InputFile(tmp_path / "other.csv")
    with pytest.raises(
        RequestError, match=r"data\.edges: data\.graphs=.*g\.jsonl is a file of JSON lines, which goes without it"
    ):
        read_own_graphs(InputFile(tmp_path / "g.jsonl"), edges=other)
    with pytest.raises(RequestError, match=r"data\.features: .* is a folder"):
        read_own_graphs(InputFolder(tmp_path), features=other)
    with pytest.raises(RequestError, match=r"data\.labels: .* is a CSV file"):
        read_own_graphs(InputFile(tmp_path / "g.csv"), labels=other)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.jsonl cannot be read"):
        read_own_graphs(InputFile(tmp_path / "nothing.jsonl"))
    with pytest.raises(DataError, match="cannot be read"):
        read_own_graphs(InputFolder(tmp_path / "nothing"))


def test_the_digest_of_a_folder_is_that_of_its_names_and_contents(tmp_path: Path) -> None:
    place = graphml(tmp_path)

    def digest() -> str:
        read = InputFolder(place)
        for file in read.files(".graphml", ".g6"):
            with file.open("rb") as content:
                content.read()
        assert read.source().size == sum(path.stat().st_size for path in place.glob("*.graphml"))
        return read.source().sha256

    before = digest()
    (place / "other.txt").write_text("not read")
    assert digest() == before
    (place / "9.graphml").rename(place / "8.graphml")
    renamed = digest()
    (place / "8.graphml").write_text((place / "8.graphml").read_text() + " ")
    assert len({before, renamed, digest()}) == 3
