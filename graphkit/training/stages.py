"""The parts of a training. Needs torch alone, so that a model can say how it is trained without knowing the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

Backward = Callable[[Tensor], None]
Step = Callable[[Any, Any, Backward], Tensor]
"""From a model, a batch and what computes gradients to the batch's mean loss, detached."""


@dataclass(frozen=True)
class Stage:
    """A part of training with an optimizer of its own; most tasks have one.

    Stages follow each other: warm up a part of a model, train all of it, project, train the head; or two models in turn. A
    parameter in none of the stage's groups does not move while the stage lasts. Patience that runs out ends its stage.

    Attributes:
        name: What it does, in a word.
        groups: Adam parameter groups with their `lr`; empty: no batch is drawn, `after_epoch` alone acts.
        epochs: Its length at most; None: `train.epochs`. With `train.epochs=0` no stage takes place.
        after_epoch: Called with the number of the epoch within the stage, from 1, after its last step and before it is
            evaluated; e.g. projects prototypes or prunes. Whatever it draws comes from the global generators.
        step: Stands for the task's own `step` in this stage.
        selects: Whether the validation metric of its epochs may select them; that of the last stage must.
        last: Whether of its epochs the last one is selected, whatever its validation metric.
    """

    name: str
    groups: Sequence[dict[str, Any]]
    epochs: int | None = None
    after_epoch: Callable[[int], None] | None = None
    step: Step | None = None
    selects: bool = True
    last: bool = False


def one_stage(groups: Sequence[dict[str, Any]]) -> list[Stage]:
    """The stages of a task that trains all at once: one, without empty groups; none where nothing is left to train."""
    filled = [group for group in groups if group["params"]]
    return [Stage("train", filled)] if filled else []


def head_apart(model: nn.Module, head: Iterable[nn.Parameter], lr: float, head_lr: float | None) -> list[Stage]:
    """One stage in which the parameters of a model's head have a rate of their own.

    Args:
        model: The model.
        head: Those of its parameters that learn at `head_lr`.
        lr: Rate of all others.
        head_lr: Rate of the head; None: `lr`.
    """
    head = list(head)
    apart = {id(parameter) for parameter in head}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in apart]
    return one_stage([{"params": rest, "lr": lr}, {"params": head, "lr": lr if head_lr is None else head_lr}])
