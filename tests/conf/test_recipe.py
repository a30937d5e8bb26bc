import operator

import pytest

from graphkit.conf.arguments import Assignment
from graphkit.conf.catalog import MODELS, TASKS
from graphkit.conf.compose import compose
from graphkit.conf.recipe import Recipe, find_recipe, recipe_names
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS

PLANETOID = ("cora", "citeseer", "pubmed")
RECIPES = recipe_names()


def parts(name: str) -> tuple[str, str, str]:
    found = [(t, d, m) for t in TASKS for d in DATASETS for m in MODELS[t] if name == f"{t}-{d}-{m}"]
    assert len(found) == 1, f"{name} names no task, data set and model"
    return found[0]


def recipe_of(name: str) -> Recipe:
    recipe = find_recipe(*parts(name))
    assert recipe is not None
    return recipe


def test_which_recipes_there_are():
    link = {f"link-{name}-ncn" for name in ("digits", "ogbl-ddi", *PLANETOID)} | {f"link-{name}-gae" for name in PLANETOID}
    link |= {f"link-{name}-{model}" for name in ("ogbl-ddi", *PLANETOID) for model in ("ncnc", "gae-tuned")}
    link |= {"link-ogbl-ddi-plnlp"}
    ten_splits = ("texas", "wisconsin", "actor", "squirrel-filtered", "minesweeper", "tolokers", "cora-geom", "citeseer-geom")
    node = {f"node-{name}-{model}" for name in (*PLANETOID, *ten_splits) for model in ("gcn", "sage", "gat", "mlp")}
    node |= {f"node-{name}-directed-dir-gnn" for name in ("squirrel", "chameleon")}
    node |= {f"node-{name}-sheaf" for name in (*SHEAF, "cornell")}
    node |= {f"node-{name}-{model}" for name in PLANETOID for model in ("dagnn", "dgmlp", "higcn")}
    node |= {f"node-{name}-sir-gcn" for name in ("minesweeper", "dictionary-lookup")}
    recommend = {f"recommend-gowalla-{model}" for model in ("gf-cf", "lightgcn", "lightgcl", "ultragcn")}
    recommend |= {f"recommend-lastfm-{model}" for model in ("lightgcn", "lightgcl", "ultragcn")}
    collections = ("mutag", "ptc-mr", "proteins", "nci1", "nci109", "imdb-binary", "imdb-multi")
    graph = {f"graph-{name}-spen" for name in collections} | {"graph-counting-sswl+"}
    assert set(RECIPES) == link | node | recommend | graph
    assert len(RECIPES) == 95


TUNED = {  # layers, width, dropout, rate, penalty, epochs, test, std: of the study of tuned plain networks
    "node-squirrel-filtered-gcn": (4, 256, 0.7, 0.01, 5e-4, 500, 45.01, 1.63),
    "node-squirrel-filtered-sage": (3, 256, 0.7, 0.01, 5e-4, 500, 40.78, 1.47),
    "node-squirrel-filtered-gat": (7, 512, 0.5, 0.005, 5e-4, 500, 41.73, 2.07),
    "node-minesweeper-gcn": (12, 64, 0.2, 0.01, 0.0, 2000, 97.86, 0.24),
    "node-minesweeper-sage": (15, 64, 0.2, 0.01, 0.0, 2000, 97.77, 0.62),
    "node-minesweeper-gat": (15, 64, 0.2, 0.01, 0.0, 2000, 97.73, 0.73),
}


@pytest.mark.parametrize("name", TUNED)
def test_published_settings_of_tuned_plain_networks(name: str):
    choice = [Assignment(key, value) for key, value in zip(("task", "dataset", "model"), parts(name), strict=True)]
    resolved = compose(check(choice, DATASETS))
    model, train = resolved.run.model, resolved.run.train
    assert resolved.recipe is not None and resolved.recipe.paper is not None
    assert (
        model.num_layers, model.hidden_channels, model.dropout, train.lr, train.weight_decay, train.epochs,
        *resolved.recipe.paper["test"],
    ) == TUNED[name]  # fmt: skip
    assert (model.norm, model.residual, model.linear_head, model.pre_linear) == ("batch", "linear", True, False)
    assert (model.input_dropout, train.patience) == (0.0, 0)
    assert getattr(model, "heads", 1) == 1


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_passes_the_checks_and_takes_effect(name: str):
    recipe = recipe_of(name)
    task, dataset, model = parts(name)
    assert recipe.values
    choice = [Assignment("task", task), Assignment("dataset", dataset), Assignment("model", model)]
    checked = check([*choice, *(Assignment(key, value) for key, value in recipe.values.items())], DATASETS)
    assert checked.values == recipe.values
    run = compose(check(choice, DATASETS)).run
    for key, value in recipe.values.items():
        assert operator.attrgetter(key)(run) == value


@pytest.mark.parametrize("name", RECIPES)
def test_paper_figures_are_of_the_data_set_s_metric(name: str):
    recipe = recipe_of(name)
    task, dataset, _ = parts(name)
    figures = recipe.figures()
    if recipe.paper is None:
        assert figures is None
        return
    assert set(recipe.paper) <= {"metric", "valid", "test", "further", "with", "source"}
    assert set(recipe.paper.get("further", {})) <= set(DATASETS[dataset].protocols[task].metrics) - {recipe.paper["metric"]}
    assert recipe.paper["metric"] == DATASETS[dataset].protocols[task].metric
    asked = [*recipe.conditions.items(), ("task", task), ("dataset", dataset), ("model", parts(name)[2])]
    assert compose(check([Assignment(key, value) for key, value in asked], DATASETS)).paper == figures
    assert figures is not None and figures["source"].count("\n") == 0 and "arXiv:" in figures["source"]
    assert figures["test"][recipe.paper["metric"]]["mean"] == recipe.paper["test"][0]


