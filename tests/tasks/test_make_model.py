from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from graphkit.conf.models.node import GCNModel
from graphkit.tasks.make_model import MakeModel, arguments


class Sized(nn.Module):
    """Names two sizes and a setting."""

    def __init__(self, in_channels: int, num_nodes: int, *, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(scale * torch.randn(num_nodes, in_channels))


def test_a_model_gets_the_sizes_that_it_names_and_its_settings() -> None:
    make_model = MakeModel("sized", Sized, {"scale": 3.0})
    torch.manual_seed(0)
    expected = 3.0 * torch.randn(5, 2)
    torch.manual_seed(0)
    model = make_model(in_channels=2, out_channels=7, num_nodes=5)
    assert torch.equal(model.weight, expected)
    assert not torch.equal(make_model(in_channels=2, num_nodes=5).weight, expected)  # a new one at every call


def test_what_fits_no_constructor_is_an_error() -> None:
    with pytest.raises(TypeError, match="num_nodes"):
        MakeModel("sized", Sized, {})(in_channels=2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        MakeModel("sized", Sized, {"width": 3})(in_channels=2, num_nodes=5)


def test_an_outline_has_shapes_and_draws_nothing() -> None:
    before = torch.get_rng_state()
    outline = MakeModel("sized", Sized, {}).outline(in_channels=10**9, num_nodes=10**9)
    assert outline.weight.shape == (10**9, 10**9) and outline.weight.device.type == "meta"
    assert torch.equal(torch.get_rng_state(), before)


def test_arguments_of_a_dataclass_or_the_equivalent_mapping() -> None:
    settings = GCNModel(hidden_channels=9)
    mapping = dataclasses.asdict(settings)
    assert arguments(settings) == arguments(mapping) == {key: mapping[key] for key in mapping if key != "name"}
    assert mapping["name"] == "gcn"
    with pytest.raises(TypeError, match="settings must be a dataclass instance or a mapping, got list"):
        arguments(["gcn"])
