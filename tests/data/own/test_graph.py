import csv
import io
import unicodedata

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.data import load
from graphkit.data.measures.facts import node_facts
from graphkit.data.own.graph import read_own
from graphkit.errors import DataError, GraphkitError, RequestError
from graphkit.run import dry_run
from tests.data.oracle import check_graph, pairs_of

EDGES = "a,b\nb,c\nc,d\nd,a\n"
FEATURES = "a,1,2\nb,3,4\nc,5,6\nd,7,8.5\ne,9,1e1\n"
LABELS = "a,red\nb,blue\nc,red\n"


@pytest.fixture
def files(tmp_path):
    """Writes files and returns their paths, by what they hold."""

    def write(**texts):
        paths = {}
        for name, text in texts.items():
            paths[name] = tmp_path / f"{name}.csv"
            paths[name].write_bytes(text if isinstance(text, bytes) else text.encode())
        return paths

    return write


def test_a_graph_with_features_and_labels(files):
    own = read_own(**files(edges=EDGES, features=FEATURES, labels=LABELS))
    assert own.names.nodes == ("a", "b", "c", "d", "e") and own.names.classes == ("blue", "red")
    check_graph(own.data.edge_index, 5)
    assert set(pairs_of(own.data.edge_index)) == {frozenset(pair) for pair in ((0, 1), (1, 2), (2, 3), (3, 0))}
    assert own.data.x.dtype.is_floating_point and own.data.x.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8.5], [9, 10]]
    assert own.data.y.tolist() == [1, 0, 1, -1, -1]
    assert own.notes == ()


def test_rows_in_any_order_give_the_same_graph(files):
    own = read_own(**files(edges=EDGES, features=FEATURES, labels=LABELS))
    turned = read_own(
        **files(
            **{
                name: "\n".join(reversed(text.split()))
                for name, text in zip(("edges", "features", "labels"), (EDGES, FEATURES, LABELS), strict=True)
            }
        )
    )
    assert turned.names == own.names
    for key in ("edge_index", "x", "y"):
        assert getattr(turned.data, key).equal(getattr(own.data, key))


def test_integer_ids_are_ordered_as_numbers(files):
    own = read_own(**files(edges="10,9\n9,-1\n", labels="9,12\n10,3\n100,3\n"))
    assert own.names.nodes == ("-1", "9", "10", "100") and own.names.classes == ("3", "12")
    assert own.data.num_nodes == 4  # the last by its label alone
    assert own.data.y.tolist() == [-1, 1, 0, 0] and own.data.x is None


def test_integer_ids_of_any_number_of_digits_stay_text_in_numerical_order(files):
    long, longer = "9" * 4301, "1" + "0" * 6000
    own = read_own(**files(edges=f"{longer},-{long}\n5,{long}\n0{long},-0\n-3,0\n", labels=f"5,{longer}\n0,{long}\n"))
    assert own.names.nodes == (f"-{long}", "-3", "-0", "0", "5", f"0{long}", long, longer)
    assert own.names.classes == (long, longer)


@pytest.mark.parametrize("header", ["source,target", "From,To", "paper,cited"])
def test_a_header_of_edges(files, header):
    own = read_own(**files(edges=f"{header}\n1,2\n2,3\n"))
    assert own.names.nodes == ("1", "2", "3")


def test_no_header_where_ids_are_words(files):
    assert read_own(**files(edges="x,y\ny,z\n")).names.nodes == ("x", "y", "z")


def test_headers_of_features_and_labels(files):
    own = read_own(**files(edges=EDGES, features="id,height,weight\n" + FEATURES, labels="node,color\n" + LABELS))
    assert own.names.nodes == ("a", "b", "c", "d", "e") and own.names.classes == ("blue", "red")
    own = read_own(**files(edges="1,2\n", features="thing,height\n1,5\n2,6\n", labels="thing,color\n1,red\n"))
    assert own.names.nodes == ("1", "2") and own.names.classes == ("red",)


def test_spaces_quotes_blank_lines_byte_order_mark_and_windows_lines(files):
    own = read_own(
        **files(edges='\ufeff a , "b, the second" \r\n\r\n"b, the second",c\r\n'.replace(', "', ',"').replace('" ', '"'))
    )
    assert own.names.nodes == ("a", "b, the second", "c")