PUBLISHED = {  # hidden, conv, batch, lr, head lr, feature/tail/gnn/head/cn dropout, tail activation, two-layer head, test, std
    "cora": (256, "puregcn", 1152, 0.0043, 0.0024, 0.7, 0.3, 0.05, 0.05, 0.4, True, False, 89.05, 0.96),
    "citeseer": (256, "puregcn", 384, 0.0085, 0.0078, 0.4, 0.0, 0.75, 0.55, 0.0, True, True, 91.56, 1.43),
    "pubmed": (256, "puregcn", 2048, 0.0097, 0.002, 0.3, 0.0, 0.1, 0.05, 0.0, True, False, 79.05, 1.16),
    "ogbl-ddi": (224, "puresum", 24576, 0.0021, 0.0018, 0.0, 0.0, 0.4, 0.6, 0.0, False, True, 82.32, 6.10),
}


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_ncn_s_published_settings(dataset: str):
    resolved = compose(check([Assignment("dataset", dataset)], DATASETS))
    model, train = resolved.run.model, resolved.run.train
    assert resolved.recipe is not None and resolved.recipe.paper is not None
    assert (
        model.hidden_channels, model.conv, train.batch_size, train.lr, train.head_lr, model.feature_dropout, model.tail_dropout,
        model.dropout, model.head_dropout, model.common_neighbor_dropout, model.tail_activation, model.two_layer_head,
        *resolved.recipe.paper["test"],
    ) == PUBLISHED[dataset]  # fmt: skip
    assert (model.num_layers, model.edge_dropout, train.epochs) == (1, 0.0, 100)
    assert model.encoder_norm and model.head_norm and model.transform_pooled
    assert (model.jumping_knowledge, model.residual) == ((False, True) if dataset == "ogbl-ddi" else (True, False))


SHEAF = {  # maps, d, layers, h, lr, weight decay, input dropout, dropout, low and high pass, epochs, patience, test, std
    "texas": ("orthogonal", 3, 4, 20, 0.02, 5e-3, 0.0, 0.7, False, False, 1500, 200, 85.95, 5.51),
    "wisconsin": ("orthogonal", 3, 2, 32, 0.02, 6.69e-4, 0.0, 0.7276, True, True, 500, 200, 89.41, 4.74),
    "cornell-geom-gcn": ("diagonal", 4, 2, 16, 0.02, 6.91e-4, 0.2, 0.7, True, False, 500, 200, 86.49, 7.35),
    "chameleon": ("diagonal", 4, 5, 32, 0.01, 2.97e-4, 0.7, 0.0, True, False, 1000, 100, 68.68, 1.73),
    "squirrel": ("orthogonal", 3, 5, 32, 0.01, 1.12e-4, 0.7, 0.0, True, False, 1000, 100, 56.34, 1.32),
}


@pytest.mark.parametrize("dataset", SHEAF)
def test_published_settings_of_neural_sheaf_diffusion(dataset: str):
    choice = [Assignment("task", "node"), Assignment("dataset", dataset), Assignment("model", "sheaf")]
    resolved = compose(check(choice, DATASETS))
    model, train = resolved.run.model, resolved.run.train
    assert resolved.recipe is not None and resolved.recipe.paper is not None
    assert (
        model.maps, model.stalk_dim, model.num_layers, model.hidden_channels, train.lr, train.weight_decay, model.input_dropout,
        model.dropout, model.low_pass, model.high_pass, train.epochs, train.patience, *resolved.recipe.paper["test"],
    ) == SHEAF[dataset]  # fmt: skip
    assert model.edge_weights == (model.maps == "orthogonal")
    assert model.second_linear == (dataset in ("chameleon", "squirrel"))
    assert model.orthogonal == "householder" and not model.linear


def test_cornell_has_the_settings_without_the_figure():
    """The figure is of Geom-GCN's files, which hold Texas' words and classes."""
    own, mixed = (recipe_of(f"node-{name}-sheaf") for name in ("cornell", "cornell-geom-gcn"))
    assert own.sections == mixed.sections and own.paper is None and mixed.paper is not None


def test_no_recipe():
    assert find_recipe("link", "karate", "ncn") is None


def test_figures_of_further_metrics():
    paper = {"metric": "recall@20", "test": [18.24, None], "further": {"ndcg@20": [15.47, 0.1]}, "source": "a paper"}
    test = {"recall@20": {"mean": 18.24, "std": None}, "ndcg@20": {"mean": 15.47, "std": 0.1}}
    assert Recipe("x", {}, paper).figures() == {"source": "a paper", "test": test}


def test_figures_without_validation():
    figures = Recipe("x", {}, {"metric": "hits@20", "test": [82.32, None], "source": "a paper"}).figures()
    assert figures == {"source": "a paper", "test": {"hits@20": {"mean": 82.32, "std": None}}}
