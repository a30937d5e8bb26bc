"""Claims of a table's finished runs: files that anybody can score again with `python -m graphkit.verify`. None is committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.reproduce.execute import find
from benchmarks.reproduce.table import Row
from graphkit.claim import claim
from graphkit.errors import GraphkitError, RequestError
from graphkit.training.artifacts import read_result


def write_claims(
    rows: Sequence[Row], runs: Path, given: Mapping[str, Path], out: Path, root: str | None, say: Callable[[str], None]
) -> bool:
    """Write `<row>.zip` for every row whose run is finished; nothing is run.

    Args:
        rows: The rows.
        runs: The folder that holds a folder of runs per row.
        given: Run folders elsewhere, by the row's name.
        out: The folder that receives the claims; it is made.
        root: Data folder, where it is not the one of the runs.
        say: Hears a line per row.

    Returns:
        Whether a finished run gave no claim.

    Raises:
        RequestError: If the folder cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"--claims {out}: cannot be made ({error.strerror}), name another folder") from error
    failed = False
    for row in rows:
        folder = given.get(row.name) or find(row, runs / row.name, row.config)
        if folder is None or read_result(folder) is None:
            say(f"{row.label}: no finished run")
            continue
        try:
            say(f"{row.label}: {claim(folder, out / f'{row.name}.zip', root=root)}")
        except GraphkitError as error:
            failed = True
            say(f"error: {row.label}: {str(error).splitlines()[0]}")
    return failed
