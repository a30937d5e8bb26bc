"""What all prototype models of images share: phases, projection, boxes, encoders."""

from __future__ import annotations

import pytest
import torch

from graphkit.errors import RequestError
from graphkit.models.image.protopnet import ProtoPNet
from graphkit.models.image.prototype_network import Encoder
from graphkit.models.image.st_protopnet import STProtoPNet
from tests.models.image.frame import DIMS, IMAGES, step, trained, view

SMALL = {"hidden_channels": 4, "channels": 4, "per_class": 2}


def test_phases_and_what_moves_in_each() -> None:
    torch.manual_seed(0)
    model = ProtoPNet(**DIMS, **SMALL, cycles=2)
    model.fit(view())
    stages = model.stages(view(), step, lr=0.1, head_lr=0.2)
    assert [stage.name for stage in stages] == ["warm", *["joint", "project", "head"] * 2]
    assert [stage.epochs for stage in stages] == [5, *[None, 1, 10] * 2]
    assert [stage.selects for stage in stages] == [False, *[False, True, True] * 2]
    assert [group["lr"] for group in stages[3].groups] == [0.2]
    head = {id(parameter) for parameter in model.head.parameters()}
    joint = {id(parameter) for group in stages[1].groups for parameter in group["params"]}
    assert not head & joint and head | joint == {id(parameter) for parameter in model.parameters()}
    assert ProtoPNet(**DIMS, **SMALL, warm_epochs=0).stages(view(), step, lr=0.1, head_lr=None)[0].name == "joint"


def test_the_phase_of_the_head_moves_nothing_else() -> None:
    torch.manual_seed(0)
    model = ProtoPNet(**DIMS, **SMALL)
    model.fit(view())
    head = model.stages(view(), step, lr=0.1, head_lr=None)[-1]
    model.project(view())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for parameter in model.parameters():
        parameter.requires_grad_(any(parameter is one for one in head.groups[0]["params"]))
    optimizer = torch.optim.Adam(head.groups)
    model.train()
    head.step(model, torch.arange(12), lambda loss: loss.backward())
    optimizer.step()
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"head.weight"}
    assert model.prototypes[0].is_projected(Encoder(model, 0))


def test_training_clears_the_flag_and_learned_scores_are_those_of_now() -> None:
    torch.manual_seed(0)
    model = trained(ProtoPNet(**DIMS, **SMALL))
    model.requires_grad_(True)
    model.train()
    step(model, torch.arange(12), lambda loss: loss.backward())
    model.eval()
    assert not bool(model.prototypes[0].projected)
    with torch.no_grad():
        assert torch.equal(model.learned_scores(IMAGES), model(IMAGES))


def test_a_class_without_images_has_no_prototype() -> None:
    model = ProtoPNet(1, 4, (8, 8), class_counts=(3, 0, 5, 2), **SMALL)
    assert model.identities.sum(dim=0).tolist() == [2, 0, 2, 2]
    with pytest.raises(RequestError, match="prototype 6 of classes .3. cannot be projected, there are no training parts"):
        wrong = ProtoPNet(1, 4, (8, 8), **SMALL)
        wrong.fit(view())
        wrong.project(view())


def test_prototypes_are_numbered_through_the_branches() -> None:
    model = STProtoPNet(**DIMS, **SMALL)
    assert [model.branch_of(number) for number in range(12)] == [0] * 6 + [1] * 6
    with pytest.raises(IndexError, match="no prototype 12"):
        model.branch_of(12)


def test_unique_prototypes_are_different_patches() -> None:
    torch.manual_seed(0)
    model = trained(ProtoPNet(**DIMS, hidden_channels=4, channels=4, per_class=10, unique=True))
    assert len(model.sources.unique(dim=0)) == 30


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"channels": 0}, "channels must be at least 1"),
        ({"head_epochs": 0}, "head_epochs must be at least 1"),
        ({"warm_epochs": -1}, "warm_epochs must be at least 0"),
    ],
)
def test_wrong_arguments(change: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ProtoPNet(**DIMS, **change)
