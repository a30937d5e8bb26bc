"""Images as nodes: neighbors beside a loop, and splits that stay apart."""

from __future__ import annotations

import pytest
import torch

from graphkit.data import load
from graphkit.data.image_graph import image_graph, neighbor_graph
from graphkit.errors import RequestError


def loop(x: torch.Tensor, neighbors: int, ids: list[int]) -> set[tuple[int, int]]:
    found = set()
    for i in ids:
        cosines = {j: float((x[i] @ x[j]) / (x[i].norm() * x[j].norm())) for j in ids if j != i}
        for j in sorted(cosines, key=cosines.__getitem__, reverse=True)[:neighbors]:
            found |= {(i, j), (j, i)}
    return found


def as_set(edge_index: torch.Tensor) -> set[tuple[int, int]]:
    edges = list(map(tuple, edge_index.t().tolist()))
    assert len(set(edges)) == len(edges)
    return set(edges)


def test_each_row_is_tied_to_its_nearest_in_both_directions() -> None:
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    assert as_set(neighbor_graph(x, 3)) == loop(x, 3, list(range(40)))
    parts = [torch.arange(0, 40, 2), torch.arange(1, 39, 2), torch.tensor([39])]
    assert as_set(neighbor_graph(x, 3, parts=parts)) == loop(x, 3, parts[0].tolist()) | loop(x, 3, parts[1].tolist())
    assert len(as_set(neighbor_graph(x[:3], 10))) == 6, "of three rows each has two others"


def test_the_digits_graph_is_of_this_kind() -> None:
    made = image_graph(load("digits", task="image"))
    known = load("digits", task="node").graph.edge_index
    both = as_set(made.graph.edge_index) & as_set(known)
    assert len(both) >= 0.999 * known.size(1), "but for ties"


def test_inductive_splits_are_apart_and_held_out_images_change_nothing_of_the_training_graph() -> None:
    images = load("planted-patches", task="image", seed=0)
    embeddings = images.pixels.flatten(1)
    made = image_graph(images, embeddings, neighbors=4, inductive=True)
    split = torch.zeros(600, dtype=torch.long)
    for number, part in enumerate(made.splits.values()):
        split[part] = number
    source, target = made.graph.edge_index
    assert torch.equal(split[source], split[target]) and "no edge joins" in made.protocol
    changed = embeddings.clone()
    changed[made.splits["test"]] = torch.rand_like(changed[made.splits["test"]])
    other = image_graph(images, changed, neighbors=4, inductive=True)
    train = split[source] == 0
    assert torch.equal(made.graph.edge_index[:, train], other.graph.edge_index[:, split[other.graph.edge_index[0]] == 0])
    spanning = image_graph(images, embeddings, neighbors=4)
    source, target = spanning.graph.edge_index
    assert bool((split[source] != split[target]).any()) and "One graph spans" in spanning.protocol
    spanning.check()


def test_what_is_no_node_task_is_refused() -> None:
    with pytest.raises(RequestError, match="has several labels per image, and a node has one class"):
        image_graph(load("planted-labels", task="image"))
    with pytest.raises(RequestError, match="neighbors must be at least 1, got 0"):
        neighbor_graph(torch.rand(3, 2), 0)


@pytest.mark.data("MedMNIST")
def test_published_images_are_node_data_sets_by_name(data_root) -> None:
    one, apart = (load(name, task="node", root=data_root) for name in ("breastmnist", "breastmnist-inductive"))
    assert one.graph.x.shape == (780, 784) and one.splits["train"].numel() == 546
    assert one.graph.edge_index.size(1) >= 780 * 10
    split = torch.arange(780) >= 546
    source, target = apart.graph.edge_index
    assert torch.equal(split[source], split[target]) and "(inductive)" in apart.protocol and "(transductive)" in one.protocol
