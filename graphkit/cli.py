"""What every door does around its answer: errors and exit codes, and output that may be closed, full or ASCII. No torch."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, TextIO

from graphkit.errors import GraphkitError, Interrupted, RunError, shown

_PLAIN = str.maketrans({"±": "+-", "─": "-", "━": "-", "…": "..."})
_LONGEST_LINE = 100_000


class Answer(NamedTuple):
    """What goes to stdout, where else it is kept, and the exit status it stands for."""

    text: str
    kept: str = ""
    status: int = 0


def door(answer: Callable[[Sequence[str]], Answer], argv: Sequence[str] | None, interrupted: str) -> int:
    """Answer a command line.

    Args:
        answer: Gives the answer to the arguments.
        argv: The arguments; None: those of the process.
        interrupted: What is said of an interrupt that left nothing to resume.

    Returns:
        The exit status: that of the answer, 0 where all is well; 1 it failed, 2 the request is wrong, 130 interrupted.
    """
    # Idle workers of torch's OpenMP pool would spin on the cores that the compiled kernels between two of its calls run on.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")  # read when torch is imported, which has not happened yet
    _hold_descriptors()
    with contextlib.redirect_stderr(Forgiving(sys.stderr)):
        try:
            given = answer(sys.argv[1:] if argv is None else argv)
            say(given)
        except GraphkitError as error:
            for line in str(error).splitlines():
                tell(f"error: {line}")
            return error.exit_code
        except KeyboardInterrupt:
            tell(f"error: {interrupted}")
            return Interrupted.exit_code
    return given.status


def tell(*lines: str) -> None:
    """Write lines to stderr, without characters that a terminal would obey."""
    for line in lines:
        sys.stderr.write(shown(line, _LONGEST_LINE) + "\n")
    sys.stderr.flush()


def say(answer: Answer) -> None:
    """Write to stdout. A reader that has gone (`| head`) and a closed stdout are no error: nobody wants to know.

    Raises:
        RunError: If it cannot be written, on a full disk for example.
    """
    stream = sys.stdout
    if stream is None:
        return
    try:
        stream.write(_encodable(answer.text, stream.encoding))
        stream.flush()
    except BrokenPipeError:
        _disconnect(stream)
    except OSError as error:
        _disconnect(stream)
        kept = f"; it is kept in {answer.kept}" if answer.kept else ""
        raise RunError(f"cannot write the answer to stdout ({error.strerror}): send it elsewhere{kept}") from error


class Forgiving(io.TextIOBase):
    """A stream for progress and notes: where it is closed, full or its terminal has gone, they are lost and the run goes on.

    Args:
        stream: The stream, None where there is none.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Whether the stream is a terminal; a closed one is none."""
        return self._stream is not None and not getattr(self._stream, "closed", False) and self._stream.isatty()

    def fileno(self) -> int:
        """That of the stream; `io.UnsupportedOperation` where there is none."""
        return super().fileno() if self._stream is None else self._stream.fileno()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Write, or forget."""
        self._try(lambda stream: stream.write(_encodable(text, stream.encoding)))
        return len(text)

    def flush(self) -> None:
        """Flush, or forget."""
        self._try(lambda stream: stream.flush())

    def _try(self, write: Callable[[TextIO], object]) -> None:
        if self._stream is None:
            return
        try:
            write(self._stream)
        except (OSError, ValueError):  # ValueError: of a closed stream
            _disconnect(self._stream)
            self._stream = None


def _hold_descriptors() -> None:
    """Occupy 0, 1 and 2 where they are closed: a file of the run would get that number, and with it what libraries print."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _disconnect(stream: TextIO) -> None:
    """Let what a failed stream still holds go nowhere, so that the flush at exit does not fail again."""
    with contextlib.suppress(OSError, ValueError):  # a stream without a descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _encodable(text: str, encoding: str | None) -> str:
    r"""The text in characters that the encoding has; others as JSON escapes them, `\u00e9`."""
    if encoding is None or _encodes(text, encoding):
        return text
    return "".join(c if _encodes(c, encoding) else _escape(c) for c in text.translate(_PLAIN))


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
