"""Answers of a run of nodes, graphs or images to the questions of `graphkit.predict`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphkit.conf.predict import TABLES, Prediction
from graphkit.errors import RequestError
from graphkit.paths import expanded
from graphkit.serving.files import check_out, write_rows
from graphkit.serving.given import table_of
from graphkit.serving.graphs import ServedGraphs
from graphkit.serving.nodes import ServedNodes
from graphkit.serving.replies import Reply, Rows, Written
from graphkit.serving.samples import ServedSamples

MOST_PRINTED = 10_000
"""Rows that go to stdout."""


def answer(served: ServedSamples, request: Prediction) -> Reply:
    """Answer a request that was checked.

    Args:
        served: The run.
        request: What is asked.

    Raises:
        RequestError: If there is no such sample, the model takes no new ones, or a file is not to be read or written.
        DataError: If a table of new samples cannot be read, or does not fit the run's.
        RunError: If the file cannot be written.
    """
    if request.out is not None:
        named = [request.edges, request.features, *([request.asked] if _names_file(request, served) else [])]
        read = [expanded(str(one), request.question) for one in named if one is not None]
        check_out(expanded(request.out, "out"), expanded(request.run, "run"), (*served.data_files, *read))
    if request.calibrate != "none":
        served = served.calibrated()
    chosen: Sequence[int] | None = None
    if request.question == "new":
        assert isinstance(served, ServedGraphs)
        given = {key: table_of(request, key) for key in TABLES}
        served = served.with_graphs(table_of(request, "new"), **given)
    else:
        if request.features is not None or request.edges is not None:
            assert isinstance(served, ServedNodes)
            served = served.with_nodes(table_of(request, "features"), table_of(request, "edges"))
        chosen = _chosen(served, request)
    columns = served.columns if chosen is None else served.taken(chosen)
    count = len(served.names.array) if chosen is None else len(chosen)
    facts: dict[str, Any] = {"run": request.run, "seed": served.seed}
    if served.num_new:
        facts["new"] = served.num_new
    notes: tuple[str, ...] = ()
    if served.calibration is not None:
        facts["calibration"] = dict(served.calibration)
        notes = (_told(served),)
    what = f"{served.kind}s"
    if request.out is None:
        if count > MOST_PRINTED:
            raise RequestError(f"{request.question}=: {count:,} rows are many for stdout: write them to out=FILE")
        return Rows(key=what, columns=columns, facts=facts, notes=notes)
    path = expanded(request.out, "out")
    rows = write_rows(path, [columns])
    facts |= {"out": str(path), "rows": rows}
    return Written(sentence=f"wrote predictions of {rows:,} {what} to {path}", facts=facts, notes=notes)


def _chosen(served: ServedSamples, request: Prediction) -> list[int] | None:
    """The samples that are asked for; None: all."""
    asked = request.asked
    if asked == "all":
        return None
    if asked == "new" and served.num_new:
        count = len(served.names.array)
        return list(range(count - served.num_new, count))
    if _names_file(request, served):
        return served.names.read(expanded(asked, request.question), request.question)
    return served.names.find_all(served.names.split(asked))


def _names_file(request: Prediction, served: ServedSamples) -> bool:
    """Whether what is asked is a file, and no name."""
    if request.question == "new":
        return True
    if request.served or request.asked in served.names.numbers or request.asked == "all":
        return False
    path: Path = expanded(request.asked, request.question)
    try:
        return path.is_file()
    except OSError:  # a name that is too long for a file
        return False


def _told(served: ServedSamples) -> str:
    assert served.calibration is not None
    calibration = served.calibration
    errors = ", ".join(
        f"{split} {part['before']:.4f} before, {part['after']:.4f} after"
        for split, part in (("validation", calibration["valid"]), ("test", calibration["test"]))
    )
    return (
        f"probabilities are calibrated by temperature {calibration['temperature']:.4g}, fitted on the validation "
        f"{served.kind}s; expected calibration error: {errors}"
    )
