"""The errors that graphkit raises on purpose, each tied to an exit code of the command line."""


class GraphkitError(Exception):
    """Base of all deliberate errors; the message is one sentence that says what is wrong and what to do."""

    exit_code = 1


class RequestError(GraphkitError):
    """The request is wrong: an unknown name, a wrong type, input data that cannot be used (exit 2)."""

    exit_code = 2


class DataError(RequestError):
    """A data file is missing, malformed, truncated or does not match its checksum (exit 2)."""


class CheckpointError(RequestError):
    """A run folder or checkpoint cannot be resumed: missing, truncated, tampered with or of another run (exit 2)."""


class RunError(GraphkitError):
    """The run failed after it had started: a full disk, a loss that is not finite (exit 1)."""


class Interrupted(GraphkitError):
    """The run was stopped by the user or the system; its folder can be resumed (exit 130)."""

    exit_code = 130
