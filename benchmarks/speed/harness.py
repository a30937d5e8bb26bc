"""Ours against a peer: first that they compute the same, then how long they take, in turn and in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.speed.machine import Machine, Memory, with_memory

Results = dict[str, Tensor]
_SLOW = 10.0  # seconds of a call that is neither repeated for its memory nor for a warm-up
_MOST_ROUNDS = 25


@dataclass(frozen=True)
class Options:
    """What the command line says to a family of cases.

    Attributes:
        data: Folder of real data, or None for synthetic graphs of the same size.
        quick: Tiny graphs: does everything work?
        note: Tells the user something, on stderr.
        largest: Most interactions that cases of growing size go up to.
    """

    data: Path | None
    quick: bool
    note: Callable[[str], None]
    largest: int = 10**7


@dataclass(frozen=True, eq=False)
class Side:
    """One way to compute something.

    Attributes:
        name: How the table calls it.
        call: What is timed, and whose memory is measured; None for a side that only says what is right, by `results`.
        results: Gives what must be equal, forward and gradients by name; None where `call` itself returns that.
        seconds: Measures a part and gives the seconds that the whole would take, where `call` is not the whole; the case's
            label says so.
    """

    name: str
    call: Callable[[], Any] | None
    results: Callable[[], Results] | None = None
    seconds: Callable[[], float] | None = None


@dataclass(frozen=True)
class Work:
    """What cannot be avoided, for the roofline: bytes at the copy rate or flops at the GEMM rate, whichever takes longer.

    Attributes:
        why: The count in words.
        bytes: Bytes that must be read or written.
        flops: Floating point operations.
        bf16: Whether the operations may be in bfloat16.
    """

    why: str
    bytes: float = 0.0
    flops: float = 0.0
    bf16: bool = False

    def ms(self, machine: Machine) -> float:
        """The least time on this machine."""
        seconds = self.bytes / machine.copy_rate
        if self.flops:
            seconds = max(seconds, self.flops / (machine.bf16_gemm_rate if self.bf16 else machine.gemm_rate))
        return 1e3 * seconds


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        label: What is computed, on what.
        ours: Our side.
        peer: The side it is compared with.
        work: What the roofline counts.
        tolerance: Largest allowed difference, relative to the largest magnitude of the peer's tensor.
        checked: What was compared, where the label leaves that open.
    """

    label: str
    ours: Side
    peer: Side
    work: Work
    tolerance: float = 1e-5
    checked: str = ""


@dataclass(frozen=True)
class Contest:
    """Cases whose sides are measured together; a side that several of them name is measured once.

    Attributes:
        cases: The cases.
        seconds: How long to go on timing, beyond the least number of repeats.
        remark: A sentence on the median milliseconds of each side.
    """

    cases: list[Case]
    seconds: float = 10.0
    remark: Callable[[dict[Side, float]], str] | None = None


@dataclass(frozen=True)
class Row:
    """What was measured of a case; no times where the results differ. Memory in MiB, None where it cannot be measured."""

    name: str
    case: str
    ours_ms: float | None
    peer: str
    peer_ms: float | None
    ratio: float | None
    equal: bool
    peak_mb: float | None
    ours: str
    difference: float
    tolerance: float
    repeats: int
    added_mb: float | None
    peer_peak_mb: float | None
    peer_added_mb: float | None
    ours_range_ms: tuple[float, float] | None
    peer_range_ms: tuple[float, float] | None
    roofline_ms: float
    roofline: str
    checked: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass
class _Measured:
    results: Results
    memory: Memory | None = None
    slow: bool = False
    times: list[float] = field(default_factory=list)

    @property
    def ms(self) -> float | None:
        return 1e3 * median(self.times) if self.times else None

    @property
    def range_ms(self) -> tuple[float, float] | None:
        return (1e3 * min(self.times), 1e3 * max(self.times)) if self.times else None


