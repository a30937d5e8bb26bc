"""What a search for leaks found: a sentence per leak, with counts and examples by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from graphkit.errors import shown

_EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """A leak.

    Attributes:
        kind: What was looked for, in few words.
        sentence: What was found, with counts; examples are added when it is told.
        count: How many pairs, nodes or users it concerns.
        examples: Some of them, by name.
    """

    kind: str
    sentence: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = ", ..." if self.count > len(self.examples) else ""
        return f"{self.sentence}: {', '.join(self.examples)}{more}" if self.examples else self.sentence


@dataclass(frozen=True)
class LeakReport:
    """The result of a search for leaks.

    Attributes:
        looked_for: Kinds of leaks that were looked for.
        findings: Those that were found.
        notes: Sentences on what is no leak, but has to be known.
        skipped: Kinds that could not be looked for, each with the reason.
    """

    looked_for: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether no leak was found."""
        return not self.findings

    def to_text(self) -> str:
        """The report, a line per finding; the last line says how many there are."""
        lines = [f"looked for: {'; '.join(self.looked_for)}"] if self.looked_for else []
        lines += [f"not looked for: {kind} ({reason})" for kind, reason in self.skipped.items()]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"leak: {one.kind}. {one}" for one in self.findings]
        count = len(self.findings)
        lines.append("no leak found" if self.clean else f"{count} leak{'s' if count > 1 else ''} found")
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """The report in plain values."""
        findings = [
            {"kind": one.kind, "sentence": one.sentence, "count": one.count, "examples": list(one.examples)}
            for one in self.findings
        ]
        return {
            "clean": self.clean,
            "looked_for": list(self.looked_for),
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
            "findings": findings,
        }


def joined(reports: Iterable[LeakReport]) -> LeakReport:
    """Several reports as one; what they share is told once."""
    reports = list(reports)
    return LeakReport(
        tuple(dict.fromkeys(kind for one in reports for kind in one.looked_for)),
        tuple(dict.fromkeys(finding for one in reports for finding in one.findings)),
        tuple(dict.fromkeys(note for one in reports for note in one.notes)),
        {kind: reason for one in reports for kind, reason in one.skipped.items()},
    )


def named(names: Sequence[str]) -> Callable[[int], str]:
    """How a thing is called by its number: by its name where there are names."""
    return lambda number: shown(str(names[number])) if names else str(number)


def some(found: Tensor, name: Callable[[int], str]) -> tuple[str, ...]:
    """The first of some numbers [K] by name, or of pairs of numbers [2, K]."""
    if found.dim() == 1:
        return tuple(map(name, found[:_EXAMPLES].tolist()))
    return tuple(f"{name(u)} - {name(v)}" for u, v in found[:, :_EXAMPLES].t().tolist())
