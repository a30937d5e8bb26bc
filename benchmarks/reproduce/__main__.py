"""The command line: `python -m benchmarks.reproduce link`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reproduce.curve import curve_of_run, curve_path
from benchmarks.reproduce.execute import assign, finish
from benchmarks.reproduce.judge import DISAGREES, TOLERANCE_STD
from benchmarks.reproduce.record import read_record, record_path, write_record
from benchmarks.reproduce.table import Row, Table, load_table, table_names
from benchmarks.reproduce.view import Line, complaints, duration, lines_of, list_page, page, readme
from graphkit.conf.arguments import Assignment, split
from graphkit.errors import GraphkitError, Interrupted, RequestError, RunError
from graphkit.training.artifacts import config_digest, read_result
from graphkit.training.files import write_atomic
from graphkit.training.result import RunResult

_OURS = ("task", "dataset", "model", "out", "resume", "format")
_FAILED = "failed"


@dataclass(frozen=True)
class Places:
    """Where table files, committed results and run folders lie."""

    tables: Path = Path(__file__).parents[1] / "tables"
    results: Path = Path(__file__).parents[1] / "results"
    runs: Path = Path("runs/reproduce")


def main(argv: Sequence[str] | None = None, places: Places | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.
        places: Folders; default: those of this checkout.

    Returns:
        The exit status: 0 all rows agree, 1 some do not or could not be run, 2 the request is wrong, 130 interrupted.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "0")  # as `graphkit.run` does, so that a row takes the time of a run
    places = places or Places()
    try:
        return _answer(_parser(places).parse_args(argv), places)
    except GraphkitError as error:
        _say(*(f"error: {line}" for line in str(error).splitlines()))
        return error.exit_code
    except OSError as error:
        _say(f"error: cannot use {error.filename} ({error.strerror}): mend that; the same command goes on from here")
        return RunError.exit_code
    except KeyboardInterrupt:
        _say("error: interrupted; the same command goes on from here")
        return Interrupted.exit_code


def _parser(places: Places) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reproduce",
        description="Run the rows of a table and compare them with the published figures; finished rows are read, unfinished "
        f"ones resumed. Tables: {', '.join(table_names(places.tables))}.",
        epilog="Exit status: 0 all rows agree, 1 some do not or could not be run, 2 the request is wrong, 130 interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("table", help="the table")
    parser.add_argument("--only", nargs="+", default=[], metavar="DATASET[/MODEL]", help="these rows alone")
    parser.add_argument("--from", nargs="+", default=[], type=Path, metavar="RUN_FOLDER", dest="given",
                        help="runs of python -m graphkit.run with exactly a row's settings, taken as its runs")  # fmt: skip
    parser.add_argument("--tolerance-std", type=float, default=TOLERANCE_STD, metavar="X",
                        help="rows agree within X of the paper's standard deviations (default 2; the page: 2)")  # fmt: skip
    parser.add_argument("--epochs", type=int, metavar="N", help="train for N epochs where a row has more: recorded as "
                        "incomplete with its epochs, unless a longer run is recorded, and never judged")  # fmt: skip
    parser.add_argument("--seeds", type=int, metavar="N", help="a trial with N seeds; its results are not recorded")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="settings",
                        help="a trial with other settings; its results are not recorded")  # fmt: skip
    asking = parser.add_mutually_exclusive_group()
    asking.add_argument("--list", action="store_true", help="the rows and their commands; runs nothing")
    asking.add_argument("--check", action="store_true", help="whether the committed page is what the committed JSON files give")
    asking.add_argument("--render", action="store_true", help="write the page anew from the committed JSON files; runs nothing")
    return parser


def _answer(asked: argparse.Namespace, places: Places) -> int:
    table = load_table(places.tables, asked.table)
    if asked.list:
        committed = {row.name: record_path(places.results, table.name, row).exists() for row in table.rows}
        sys.stdout.write(list_page(table, committed))
        return 0
    if asked.check:
        found = complaints(table, places.results)
        _say(*(f"error: {line}" for line in found))
        return 1 if found else 0
    if asked.render:
        _render(table, places)
        return 0
    rows, extra = table.select(asked.only), _extra(asked)
    rows = rows if asked.epochs is None else tuple(row.shortened(asked.epochs) for row in rows)
    for row in rows:
        row.request(extra)  # what is wrong shows before the first row runs
    lines, interrupted = _run(table, rows, extra, assign(asked.given, rows, extra), places)
    sys.stdout.write(page(lines, asked.tolerance_std) if lines else "")
    if interrupted:
        return Interrupted.exit_code
    return int(any(line.agreement(asked.tolerance_std) in (DISAGREES, _FAILED) for line in lines))


def _extra(asked: argparse.Namespace) -> list[Assignment]:
    """The settings of `--set` and `--seeds`."""
    command = split(asked.settings)
    mistakes = [*command.mistakes, *(f"{flag}: --set takes key=value" for flag in sorted(command.flags))]
    mistakes += [f"--set {given.key}=: it is the table's to say" for given in command.assignments if given.key in _OURS]
    if asked.epochs is not None and asked.epochs < 1:
        mistakes.append(f"--epochs {asked.epochs}: expected an integer of at least 1")
    if asked.epochs is not None and any(given.key == "train.epochs" for given in command.assignments):
        mistakes.append("--set train.epochs=: --epochs says it already")
    if asked.tolerance_std < 0:
        mistakes.append(f"--tolerance-std {asked.tolerance_std:g}: expected a number of at least 0")
    if mistakes:
        raise RequestError("\n".join(mistakes))
    return [*command.assignments, *([Assignment("seeds", asked.seeds)] if asked.seeds is not None else [])]


def _run(
    table: Table, rows: Sequence[Row], extra: Sequence[Assignment], given: dict[str, Path], places: Places
) -> tuple[list[Line], bool]:
    """Bring rows to their end, and record them when all have ended; the second value tells of an interruption.

    A record written between two runs would let the second one find its checkout changed.
    """
    lines: list[Line] = []
    finished: list[tuple[Row, Path]] = []
    interrupted = False
    for number, row in enumerate(rows):
        began = time.monotonic()
        _say(f"[{number + 1}/{len(rows)}] {row.label}{_left(table, rows[number:], places)}")
        try:
            folder = finish(row, extra, places.runs / table.name / row.name, given.get(row.name))
            result = _compared(row, folder)
        except Interrupted as error:
            _say(f"error: {row.label}: {error}", "the same command goes on from here")
            interrupted = True
            break
        except GraphkitError as error:
            _say(*(f"error: {row.label}: {line}" for line in str(error).splitlines()))
            lines += lines_of(row, None, _FAILED)
            continue
        lines += lines_of(row.shortened(row.config_with(extra)["train"]["epochs"]), result)
        finished.append((row, folder))
        _say(f"{row.label}: {folder}, {duration(time.monotonic() - began)}")
    _record(table, finished, extra, places)
    return lines, interrupted


def _compared(row: Row, folder: Path) -> RunResult | None:
    """A finished run's result, its metrics of the epoch that the row's figure is of."""
    result = read_result(folder)
    return curve_of_run(folder, row).at_last_epoch(result) if result and row.last_epoch else result


def _record(table: Table, finished: list[tuple[Row, Path]], extra: Sequence[Assignment], places: Places) -> None:
    """Record the rows that ran with their own settings, and render the page."""
    recorded = False
    for row, folder in finished:
        if config_digest(row.config_with(extra)) != config_digest(row.config):
            _say(f"{row.label}: a trial, its result is not recorded")
            continue
        path = record_path(places.results, table.name, row)
        before = read_record(path) if row.full_epochs is not None else None
        if before and before.epochs > row.epochs:
            _say(f"{row.label}: not recorded, since a run of {before.epochs:,} epochs is")
            continue
        write_record(path, row, folder)
        if row.curve:
            write_atomic(curve_path(places.results, table.name, row), curve_of_run(folder, row).text.encode())
        record = read_record(path)
        _say(*(f"warning: {row.label}: {warning}" for warning in (record.warnings if record else ())))
        recorded = True
    if recorded:
        _render(table, places)


def _render(table: Table, places: Places) -> None:
    path = places.results / table.name / "README.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, readme(table, places.results).encode())
    _say(f"written: {path}")


def _left(table: Table, rows: Sequence[Row], places: Places) -> str:
    """How long these rows took when they were recorded, as an estimate."""
    records = [read_record(record_path(places.results, table.name, row)) for row in rows]
    known = [record.result.seconds for record in records if record]
    if not known:
        return ""
    unknown = f", {len(rows) - len(known)} rows unknown" if len(known) < len(rows) else ""
    return f"; from here about {duration(sum(known))} where recorded{unknown}"


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
