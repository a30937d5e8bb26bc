import os
import signal

import pytest
import yaml

import graphkit.data
from graphkit.conf.arguments import split
from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS
from graphkit.tasks.experiment import Experiment, stored_request


@pytest.mark.parametrize(
    ("stored", "expected"), [({"time_column": "t"}, "user"), ({"time_column": "t", "time_split": None}, None), ({}, None)]
)
def test_runs_from_before_there_was_a_choice_held_out_each_users_latest(tmp_path, stored, expected):
    config = {"task": {"name": "recommend"}, "dataset": "custom", "model": {"name": "mostpop"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**config, "train": {}, "data": {"interactions": "x.csv", **stored}}))
    assert stored_request(tmp_path).values["data.time_split"] == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_data_loads_lets_the_loader_clean_up(monkeypatch, number):
    cleaned = []

    def load(name, **options):
        try:
            os.kill(os.getpid(), number)
        finally:
            cleaned.append(name)

    monkeypatch.setattr(graphkit.data, "load", load)
    experiment = Experiment(compose(check(split(["device=cpu"]).assignments, DATASETS)).run)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        experiment.dataset(0)
    assert cleaned == ["digits"] and signal.getsignal(number) is before
