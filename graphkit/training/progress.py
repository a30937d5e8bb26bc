"""Progress on stderr: bars with ETA on a terminal, a short line now and then elsewhere; never on stdout."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from graphkit.metrics.registry import decimals

_LINE_SECONDS = 30.0


class Reporter:
    """Tells how far a run is.

    Args:
        wanted: Show bars if the stream is a terminal, else lines; False: say nothing.
        seeds: Seeds of the run; `epochs` passes each, at most.
        epochs: Epochs of a seed.
        stream: Where to write; default stderr.
        every: Least seconds between two lines where there are no bars.
    """

    def __init__(
        self, wanted: bool, seeds: int, epochs: int, stream: TextIO | None = None, every: float = _LINE_SECONDS
    ) -> None:
        self._wanted = wanted
        self._stream = stream or sys.stderr
        self._total = seeds * max(epochs, 1)
        self._epochs, self._every = max(epochs, 1), every
        self._seconds = 0.0  # of the epochs seen by this process
        self._seen = 0
        self._said = time.monotonic()
        self._bars: Progress | None = None
        if wanted and self._stream.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
                       TimeElapsedColumn(), TextColumn("{task.fields[eta]}"))  # fmt: skip
            self._bars = Progress(*columns, console=Console(file=self._stream), transient=True)
            self._run = self._bars.add_task("starting", total=self._total, eta="")

    def __enter__(self) -> Reporter:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bars:
            self._bars.stop()

    def lengthen(self, epochs: int, seeds: int) -> None:
        """A seed takes this many epochs, as its stages say, and not those of `train.epochs`."""
        self._epochs, self._total = max(epochs, 1), seeds * max(epochs, 1)
        if self._bars:
            self._bars.update(self._run, total=self._total)

    def step(self, position: int, epoch: int, done: float) -> None:
        """Within epoch `epoch` of the seed at `position`, the share `done` of its batches is through."""
        if self._bars:
            self._bars.update(self._run, completed=position * self._epochs + epoch - 1 + done)

    def phase(self, text: str) -> None:
        """Name work outside of epochs, e.g. reading data."""
        if self._bars:
            self._bars.update(self._run, description=text)

    def epoch(
        self, position: int, seed: int, epoch: int, seconds: float, loss: float | None, metric: str, value: float | None
    ) -> None:
        """An epoch, its evaluation included, took `seconds`; `value` is the latest validation metric."""
        self._seen += 1
        self._seconds += seconds
        through = position * self._epochs + epoch
        left = (self._total - through) * self._seconds / self._seen
        eta = f"ETA {timedelta(seconds=round(left))}" if left >= 0.5 else ""
        text = f"seed {seed}, epoch {epoch}/{self._epochs}"
        text += f", loss {loss:.4f}" if loss is not None else ""
        text += f", valid {metric} {value:.{decimals(metric)}f}" if value is not None else ""
        if self._bars:
            self._bars.update(self._run, completed=through, description=text, eta=eta)
        elif self._wanted and time.monotonic() - self._said >= self._every:
            self._said = time.monotonic()
            print(", ".join(part for part in (text, eta) if part), file=self._stream, flush=True)
