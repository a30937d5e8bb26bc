import pytest

from graphkit.conf.arguments import split
from graphkit.conf.sweep import SweepRequest, check_sweep, command, from_stored, help_page, require_validation, stored_values
from graphkit.data.catalog import DATASETS
from graphkit.errors import RequestError

NODE = ("task=node", "dataset=karate", "model=gcn")


def asked(*arguments: str) -> SweepRequest:
    given = split(arguments)
    return check_sweep(given.assignments, DATASETS, given.mistakes)


def mistakes(*arguments: str) -> list[str]:
    with pytest.raises(RequestError) as caught:
        asked(*arguments)
    return str(caught.value).splitlines()


def test_ranges_are_parted_from_settings():
    request = asked(*NODE, "model.dropout=0.1,0.5", "train.lr=interval(1e-4,1e-1)", "train.epochs=5", "trials=7", "seeds=2")
    assert request.fixed.values == {"train.epochs": 5, "seeds": 2}
    assert list(request.ranges) == ["model.dropout", "train.lr"]
    assert (request.sweep.trials, request.sampler, request.total) == (7, "tpe", 7)


def test_a_finite_space_is_a_grid_and_ends():
    request = asked(*NODE, "model.dropout=0.1,0.5", "model.num_layers=range(1,4)", "trials=30")
    assert (request.combinations, request.sampler, request.total) == (6, "grid", 6)
    assert asked(*NODE, "model.dropout=0.1,0.5", "trials=1").total == 1
    assert asked(*NODE, "model.dropout=0.1,0.5", "sampler=tpe").total == 30


def test_without_a_range_the_declared_ones_are_searched():
    request = asked(*NODE, "model.dropout=0.2")
    assert set(request.ranges) == {"model.hidden_channels", "model.num_layers", "train.lr", "train.weight_decay"}
    assert request.ranges["train.lr"].log


def test_ranges_win_over_a_recipe():
    request = asked("task=node", "dataset=cora", "model=gcn", "model.dropout=search")
    resolved = request.of_trial({"model.dropout": 0.25}, DATASETS, out="x")
    assert resolved.values == {"model.dropout": 0.25, "out": "x"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("model.dropout=0.1,2",), "model.dropout=0.1,2: expected a number from 0 to 0.999"),
        (("model.dropot=0.1,0.2",), "unknown key 'model.dropot': did you mean model.dropout?"),
        (("model.dropout=0.1,0.2", "model.dropout=0.3"), "model.dropout is given twice: leave one out"),
        (("model.norm=none,rms",), "model.norm=none,rms: expected one of none, layer, batch"),
        (("storage=studies.db",),
         "storage=studies.db: expected the address of a database, such as postgresql://user@host/name"),
        (("trials=0",), "trials=0: expected an integer from 1 to 100000"),
        (("model.dropout=interval(0,0.5)", "sampler=grid"),
         "sampler=grid: model.dropout=interval(0,0.5) has no end, give values or range(start,stop,step)"),
        (("train.lr=1e-3,1e-2", "seed=0,1"), "seed=0,1: expected an integer, one value and no sweep"),
        (("data.embed_channels=8,16",), "data.embed_channels=8,16: expected an integer, one value and no sweep"),
        (("resume=x",), "resume= takes every setting from that sweep: leave out task, dataset, model"),
    ],
)  # fmt: skip
def test_mistake(arguments: tuple[str, ...], line: str):
    assert line in mistakes(*NODE, *arguments)


def test_one_model_and_one_figure():
    reason = "a sweep has one, since trials must be alike in it; run a sweep for each"
    assert mistakes("task=node", "dataset=karate", "model=gcn,sage") == [f"model=gcn,sage: {reason}"]
    assert mistakes(*NODE, "task.metric=accuracy,roc-auc") == [f"task.metric=accuracy,roc-auc: {reason}"]
    assert mistakes("model=prototype", "task=node", "model.backbone=gcn,sage") == [f"model.backbone=gcn,sage: {reason}"]


def test_a_model_without_declared_ranges_needs_one():
    assert mistakes("task=link", "dataset=karate", "model=aa")[0].startswith("model=aa declares no ranges")


def test_tuning_on_test_is_refused():
    for task, protocol in (("graph", "gin"), ("graph", "last10"), ("recommend", "lightgcn")):
        with pytest.raises(RequestError, match="would tune on test"):
            require_validation(task, protocol)
    require_validation("graph", "nested")
    require_validation("node", None)


def test_a_stored_request_comes_back():
    request = asked(*NODE, "model.dropout=0.1,0.5", "train.lr=search", "train.epochs=5", "final_seeds=4", "sweep_seed=9")
    again = from_stored(stored_values(request), DATASETS)
    assert again == request


def test_the_command_keeps_all_digits():
    request = asked(*NODE, "train.lr=search", "train.epochs=5")
    said = command(request, {"train.lr": 0.012345678901234567})
    assert said == ["python", "-m", "graphkit.run", *NODE, "train.epochs=5", f"train.lr={0.012345678901234567!r}"]


def test_help_names_every_setting():
    page = help_page()
    assert all(f"{key}=" in page for key in ("trials", "sampler", "sweep_seed", "final_seeds", "storage", "out", "resume"))
