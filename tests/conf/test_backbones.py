"""Models around a backbone: one list of settings of both, checked, composed and read back as those of any other model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from graphkit.conf import compose as composing
from graphkit.conf.arguments import flatten, split
from graphkit.conf.backbones import on_backbones
from graphkit.conf.catalog import MODELS, model_settings, own_settings
from graphkit.conf.compose import Resolved, compose
from graphkit.conf.listing import list_page
from graphkit.conf.recipe import Recipe
from graphkit.conf.request import check
from graphkit.conf.setting import count, setting
from graphkit.data.catalog import DATASETS
from graphkit.errors import RequestError
from graphkit.models.node.backbone import BackboneModel
from graphkit.models.node.base import NodeModel
from graphkit.models.node.gat import GAT
from graphkit.run import run
from graphkit.tasks.build import model_maker
from graphkit.tasks.experiment import stored_request

PLAIN = {name: MODELS["node"][name] for name in ("gcn", "gat", "mlp", "sheaf")}


@dataclass
class ScaledModel:
    name: str = "scaled"
    backbone: str = setting("gcn", "what is scaled", choices=tuple(PLAIN))
    scale: int = count(3, "factor of the scores", low=1)


class Scaled(BackboneModel):
    """Scores of a linear head, multiplied."""

    def __init__(self, backbone: NodeModel, out_channels: int, *, scale: int = 3) -> None:
        super().__init__(backbone)
        self.head = nn.Linear(backbone.embedding_channels, out_channels)
        self.scale = scale

    def forward(self, x, adj):
        return self.scale * super().forward(x, adj)


@pytest.fixture(autouse=True)
def scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    row = on_backbones(ScaledModel, PLAIN, f"{__name__}:Scaled", "a network times a number")
    monkeypatch.setitem(MODELS["node"], "scaled", row)
    composing._defaults.cache_clear()


def resolve(*arguments: str) -> Resolved:
    command = split(["task=node", "dataset=karate", "model=scaled", *arguments])
    return compose(check(command.assignments, DATASETS, command.mistakes))


def mistake(*arguments: str) -> str:
    with pytest.raises(RequestError) as caught:
        resolve(*arguments)
    return str(caught.value)


def test_settings_of_both_stand_side_by_side():
    model = resolve("model.backbone=gat", "model.heads=2", "model.scale=5", "model.hidden_channels=8").run.model
    assert (model.name, model.backbone, model.heads, model.scale, model.hidden_channels) == ("scaled", "gat", 2, 5, 8)
    assert resolve("model.heads=2", "model.backbone=gat").run.model.heads == 2  # in any order
    for name, row in PLAIN.items():
        found = {field.name for field in fields(MODELS["node"]["scaled"].settings_on(name))}
        assert found == {field.name for field in fields(row.settings)} | {"scale", "backbone"}


def test_the_last_layer_that_is_cut_off_is_no_convolution():
    assert resolve().run.model.linear_head and resolve("model.backbone=gat").run.model.linear_head
    assert not resolve("model.linear_head=false").run.model.linear_head
    assert not MODELS["node"]["gcn"].settings().linear_head
    assert not hasattr(resolve("model.backbone=mlp").run.model, "linear_head")


def test_mistakes_name_the_key_that_was_meant():
    with_gcn = "unknown key 'model.heads': a setting of gat, not of model=scaled with model.backbone=gcn"
    assert mistake("model.heads=2") == with_gcn
    assert mistake("model.backbone=mlp", "model.maps=general") == (
        "unknown key 'model.maps': a setting of sheaf, polynsd, not of model=scaled with model.backbone=mlp"
    )
    assert mistake("model.backbone=gta") == ("model.backbone=gta: expected one of gcn, gat, mlp, sheaf: did you mean gat?")
    assert mistake("model.backbone=gat", "model.head=2") == "unknown key 'model.head': did you mean model.heads?"
    assert mistake("model.scale=0") == "model.scale=0: expected an integer from 1 to 1000000000"
    assert mistake("model.backbone=gat", "model.backbone=mlp").startswith("model.backbone is given twice: gat and mlp")
    assert mistake("model=gcn") == "model is given twice: scaled and gcn"
    command = split(["task=node", "dataset=karate", "model=gcn", "model.scale=2"])
    with pytest.raises(RequestError, match=r"'model.scale': a setting of .*scaled, not of model=gcn"):
        check(command.assignments, DATASETS, command.mistakes)


def test_a_setting_of_both_is_refused_when_the_row_is_made():
    @dataclass
    class Clash:
        name: str = "clash"
        backbone: str = setting("gcn", "", choices=("gcn",))
        dropout: float = 0.0

    with pytest.raises(ValueError, match=r"Clash and GCNModel both have settings \['dropout'\]"):
        on_backbones(Clash, PLAIN, "", "")


def test_the_list_shows_own_settings_and_those_of_the_default_backbone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "300")
    page = list_page("scaled", DATASETS)
    assert all(f"{key}=" in page for key in model_settings("node", "scaled"))
    assert "settings of its own and of model.backbone=gcn; --list NAME for those of another" in page
    assert own_settings("node", "scaled").keys() == {"model.backbone", "model.scale"}
    assert own_settings("node", "gcn") == model_settings("node", "gcn")


def test_the_model_is_made_around_its_backbone():
    settings = resolve("model.backbone=gat", "model.heads=4", "model.hidden_channels=8", "model.scale=7").run.model
    make_model = model_maker("node", settings)
    model = make_model(in_channels=5, out_channels=3, num_nodes=10)
    assert type(model) is Scaled and type(model.backbone) is GAT and model.scale == 7
    assert (make_model.model_class, make_model.body_class) == (Scaled, GAT)
    assert model.backbone.network.hidden[0].heads == 4 and model.embedding_channels == 8
    outline = make_model.outline(in_channels=5, out_channels=3, num_nodes=10)
    assert [p.shape for p in outline.parameters()] == [p.shape for p in model.parameters()]
    assert all(p.device.type == "meta" for p in outline.parameters())
    x, edge_index = torch.randn(10, 5), torch.tensor([[0, 1, 2], [1, 2, 3]])
    model.eval()
    expected = 7 * (model.backbone.embed(x, edge_index) @ model.head.weight.t() + model.head.bias)
    torch.testing.assert_close(model(x, edge_index), expected)
    body = model_maker("node", resolve("model.backbone=sheaf").run.model).body_class
    assert body.undirected


@pytest.mark.parametrize("given", [["model.backbone=gat", "model.heads=2", "model.hidden_channels=8"], []])
def test_a_stored_run_comes_back(given: list[str], tmp_path: Path):
    options = {"epochs": 2}
    model = {"name": "scaled", **{one.partition("=")[0][6:]: yaml.safe_load(one.partition("=")[2]) for one in given}}
    result = run("node", "karate", model, train=options, out=str(tmp_path), device="cpu", threads=1, progress=False)
    resolved = compose(check(flatten(yaml.safe_load((result.folder / "config.yaml").read_text())), DATASETS))
    assert resolved.run.model == resolve(*given).run.model
    stored = stored_request(result.folder)
    assert stored.values["model.backbone"] == resolved.run.model.backbone and stored.backbone == resolved.run.model.backbone
    again = run(resume=str(result.folder), train={"epochs": 3}, progress=False)
    assert again.folder == result.folder and again.metrics.keys() == result.metrics.keys()


def test_a_recipe_is_of_its_backbone(monkeypatch: pytest.MonkeyPatch):
    recipes = {"gat": Recipe("r", {"model": {"backbone": "gat", "heads": 2}}), "": Recipe("r", {"model": {"scale": 9}})}
    monkeypatch.setattr(composing, "find_recipe", lambda *names: recipes["gat"])
    assert resolve().recipe is None and resolve().notes == ("the recipe r is of another model.backbone and is left out",)
    resolved = resolve("model.backbone=gat")
    assert resolved.recipe is recipes["gat"] and resolved.run.model.heads == 2
    monkeypatch.setattr(composing, "find_recipe", lambda *names: recipes[""])
    assert resolve().run.model.scale == 9 and resolve("model.backbone=gat").run.model.scale == 3
