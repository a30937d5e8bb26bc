"""The command line: `python -m benchmarks.reproduce link`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reproduce.claims import write_claims
from benchmarks.reproduce.curve import curve_of_run, curve_path
from benchmarks.reproduce.execute import assign, finish
from benchmarks.reproduce.judge import DISAGREES, TOLERANCE_STD
from benchmarks.reproduce.record import Record, new_record, read_record, record_path, write_rerun
from benchmarks.reproduce.rerun import candidates, run_again
from benchmarks.reproduce.table import Row, Table, load_table, table_names
from benchmarks.reproduce.view import Line, complaints, duration, first_difference, lines_of, list_page, page, readme
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
        The exit status: 0 all rows agree, 1 some do not, are not what is recorded or could not be run, 2 the request is wrong,
        130 interrupted.
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
        description="Run the rows of a table and compare them with the published and the recorded figures; finished rows are "
        f"read, unfinished ones resumed. Tables: {', '.join(table_names(places.tables))}.",
        epilog="Exit status: 0 all rows agree, 1 some do not, are not what is recorded or could not be run, 2 the request is "
        "wrong, 130 interrupted.",
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
    parser.add_argument("--write", action="store_true",
                        help="record the results, or what --rerun found; without, no recorded file changes")  # fmt: skip
    parser.add_argument("--rerun", action="store_true", help="with --check: also run one cheap seed of each row again, the "
                        "cheapest first; rows that give another figure are stale, marked by --write")  # fmt: skip
    parser.add_argument("--minutes", type=float, metavar="M", help="with --rerun: for how long (default 10)")
    asking = parser.add_mutually_exclusive_group()
    asking.add_argument("--list", action="store_true", help="the rows and their commands; runs nothing")
    asking.add_argument("--check", action="store_true", help="whether the committed page is what the committed JSON files give")
    asking.add_argument(
        "--render", action="store_true", help="write the page again from the committed JSON files; runs nothing"
    )
    asking.add_argument("--claims", type=Path, metavar="FOLDER",
                        help="write a claim of each row whose run is finished, ROW.zip; runs nothing")  # fmt: skip
    return parser


def _answer(asked: argparse.Namespace, places: Places) -> int:
    table, extra = load_table(places.tables, asked.table), _extra(asked)
    if asked.list:
        committed = {row.name: record_path(places.results, table.name, row).exists() for row in table.rows}
        sys.stdout.write(list_page(table, committed))
        return 0
    if asked.check:
        found = complaints(table, places.results)
        _say(*(f"error: {line}" for line in found))
        stale = asked.rerun and _rerun(table, asked, places)
        return int(bool(found) or stale)
    if asked.render:
        _render(table, places)
        return 0
    rows = table.select(asked.only)
    rows = rows if asked.epochs is None else tuple(row.shortened(asked.epochs) for row in rows)
    for row in rows:
        row.request(extra)  # what is wrong shows before the first row runs
    if asked.claims is not None:
        given = assign(asked.given, rows, extra)
        root = next((str(one.value) for one in extra if one.key == "data.root"), None)
        return int(write_claims(rows, places.runs / table.name, given, asked.claims, root, _say))
    lines, finished, interrupted = _run(table, rows, extra, assign(asked.given, rows, extra), places)
    differ = _record(table, finished, extra, places, write=asked.write)
    sys.stdout.write(page(lines, asked.tolerance_std) if lines else "")
    if interrupted:
        return Interrupted.exit_code
    return int(differ or any(line.agreement(asked.tolerance_std) in (DISAGREES, _FAILED) for line in lines))


def _rerun(table: Table, asked: argparse.Namespace, places: Places) -> bool:
    """Run one seed of each row again; whether a row that claims to be fresh is stale."""
    found = False
    compared = False
    minutes = 10.0 if asked.minutes is None else asked.minutes
    for candidate, rerun in run_again(candidates(table, table.select(asked.only), places.results), minutes, _say):
        row, path = candidate.row, record_path(places.results, table.name, candidate.row)
        if not rerun.same and not candidate.record.stale:
            found = True
            advice = f"run the row again: python -m benchmarks.reproduce {table.name} --only {row.label} --write"
            seed = f"seed {rerun.seed}: {first_difference(rerun.metrics, candidate.recorded)}"
            _say(f"error: {row.label} is stale, {seed}; {advice}" + ("" if asked.write else ", or mark it by --write"))
        if asked.write:
            write_rerun(path, rerun)
            compared = True
    if compared:
        _render(table, places)
    return found


def _extra(asked: argparse.Namespace) -> list[Assignment]:
    """The settings of `--set` and `--seeds`; refuses flags that do not go together."""
    command = split(asked.settings)
    mistakes = [*command.mistakes, *(f"{flag}: --set takes key=value" for flag in sorted(command.flags))]
    mistakes += [f"--set {given.key}=: it is the table's to say" for given in command.assignments if given.key in _OURS]
    if asked.epochs is not None and asked.epochs < 1:
        mistakes.append(f"--epochs {asked.epochs}: expected an integer of at least 1")
    if asked.epochs is not None and any(given.key == "train.epochs" for given in command.assignments):
        mistakes.append("--set train.epochs=: --epochs says it already")
    if (asked.rerun and not asked.check) or (asked.minutes is not None and not asked.rerun):
        mistakes.append("--rerun goes with --check, and --minutes with both")
    if asked.minutes is not None and asked.minutes <= 0:
        mistakes.append(f"--minutes {asked.minutes:g}: expected a number above 0")
    if asked.tolerance_std < 0:
        mistakes.append(f"--tolerance-std {asked.tolerance_std:g}: expected a number of at least 0")
    if mistakes:
        raise RequestError("\n".join(mistakes))
    return [*command.assignments, *([Assignment("seeds", asked.seeds)] if asked.seeds is not None else [])]


def _run(
    table: Table, rows: Sequence[Row], extra: Sequence[Assignment], given: dict[str, Path], places: Places
) -> tuple[list[Line], list[tuple[Row, Path]], bool]:
    """Bring rows to their end: what is shown of them, the finished ones with their folders, and whether it was interrupted.

    They are recorded when all have ended: a record written between two runs would let the second one find its checkout changed.
    """
    lines: list[Line] = []
    finished: list[tuple[Row, Path]] = []
    interrupted = False
    for number, row in enumerate(rows):
        began = time.monotonic()
        _say(f"[{number + 1}/{len(rows)}] {row.label}{_left(table, rows[number:], places)}")
        try:
            path = record_path(places.results, table.name, row)
            stale = path if (record := read_record(path)) and record.stale else None
            folder = finish(row, extra, places.runs / table.name / row.name, given.get(row.name), stale)
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
    return lines, finished, interrupted


def _compared(row: Row, folder: Path) -> RunResult | None:
    """A finished run's result, its metrics of the epoch that the row's figure is of."""
    result = read_result(folder)
    return curve_of_run(folder, row).at_last_epoch(result) if result and row.last_epoch else result


def _record(
    table: Table, finished: list[tuple[Row, Path]], extra: Sequence[Assignment], places: Places, *, write: bool
) -> bool:
    """Record the rows that ran with their own settings, and render the page; without `write` tell what would change.

    Returns:
        Whether a row's figures are not the recorded ones and were not written.
    """
    recorded = differ = False
    for row, folder in finished:
        if config_digest(row.config_with(extra)) != config_digest(row.config):
            _say(f"{row.label}: a trial, its result is not recorded")
            continue
        path = record_path(places.results, table.name, row)
        before = read_record(path)
        if row.full_epochs is not None and before and before.epochs > row.epochs:
            _say(f"{row.label}: not recorded, since a run of {before.epochs:,} epochs is")
            continue
        if not write:
            differ |= _would_change(row, before, folder)
            continue
        content = new_record(path, row, folder)
        if content is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, content)
        if row.curve:
            write_atomic(curve_path(places.results, table.name, row), curve_of_run(folder, row).text.encode())
        record = read_record(path)
        _say(*(f"warning: {row.label}: {warning}" for warning in (record.warnings if record else ())))
        recorded = True
    if recorded:
        _render(table, places)
    return differ


def _would_change(row: Row, before: Record | None, folder: Path) -> bool:
    """Tell what `--write` would record of a finished run; whether that is other figures than are recorded."""
    result = read_result(folder)
    if before is None or result is None:
        _say(f"{row.label}: no result is recorded yet; --write records this one")
        return False
    if before.result.seeds != result.seeds or before.epochs != row.epochs:
        _say(f"error: {row.label}: a run of other seeds or epochs is recorded; --write records this one instead")
        return True
    others = [seed for seed in result.seeds if result.of_seed(seed) != before.result.of_seed(seed)]
    if not others:
        return False
    first = first_difference(result.of_seed(others[0]), before.result.of_seed(others[0]))
    _say(
        f"error: {row.label}: {len(others)} of {len(result.seeds)} seeds differ from what is recorded, seed {others[0]}: "
        f"{first}; --write records this run instead"
    )
    return True


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
