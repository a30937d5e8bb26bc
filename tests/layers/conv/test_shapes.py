"""The shapes in signatures are checked in these tests: what they say is what goes in and comes out."""

from __future__ import annotations

import jaxtyping
import pytest
import torch

from graphkit import testing
from tests.layers.cases import CASES, Case

CONVS = {
    name: case
    for name, case in CASES.items()
    if case.layer.__module__.startswith("graphkit.layers.conv.")
    and case.adapt is Case.adapt  # called without a wrapper
    and "edge_weight" in case.inputs
}


@pytest.mark.parametrize("case", CONVS.values(), ids=CONVS.keys())
def test_wrong_shapes_are_noticed(case: Case) -> None:
    layer = case.built()
    graph = testing.random_graph(case.in_channels, weighted=True, dtype=torch.float32)
    assert layer(graph.x, graph.edge_index, graph.edge_weight).dim() == 2
    wrong = {"x": [graph.x[0], graph.x.unsqueeze(0), graph.x.long()], "edge_weight": [graph.edge_weight[:, None]]}
    for name, values in wrong.items():
        for value in values:
            arguments = {"x": graph.x, "edge_weight": graph.edge_weight, name: value}
            with pytest.raises(jaxtyping.TypeCheckError, match=f"typechecking parameter '{name}'"):
                layer(edge_index=graph.edge_index, **arguments)
