"""TensorBoard events beside metrics.csv; the package is optional and asked for before the run starts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from graphkit.errors import RequestError
from graphkit.training.loop import Epoch


def require_tensorboard() -> None:
    """Check that TensorBoard can be imported.

    Raises:
        RequestError: If it is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise RequestError("tensorboard=true needs the package tensorboard: pip install tensorboard, or leave the setting out")


class EventWriter:
    """Scalars of one seed as TensorBoard events.

    Args:
        folder: Where the event files go.
        after: Last epoch that counts; on resume, events of later epochs are hidden.
    """

    def __init__(self, folder: Path, after: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=after + 1)

    def add(self, epoch: Epoch) -> None:
        """Write loss, seconds and metrics of an epoch."""
        scalars = {"train/loss": epoch.loss, "time/epoch_seconds": epoch.seconds, "time/eval_seconds": epoch.eval_seconds}
        for split, metrics in (epoch.metrics or {}).items():
            scalars |= {f"{split}/{name}": value for name, value in metrics.items()}
        for name, value in scalars.items():
            if value is not None:
                self._writer.add_scalar(name, value, epoch.number)

    def close(self) -> None:
        """Flush and close the event file."""
        self._writer.close()
