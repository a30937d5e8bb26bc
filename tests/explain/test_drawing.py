from graphkit.explain.drawing import MOST_NODES, SIZE, limited, sketch
from graphkit.explain.explanation import Drawing
from tests.explain.samples import ring


def test_the_heaviest_nodes_stay_and_the_others_are_counted():
    kept = limited(ring(100))
    assert len(kept.nodes) == MOST_NODES and kept.left_out == 40
    assert kept.nodes == (*(f"node {number}" for number in range(MOST_NODES - 1)), "node 99")
    assert kept.target is not None and kept.nodes[kept.target] == "node 99"
    names = {(kept.nodes[u], kept.nodes[v]) for u, v in kept.edges}
    assert names == {("node 99", "node 0"), *((f"node {n}", f"node {n + 1}") for n in range(MOST_NODES - 2))}
    assert kept.node_weights[5] == ring(100).node_weights[5]
    assert limited(ring(20)) == ring(20)


def test_a_drawing_is_the_same_each_time_and_inside_its_frame():
    one = sketch(ring())
    assert one == sketch(ring())
    assert all(0 < dot.x < SIZE and 0 < dot.y < SIZE for dot in one.dots)
    assert one.target is not None and one.target.name == "node 69" and one.left_out == 10
    assert [color for color, _ in one.legend] == [0, 1, 2] and one.legend[0][1] == "red"
    radii = [dot.radius for dot in one.dots[:-1]]
    assert radii == sorted(radii, reverse=True)


def test_edges_with_a_direction_have_a_head():
    plain, directed = sketch(ring(5)), sketch(ring(5, directed=True))
    assert {stroke.path.count("M") for stroke in plain.strokes} == {1}
    assert {stroke.path.count("M") for stroke in directed.strokes} == {2}
    end = directed.dots[1]
    tip = directed.strokes[0].path.split("L")[-2].split(",")  # of left, tip, right
    distance = ((float(tip[0]) - end.x) ** 2 + (float(tip[1]) - end.y) ** 2) ** 0.5
    assert abs(distance - end.radius) < 0.2


def test_one_node_none_and_a_loop():
    assert sketch(Drawing(("a",), ((0, 0),), 0, directed=True)).dots[0].x == SIZE / 2
    assert sketch(Drawing((), ())).dots == ()
