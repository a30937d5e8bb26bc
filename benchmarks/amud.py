"""Directed or undirected? `python -m benchmarks.amud` asks our reconstruction of AMUD about every directed data set."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import graphkit
from graphkit.data.catalog import DATASETS
from graphkit.errors import DataError
from graphkit.training.files import write_atomic

if TYPE_CHECKING:
    from graphkit.data.measures.amud import Amud

PAGE = Path(__file__).parent / "results" / "node" / "amud.md"
_PATTERNS = ("AA", "AA^T", "A^TA")  # R^2 of A^TA^T is that of AA
_GAIN = "Dir-GNN: on its heterophilic data sets, among them this one unfiltered, direction gains: GCN 54 to 71 in their mean"
_LOSS = "Dir-GNN: on its homophilic data sets, citations among them, direction costs about 1 point"
_PRINTED = {
    "cora-ml-directed": _LOSS,
    "citeseer-directed": _LOSS,
    "chameleon-directed": _GAIN,
    "chameleon-filtered-directed": _GAIN,
    "squirrel-directed": _GAIN,
    "squirrel-filtered-directed": _GAIN,
}
_HEAD = """\
# AMUD: keep the direction of edges?

Written by `python -m benchmarks.amud`; not edited by hand.

The statistic is **our reconstruction** (`graphkit.data.measures.amud.amud`): the paper's formula (Sun et al., ICDE 2024,
arXiv:2312.04111) was not at hand and its repository has no code of it. Its values are not the paper's.
S = 1 - min R² / max R² over the patterns; above 0.5 the decision is `directed`. R² is the squared correlation, over pairs of
nodes, between "joined by the pattern" and "of the same class"; that of A^TA^T equals that of AA. With all labels, and with
those of training nodes alone, which is what may decide before a model is tested.

What the paper implies: neither its abstract nor its repository tells the decision of any data set by name; the repository
loads its directed data sets in both forms and decides nothing. The nearest evidence in print is that of Dir-GNN (Rossi et al.,
LoG 2023, arXiv:2305.10498, figure of its repository): whether a model gained from direction, not what AMUD says."""


@dataclass(frozen=True)
class Finding:
    """The decisions on a data set.

    Attributes:
        name: The data set.
        whole: With the labels of all nodes.
        of_splits: With the labels of the training nodes of each split.
    """

    name: str
    whole: Amud
    of_splits: tuple[Amud, ...]

    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        scores = [one.score for one in self.of_splits]
        kept = sum(one.decision == "directed" for one in self.of_splits)
        return (
            self.name,
            *(f"{self.whole.r_squared[pattern]:.1e}" for pattern in _PATTERNS),
            f"{self.whole.score:.2f}",
            self.whole.decision,
            f"{statistics.fmean(scores):.2f} ({min(scores):.2f} to {max(scores):.2f})",
            f"directed in {kept} of {len(scores)}",
            _PRINTED.get(self.name, "nothing"),
        )


def find(name: str, splits: int, root: Path | None = None) -> Finding:
    """The decisions on a data set.

    Args:
        name: A directed data set for node classification.
        splits: How many splits, those of the seeds from 0 on.
        root: Data folder; default: as `graphkit.data.load`.

    Raises:
        DataError: If the data is not available.
    """
    from graphkit.data import load
    from graphkit.data.measures.amud import amud

    of_splits = []
    for seed in range(splits):
        dataset = load(name, task="node", seed=seed, root=root)
        edge_index, y = dataset.graph.edge_index, dataset.graph.y
        of_splits.append(amud(edge_index, y, nodes=dataset.splits["train"]))
    return Finding(name, amud(edge_index, y), tuple(of_splits))


def page(findings: Sequence[Finding], missing: Iterable[str], commit: str) -> str:
    """The Markdown page."""
    titles = ("data set", *(f"R² {pattern}" for pattern in _PATTERNS), "S", "decision", "S of training labels, mean (range)",
              "decisions of splits", "in print about direction")  # fmt: skip
    lines = [titles, tuple("---" for _ in titles), *(finding.cells() for finding in findings)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    undirected = [name for name, entry in DATASETS.items() if "node" in entry.protocols and not entry.directed]
    return "\n\n".join(
        [
            _HEAD,
            table,
            _tells(findings),
            f"On the {len(undirected)} undirected node data sets S is 0 by construction, so `undirected`, whatever the labels.",
            *(f"{name}: could not be loaded." for name in missing),
            f"Commit {commit}.\n",
        ]
    )


def _tells(findings: Sequence[Finding]) -> str:
    """Whether the decisions differ at all."""
    decisions = {one.decision for finding in findings for one in (finding.whole, *finding.of_splits)}
    if len(decisions) > 1:
        return (
            "The decisions differ between data sets or splits; whether they agree with what is in print, the lines above show."
        )
    small = max((max(finding.whole.r_squared.values()) for finding in findings), default=0.0)
    return (
        f"**The reconstruction does not discriminate here**: it answers `{' '.join(decisions)}` on every one of these graphs, "
        "homophilic and heterophilic, and so contradicts the evidence in print on one kind of them. S compares patterns with "
        f"each other, not with chance, and no R² exceeds {small:.2g}. Train both models before you decide, as "
        "`examples/keep_direction.py` does."
    )


def main(argv: Sequence[str] | None = None, out: Path = PAGE, root: Path | None = None) -> int:
    """Run the command line; exit status 0, or 2 if no directed data set is available."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.amud", description=__doc__, allow_abbrev=False)
    parser.add_argument("--splits", type=int, default=10, metavar="N", help="splits a data set (default 10)")
    asked = parser.parse_args(argv)
    if asked.splits < 1:
        parser.error("--splits: expected at least 1")
    from graphkit.training.environment import git_state

    findings, missing = [], []
    for name in (name for name, entry in DATASETS.items() if "node" in entry.protocols and entry.directed):
        try:
            findings.append(find(name, asked.splits, root))
            print(f"{name}: S {findings[-1].whole.score:.2f}, {findings[-1].whole.decision}", file=sys.stderr, flush=True)
        except DataError as error:
            missing.append(name)
            print(f"{name}: left out: {error}", file=sys.stderr, flush=True)
    if not findings:
        print("error: no directed data set is available: set GRAPHKIT_DATA to the folder that holds them", file=sys.stderr)
        return DataError.exit_code
    git = git_state(Path(graphkit.__file__).resolve().parent)
    text = page(
        findings, missing, git["commit"][:10] + (" with uncommitted changes" if git["dirty"] else "") if git else "unknown"
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, text.encode())
    print(text)
    print(f"written: {out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
