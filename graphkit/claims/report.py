"""What came of a verification, as plain values and as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table

from graphkit.claims.again import Again
from graphkit.claims.content import Claim
from graphkit.claims.scores import Score
from graphkit.conf.listing import render
from graphkit.errors import shown
from graphkit.metrics.registry import decimals

_LONGEST = 2_000


@dataclass(frozen=True)
class Verification:
    """What came of a verification.

    Attributes:
        claim: The claim.
        findings: A sentence for everything that does not hold; empty where all does.
        notes: Sentences on what could not be compared.
        scores: Every figure: claimed, and from the predictions.
        again: The seeds that were trained again.
    """

    claim: Claim
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    scores: tuple[Score, ...]
    again: tuple[Again, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        result = self.claim.result
        again = [{"seed": one.seed, "exact": one.exact, "scores": _rows(one.scores)} for one in self.again]
        return {
            "claim": self.claim.archive.digest,
            "task": result.task,
            "dataset": result.dataset,
            "model": result.model,
            "holds": self.holds,
            "findings": list(self.findings),
            "notes": list(self.notes),
            "scores": _rows(self.scores),
            "again": again,
        }

    def to_json(self) -> str:
        """As indented JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_text(self) -> str:
        """The page for a terminal."""
        result = self.claim.result
        parts: list[RenderableType] = [
            f"{shown(result.model)} on {shown(result.dataset)} (task={shown(result.task)})",
            f"claim {self.claim.archive.digest}",
            _table(self.scores, "re-scored"),
        ]
        for one in self.again:
            how = "bit for bit" if one.exact else "within the spread of the seeds"
            parts += [f"seed {one.seed} trained again, compared {how}", _table(one.scores, "trained again")]
        parts += [f"note: {shown(note, _LONGEST)}" for note in self.notes]
        parts += [f"does not hold: {shown(finding, _LONGEST)}" for finding in self.findings]
        return render(*parts, *(["the claim holds"] if self.holds else []))


def _rows(scores: Sequence[Score]) -> list[dict[str, Any]]:
    return [{**asdict(score), "difference": score.difference, "holds": score.holds} for score in scores]


def _table(scores: Sequence[Score], title: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("split", "metric", "seed"):
        table.add_column(name)
    for name in ("claimed", title, "difference"):
        table.add_column(name, justify="right")
    for score in scores:
        digits = decimals(score.metric) + 2
        values = (score.claimed, score.scored, score.difference)
        cells = ["-" if value is None else f"{value + 0.0:.{digits}f}" for value in values]
        table.add_row(shown(score.split), shown(score.metric), str(score.of), *cells)
    return table