def test_what_was_dropped_is_told(files):
    paths = files(edges="a,b\nb,a\na,b\nc,c\nc,a\nd,d\n")
    own = read_own(**paths)
    assert own.notes == ("Dropped from the edge list: 2 self-loops, 2 repeated edges.",)
    assert own.names.nodes == ("a", "b", "c", "d")
    assert set(pairs_of(own.data.edge_index)) == {frozenset((0, 1)), frozenset((0, 2))}


def test_isolated_nodes_stay_loops_and_repeats_do_not(files):
    """One node in features and a label alone, one in a self-loop alone; an edge named thrice, in both directions."""
    labels = "".join(f"{v},{v % 2}\n" for v in range(30))
    paths = files(
        edges=ring(28) + "1,0\n0,1\n28,28\n",
        features="".join(f"{v},{v % 3}\n" for v in range(30)),
        labels=labels,
    )
    dataset = load("custom", task="node", **paths)
    check_graph(dataset.data.edge_index, 30)
    assert dataset.data.edge_index.size(1) == 2 * 56 and not dataset.directed
    assert not torch.isin(torch.tensor([28, 29]), dataset.data.edge_index).any()
    assert {28, 29} <= set(torch.cat(list(dataset.splits.values())).tolist())
    assert "repeated edges count once, self-loops are dropped, and nodes without an edge stay" in dataset.protocol
    assert "1 self-loops, 2 repeated edges" in dataset.protocol
    facts = node_facts(dataset)
    assert (facts["isolated_nodes"], facts["self_loops"], facts["directed"]) == (2, 0, False)
    assert facts["class_sizes"]["1"]["nodes"] == 15


def test_a_directed_graph_keeps_direction_and_self_loops(files):
    """a -> b and b -> a are two edges; c -> c stays and is named twice; repeated edges count once."""
    paths = files(edges="a,b\nb,a\nb,c\nb,c\nc,c\nc,c\nd,a\n")
    own = read_own(**paths, directed=True)
    assert own.data.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 2], [3, 0]]
    assert own.notes == ("Dropped from the edge list: 2 repeated edges.", "Kept in the graph: 1 self-loops.")
    assert read_own(**files(edges="a,b\nb,c\n"), directed=True).notes == ()
    plain = read_own(**files(edges="a,b\nb,a\nb,c\nb,c\nc,c\nc,c\nd,a\n"))
    check_graph(plain.data.edge_index, 4)
    assert plain.notes == ("Dropped from the edge list: 2 self-loops, 2 repeated edges.",)


def test_load_a_directed_graph(files, tmp_path, monkeypatch):
    labels = "".join(f"{v},{v % 2}\n" for v in range(40))
    paths = files(edges=ring(40) + "3,3\n", features="".join(f"{v},{v % 3}\n" for v in range(40)), labels=labels)
    dataset = load("custom", task="node", directed=True, **paths)
    assert dataset.directed and dataset.data.edge_index.size(1) == 81
    edges = {tuple(edge) for edge in dataset.data.edge_index.T.tolist()}
    assert (0, 1) in edges and (1, 0) not in edges
    assert "read as a directed graph in which repeated edges count once, and self-loops" in dataset.protocol
    assert "undirected" not in dataset.protocol and "1 self-loops" in dataset.protocol
    assert not load("custom", task="node", **paths).directed
    for task, name in (("link", "custom"), ("node", "karate")):
        with pytest.raises(RequestError, match="data.directed goes with dataset=custom and task=node/graph, not with"):
            load(name, task=task, directed=True, **(paths if name == "custom" else {}))
    monkeypatch.chdir(tmp_path)
    own = {name: str(path) for name, path in paths.items()}
    for directed, edges in ((True, 81), (False, 160)):
        facts = dry_run("node", "custom", "dir-gnn", data={**own, "directed": directed})
        assert (facts["directed"], facts["message_passing_edges"]) == (directed, edges)
        assert ("two_step" in facts["homophily"]) is directed


