"""Whether recorded figures come back: one cheap seed of each row is run again and compared with the row's record."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import graphkit
from benchmarks.reproduce.record import Record, Rerun, differences, read_record, record_path
from benchmarks.reproduce.table import Row, Table
from graphkit.conf.arguments import Assignment
from graphkit.errors import GraphkitError, Interrupted
from graphkit.training.result import Metrics, RunResult

Say = Callable[[str], None]


@dataclass(frozen=True)
class Candidate:
    """A recorded row, the seed of it that is cheapest to run again, and the seconds that this seed took, estimated."""

    row: Row
    record: Record
    seed: int
    seconds: float

    @property
    def recorded(self) -> Metrics:
        """The recorded metrics of the seed."""
        return self.record.result.of_seed(self.seed)


def candidates(table: Table, rows: Sequence[Row], results: Path) -> list[Candidate]:
    """The recorded rows that can be compared, the cheapest first: those of present settings and random streams."""
    found = []
    for row in rows:
        record = read_record(record_path(results, table.name, row))
        if record is None or record.outdated_streams:
            continue
        row = row.shortened(record.epochs)
        if not differences(record.settings, row.config):
            found.append(Candidate(row, record, *_cheapest(record)))
    return sorted(found, key=lambda candidate: candidate.seconds)


def _cheapest(record: Record) -> tuple[int, float]:
    """A seed that stopped early took the fewest epochs; one that did not stop early took all of them."""
    result, train = record.result, record.settings["train"]
    after = train["patience"] * train["eval_every"]
    epochs = [min(best + after, train["epochs"]) if after else train["epochs"] for best in result.best_epochs]
    place = epochs.index(min(epochs))
    share = epochs[place] / sum(epochs) if sum(epochs) else 1 / len(epochs)
    return result.seeds[place], result.seconds * share


def run_again(found: Sequence[Candidate], minutes: float, say: Say) -> Iterator[tuple[Candidate, Rerun]]:
    """Run one seed of each row with the present code, the cheapest first, until the time is used up.

    A figure that differs on another device than the record's may differ by rounding alone. There the recorded commit is run,
    too, from a checkout of its own, and the two are compared.

    Args:
        found: See `candidates`.
        minutes: No row is begun that would, by its recorded time, end later than this.
        say: Hears what happens, a line at a time.

    Yields:
        Each row that could be compared, with what came of it.

    Raises:
        Interrupted: After SIGINT or SIGTERM.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        for number, candidate in enumerate(found):
            left = 60 * minutes - (time.monotonic() - began)
            if candidate.seconds > left:
                say(
                    f"{len(found) - number} of {len(found)} rows were not run again in {minutes:g} minutes: give more --minutes"
                )
                return
            label = candidate.row.label
            try:
                rerun = _compared(candidate, Path(scratch), say)
            except Interrupted:
                raise Interrupted("interrupted; the same command begins that row again") from None
            except GraphkitError as error:
                say(f"warning: {label} could not be run again: {str(error).splitlines()[0]}")
                continue
            if rerun is not None:
                say(
                    f"[{number + 1}/{len(found)}] {label}: "
                    + (f"seed {rerun.seed} gives the same" if rerun.same else "differs")
                )
                yield candidate, rerun


def _compared(candidate: Candidate, scratch: Path, say: Say) -> Rerun | None:
    """What the present code gives, compared with the record; None where it cannot be judged here."""
    result = _run_here(candidate, scratch)
    environment = json.loads((result.folder / "result.json").read_text(encoding="utf-8"))["environment"]
    now, before = result.of_seed(candidate.seed), candidate.recorded
    commit = environment["git"]["commit"] if environment["git"] else "unknown"
    same = now == before
    if not same and _place(environment) != _place(candidate.record.environment):
        there = _run_recorded_commit(candidate, scratch)
        if there is None:
            say(
                f"warning: {candidate.row.label}: another figure than recorded, on another device, and commit "
                f"{candidate.record.commit} cannot be run here: not judged"
            )
            return None
        same = now == there
    return Rerun(candidate.seed, commit, environment["device"], same, now)


def _place(environment: dict[str, object]) -> tuple[object, ...]:
    versions = environment["versions"]
    return environment["device"], versions["torch"] if isinstance(versions, dict) else None


def _run_here(candidate: Candidate, scratch: Path) -> RunResult:
    from graphkit.run import run

    own = ("seed", candidate.seed), ("seeds", 1), ("threads", candidate.record.environment["threads"])
    request = candidate.row.request([Assignment(key, value) for key, value in own])
    return run(request.task, request.dataset, request.model, **{**request.values, "out": str(scratch)})


def _run_recorded_commit(candidate: Candidate, scratch: Path) -> Metrics | None:
    """What the recorded commit gives on this device; None where it is not available or does not run."""
    if candidate.record.commit is None:
        return None
    own = {"seed": candidate.seed, "seeds": 1, "threads": candidate.record.environment["threads"], "out": scratch}
    settings = [given for given in shlex.split(candidate.record.command)[3:] if given.partition("=")[0] not in own]
    settings += [f"{key}={value}" for key, value in own.items()]
    try:
        folder = _checkout(candidate.record.commit, scratch)
        printed = _output([sys.executable, "-m", "graphkit.run", *settings, "progress=false", "format=json"], folder)
        return RunResult.from_json(printed, scratch).of_seed(candidate.seed)
    except (subprocess.CalledProcessError, ValueError):
        return None


def _checkout(commit: str, scratch: Path) -> Path:
    """A checkout of a commit of this repository below `scratch`, made once."""
    folder = scratch / f"commit-{commit}"
    if not (folder / "graphkit").exists():
        package = Path(graphkit.__file__).resolve().parent
        top = _output(["git", "rev-parse", "--show-toplevel"], package).strip()
        _output(["git", "clone", "--quiet", "--shared", "--no-checkout", top, str(folder)], package)
        _output(["git", "checkout", "--quiet", commit], folder)
    return folder


def _output(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
