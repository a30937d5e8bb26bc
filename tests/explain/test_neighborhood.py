import networkx
import torch

from graphkit.explain.familiarity import familiarity
from graphkit.explain.neighborhood import Scene, steps_to
from graphkit.sparse import CSR


def test_steps_against_networkx():
    graph = networkx.gnp_random_graph(40, 0.06, seed=3, directed=True)
    adj = CSR.from_edge_index(torch.tensor(list(graph.edges)).t(), 40)
    lengths = networkx.single_target_shortest_path_length(graph, 5, cutoff=3)
    expected = [dict(lengths).get(node, -1) for node in range(40)]
    assert steps_to(adj, 5, 3).tolist() == expected and max(expected) == 3


def test_what_is_drawn_around_a_node():
    edges = torch.tensor([[node, (node + 1) % 200] for node in range(200)] + [[0, node] for node in range(2, 150)]).t()
    adj = CSR.from_edge_index(torch.cat([edges, edges.flip(0)], dim=1), 200)
    scene = Scene(adj, [f"n{node}" for node in range(200)], torch.arange(200) % 2, ("even", "odd"))
    weights = torch.zeros(200).index_fill(0, torch.tensor([7, 9]), 2.0)
    drawing = scene.around(0, weights)
    assert drawing.nodes[:3] == ("n0", "n7", "n9") and len(drawing.nodes) == 60 and drawing.target == 0
    assert drawing.left_out == int((steps_to(adj, 0, 2) >= 0).sum()) - 60
    assert drawing.node_weights[:3] == (0.0, 1.0, 1.0) and drawing.colors[:3] == (0, 1, 1)
    names = {frozenset((drawing.nodes[u], drawing.nodes[v])) for u, v in drawing.edges}
    assert len(names) == len(drawing.edges)  # an undirected edge once
    assert frozenset(("n0", "n7")) in names
    assert scene.around(160).nodes[0] == "n160"


def test_familiarity_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(90, 4, generator=generator)
    train, held_out = range(40), range(40, 80)

    def nearest(i: int) -> float:
        return max(float(torch.cosine_similarity(z[i].double(), z[j].double(), dim=0)) for j in train)

    found = familiarity(z[85], z[:40], z[40:80])
    assert found is not None and abs(found.similarity - nearest(85)) < 1e-9
    assert found.rank == sum(nearest(i) < nearest(85) for i in held_out) / len(held_out)
    middle = z.new_ones(4)
    away = familiarity(-middle, middle + 0.01 * z[:40], middle + 0.01 * z[40:80])
    assert away is not None and away.warning("node")[0].startswith("Unlike what the model was trained on")
    assert familiarity(z[0], z[:40], z[40:60]) is None and familiarity(z[0], z[:0], z[40:80]) is None