WRONG = [
    ("edges", "a,b\nb,c\n,d\n", "edges.csv, line 3, column 1: expected a node id, found an empty field"),
    ("edges", "a,b\n\nb, \n", "edges.csv, line 3, column 2: expected a node id, found an empty field"),
    ("edges", "a,b\nc\n", "edges.csv, line 2, column 2: expected 2 columns separated by commas, found 1"),
    ("edges", "a,b\nb,c,0.5\n", "edges.csv, line 2, column 3: expected 2 columns"),
    ("edges", "a,b\nb,zz\n", "edges.csv, line 2, column 2: node 'zz' has no row in "),
    ("edges", "a,b\nzz,b\n", "edges.csv, line 2, column 1: node 'zz' has no row in "),
    ("edges", "", "edges.csv holds no edge"),
    ("edges", "source,target\n", "edges.csv holds no edge"),
    ("edges", 'a,b\nb,"c\n', "edges.csv, line 2 or below: not valid CSV"),
    ("edges", b"a,b\n\xff\xfe,c\n", "edges.csv is not text in UTF-8"),
    ("features", "a,1\nb,2\nc,3\nd,x\n", "features.csv, line 4, column 2: expected a number, found 'x'"),
    (
        "features",
        "a,1,2\nb,2,\nc,3,4\nd,x,1\n",
        "features.csv, line 4, column 2: expected a number, found 'x'; data.categorical=2",
    ),
    (
        "features",
        "a,1\nb,2020-01-31\nc,3\nd,4\n",
        "features.csv, line 2, column 2: expected a number, found '2020-01-31'; two kinds",
    ),
    ("features", "a,16777217.1\nb,16777217.2\nc,16777217.3\nd,16777217.4\n", "features.csv: column number 2: its 4 different"),
    ("features", "a,1,2\nb,2\n", "features.csv, line 2, column 3: expected 3 columns"),
    ("features", "a\nb\n", "features.csv has one column, and features need two or more"),
    (
        "features",
        "a,1\nb,inf\nc,3\nd,4\n",
        "features.csv, line 2, column 2: expected a finite number within float32's range, found inf",
    ),
    ("features", "a,1,1\nb,2,2\nc,3,-inf\nd,4,4\n", "features.csv, line 3, column 3: expected a finite number"),
    ("features", "a,1\nb,2\nc,3e39\nd,4\n", "features.csv, line 3, column 2: expected a finite number"),
    ("features", "a,1\nb,2\nc,3\nd,4\nb,5\n", "features.csv, line 5, column 1: node 'b' has a row already, line 2"),
    ("features", "a,1\nb,2\n,3\n", "features.csv, line 3, column 1: expected a node id"),
    ("features", "", "features.csv holds no features"),
    ("labels", "node,label\na,\nb,\n", "labels.csv holds no label: column 'label' is empty"),
    ("labels", "a,red\nb,blue\na,blue\n", "labels.csv, line 3, column 1: node 'a' has a row already, line 1"),
    ("labels", "a,red\nzz,blue\n", "labels.csv, line 2, column 1: node 'zz' has no row in "),
    ("labels", "a,red,blue\n", "labels.csv has 3 columns, and it has no header"),
    ("labels", "", "labels.csv holds no label"),
    (
        "labels",
        "a,red\nb,b\x1b[2Jlue\n",
        "labels.csv, line 2, column 2: expected text without control characters, found U+001B",
    ),
    ("labels", "node,label\na,red\nnode,label\n", "labels.csv, line 3: the header comes again"),
    ("features", "id,x\na,1\nb,2\nid,x\n", "features.csv, line 4: the header comes again"),
    ("edges", "source,target\na,b\nsource,target\nb,c\n", "edges.csv, line 3: the header comes again"),
    ("edges", "a,b\n\ufeffb,c\n", "edges.csv, line 2, column 1: a byte order mark (U+FEFF) inside the file"),
    (
        "edges",
        "a,b\nb,zz" + 500 * "z" + "\n",
        "edges.csv, line 2, column 2: node 'zz" + 78 * "z" + "... (502 characters)' has no",
    ),
]


@pytest.mark.parametrize(("which", "text", "says"), WRONG)
def test_a_malformed_file_is_named_with_line_and_column(files, tmp_path, which, text, says):
    texts = {"edges": EDGES, "features": FEATURES, "labels": LABELS, which: text}
    with pytest.raises(DataError) as caught:
        read_own(**files(**texts))
    assert str(caught.value).startswith(f"{tmp_path}/{says}")


