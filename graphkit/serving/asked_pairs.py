"""Answers of a run of link prediction to the questions of `graphkit.predict`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphkit.conf.predict import Prediction
from graphkit.paths import expanded
from graphkit.serving.files import Columns, check_out, write_rows
from graphkit.serving.given import table_of
from graphkit.serving.pairs import ServedPairs
from graphkit.serving.replies import Lists, Reply, Rows, Written


def answer(served: ServedPairs, request: Prediction) -> Reply:
    """Answer a request that was checked.

    Args:
        served: The run.
        request: What is asked.

    Raises:
        RequestError: If there is no such node, the model takes no new edges, or a file is not to be read or written.
        RunError: If the file cannot be written.
    """
    listed = request.question != "pairs"
    if request.out is not None:
        read = [expanded(part, key) for key, part in _files(request).items()]
        check_out(expanded(request.out, "out"), expanded(request.run, "run"), (*served.data_files, *read))
    if request.edges is not None:
        served = served.with_edges(table_of(request, "edges"))
    facts: dict[str, Any] = {"run": request.run, "seed": served.seed, "seen": request.seen, "new_edges": served.num_new}
    if request.question == "node":
        names = served.names.split(request.asked)
        lists = list(zip(names, served.tops(names, request.top, seen=request.seen), strict=True))
        nothing = "no node is left: seen=show ranks those it is linked to"
        return Lists(of="source", what="target", lists=lists, called="node", nothing=nothing, facts=facts)
    if listed:
        asked = None if request.asked == "all" else served.names.read(expanded(request.asked, "nodes"), "nodes")
        nodes = len(served.names.array) if asked is None else len(asked)
        facts |= {"nodes": nodes}
        said = f"the best {request.top} new links of {nodes:,} nodes"
        return _written(request, served.rows(asked, request.top, seen=request.seen), said, facts)
    columns = served.scored(table_of(request, "pairs"), seen=request.seen)
    if request.out is None:
        return Rows(key="pairs", columns=columns, facts=facts)
    return _written(request, [columns], "scores of pairs", facts)


def _written(request: Prediction, blocks: Iterable[Columns], said: str, facts: dict[str, Any]) -> Written:
    path = expanded(str(request.out), "out")
    rows = write_rows(path, blocks)
    return Written(sentence=f"wrote {said}, {rows:,} rows, to {path}", facts={**facts, "out": str(path), "rows": rows})


def _files(request: Prediction) -> dict[str, str]:
    """The files that the request names, by setting."""
    asked = {} if request.question == "node" or request.asked == "all" else {request.question: request.asked}
    return {**asked, **({} if request.edges is None else {"edges": request.edges})}
