"""Accuracy against the share of edges that TEDDY keeps: `python -m benchmarks.sparsification`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.graph_changes import accuracy, cell, command, parser
from graphkit.conf.transforms import NONE

VARIANTS: dict[str, dict[str, Any]] = {
    "edges": {"weights": 1.0, "distill": 0.0},
    "edges, weights, teacher": {"weights": 0.5, "distill": 1.0, "dense_epochs": 100},
}
"""What is sparsified beside the edges."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; its exit status."""
    about = "Train a model on graphs of which TEDDY keeps a share of the edges, alone and with half of the weights."
    return command(parser("sparsification", about, (0.8, 0.6, 0.4, 0.2), "the edges that stay"), argv, measured, page)


def measured(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """A row per share and variant, after one of the whole graph."""
    rows: list[dict[str, Any]] = [{"edges": 1.0, "variant": "whole graph", **accuracy(asked, {"name": NONE})}]
    for share in asked.shares:
        for variant, settings in VARIANTS.items():
            found = accuracy(asked, {"name": "teddy", "edges": share, **settings})
            rows.append({"edges": share, "variant": variant, **found})
    return rows


def page(record: dict[str, Any]) -> str:
    """The page of a record."""
    lines = [
        f"# TEDDY: accuracy against edges kept, {record['model']} on {record['dataset']}",
        "",
        "Written by `python -m benchmarks.sparsification`; not edited by hand.",
        "",
        f"{record['seeds']} seeds, at most {record['epochs']} epochs, the epoch that validation selects; mean ± deviation, in",
        "percent.",
        "",
        "| edges kept | what is sparse | validation | test |",
        "|---:|---|---:|---:|",
    ]
    lines += [
        f"| {row['edges']:.0%} | {row['variant']} | {cell(row, 'valid')} | {cell(row, 'test')} |" for row in record["rows"]
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
