import dataclasses
import re

import pytest

from graphkit.conf import schema
from graphkit.conf.catalog import CHOICES, MODELS, SECTIONS, TASKS, all_settings, model_settings, run_settings, task_settings
from graphkit.conf.predict import prediction_settings
from graphkit.conf.setting import show

EVERY = all_settings(TASKS, [(task, model) for task, models in MODELS.items() for model in models])


def test_every_field_of_the_schema_is_a_setting():
    run = {field.name for field in dataclasses.fields(schema.Run)} - set(SECTIONS) - set(CHOICES)
    data = {f"data.{field.name}" for field in dataclasses.fields(schema.Data)}
    train = {f"train.{field.name}" for field in dataclasses.fields(schema.Train)}
    assert set(run_settings()) == run | data | train
    for task, entry in TASKS.items():
        names = {f"task.{field.name}" for field in dataclasses.fields(entry.settings)} - {"task.name"}
        assert set(task_settings(task)) == names
        for model, row in MODELS[task].items():
            names = {f"model.{field.name}" for field in dataclasses.fields(row.settings)} - {"model.name"}
            assert set(model_settings(task, model)) == names


def test_names_are_those_of_the_catalog():
    for task, entry in TASKS.items():
        assert entry.settings().name == task
        assert entry.default_model in MODELS[task]
        for model, row in MODELS[task].items():
            assert row.settings().name == model


@pytest.mark.parametrize("key", EVERY)
def test_setting_is_described_and_its_default_passes(key: str):
    setting = EVERY[key]
    assert setting.kind in (int, float, bool, str, list)
    assert setting.help
    assert setting.check(setting.default) == setting.default


def test_kinds():
    expected = {
        "train.epochs": int, "train.lr": float, "train.head_lr": float, "seed": int, "deterministic": bool, "out": str,
        "resume": str, "data.split": list, "model.beta": float, "task.drop_last": bool,
    }  # fmt: skip
    assert {key: EVERY[key].kind for key in expected} == expected
    assert EVERY["train.head_lr"].optional and not EVERY["train.lr"].optional


NUMBERS = {key: one for key, one in (EVERY | prediction_settings()).items() if one.kind in (int, float, list)}


@pytest.mark.parametrize("key", NUMBERS)
def test_every_number_has_bounds_and_is_refused_outside(key: str):
    setting = NUMBERS[key]
    assert setting.low is not None and setting.high is not None
    assert setting.low < setting.high <= 1e15
    for bound, outside in ((setting.low, setting.low - 1), (setting.high, setting.high * 2)):
        given, wrong = ([bound], [outside]) if setting.kind is list else (bound, outside)
        assert setting.check(given) == given
        with pytest.raises(ValueError, match=re.escape(f" from {show(setting.low)} to {show(setting.high)}")):
            setting.check(wrong)
