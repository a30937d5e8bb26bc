"""The errors that graphkit raises on purpose, each tied to an exit code of the command line, and how they show a value."""

_LONGEST = 80


def shown(text: str, longest: int = _LONGEST) -> str:
    r"""A value inside a message: on one line, printable and short.

    Args:
        text: The value.
        longest: Characters that are shown of a longer one, before its length is told.

    Returns:
        The text with control characters, line ends and lone surrogates as escapes, such as `\x1b` and `\n`.
    """
    return _escaped(text) if len(text) <= longest else f"{_escaped(text[:longest])}... ({len(text):,} characters)"


def shown_path(path: object) -> str:
    """A path inside a message or on a line of its own: escaped as `shown` does, and not cut short."""
    return shown(str(path), 10_000)


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class GraphkitError(Exception):
    """Base of all deliberate errors; the message is one sentence that says what is wrong and what to do.

    Whatever the message was made of, it holds no character that a terminal would obey; a line end separates two mistakes.
    """

    exit_code = 1

    def __str__(self) -> str:
        return "\n".join(map(_escaped, super().__str__().split("\n")))


class RequestError(GraphkitError):
    """The request is wrong: an unknown name, a wrong type, input data that cannot be used (exit 2)."""

    exit_code = 2


class DataError(RequestError):
    """A data file is missing, malformed, truncated or does not match its checksum (exit 2)."""


class CheckpointError(RequestError):
    """A run folder or checkpoint cannot be resumed: missing, truncated, tampered with or of another run (exit 2)."""


class ClaimError(RequestError):
    """A file is no claim: truncated, of unknown form or version, or larger than any claim (exit 2)."""


class RunError(GraphkitError):
    """The run failed after it had started: a full disk, a loss that is not finite (exit 1)."""


class Interrupted(GraphkitError):
    """The run was stopped by the user or the system; its folder can be resumed (exit 130)."""

    exit_code = 130
