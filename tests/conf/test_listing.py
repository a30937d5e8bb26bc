import pytest

from graphkit.conf.catalog import MODELS, TASKS, model_settings, run_settings, task_settings
from graphkit.conf.listing import help_page, list_page, topic_mistakes
from graphkit.conf.recipe import all_recipes, recipe_names
from graphkit.conf.setting import show
from graphkit.data.catalog import DATASETS


def words(text: str) -> str:
    """Text with every run of white space as one space, as if nothing had been wrapped."""
    return " ".join(text.split())


@pytest.fixture(params=[80, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def test_list_covers_the_catalog(width: int):
    text = list_page(None, DATASETS)
    for topic in ("tasks", "datasets", "models"):
        assert words(list_page(topic, DATASETS)) in words(text)
    lines = [line.strip() for line in text.splitlines()]
    assert all(f"dataset={name}" in lines for name in DATASETS)
    for task, models in MODELS.items():
        assert f"task={task}" in lines
        assert all(f"task={task} model={model}" in lines for model in models)
    assert max(len(line) for line in text.splitlines()) <= width


def test_list_shows_every_setting_with_default_and_meaning(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "300")
    text = words(list_page(None, DATASETS))
    tables = [run_settings(), *(task_settings(task) for task in TASKS)]
    tables += [model_settings(task, model) for task, models in MODELS.items() for model in models]
    for setting in (setting for table in tables for setting in table.values()):
        assert f"{setting.key}={show(setting.default)} {words(setting.help)} [" in text
    assert "train.epochs=100 passes over the training data; 0: evaluate only [integer 0..1000000000]" in text
    assert "[number 0..0.999]" in text and "[text or null]" in text and "[auto|cpu|cuda]" in text


def test_list_shows_papers_recipes_protocols(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "2000")
    text = words(list_page(None, DATASETS))
    for models in MODELS.values():
        for entry in models.values():
            assert entry.paper is None or f"{entry.paper.title}, {entry.paper.venue}, {entry.paper.url}" in text
    assert all(name in text for name in recipe_names())
    for entry in DATASETS.values():
        assert words(entry.summary) in text and words(entry.source) in text
        for task, protocol in entry.protocols.items():
            assert words(f"task={task} {protocol.metric}. {protocol.statement}") in text


def test_topics_are_apart():
    assert "dataset=" not in list_page("tasks", DATASETS)
    assert "model.beta" not in list_page("datasets", DATASETS)
    assert "model.beta=1" in list_page("models", DATASETS)


@pytest.mark.parametrize("name", [*TASKS, *DATASETS, *(model for models in MODELS.values() for model in models)])
def test_a_page_of_one(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "2000")
    assert topic_mistakes(name, DATASETS) == []
    page = list_page(name, DATASETS)
    titles = [line for line in page.splitlines() if line and not line.startswith(" ")]
    wanted = [f"task={name}"] * (name in TASKS) + [f"dataset={name}"] * (name in DATASETS)
    assert titles == wanted + [f"task={task} model={name}" for task in TASKS if name in MODELS[task]]
    parts = [(task, name) for task in TASKS if name in MODELS[task]]
    settings = [model_settings(*part) for part in parts] + [task_settings(task) for task in TASKS if task == name]
    assert all(f"{key}=" in page for table in settings for key in table)
    assert all("-".join(recipe) in page for recipe in all_recipes() if name in recipe[1:])


def test_what_there_is_no_page_of():
    assert topic_mistakes(None, DATASETS) == topic_mistakes("models", DATASETS) == []
    assert topic_mistakes("modles", DATASETS) == ["--list modles: did you mean models?"]
    assert topic_mistakes("cora-gom", DATASETS) == ["--list cora-gom: did you mean cora-geom?"]
    assert topic_mistakes("zzzzz", DATASETS) == [
        "--list zzzzz: expected one of tasks, datasets, models, transforms, or the name of one of them"
    ]


def test_help_names_everything_to_choose_from(width: int):
    text = words(help_page(DATASETS))
    for name in (*DATASETS, *TASKS, *(model for models in MODELS.values() for model in models), *run_settings()):
        assert name in text
    for flag in ("--help", "--list", "--dry-run", "--version"):
        assert flag in text
    assert max(len(line) for line in help_page(DATASETS).splitlines()) <= width


def test_pages_are_plain_where_stdout_is_no_terminal():
    assert "\x1b" not in help_page(DATASETS) + list_page(None, DATASETS)
