"""Graphs in graph6, against NetworkX's writer."""

import networkx as nx
import pytest
import torch

from graphkit.data.readers.graph6 import decode_graph6, read_graph6
from graphkit.errors import DataError


def edges(graph):
    return {tuple(sorted(edge)) for edge in graph.edge_index.t().tolist()}


@pytest.mark.parametrize("num_nodes", [0, 1, 2, 3, 7, 12, 62, 63, 64, 200])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_what_networkx_writes_is_read(num_nodes, share):
    graph = nx.gnp_random_graph(num_nodes, share, seed=num_nodes)
    for header in (False, True):
        found = decode_graph6(nx.to_graph6_bytes(graph, header=header))
        assert found.num_nodes == num_nodes and edges(found) == {tuple(sorted(edge)) for edge in graph.edges}
    assert torch.equal(found.edge_index, found.edge_index[:, torch.argsort(found.edge_index[0] * 300 + found.edge_index[1])])
    assert found.edge_index.size(1) == 2 * graph.number_of_edges() and found.edge_index.dtype == torch.long


def test_long_sizes():
    text = bytes([126, 126, 63, 63, 63, 63, 63, 63 + 3]) + nx.to_graph6_bytes(nx.path_graph(3), header=False)[1:]
    assert edges(decode_graph6(text.strip())) == {(0, 1), (1, 2)}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "characters from '?' to '~'"),
        ("C\x07", "characters from '?' to '~'"),
        ("Cé", "not ASCII"),
        ("C", "1 characters after the size were expected for 4 nodes, found 0"),
        ("C~~", "1 characters after the size were expected for 4 nodes, found 2"),
        ("B~", "bits beyond the last pair"),
        ("~?", "the size is cut off"),
        (":Fa@x^", "sparse6 or digraph6"),
    ],
)
def test_malformed_lines(line, says):
    with pytest.raises(ValueError, match=says.replace("?", r"\?")):
        decode_graph6(line)


def test_files(tmp_path):
    path = tmp_path / "graphs.g6"
    path.write_bytes(b">>graph6<<C~\n\n  \nC]\r\n")
    one, two = read_graph6(path)
    assert len(edges(one)) == 6 and len(edges(two)) == 4
    path.write_text("C~\nC\n")
    with pytest.raises(DataError, match=r"graphs.g6, line 2: no graph in graph6 \(1 characters after the size"):
        read_graph6(path)
    path.write_text(">>graph6<<\n")
    with pytest.raises(DataError, match="holds no graph: write one"):
        read_graph6(path)
    with pytest.raises(DataError, match=r"cannot be read \(No such file or directory\)"):
        read_graph6(tmp_path / "none.g6")
