import networkx
import torch

from graphkit.data.generated.graphs import planted_graphs
from tests.data.oracle import check_graph


def test_the_classes_differ_by_edges_between_marked_nodes_alone() -> None:
    graphs = planted_graphs()
    check_graph(graphs.edge_index, graphs.num_nodes)
    assert graphs.num_graphs == 300 and graphs.y.bincount().tolist() == [150, 150]
    for graph in range(graphs.num_graphs):
        start, end = graphs.ptr[graph : graph + 2].tolist()
        own = graphs.edge_index[:, graphs.edge_ptr[graph] : graphs.edge_ptr[graph + 1]] - start
        whole = networkx.Graph(own.T.tolist())
        assert len(whole) == end - start in (16, 20, 24) and {degree for _, degree in whole.degree} == {3}
        assert networkx.is_connected(whole)
        marked = graphs.x[start:end, 1].nonzero().view(-1).tolist()
        assert len(marked) == 4 and graphs.x[start:end].sum(1).eq(1).all()
        inside = whole.subgraph(marked)
        assert networkx.is_connected(inside) if graphs.y[graph] else inside.number_of_edges() == 0
    sizes = [graphs.sizes[graphs.y == label].bincount() for label in (0, 1)]
    assert torch.equal(*sizes)


def test_the_collection_is_always_the_same() -> None:
    torch.manual_seed(7)
    assert torch.equal(planted_graphs().edge_index, planted_graphs().edge_index)
