"""How prototypes are trained: warm up, train jointly, project, train the head; and again.

The phases have the fields of `graphkit.training.stages.Stage`, which this room does not import: a task makes its stages by
`[Stage(**vars(phase)) for phase in phases(...)]`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

Backward = Callable[[Tensor], None]
Step = Callable[[nn.Module, Any, Backward], Tensor]


@dataclass(frozen=True)
class Phase:
    """A stage of training; the fields are those of the loop's `Stage`."""

    name: str
    groups: Sequence[dict[str, Any]]
    epochs: int | None = None
    after_epoch: Callable[[int], None] | None = None
    step: Step | None = None
    selects: bool = True


@dataclass(frozen=True)
class Training:
    """What moves in a phase.

    Attributes:
        groups: Adam parameter groups with their `lr`.
        epochs: Its length, at least 1; None: as long as the loop says.
        held: Modules that must not change. They are in evaluation mode during its steps: a parameter outside of all groups does
            not move, but running statistics of batch normalization would.
    """

    groups: Sequence[dict[str, Any]]
    epochs: int | None
    held: Sequence[nn.Module] = field(default=())


def phases(
    *,
    step: Step,
    project: Callable[[], object],
    joint: Training,
    head: Training,
    warm: Training | None = None,
    cycles: int = 1,
) -> list[Phase]:
    """Warm, then per cycle joint, project and head.

    Only epochs after a projection, until the next joint phase, may be selected: the model that is kept is one whose prototypes
    are training parts. The phase of the head must hold the encoder, or its statistics move and the prototypes are none.

    Args:
        step: The task's step.
        project: Projects the prototypes, e.g. a call of `project` with the task's parts.
        joint: Trains everything but the head, as ProtoPNet does, or with it.
        head: Trains the head alone.
        warm: Trains the prototypes before the encoder moves.
        cycles: How often, at least 1.

    Returns:
        The phases, in order.

    Raises:
        ValueError: `cycles` or a number of epochs is below 1.
    """
    lengths = [part.epochs for part in (warm, joint, head) if part is not None and part.epochs is not None]
    if min(cycles, *lengths) < 1:
        raise ValueError(f"cycles and epochs must be at least 1, got {cycles} and {lengths}")

    def after(epoch: int) -> None:
        project()

    first = [] if warm is None else [_training("warm", warm, step, selects=False)]
    cycle = [
        _training("joint", joint, step, selects=False),
        Phase("project", [], epochs=1, after_epoch=after),
        _training("head", head, step, selects=True),
    ]
    return [*first, *cycle * cycles]


def _training(name: str, part: Training, step: Step, *, selects: bool) -> Phase:
    return Phase(name, part.groups, part.epochs, step=holding(step, part.held) if part.held else step, selects=selects)


def holding(step: Step, held: Sequence[nn.Module]) -> Step:
    """The step with some modules in evaluation mode: neither statistics nor dropout change them."""

    def run(model: nn.Module, batch: Any, backward: Backward) -> Tensor:
        for module in held:
            module.eval()  # the loop puts the whole model into training mode at every epoch
        return step(model, batch, backward)

    return run
