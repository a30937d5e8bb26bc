"""Answers of a recommendation run to the questions of `graphkit.predict`."""

from __future__ import annotations

from typing import Any

from graphkit.conf.predict import Prediction
from graphkit.paths import expanded
from graphkit.serving.files import check_out, write_embeddings, write_rows
from graphkit.serving.replies import Lists, Reply, Written
from graphkit.serving.served import Ranked, Served


def answer(served: Served, request: Prediction) -> Reply:
    """Answer a request that was checked.

    Args:
        served: The run.
        request: What is asked.

    Raises:
        RequestError: If there is no such user or item, the model cannot, or a file is not to be read or written.
        RunError: If the file cannot be written.
    """
    if request.out is not None:
        return _written(served, request)
    lists: list[tuple[str | None, list[Ranked]]]
    if request.question == "items":
        items = served.items.split(request.asked)
        _index(served, request)
        lists = [(None, served.fold_in(items, request.top, seen=request.seen))]
    else:
        users = served.users.split(request.asked)
        served.users.find_all(users)  # a wrong name shows before an index is built
        _index(served, request)
        lists = list(zip(users, served.tops(users, request.top, seen=request.seen), strict=True))
    facts = _facts(served, request)
    return Lists(
        of="user",
        what="item",
        lists=lists,
        called="user",
        nothing="no item is left: seen=show ranks those that the user has",
        facts=facts,
        notes=_recall(facts),
    )


def _written(served: Served, request: Prediction) -> Reply:
    """Write what users= or export= asks for."""
    path, run = expanded(str(request.out), "out"), expanded(request.run, "run")
    exported = request.question == "export"
    listed = () if exported or request.asked == "all" else (expanded(request.asked, "users"),)
    check_out(path, run, (*served.data_files, *listed))
    facts: dict[str, Any] = {"out": str(path)}
    if exported:
        vectors = served.embeddings()
        users, items = vectors.users.cpu().numpy(), vectors.items.cpu().numpy()
        write_embeddings(path, users, items, served.users.array, served.items.array)
        facts |= {"users": len(users), "items": len(items), "channels": users.shape[1]}
        sentence = f"wrote embeddings of {len(users):,} users and {len(items):,} items, {users.shape[1]} channels, to {path}"
    else:
        asked = served.users.read(listed[0], "users") if listed else None
        _index(served, request)
        count = write_rows(path, served.rows(asked, request.top, seen=request.seen))
        people = len(served.users.array) if asked is None else len(asked)
        facts |= {"users": people, "rows": count}
        sentence = f"wrote the best {request.top} items of {people:,} users, {count:,} rows, to {path}"
    facts = _facts(served, request) | facts
    return Written(sentence=sentence, facts=facts, notes=_recall(facts))


def _index(served: Served, request: Prediction) -> None:
    if request.index == "faiss":
        served.build_index(request.index_kind, request.index_effort)


def _facts(served: Served, request: Prediction) -> dict[str, Any]:
    """What answered, and how well an index did."""
    facts = {"run": request.run, "seed": served.seed, "seen": request.seen, "index": request.index}
    if served.index is None:
        return facts
    value, users = served.recall(request.top, sample=request.index_sample, seen=request.seen)
    return {**facts, "index_kind": request.index_kind, "recall": {"value": value, "top": request.top, "users": users}}


def _recall(facts: dict[str, Any]) -> tuple[str, ...]:
    if "recall" not in facts:
        return ()
    recall = facts["recall"]
    return (
        f"recall@{recall['top']} of the {facts['index_kind']} index against exact search: {recall['value']:.4f}, "
        f"over {recall['users']:,} users",
    )
