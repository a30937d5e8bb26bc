"""Run fuzz cases, tell which failed and how to run each again, exit 1 if any did.

`python -m tests.fuzz --overrides 2000 --tables 1500 --folders 600 --seed 0`
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from tests.fuzz.harness import run_cases

KINDS = ("overrides", "tables", "folders")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N", help=f"cases of {kind}")
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop a kind after this time")
    asked = parser.parse_args()
    failed = 0
    for kind in KINDS:
        count = getattr(asked, kind)
        if not count:
            continue
        began = time.monotonic()
        until = began + 60 * asked.minutes
        module = importlib.import_module(f"tests.fuzz.{kind}")
        report = run_cases(
            kind, module.case, range(asked.seed, asked.seed + count), lambda until=until: time.monotonic() > until
        )
        outcomes = ", ".join(f"{number:,} {name}" for name, number in sorted(report.outcomes.items()))
        print(
            f"{kind}: {outcomes or 'nothing passed'}; {len(report.failures)} failed; {time.monotonic() - began:.0f} s",
            flush=True,
        )
        for number, what in report.failures:
            print(f"  {what}\n    again: python -m tests.fuzz --{kind} 1 --seed {number}")
        failed += len(report.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
