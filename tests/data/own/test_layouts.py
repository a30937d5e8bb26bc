"""Public layouts, each as a small file of our own making: what is read, and what a wrong file of that layout is told."""

import bz2
import gzip
import io
import re
from pathlib import Path

import networkx
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import scipy.io
import scipy.sparse
import torch

from graphkit.conf.schema import Data
from graphkit.data import load
from graphkit.data.own.files import OwnFiles
from graphkit.data.own.graph import OwnGraph
from graphkit.errors import DataError

TRIPLES = [("1", "2"), ("2", "30"), ("30", "4"), ("4", "1")]
SNAP = "# Directed graph: toy.txt\r\n# Nodes: 4 Edges: 4\r\n# FromNodeId\tToNodeId\r\n1\t2\r\n2\t30\r\n30\t4\r\n4\t1\r\n"
RING = "1 2\n2 30\n30 4\n4 1\n"
GRAPHML = "\n".join(networkx.generate_graphml(networkx.DiGraph([("1", "2"), ("2", "30"), ("30", "4"), ("4", "1")])))


def gexf() -> str:
    graph = networkx.Graph()
    graph.add_weighted_edges_from([("1", "2", 0.5), ("2", "30", 2.0), ("30", "4", 1.0), ("4", "1", 1.0)])
    graph.add_node("77")
    return "\n".join(networkx.generate_gexf(graph))


def matrix_market() -> str:
    entries = ([0.5, 2.0, 1.0, 1.0], ([0, 1, 2, 3], [1, 2, 3, 0]))
    stream = io.BytesIO()
    scipy.io.mmwrite(stream, scipy.sparse.coo_array(entries, shape=(5, 5)))
    return stream.getvalue().decode()


def parquet() -> bytes:
    stream = io.BytesIO()
    ends = {"dst": [2, 30, 4, 1], "src": [1, 2, 30, 4], "note": ["a", None, "c", "d"]}
    pyarrow.parquet.write_table(pyarrow.table(ends), stream)
    return stream.getvalue()


