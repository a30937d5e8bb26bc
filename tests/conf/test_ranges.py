import pytest

from graphkit.conf.catalog import MODELS, TASKS, all_settings, model_settings
from graphkit.conf.ranges import Range, declared, is_range, read_range
from graphkit.conf.setting import Setting

EVERY = all_settings(TASKS, [(task, model) for task, models in MODELS.items() for model in models])
LR, DROPOUT, WIDTH = EVERY["train.lr"], EVERY["model.dropout"], EVERY["model.hidden_channels"]
NORM, RESIDUAL = model_settings("node", "gcn")["model.norm"], model_settings("node", "gcn")["model.linear_head"]
INPUT = model_settings("node", "gcn")["model.input_dropout"]


@pytest.mark.parametrize(
    ("text", "setting", "values"),
    [
        ("0.1,0.3,0.5", DROPOUT, (0.1, 0.3, 0.5)),
        ("choice(0.1,0.3)", DROPOUT, (0.1, 0.3)),
        ("0.1,0.1", DROPOUT, (0.1,)),
        ("16,32", WIDTH, (16, 32)),
        ("range(1,10,2)", WIDTH, (1, 3, 5, 7, 9)),
        ("range(0,0.4,0.2)", DROPOUT, (0.0, 0.2)),
        ("sort(3,1,2)", WIDTH, (1, 2, 3)),
        ("int(choice(1.0,2.0))", WIDTH, (1, 2)),
        ("none,layer", NORM, ("none", "layer")),
        ("'none','batch'", NORM, ("none", "batch")),
        ("search", NORM, ("none", "layer", "batch")),
        ("search", RESIDUAL, (True, False)),
        ("search", WIDTH, (16, 32, 64, 128, 256)),
        ("null,0.5", INPUT, (None, 0.5)),
        ([0.1, 0.5], DROPOUT, (0.1, 0.5)),
    ],
)
def test_finite_ranges(text: object, setting: Setting, values: tuple[object, ...]):
    found = read_range(text, setting)
    assert found.values == values and [type(one) for one in found.values] == [type(one) for one in values]
    assert found.example == values[0]


@pytest.mark.parametrize(
    ("text", "setting", "expected"),
    [
        ("interval(1e-4,1e-1)", LR, Range("", "", (), 1e-4, 1e-1, log=True)),  # as the range that it declares
        ("interval(0,1e-1)", LR, Range("", "", (), 0.0, 0.1)),  # magnitudes have no 0
        ("tag(linear,interval(1e-4,1e-1))", LR, Range("", "", (), 1e-4, 1e-1)),
        ("search", LR, Range("", "", (), 1e-4, 1e-1, log=True)),
        ("interval(0.1,0.5)", DROPOUT, Range("", "", (), 0.1, 0.5)),
        ("tag(log,interval(0.1,0.5))", DROPOUT, Range("", "", (), 0.1, 0.5, log=True)),
        ("interval(1,8)", WIDTH, Range("", "", (), 1, 8, whole=True)),
        ("tag(log, interval(16, 256))", WIDTH, Range("", "", (), 16, 256, log=True, whole=True)),
    ],
)
def test_intervals(text: str, setting: Setting, expected: Range):
    found = read_range(text, setting)
    assert (found.values, found.low, found.high, found.log, found.whole) == (
        (), expected.low, expected.high, expected.log, expected.whole
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "setting", "reason"),
    [
        ("interval(1,", LR, "expected a range as"),
        ("interval(0.5,0.1)", DROPOUT, "low end is below"),
        ("interval(0,2)", DROPOUT, "from 0 to 0.999"),
        ("0.1,2", DROPOUT, "from 0 to 0.999"),
        ("0.1,a", DROPOUT, "expected a number"),
        ("interval(1.5,8)", WIDTH, "an interval of integers"),
        ("tag(log,interval(0,0.5))", DROPOUT, "above 0"),
        ("tag(log,linear,interval(0.1,0.5))", DROPOUT, "one of the tags"),
        ("tag(fast,interval(0.1,0.5))", DROPOUT, "the tag fast means nothing"),
        ("tag(log,choice(0.1,0.2))", DROPOUT, "tags are for intervals"),
        ("glob(*)", NORM, "expected a range as"),
        ("interval(0,1)", NORM, "intervals are of numbers"),
        ("none,rms", NORM, "expected one of none"),
        ("range(1,1e9)", WIDTH, "at most 1,000 values"),
        ("range(5,1)", WIDTH, "1 to 1,000 values"),
        ("search", EVERY["model.beta"], "declares no range"),
        ("1," * 600 + "1", WIDTH, "expected a range as"),
        ("[0.1,0.2],[0.3,0.4]", EVERY["data.split"], "expected one value"),
        ("a,b", EVERY["data.categorical"], "expected one value"),
    ],
)
def test_what_is_no_range(text: str, setting: Setting, reason: str):
    with pytest.raises(ValueError, match=reason):
        read_range(text, setting)


def test_ranges_are_told_from_values():
    assert all(map(is_range, ("a,b", "search", " search ", "interval(0,1)", [1, 2])))
    assert not any(map(is_range, ("a", "[1,2,3]", "0.5", 0.5, None, True, "searching")))


SEARCHED = {key: one for key, one in EVERY.items() if one.search}


@pytest.mark.parametrize("key", SEARCHED)
def test_every_declared_range_can_be_read(key: str):
    assert read_range("search", SEARCHED[key]).text == declared(SEARCHED[key])


def test_what_people_tune_declares_a_range():
    assert {"train.lr", "train.weight_decay"} <= SEARCHED.keys()
    for task, model in (("node", "gcn"), ("link", "ncn"), ("graph", "gin"), ("recommend", "lightgcn"), ("image", "cnn")):
        assert any(one.search for one in model_settings(task, model).values()), (task, model)