def test_a_file_that_is_not_there(files, tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv cannot be read \(No such file or directory\)"):
        read_own(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_own(tmp_path)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(["edges", "features", "labels"]),
)
def test_no_content_ends_in_a_traceback(tmp_path_factory, content, which):
    folder = tmp_path_factory.mktemp("own")
    texts = {"edges": EDGES.encode(), "features": FEATURES.encode(), "labels": LABELS.encode(), which: content}
    paths = {name: folder / f"{name}.csv" for name in texts}
    for name, text in texts.items():
        paths[name].write_bytes(text)
    try:
        own = read_own(**paths)
    except DataError as error:
        assert f"{which}.csv" in str(error) or "edges.csv" in str(error) or "labels.csv" in str(error)
    else:
        assert own.data.num_nodes == len(own.names.nodes)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=20))
def test_ids_of_any_text_come_back(tmp_path_factory, edges):
    clean = [tuple(end.strip() for end in edge) for edge in edges]
    if not all(all(edge) for edge in clean):
        return
    buffer = io.StringIO()
    csv.writer(buffer).writerows([("source", "target"), *clean])
    path = tmp_path_factory.mktemp("own") / "edges.csv"
    try:
        path.write_bytes(buffer.getvalue().encode())
    except UnicodeEncodeError:  # lone surrogates are no text
        return
    if any(
        unicodedata.category(character) in ("Cc", "Zl", "Zp") or character == "\ufeff" for character in "".join(sum(clean, ()))
    ):
        with pytest.raises(DataError, match=r"edges\.csv, line \d+, column [12]: "):
            read_own(path)
        return
    own = read_own(path)
    assert set(own.names.nodes) == {end for edge in clean for end in edge}
    names = own.names.nodes
    assert {frozenset((names[u], names[v])) for u, v in own.data.edge_index.T.tolist()} == {
        frozenset(edge) for edge in clean if edge[0] != edge[1]
    }


def ring(num_nodes: int) -> str:
    return "".join(f"{v},{(v + step) % num_nodes}\n" for v in range(num_nodes) for step in (1, 2))


def test_load_for_both_tasks(files):
    labels = "".join(f"{v},{'even' if v % 2 == 0 else 'odd'}\n" for v in range(40))
    features = "".join(f"{v},{v % 3},{v % 5}\n" for v in range(45))
    paths = files(edges=ring(40) + "3,3\n", features=features, labels=labels)
    link = load("custom", task="link", edges=paths["edges"])
    assert link.data.num_nodes == 40 and link.data.x is None
    assert [part.positive.size(1) for part in link.splits.values()] == [56, 8, 16]
    assert "data.split: 70/10/20." in link.protocol and "1 self-loops" in link.protocol
    node = load("custom", task="node", split=(0.5, 0.25, 0.25), **paths)
    assert node.data.num_nodes == 45 and node.class_names == ("even", "odd")
    assert [part.numel() for part in node.splits.values()] == [20, 10, 10]
    assert node.node_names == tuple(str(v) for v in range(45))
    assert "data.split: 50/25/25." in node.protocol
    other = load("custom", task="node", split=(0.5, 0.25, 0.25), seed=1, **paths)
    assert not other.splits["train"].equal(node.splits["train"])


@pytest.mark.parametrize(
    ("texts", "task", "says"),
    [
        ({"edges": "1,1\n2,2\n"}, "link", "0 undirected edges is too small"),
        ({"edges": "1,1\n", "labels": "".join(f"{v},{v % 2}\n" for v in range(40))}, "node", "its graph is empty"),
        (
            {"edges": ring(40), "labels": "".join(f"{v},same\n" for v in range(40))},
            "node",
            "all training labels are of one class",
        ),
        ({"edges": ring(40), "labels": "1,a\n2,b\n"}, "node", "too few labeled nodes"),
        ({"edges": ring(4)}, "link", "too small to hold out"),
        ({"edges": ring(40)}, "node", "needs data.labels=FILE"),
        ({}, "link", "needs data.edges=FILE"),
    ],
)
def test_a_graph_that_no_model_could_use(files, texts, task, says):
    with pytest.raises(GraphkitError, match=says) as caught:
        load("custom", task=task, **files(**texts))
    assert caught.value.exit_code == 2


def test_many_rows(files):
    ends = np.random.default_rng(0).integers(5_000, size=(20_000, 2))
    own = read_own(**files(edges="\n".join(f"{u},{v}" for u, v in ends.tolist())))
    distinct = {frozenset(pair) for pair in ends.tolist() if pair[0] != pair[1]}
    assert own.data.edge_index.size(1) == 2 * len(distinct)
