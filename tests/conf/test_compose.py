from pathlib import Path

import hydra
import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra

from graphkit.conf import compose as module
from graphkit.conf import schema
from graphkit.conf.arguments import flatten, split
from graphkit.conf.catalog import MODELS
from graphkit.conf.compose import compose
from graphkit.conf.models.link import NCNModel
from graphkit.conf.recipe import Recipe
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS


def resolve(*arguments: str):
    return compose(check(split(arguments).assignments, DATASETS))


RECIPE = Recipe("link-karate-ncn", {"task": {"drop_last": False}, "model": {"beta": 3.0}, "train": {"lr": 0.5, "epochs": 7}})


def test_precedence_request_over_recipe_over_model_over_defaults(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "find_recipe", lambda *names: RECIPE)
    resolved = resolve("dataset=karate", "train.lr=0.1", "task.drop_last=false")
    run = resolved.run
    assert (run.train.lr, run.train.epochs, run.model.beta, run.task.drop_last) == (0.1, 7, 3.0, False)
    assert (run.model.hidden_channels, run.train.batch_size) == (NCNModel.hidden_channels, 0)
    assert resolved.notes == ("settings of the recipe link-karate-ncn, but train.lr=0.1 (recipe: 0.5)",)


TEXAS = ("task=node", "dataset=texas", "model=sheaf")
GOWALLA = ("task=recommend", "dataset=gowalla", "model=lightgcn")


def test_a_published_figure_stands_beside_its_recipe():
    figures = resolve(*TEXAS).paper
    assert figures is not None and figures["test"]["accuracy"]["mean"] == 85.95
    unimportant = "seeds=3 seed=4 device=cpu threads=1 out=x data.root=x train.eval_batch_size=8 train.checkpoint_every=2"
    assert resolve(*TEXAS, *unimportant.split(), "model.maps=orthogonal").paper == figures
    assert resolve(*TEXAS, "recipe=none").paper is None


@pytest.mark.parametrize(
    ("given", "made_with"),
    [
        ("model.maps=general", "model.maps=orthogonal"),
        ("train.lr=0.1 train.patience=7", "train.lr=0.02, train.patience=200"),
        ("task.metric=roc-auc", "task.metric=auto"),
        ("data.scale=standard", "data.scale=auto"),
    ],
)
def test_and_not_beside_other_settings(given: str, made_with: str):
    resolved = resolve(*TEXAS, *given.split())
    assert resolved.paper is None and resolved.recipe is not None
    assert resolved.notes[-1] == f"no published figure beside this run: that of the recipe was made with {made_with}"


def test_a_figure_of_settings_that_must_be_asked_for():
    alone, asked = resolve(*GOWALLA), resolve(*GOWALLA, "task.protocol=lightgcn")
    assert alone.paper is None and alone.notes[-1].endswith("was made with task.protocol=lightgcn")
    assert asked.paper is not None and asked.paper["test"]["recall@20"]["mean"] == 18.24 and len(asked.notes) == 1


def test_no_recipe_on_demand(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "find_recipe", lambda *names: RECIPE)
    resolved = resolve("dataset=karate", "recipe=none")
    assert (resolved.recipe, resolved.notes, resolved.run.train.lr) == (None, (), schema.Train.lr)


@pytest.mark.parametrize(("task", "model"), [(task, model) for task in MODELS for model in MODELS[task]])
def test_settings_are_the_schema_s_dataclasses(task: str, model: str):
    dataset = {"recommend": "planted-interactions", "graph": "planted-graphs", "image": "digits"}.get(task, "karate")
    run = resolve(f"task={task}", f"model={model}", f"dataset={dataset}").run
    assert type(run) is schema.Run
    assert type(run.model) is MODELS[task][model].settings
    assert run.model == MODELS[task][model].settings()
    assert (run.task.name, run.model.name, run.dataset) == (task, model, dataset)
    assert run.train == schema.Train() and run.data == schema.Data()


def test_config_survives_a_file():
    resolved = resolve("dataset=cora", "train.lr=1e-5", "data.root=/x y", "train.head_lr=null", "seeds=3")
    stored = yaml.safe_load(yaml.safe_dump(resolved.config, sort_keys=False))
    assert stored == resolved.config
    assert compose(check(flatten(stored), DATASETS)).config == resolved.config


def test_home_is_expanded():
    assert resolve("out=~/runs").run.out == str(Path.home() / "runs")


def test_text_that_looks_like_another_type_stays_text():
    assert resolve("out=12").run.out == "12"
    assert resolve("out=true").run.out == "true"


def test_hydra_of_the_caller_is_left_alone():
    with hydra.initialize(config_path=None, version_base="1.3"):
        before = hydra.compose()
        resolve()
        assert GlobalHydra.instance().is_initialized()
        assert hydra.compose() == before
    assert not GlobalHydra.instance().is_initialized()
