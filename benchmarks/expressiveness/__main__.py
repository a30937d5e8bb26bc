"""The command line: `python -m benchmarks.expressiveness brec --tests sswl fwl --write`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.expressiveness.expected import BREC, CATEGORIES
from benchmarks.expressiveness.page import page
from graphkit.conf.expressiveness import MODELS, TESTS, Expressiveness
from graphkit.errors import GraphkitError, RequestError
from graphkit.separation.answer import separation_table
from graphkit.training.environment import environment
from graphkit.training.files import write_atomic

_RESULTS = Path(__file__).parents[1] / "results" / "expressiveness"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 all counts are as expected, 1 some are not, 2 the request is wrong.
    """
    asked = _parser().parse_args(argv)
    try:
        return _answer(asked)
    except GraphkitError as error:
        _say(*(f"error: {line}" for line in str(error).splitlines()))
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.expressiveness",
        description="Count the pairs that classes of color refinement, and networks with random weights, separate. Exit 1 if "
        "a class differs from what is known, or a network from its ceiling. Columns that are written are not counted again.",
        allow_abbrev=False,
    )
    parser.add_argument("pairs", choices=("generated", "brec"))
    parser.add_argument("--tests", nargs="*", default=[], choices=TESTS, metavar="TEST", help=f"of {', '.join(TESTS)}")
    parser.add_argument("--models", nargs="*", default=[], choices=MODELS, metavar="MODEL", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--policy", help="bags of the networks (default: each network's own)")
    parser.add_argument("--width", type=int, default=16, metavar="C", help="of the networks (default %(default)s)")
    parser.add_argument("--layers", type=int, default=8, metavar="L", help="of the networks (default %(default)s)")
    parser.add_argument("--draws", type=int, default=1, metavar="N", help="of weights (default %(default)s)")
    parser.add_argument("--again", action="store_true", help="count columns again that are written")
    parser.add_argument("--write", action="store_true", help=f"write the results and the page, to {_RESULTS.name}/")
    parser.add_argument("--out", default=_RESULTS, type=Path, metavar="FOLDER", help="another folder")
    return parser


def _answer(asked: argparse.Namespace) -> int:
    path = asked.out / f"{asked.pairs}.json"
    columns: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not asked.tests and not asked.models:
        raise RequestError("nothing to count: give --tests or --models")
    # Before anything is written: a file that changed would make the checkout of the next column a changed one.
    found = environment(torch.device("cpu"), "64-true")
    wrong = []
    for kind, name in [("test", name) for name in asked.tests] + [("model", name) for name in asked.models]:
        key = f"{kind} {name}" + (f" {asked.policy}" if asked.policy and kind == "model" else "")
        if key not in columns or asked.again:
            columns[key] = _count(asked, kind, name) | {"environment": found}
            if asked.write:
                asked.out.mkdir(parents=True, exist_ok=True)
                write_atomic(path, (json.dumps(columns, indent=1) + "\n").encode())
                write_atomic(asked.out / "README.md", page(asked.out).encode())
        wrong += judge(asked.pairs, key, columns[key])
    _say(*wrong)
    return 1 if wrong else 0


def _count(asked: argparse.Namespace, kind: str, name: str) -> dict[str, Any]:
    """One column of the separation table, and how it came about."""
    begun = time.perf_counter()
    policy = {"policy": asked.policy} if asked.policy else {}
    how: dict[str, Any] = {"width": asked.width, "layers": asked.layers, "draws": asked.draws, "copies": 1, **policy}
    request = Expressiveness(**{kind: name}, pairs=asked.pairs, **(how if kind == "model" else {}))
    table = json.loads(separation_table(request).json())
    (column,) = table["columns"]
    label = column[kind]
    pairs = {row["pair"]: row["verdicts"][label]["separated"] for row in table["table"]}
    column["not separated"] = [pair for pair, separated in pairs.items() if not separated]
    seconds = round(time.perf_counter() - begun, 1)
    return column | {"seconds": seconds}


def judge(pairs: str, key: str, column: dict[str, Any]) -> list[str]:
    """What differs from what is known, a line each."""
    if column["ceiling"] is not None:
        known, against = column["ceiling"], "its ceiling"
    elif pairs == "brec" and key.removeprefix("test ") in BREC:
        counts = dict(zip(CATEGORIES, BREC[key.removeprefix("test ")], strict=True))
        known, against = {"all": sum(counts.values()), **counts}, "the known count"
    else:
        return []
    return [
        f"{key}, {category}: {column['separated'][category]} separated, {against} is {count}"
        for category, count in known.items()
        if column["separated"][category] != count
    ]


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
