"""What tests of the loop share."""

import pytest

from graphkit.training import runner


@pytest.fixture
def checkpoint_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run writes its checkpoint after every epoch, however short the epoch."""
    monkeypatch.setattr(runner, "MIN_CHECKPOINT_SECONDS", 0.0)
