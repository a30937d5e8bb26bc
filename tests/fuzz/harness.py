"""A fuzz case is made from its number alone, runs under an alarm, and is judged; a failure is told with its number."""

from __future__ import annotations

import contextlib
import io
import random
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType

from graphkit.errors import GraphkitError

SECONDS = 20.0
"""Longest time of a case: what should take milliseconds and takes this long hangs, also on a busy machine."""

Case = Callable[[random.Random], str]
"""Makes and judges a case; returns its outcome in a word, raises `Wrong` or anything else where it fails."""


class Wrong(AssertionError):
    """What the oracle found."""


class Hang(BaseException):
    """The alarm rang; no `except Exception` may swallow it."""


@dataclass
class Report:
    """Outcomes by name, and the failures: the number of the case and what was wrong."""

    kind: str
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)


def run_cases(kind: str, case: Case, numbers: Sequence[int], enough: Callable[[], bool] = lambda: False) -> Report:
    """Run the cases of these numbers until there are `enough`."""
    report = Report(kind)
    for number in numbers:
        if enough():
            break
        try:
            with alarm(SECONDS):
                report.outcomes[case(random.Random(f"{kind} {number}"))] += 1
        except Wrong as wrong:
            report.failures.append((number, str(wrong)))
        except Hang:
            report.failures.append((number, f"no answer within {SECONDS:g} s"))
        except Exception as error:
            report.failures.append((number, f"{error!r:.300} {place_of(error)}"))
    return report


def place_of(error: BaseException) -> str:
    """Where it was raised, and the last line of the library on the way."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/graphkit/" in frame.filename]
    return " ".join(f"at {frame.filename}:{frame.lineno}" for frame in [*ours[-1:], *frames[-1:]])


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[None]:
    def ring(signum: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def untimed() -> Iterator[None]:
    """The alarm waits: for imports, which take long on a busy machine."""
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Wrong(what)


def check_message(text: str, longest: int = 4000) -> None:
    """A message is not empty, can be printed as it is, and is short enough to be read: `longest` for each line."""
    require(bool(text.strip()), "an empty message")
    for line in text.split("\n"):
        require(bool(line.strip()), f"an empty line in {text[:300]!r}")
        require(line.isprintable(), f"unprintable characters in {line[:300]!r}")
        require(len(line) <= longest, f"a line of {len(line)} characters: {line[:300]}...")


def refused(error: GraphkitError) -> str:
    require(error.exit_code == 2, f"exit status {error.exit_code}: {error}")
    check_message(str(error))
    return "refused"


def through_door(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> tuple[int, str, str]:
    """Status, stdout and stderr of a command line, run in this process; its error lines are judged."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv)
    if status:
        lines = [line for line in err.getvalue().split("\n") if line and not line.startswith("note: ")]
        require(bool(lines), f"status {status} without a message")
        for line in lines:
            require(line.startswith("error: "), f"a line without error: {line[:300]!r}")
            check_message(line.removeprefix("error: "))
        require(out.getvalue() == "", f"status {status} with something on stdout: {out.getvalue()[:300]!r}")
    return status, out.getvalue(), err.getvalue()


NASTY = (
    "", " ", "\t", "null", "NULL", "~", "true", "nan", "inf", "-inf", "1e400", "-0", "0x10", "1_000", "1__0", "1e3",
    "1.", ".5", "+5",
    "9" * 19, "9" * 20, "9" * 400, "9" * 4300, "9" * 4301, "-" + "9" * 20_000, "0." + "1" * 9_000, "1e" + "9" * 5_000,
    "'", '"', "'a", 'a"', "''", '""', "'a'b'", '"a" "b"', "'a\\'b'", "\"a,b\",c", "a'b", "O'Neil", "`a`", "\\", "\\'",
    "a\\",
    "[", "]", "[1,2", "[[1]]", "[1,,2]", "[]", "{", "{a:1}", "{a:{b:[1]}}", "(", "(1)", "[" * 300, "[" * 5_000,
    "{a:" * 400,
    "[1,2,3]" * 50, "1,2,3", "1,2," * 2_000, "range(1,3)", "choice(1,2)", "int(3.7)", "float('1')", "str(5)", "bool(1)",
    "sort(3,1)", "glob(*)", "json_str({a:1})", "interval(0,1)", "tag(x,1,2)", "extend_list(1)",
    "${oc.env:HOME}", "${", "${train.lr}", "$HOME", "$(touch pwned)", "`touch pwned`", "; touch pwned", "| touch pwned",
    "__import__('os').system('touch pwned')", "!!python/object/apply:os.system ['touch pwned']",
    "!!python/name:os.system", "&a *a",
    "{{7*7}}", "%s%n", "../../../etc/passwd", "/dev/null", "/dev/zero", "~nobody-of-this-name/x", "~root", "-", "--",
    "=", "==", "a=b",
    "größe", "日本語", "\u202eabc", "a\u200db", "\ufeff1", "１２", "\U0001f600" * 30, "é" * 300, "\x00", "a\x00b", "\n",
    "a\nb", "a\r\nb",
    "\x1b[31mred", "\x1b]0;t\x07", "\x7f", "\x85", "\u2028", "\udcff", "a\udc80b", "x" * 300, "x" * 5_000, "x" * 200_000,
    " " * 10_000,
    "ab" * 40_000, "=1+1", "@SUM(1)", "#", "# comment", "a: b", "- a", "---", "...", "|", ">", "%", "*", "?", "!",
)  # fmt: skip
"""Texts that have broken programs before."""


def mutate(rng: random.Random, text: str) -> str:
    """A text with one to three characters dropped, doubled, replaced or put in."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(text))
        piece = rng.choice(
            (text[at : at + 1] * 2, "", rng.choice("'\"[]{}(),=:._-+~$\\ \t\n\0\x1b0١é\u2028"), rng.choice(NASTY[:40]))
        )
        text = text[:at] + piece + text[at + 1 :]
    return text