def measure(name: str, contest: Contest, machine: Machine) -> tuple[list[Row], str]:
    """Check and time a contest.

    All sides first compute their results, and these are compared. Then the sides whose results agree are timed in turn, round
    by round, so that a change of the machine's mood meets all of them, and each call after another of its own side.

    Returns:
        A row for each case, and the contest's remark (empty without one, or where results differ).
    """
    sides = list(dict.fromkeys(side for case in contest.cases for side in (case.ours, case.peer)))
    measured = {side: _first(side) for side in sides}
    differences = [largest_difference(measured[case.ours].results, measured[case.peer].results) for case in contest.cases]
    equal = [difference <= case.tolerance for case, difference in zip(contest.cases, differences, strict=True)]
    for one in measured.values():
        one.results = {}
    agreeing = {side for case, same in zip(contest.cases, equal, strict=True) if same for side in (case.ours, case.peer)}
    _time([(side, measured[side]) for side in sides if side in agreeing], contest.seconds)
    rows = [
        _row(name, case, measured[case.ours], measured[case.peer], difference, same, machine)
        for case, difference, same in zip(contest.cases, differences, equal, strict=True)
    ]
    if contest.remark is None or not all(equal):
        return rows, ""
    return rows, contest.remark({side: one.ms for side, one in measured.items() if one.ms is not None})


def largest_difference(ours: Results, peer: Results) -> float:
    """Over all tensors, the largest difference relative to the peer's largest magnitude; infinite for a NaN.

    Raises:
        ValueError: The two have other names or shapes: the case is wrong, not the result.
    """
    if {key: value.shape for key, value in ours.items()} != {key: value.shape for key, value in peer.items()}:
        raise ValueError(f"the sides return other things: {list(ours)} and {list(peer)}")
    worst = 0.0
    for key, expected in peer.items():
        if expected.numel() == 0:
            continue
        wanted = expected.double()
        scale = wanted.abs().max().clamp(min=torch.finfo(torch.float64).tiny)
        difference = float((ours[key].double() - wanted).abs().max() / scale)
        worst = max(worst, difference if difference == difference else float("inf"))
    return worst


def _first(side: Side) -> _Measured:
    if side.results is not None:
        return _Measured(side.results())
    assert side.call is not None, f"{side.name} neither computes nor says what is right"
    began = time.perf_counter()
    results, memory = with_memory(side.call)
    return _Measured(results, memory, time.perf_counter() - began > _SLOW)


def _time(sides: Iterable[tuple[Side, _Measured]], budget: float) -> None:
    """Memory of each side, then rounds of all of them, each after a call that is not timed, unless that takes long."""
    timed = [(side, side.call, one) for side, one in sides if side.call is not None]
    if not timed:
        return
    for _, call, one in timed:
        if one.memory is None or not one.slow:  # a first call also compiles; only a long one is dear enough to count
            began = time.perf_counter()
            _, one.memory = with_memory(call)
            one.slow = time.perf_counter() - began > _SLOW
    began = time.perf_counter()
    for rounds in range(1, _MOST_ROUNDS + 1):
        for side, call, one in timed:
            if side.seconds is not None:
                one.times.append(side.seconds())
                continue
            if not one.slow:
                call()  # the side before has emptied the caches, and in training a step follows one of its own kind
            one.times.append(seconds_of(call))
        spent = time.perf_counter() - began
        if rounds >= _least_rounds(spent / rounds) and spent * (rounds + 1) / rounds > budget:
            return


def seconds_of(call: Callable[[], Any]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _least_rounds(seconds: float) -> int:
    """Repeats that a round of this length gets in any case."""
    return 5 if seconds <= 4 else 3 if seconds <= 25 else 1


def _row(name: str, case: Case, ours: _Measured, peer: _Measured, difference: float, equal: bool, machine: Machine) -> Row:
    ours_ms, peer_ms = (ours.ms, peer.ms) if equal else (None, None)
    return Row(
        name=name,
        case=case.label,
        ours_ms=ours_ms,
        peer=case.peer.name,
        peer_ms=peer_ms,
        ratio=None if ours_ms is None or peer_ms is None else peer_ms / ours_ms,
        equal=equal,
        peak_mb=ours.memory.peak if ours.memory else None,
        ours=case.ours.name,
        difference=difference,
        tolerance=case.tolerance,
        repeats=len(ours.times) if equal else 0,
        added_mb=ours.memory.added if ours.memory else None,
        peer_peak_mb=peer.memory.peak if peer.memory else None,
        peer_added_mb=peer.memory.added if peer.memory else None,
        ours_range_ms=ours.range_ms if equal else None,
        peer_range_ms=peer.range_ms if equal else None,
        roofline_ms=case.work.ms(machine),
        roofline=case.work.why,
        checked=case.checked,
    )
