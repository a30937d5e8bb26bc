"""First features of nodes, normalizations and heads of graph models."""

from __future__ import annotations

import pytest
import torch

from graphkit.errors import RequestError
from graphkit.models.graph.base import GraphModel
from graphkit.models.graph.inputs import NodeFeatures, edge_features, make_head
from graphkit.sparse import GraphBatch
from tests.models.graph.frame import example

STAR = GraphBatch.of(torch.tensor([[1, 2, 3], [0, 0, 0]]), torch.tensor([0, 5]), torch.arange(5.0).unsqueeze(1))


@pytest.mark.parametrize(
    ("in_channels", "max_degree", "name", "expected"),
    [
        (1, 3, "auto", [[0.0], [1], [2], [3], [4]]),
        (0, 3, "auto", [[0.0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]),
        (1, 2, "degree", [[0.0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]]),
        (1, 3, "constant", [[1.0]] * 5),
        (1, 1, "given+degree", [[0.0, 0, 1], [1, 1, 0], [2, 1, 0], [3, 1, 0], [4, 1, 0]]),
    ],
)
def test_first_features(in_channels, max_degree, name, expected):
    inputs = NodeFeatures(in_channels, max_degree, node_features=name)
    found = inputs(STAR, torch.float64)
    assert found.dtype == torch.float64 and found.tolist() == expected and inputs.channels == len(expected[0])


def test_missing_features_are_named():
    with pytest.raises(RequestError, match=r"model.node_features=given needs node features, and the data set has none"):
        NodeFeatures(0, 3, node_features="given")
    with pytest.raises(ValueError, match="made for node features"):
        NodeFeatures(1, 3)(GraphBatch.of(torch.empty(2, 0, dtype=torch.long), torch.tensor([0, 1])), torch.float32)
    with pytest.raises(ValueError, match="made for edge features of 2 channels, and the batch has none"):
        edge_features(STAR, 2, torch.float32)
    with pytest.raises(ValueError, match="of 3 channels, and the batch has 2 channels"):
        edge_features(example(edges=True), 3, torch.float32)


def test_a_head_has_as_many_linear_maps_as_asked_for():
    assert [type(part).__name__ for part in make_head(8, 2, hidden=(4,))] == ["Linear", "ReLU", "Dropout", "Linear"]
    assert [part.weight.shape for part in make_head(8, 2) if hasattr(part, "weight")] == [(2, 8)]


def test_a_model_without_embeddings_of_nodes_says_so():
    class Sizes(GraphModel):
        width = 1

        def embed(self, batch):
            return batch.ptr.diff().double().unsqueeze(1)

    model = Sizes()
    model.head = torch.nn.Identity()
    assert model(STAR).tolist() == [[5.0]] and model.prepare(STAR) is None and model.describe(STAR) == ""
    assert not model.sampled and model.votes == 1
    with pytest.raises(NotImplementedError, match="Sizes has no embeddings of nodes"):
        model.embed_nodes(STAR)
