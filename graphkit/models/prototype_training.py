"""What training prototype models of all tasks shares: stages, what was learned before a projection, and nearest parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graphkit.prototypes import Allowed, PartBatch, PrototypeBank, Training, nearest_parts, phases
from graphkit.prototypes.similarity import ANGULAR
from graphkit.training.stages import Stage, Step

NEAREST = 10
"""Training parts by which the purity of a prototype is told."""


@dataclass(frozen=True)
class Trained:
    """Modules that are trained together, and the options of their Adam group."""

    modules: Sequence[nn.Module]
    lr: float
    weight_decay: float | None = None

    def group(self) -> dict[str, Any]:
        """The parameter group; without `weight_decay` that of the optimizer holds."""
        parameters = [parameter for module in self.modules for parameter in module.parameters()]
        options = {} if self.weight_decay is None else {"weight_decay": self.weight_decay}
        return {"params": parameters, "lr": self.lr, **options}


def stages(
    step: Step,
    project: Callable[[], None],
    *,
    encoder: Trained,
    prototypes: Trained,
    classifier: Trained,
    joint_classifier: bool,
    warm_epochs: int,
    head_epochs: int,
    cycles: int,
) -> list[Stage]:
    """Warm (prototypes), then per cycle joint (encoder and prototypes, `train.epochs`), project, and head (the classifier).

    Args:
        step: The task's step.
        project: Makes prototypes training parts.
        encoder: What makes the parts; it is held while prototypes warm up.
        prototypes: What is trained from the beginning; it is held with the encoder while the classifier trains alone.
        classifier: What makes scores of similarities.
        joint_classifier: Whether it also trains with prototypes and encoder.
        warm_epochs: Length of the first stage; 0: none.
        head_epochs: Length of the last stage of each cycle, at least 1.
        cycles: How often joint, project and head follow each other, at least 1.
    """
    head = classifier.group()
    early = [prototypes.group(), *([head] if joint_classifier else [])]
    joint = [group for group in (encoder.group(), *early) if group["params"]]
    found = phases(
        step=step,
        project=project,
        warm=Training(early, warm_epochs, held=encoder.modules) if warm_epochs else None,
        joint=Training(joint, None),
        head=Training([head], head_epochs, held=[*encoder.modules, *prototypes.modules]),
        cycles=cycles,
    )
    return [Stage(**vars(phase)) for phase in found]


class Kept(nn.Module):
    """Copies of tensors that are saved with a model and never trained: what was learned just before a projection.

    Args:
        tensors: By name.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._names = {name.replace(".", "_"): name for name in tensors}
        for buffer, name in self._names.items():
            self.register_buffer(buffer, tensors[name].detach().clone())

    @torch.no_grad()
    def keep(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy the present values."""
        for buffer, name in self._names.items():
            self.get_buffer(buffer).copy_(tensors[name])

    def tensors(self, without: str = "") -> dict[str, Tensor]:
        """What was kept, by the names it had; `without` leaves out those that begin so."""
        kept = {name: self.get_buffer(buffer) for buffer, name in self._names.items()}
        return {name: value for name, value in kept.items() if not without or not name.startswith(without)}


def nearest_samples(bank: PrototypeBank, parts: Iterable[PartBatch], train: Tensor) -> Tensor:
    """Samples of the training parts that are nearest to each prototype [M, K]; -1 where there are fewer than K.

    Args:
        bank: The prototypes.
        parts: Parts of training samples.
        train: Which samples are for training.
    """
    is_angular = bank.similarity in ANGULAR
    found = nearest_parts(parts, bank.weight, bank.identity, allowed=Allowed(train), is_angular=is_angular, k=NEAREST)
    return found.ref[..., 0]
