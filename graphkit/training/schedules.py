"""Learning rates that fall while a stage of training goes on: torch's schedulers, by the settings of a run."""

from __future__ import annotations

from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau, StepLR

from graphkit.training.protocol import LoopSettings


class Schedule:
    r"""The rates of one optimizer, changed after every epoch; each parameter group by the same factor.

    With e epochs done of T, the base rate \eta_0 of a group, and `decay` d every `decay_every` n:

    - `step`: \eta = \eta_0 d^{\lfloor e / n \rfloor}
    - `cosine`: \eta = \eta_0 (1 + \cos(\pi e / T)) / 2
    - `plateau`: multiplied by d after more than n evaluations in a row without a validation metric that is better by 0.01 %

    Args:
        optimizer: Whose rates fall.
        train: Of which `schedule`, not `none`, `decay` and `decay_every` are read.
        epochs: Length T of the stage.
        lower_is_better: Whether the best validation metric is the smallest.

    Source: `torch.optim.lr_scheduler`.
    """

    def __init__(self, optimizer: Optimizer, train: LoopSettings, epochs: int, *, lower_is_better: bool) -> None:
        self._scheduler: LRScheduler
        match train.schedule:
            case "step":
                self._scheduler = StepLR(optimizer, train.decay_every, train.decay)
            case "cosine":
                self._scheduler = CosineAnnealingLR(optimizer, epochs)
            case "plateau":
                mode: Literal["min", "max"] = "min" if lower_is_better else "max"
                self._scheduler = ReduceLROnPlateau(optimizer, mode, factor=train.decay, patience=train.decay_every)
            case other:
                raise ValueError(f"schedule must be step, cosine or plateau, got {other!r}.")

    def after_epoch(self, value: float | None) -> None:
        """Set the rates of the next epoch.

        Args:
            value: The validation metric; None where the epoch was not evaluated.
        """
        if not isinstance(self._scheduler, ReduceLROnPlateau):
            self._scheduler.step()
        elif value is not None:
            self._scheduler.step(value)

    def state_dict(self) -> dict[str, object]:
        """All that it depends on beside the optimizer's rates, as plain values."""
        return self._scheduler.state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on where `state` was taken."""
        self._scheduler.load_state_dict(state)
