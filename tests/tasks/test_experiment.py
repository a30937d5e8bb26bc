import os
import signal

import pytest

import graphkit.data
from graphkit.conf.arguments import split
from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS
from graphkit.tasks.experiment import Experiment


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
