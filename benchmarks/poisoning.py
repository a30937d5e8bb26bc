"""Accuracy against the share of poisoned edges, with and without STABLE: `python -m benchmarks.poisoning`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from benchmarks.graph_changes import accuracy, cell, command, parser
from graphkit.conf.transforms import NONE
from graphkit.data.dataset import Dataset, NodeData
from graphkit.data.generated.attacks import KINDS, poison


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; its exit status."""
    about = (
        "Poison a graph by flipped pairs of nodes, as a share of its edges, and train a model on it as it is, and after STABLE "
        "has repaired it. A targeted attack reads all labels, STABLE none."
    )
    options = parser("poisoning", about, (0.0, 0.25, 0.5), "flipped pairs by edges")
    options.add_argument("--kinds", nargs="+", default=["targeted"], choices=KINDS, help="attacks (default: targeted)")
    return command(options, argv, measured, page)


def attacked(data: Dataset, seed: int, *, share: float, kind: str) -> Dataset:
    """The data of a seed with a poisoned graph, drawn by the seed."""
    assert isinstance(data, NodeData)
    return replace(data, graph=poison(data.graph, share, kind, torch.Generator().manual_seed(seed)))


def measured(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """A row per attack and share."""
    rows = []
    for kind in asked.kinds:
        for share in asked.shares:
            attack = partial(attacked, share=share, kind=kind)
            of = {name: accuracy(asked, {"name": name}, attack) for name in (NONE, "stable")}
            rows.append({"attack": kind, "share": share, "plain": of[NONE], "stable": of["stable"]})
    return rows


def page(record: dict[str, Any]) -> str:
    """The page of a record."""
    lines = [
        f"# STABLE: accuracy against poisoned edges, {record['model']} on {record['dataset']}",
        "",
        "Written by `python -m benchmarks.poisoning`; not edited by hand.",
        "",
        f"{record['seeds']} seeds, at most {record['epochs']} epochs, the epoch that validation selects; mean ± deviation, in",
        "percent. A share is of flipped pairs by the edges of the clean graph.",
        "",
        "| attack | share | validation, as it is | test | validation, after STABLE | test |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in record["rows"]:
        cells = [cell(row[of], split) for of in ("plain", "stable") for split in ("valid", "test")]
        lines.append(f"| {row['attack']} | {row['share']:.0%} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