def zstd(data: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def read(tmp_path: Path, name: str, content: str | bytes, **options) -> OwnGraph:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return OwnFiles().graph(Data(edges=str(tmp_path / name), **options))


def edges_of(own: OwnGraph) -> list[tuple[str, str]]:
    return [(own.names.nodes[u], own.names.nodes[v]) for u, v in own.data.edge_index.T.tolist()]


GEPHI = "Source,Target,Type,Id,Label,Weight\n1,2,Directed,0,,0.5\n2,30,Directed,1,,2\n30,4,Directed,2,,1\n4,1,Directed,3,,1\n"
NEO4J = ":START_ID(Person),since:int,:END_ID(Person),:TYPE\n1,2001,2,KNOWS\n2,2002,30,KNOWS\n30,2003,4,KNOWS\n4,2004,1,KNOWS\n"
LINES = '{"source": 1, "target": 2}\n{"target": 30, "source": 2}\n{"source": 30, "target": "4"}\n\n{"source": 4, "target": 1}\n'
PLAIN = "".join(f"{u},{v}\n" for u, v in TRIPLES)

FORMS = {
    "SNAP, tabs, Windows lines": ("toy.txt", SNAP, {}),
    "SNAP, gzip": ("toy.txt.gz", gzip.compress(SNAP.encode()), {}),
    "bz2 under another name": ("toy.csv", bz2.compress(PLAIN.encode()), {}),
    "zstd": ("toy.zst", zstd(PLAIN.encode()), {}),
    "Parquet": ("toy.pq", parquet(), {}),
    "KONECT": ("out.toy", "% asym unweighted\n% 4 4 4\n" + RING, {}),
    "blanks": ("toy.edges", RING.replace(" ", "   ").replace("\n", "  \n"), {}),
    "blanks and tabs": ("toy.edges", RING.replace(" ", " \t"), {}),
    "semicolons, sep line": ("toy.csv", "sep=;\r\n" + PLAIN.replace(",", ";"), {}),
    "bars": ("toy.csv", PLAIN.replace(",", "|"), {}),
    "two colons": ("toy.dat", PLAIN.replace(",", "::"), {}),
    "trailing separators": ("toy.csv", "source,target,\n" + PLAIN.replace("\n", ",\n"), {}),
    "UTF-16": ("toy.csv", ("source;target\n" + PLAIN.replace(",", ";")).encode("utf-16"), {}),
    "Latin-1": ("toy.csv", "von,nach,straße\n1,2,é\n2,30,é\n30,4,é\n4,1,é\n".encode("latin-1"),
                {"encoding": "latin-1", "source_column": "von", "target_column": "nach"}),
    "citing and cited": ("toy.csv", "citing,cited\n" + PLAIN, {}),
    "turned columns": ("toy.csv", "year,to,from\n2001,2,1\n2002,30,2\n2003,4,30\n2004,1,4\n", {}),
    "pandas with index": ("toy.csv", ",source,target\n0,1,2\n1,2,30\n2,30,4\n3,4,1\n", {}),
    "columns by number": ("toy.csv", "2,x,1\n30,x,2\n4,x,30\n1,x,4\n", {"source_column": "3", "target_column": "1"}),
    "Gephi": ("toy.csv", GEPHI, {}),
    "Neo4j": ("toy.csv", NEO4J, {}),
    "JSON lines": ("toy.jsonl", LINES, {}),
    "GraphML": ("toy.graphml", GRAPHML, {}),
    "GraphML, gzip": ("toy.graphml.gz", gzip.compress(GRAPHML.encode()), {}),
    "edge list of networkx": ("toy.edgelist", "1 2 {}\n2 30 {}\n30 4 {}\n4 1 {}\n", {}),
    "edge list of networkx, attributes": ("toy.edgelist", "1 2 {'x': 'a b'}\n2 30 {}\n30 4 {}\n4 1 {}\n", {}),
    "weighted edge list of networkx": ("toy.edgelist", "1 2 0.5\n2 30 2\n30 4 1\n4 1 1.5\n", {}),
    "LINQS": ("toy.cites", "2\t1\n30\t2\n4\t30\n1\t4\n", {}),
    "OGB": ("edge.csv.gz", gzip.compress(PLAIN.encode()), {}),
}  # fmt: skip


@pytest.mark.parametrize("form", sorted(FORMS))
def test_the_same_ring_in_every_form(form: str, tmp_path: Path) -> None:
    name, content, options = FORMS[form]
    own = read(tmp_path, name, content, directed=True, **options)
    assert own.names.nodes == ("1", "2", "4", "30")
    assert edges_of(own) == [("1", "2"), ("2", "30"), ("4", "1"), ("30", "4")]


@pytest.mark.parametrize(
    ("name", "content", "nodes"),
    [
        ("toy.gexf", gexf(), ("1", "2", "4", "30", "77")),
        ("toy.mtx", matrix_market(), ("1", "2", "3", "4", "5")),
        ("toy.csv", GEPHI, ("1", "2", "4", "30")),
        (
            "toy.gml",
            "\n".join(networkx.generate_gml(networkx.parse_gexf(gexf()))) if hasattr(networkx, "parse_gexf") else "",
            None,
        ),
    ],
    ids=["gexf", "mtx", "gephi", "gml"],
)
def test_weights_and_lonely_nodes(name: str, content: str, nodes: tuple[str, ...] | None, tmp_path: Path) -> None:
    if nodes is None:
        graph = networkx.Graph()
        graph.add_weighted_edges_from([("1", "2", 0.5), ("2", "30", 2.0), ("30", "4", 1.0), ("4", "1", 1.0)])
        content, nodes = "\n".join(networkx.generate_gml(graph)), ("1", "2", "4", "30")
    own = read(tmp_path, name, content)
    assert own.names.nodes == nodes
    found = dict(zip(edges_of(own), own.data.edge_weight.tolist(), strict=True))
    ring = ("1", "2", "3", "4") if name == "toy.mtx" else ("1", "2", "30", "4")
    for (u, v), weight in zip(zip(ring, ring[1:] + ring[:1], strict=True), (0.5, 2.0, 1.0, 1.0), strict=True):
        assert found[u, v] == found[v, u] == weight
    assert len(found) == 8


def test_adjacency_list(tmp_path: Path) -> None:
    own = read(tmp_path, "toy.adjlist", "# made by networkx\n1 2 4\n2 30\n30 4\n4\n9\n")
    assert own.names.nodes == ("1", "2", "4", "9", "30") and own.data.edge_index.size(1) == 8


LINQS = {
    "toy.cites": "b\ta\nc\tb\na\tmissing\nd\tc\n",
    "toy.content": "a\t1\t0\t0\tGenetic\nb\t0\t1\t0\tTheory\nc\t0\t1\t1\tGenetic\nd\t1\t1\t1\tTheory\n",
}


def test_linqs(tmp_path: Path) -> None:
    for name, content in LINQS.items():
        (tmp_path / name).write_text(content)
    content = str(tmp_path / "toy.content")
    own = OwnFiles().graph(Data(edges=str(tmp_path / "toy.cites"), features=content, labels=content, directed=True))
    assert edges_of(own) == [("a", "b"), ("b", "c"), ("c", "d")]  # the paper that cites comes second in the file
    assert own.data.x.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1], [1, 1, 1]]
    assert own.names.classes == ("Genetic", "Theory") and own.data.y.tolist() == [0, 1, 0, 1]
    assert "Left out: 1 edges that name nodes without a row of features." in own.notes


def test_ogb_folder(tmp_path: Path) -> None:
    raw = tmp_path / "arxiv" / "raw"
    raw.mkdir(parents=True)
    for name, text in {"edge": "0,1\n1,2\n3,1\n", "node-feat": "0.5,1\n1,2\n3,4\n0,0\n", "node-label": "4\n7\n4\n7\n"}.items():
        (raw / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    folder = str(tmp_path / "arxiv")
    own = OwnFiles().graph(Data(edges=folder, features=folder, labels=folder, directed=True))
    assert own.names.nodes == ("0", "1", "2", "3") and own.names.classes == ("4", "7")
    assert own.data.x.tolist() == [[0.5, 1], [1, 2], [3, 4], [0, 0]] and own.data.y.tolist() == [0, 1, 0, 1]
    assert edges_of(own) == [("0", "1"), ("1", "2"), ("3", "1")]


def test_a_graph_file_holds_features_and_labels_too(tmp_path: Path) -> None:
    graph = networkx.karate_club_graph()
    for node in graph:
        graph.nodes[node]["age"] = float(node) + 0.5
    networkx.write_graphml(graph, tmp_path / "club.graphml")
    path = str(tmp_path / "club.graphml")
    own = OwnFiles().graph(Data(edges=path, features=path, labels=path, label_column="club", ignore="club"))
    assert own.names.classes == ("Mr. Hi", "Officer") and own.data.num_nodes == 34
    assert own.data.x.view(-1).tolist() == [node + 0.5 for node in range(34)]
    weights = {(u, v): graph.edges[int(u), int(v)]["weight"] for u, v in edges_of(own)}
    assert own.data.edge_weight.tolist() == list(weights.values()) and len(weights) == 156
    assert own.data.y.tolist() == [int(graph.nodes[node]["club"] == "Officer") for node in range(34)]


RATINGS = [
    ("1", "20", 5.0, 881250949.0),
    ("1", "3", 3.0, 891717742.0),
    ("2", "3", 1.0, 878887116.0),
    ("30", "20", 2.0, 880606923.0),
]


def rated(separator: str, header: str = "") -> str:
    return header + "".join(
        f"{user}{separator}{item}{separator}{rating:g}{separator}{time:.0f}\n" for user, item, rating, time in RATINGS
    )


INTERACTIONS = {
    "MovieLens 100K, u.data": ("u.data", rated("\t")),
    "MovieLens 1M, ratings.dat": ("ratings.dat", rated("::")),
    "MovieLens 20M, ratings.csv": ("ratings.csv", rated(",", "userId,movieId,rating,timestamp\n")),
    "RecBole, .inter": ("ml.inter", rated("\t", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n")),
    "plain, as until now": ("r.csv", rated(",", "user,item,rating,time\n")),
    "JSON lines, Amazon": ("r.json", "".join(
        f'{{"reviewerID": "{user}", "asin": "{item}", "overall": {rating}, "unixReviewTime": {time:.0f}, "text": "\\"b\\""}}\n'
        for user, item, rating, time in RATINGS)),
    "semicolons with text between": ("r.csv", "customer;text;product;stars;date\n" + "".join(
        f'{user};"a;b";{item};{rating};{time:.0f}\n' for user, item, rating, time in RATINGS)),
}  # fmt: skip


@pytest.mark.parametrize("form", sorted(INTERACTIONS))
def test_the_same_interactions_in_every_form(form: str, tmp_path: Path) -> None:
    name, content = INTERACTIONS[form]
    (tmp_path / name).write_text(content)
    time = {"RecBole, .inter": "timestamp", "MovieLens 20M, ratings.csv": "timestamp", "JSON lines, Amazon": "unixReviewTime",
            "semicolons with text between": "date"}.get(form, "time")  # fmt: skip
    taken, _ = OwnFiles().interactions(Data(interactions=str(tmp_path / name), time_column=time, min_rating=2.0))
    assert list(zip(taken.users.texts(), taken.items.texts(), taken.time.tolist(), strict=True)) == [
        (user, item, time) for user, item, rating, time in RATINGS if rating >= 2
    ]
    assert taken.low == 1


def test_gephi_nodes_and_neo4j_nodes(tmp_path: Path) -> None:
    (tmp_path / "edges.csv").write_text(GEPHI)
    gephi = "Id,Label,modularity_class,degree\n1,one,0,2\n2,two,1,2\n30,thirty,0,2\n4,four,1,2.5\n"
    neo4j = "personId:ID(Person),name,age:int,:LABEL\n1,Ann,31,Person\n2,Bob,30,Robot\n30,Cleo,44,Person\n4,Dan,25,Robot\n"
    for text, options, x, classes in (
        (gephi, {"label_column": "modularity_class", "ignore": "Label,modularity_class"}, [2, 2, 2.5, 2], ("0", "1")),
        (neo4j, {"label_column": ":LABEL", "ignore": "name,:LABEL"}, [31, 30, 25, 44], ("Person", "Robot")),
    ):
        (tmp_path / "nodes.csv").write_text(text)
        nodes = str(tmp_path / "nodes.csv")
        own = OwnFiles().graph(Data(edges=str(tmp_path / "edges.csv"), features=nodes, labels=nodes, **options))
        assert own.names.nodes == ("1", "2", "4", "30") and own.names.classes == classes
        assert own.data.x.view(-1).tolist() == x and own.data.y.tolist() == [0, 1, 1, 0]


WRONG = {
    "zip": ("toy.csv", b"PK\x03\x04rest", "is a zip archive or a spreadsheet, no table: unpack it"),
    "a page": ("toy.csv", "<!DOCTYPE html><html>", r"is a page of a website \(HTML\), no table"),
    "NumPy": ("toy.csv", b"\x93NUMPY\x01\x00", "is a NumPy array, no table: hand the array over in Python"),
    "cut gzip": ("toy.csv.gz", gzip.compress(SNAP.encode())[:-9], "is gzip and damaged or cut off"),
    "cut bz2": ("toy.csv.gz", bz2.compress(SNAP.encode())[:-9], "is bz2 and damaged or cut off"),
    "cut zstd": ("toy.csv.gz", zstd(PLAIN.encode() * 50)[:-9], "is zstd and damaged or cut off"),
    "damaged Parquet": ("toy.parquet", parquet()[:-20], "is a Parquet file and damaged"),
    "SNAP": ("toy.txt", SNAP + "5\n6\t7\t8\n", "line 8, column 2: expected 2 columns separated by tabs, .*line 9, column 3"),
    "MovieLens for edges": ("toy.dat", rated("::").replace("3::3", "::3"), "line 2, column 2: expected a node id|found"),
    "Gephi": ("toy.csv", GEPHI.replace("0.5", "half"), "line 2, column 6: expected a weight, .* found 'half'"),
    "Gephi, two weights": ("toy.csv", GEPHI + "2,1,Directed,4,,9\n",
                           "line 6, column 1: the edge has weight 9 here and 0.5 in line 2: give one row per edge"),
    "Neo4j": ("toy.csv", NEO4J.replace(":END_ID(Person)", "end"), None),
    "JSON lines": ("toy.jsonl", LINES + '{"source": [1\n{"source": {}}\n', "line 6: no JSON object .*line 7: no JSON object"),
    "GraphML": ("toy.graphml", GRAPHML[:-30], "is no GraphML"),
    "GEXF": ("toy.gexf", GRAPHML, "is no GEXF"),
    "GML": ("toy.gml", "graph [ node [ id 1 ", "is no GML"),
    "Matrix Market": ("toy.mtx", matrix_market().replace("5 5 4", "5 5 9"), "is no Matrix Market file"),
    "rectangular matrix": ("toy.mtx", matrix_market().replace("5 5 4", "5 6 4"), "is a matrix of 5 x 6, no graph"),
    "OGB": ("edge.csv.gz", gzip.compress(b"0,1\n1\n"), "line 2, column 2: expected 2 columns"),
    "Latin-1": ("toy.csv", "a,é\n".encode("latin-1"), r"not text in UTF-8 \(byte 0xe9 in line 1\): .*latin-1"),
    "comments or ids": ("toy.csv", "#1,#2\n#2,#3\n#5,x\ny,#1\n", "cannot tell|holds no edge"),
    "semicolons or commas": ("toy.csv", "1;2,5\n2;3,5\n", "cannot tell whether columns are separated by semicolons or commas"),
    "no header that can be told": ("toy.csv", "foo,bar\na,b\nb,c\n", "cannot tell whether the first row is a header: foo, bar"),
    "words that are ids": ("toy.csv", "u,v\nv,w\n", "whether the first row is a header: u, v, which are usual names"),
    "one column": ("toy.csv", "1\n2\n", "has one column, and edges need two"),
    "unknown columns": ("toy.csv", "x1,x2,x3\n1,2,3\n", "cannot tell the column of the source nodes, its header is x1, x2, x3"),
}  # fmt: skip


@pytest.mark.parametrize("form", sorted(WRONG))
def test_a_wrong_file_of_each_form(form: str, tmp_path: Path) -> None:
    name, content, message = WRONG[form]
    if message is None:  # still one column of ends: the other is found by its usual name
        assert read(tmp_path, name, content).data.num_nodes == 4
        return
    with pytest.raises(DataError) as caught:
        read(tmp_path, name, content)
    assert re.search(message, str(caught.value), re.DOTALL), str(caught.value)
    assert all(line.startswith(str(tmp_path)) for line in str(caught.value).splitlines())


def test_the_nearest_header_is_suggested_and_all_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"has no column 'Sorce': did you mean Source\?; its header is Source, Target.*source_column="
    ):
        read(tmp_path, "toy.csv", GEPHI, source_column="Sorce")
    with pytest.raises(DataError, match=r"has no header and 2 columns: give data\.target_column= a number from 1 to 2"):
        read(tmp_path, "toy.csv", PLAIN, target_column="x", header="false")
    with pytest.raises(DataError) as caught:
        load("custom", task="node", edges=tmp_path / "a.csv", features=tmp_path / "toy.csv", labels=tmp_path / "b.csv")
    told = [line.removeprefix(f"{tmp_path}/").partition(" ")[0] for line in str(caught.value).splitlines()]
    assert told == ["a.csv", "b.csv"]


def test_ten_broken_rows_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, "toy.csv", PLAIN * 50 + "".join(f"{k}\n" for k in range(25)))
    *rows, last = str(caught.value).splitlines()
    assert [re.search(r"line (\d+)", row).group(1) for row in rows] == [str(line) for line in range(201, 211)]
    assert last.endswith("toy.csv: 15 more rows like these")


def test_ids_that_look_alike_are_refused_and_labels_that_do_are_noted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="look alike and differ in Unicode"):
        read(tmp_path, "toy.csv", "source,target\ncaf\u00e9,b\nb,cafe\u0301\n")
    (tmp_path / "labels.csv").write_text("node,label\n1,red\n2,Red\n30,1\n4,1.0\n")
    own = read(tmp_path, "toy.csv", PLAIN, labels=str(tmp_path / "labels.csv"))
    assert any("labels that differ by case or .0 alone count apart: '" in note for note in own.read)
    (tmp_path / "features.csv").write_text("node,x\n1.0,1\n2.0,2\n4.0,3\n30.0,4\n")
    with pytest.raises(DataError, match="node '1' has no row in .*features.csv, '1.0' has: write ids alike in all files"):
        read(tmp_path, "toy.csv", PLAIN, features=str(tmp_path / "features.csv"))


def test_a_matrix_of_integers_is_read_as_the_text_says(tmp_path: Path) -> None:
    """The fast way is taken where all cells are integers in their usual form, and 007 is not 7."""
    for text in ("1,2\n007,2\n", "1,2\n7,2\n", "1,-0\n0,2\n", f"1,{10**18}\n2,{10**18 + 1}\n", "1,2\n\n2,3\n"):
        own = read(tmp_path, "toy.csv", text)
        assert set(own.names.nodes) == set(re.findall(r"[-\d]+", text))
    rng = np.random.default_rng(0)
    ends = rng.integers(-50, 50, size=(500, 2))
    text = "".join(f"{u},{v}\n" for u, v in ends.tolist())
    fast, slow = (
        read(tmp_path, "toy.csv", "from,to\n" + text),
        read(tmp_path, "toy.csv", 'from,to\n"' + text.replace(",", '",', 1)),
    )
    assert fast.names == slow.names and torch.equal(fast.data.edge_index, slow.data.edge_index)
