"""Requests that wait are answered together: one thread asks the model, and takes all that has come meanwhile."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from graphkit.conf.entries import Question
from graphkit.conf.predict import Prediction
from graphkit.conf.serve import names_text
from graphkit.errors import GraphkitError
from graphkit.serving.replies import Lists, Reply, Rows

Answer = Callable[[Prediction], Reply]
Asked = tuple[Prediction, "Future[str]"]


class Full(Exception):
    """Too many requests wait."""


class Batcher:
    """A thread that answers requests in the order in which they come, those that can be joined as one.

    Requests can be joined where they ask the same question in the same way and each name or row is answered for itself. Names
    that several requests ask for are then scored in one forward pass; last digits may differ with what is scored together. If
    the joined request fails, each is answered alone, so that the mistake of one is not that of all.

    Args:
        answer: Answers a request; it is called by one thread.
        questions: What can be asked.
        split: The names of what a request asks, in order.
        most: Requests that are answered together at most, at least 1.
        waiting: Requests that may wait, at least 1.

    Attributes:
        batches: How many times the model was asked.
        joined: How many requests were answered so.
    """

    def __init__(
        self,
        answer: Answer,
        questions: dict[str, Question],
        split: Callable[[Prediction], list[str]],
        *,
        most: int,
        waiting: int,
    ) -> None:
        self._answer, self._questions, self._split, self._most = answer, questions, split, most
        self._queue: queue.Queue[Asked | None] = queue.Queue(waiting)
        self.batches = self.joined = 0
        self._thread = threading.Thread(target=self._work, name="graphkit answers", daemon=True)
        self._thread.start()

    def submit(self, request: Prediction) -> Future[str]:
        """The JSON of the answer, to come.

        Raises:
            Full: If too many wait.
        """
        future: Future[str] = Future()
        try:
            self._queue.put_nowait((request, future))
        except queue.Full:
            raise Full from None
        return future

    def waiting(self) -> int:
        """How many requests wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Answer what waits, then end."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            taken, last = [first], False
            while len(taken) < self._most and not last:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                last = more is None
                taken += [] if more is None else [more]
            groups: dict[Hashable, list[Asked]] = defaultdict(list)
            for number, asked in enumerate(taken):
                groups[self._key(asked[0], number)].append(asked)
            for group in groups.values():
                self._answer_group(group)
            if last:
                return

    def _key(self, request: Prediction, number: int) -> Hashable:
        """Requests with the same key are joined."""
        question = self._questions[request.question]
        if not question.each or request.asked == "all" or request.tables.keys() - {request.question}:
            return number
        if question.table and len({len(row) for row in request.tables[request.question]}) != 1:
            return number
        width = len(request.tables[request.question][0]) if question.table else 0
        plain = {one.name: getattr(request, one.name) for one in dataclasses.fields(request)}
        ways = tuple(value for name, value in plain.items() if name not in ("asked", "tables", "given", "places"))
        return (*ways, width)

    def _answer_group(self, group: list[Asked]) -> None:
        if len(group) > 1:
            try:
                replies = self._together([request for request, _ in group])
            except (GraphkitError, ValueError, TypeError):
                replies = []  # each is answered alone, and told its own mistake
            if replies:
                self._count(len(group))
                for (_, future), reply in zip(group, replies, strict=True):
                    _resolve(future, reply.json)
                return
        for request, future in group:
            self._count(1)
            _resolve(future, lambda request=request: self._answer(request).json())  # type: ignore[misc]

    def _count(self, requests: int) -> None:
        self.batches, self.joined = self.batches + 1, self.joined + requests

    def _together(self, requests: Sequence[Prediction]) -> list[Reply]:
        """The replies to requests that have the same key."""
        first = requests[0]
        if self._questions[first.question].table:
            parts: list[Sequence[Any]] = [request.tables[first.question] for request in requests]
            joined = dataclasses.replace(first, tables={first.question: [row for part in parts for row in part]})
        else:
            parts = [self._split(request) for request in requests]
            asked = names_text([name for part in parts for name in part])
            joined = dataclasses.replace(first, asked=str(asked))
        return _apart(self._answer(joined), [len(part) for part in parts])


def _apart(reply: Reply, sizes: Sequence[int]) -> list[Reply]:
    """A reply in parts of these sizes."""
    ends = np.cumsum(sizes).tolist()
    places = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    if isinstance(reply, Lists):
        return [dataclasses.replace(reply, lists=reply.lists[place]) for place in places]
    if isinstance(reply, Rows):
        parts = ({name: column[place] for name, column in reply.columns.items()} for place in places)
        return [dataclasses.replace(reply, columns=columns) for columns in parts]
    raise TypeError("a reply of another kind has no parts.")


def _resolve(future: Future[str], make: Callable[[], str]) -> None:
    """Fill a future that nobody may wait for any more."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(make())
    except BaseException as error:  # noqa: BLE001  # the thread goes on, and the request gets the error
        future.set_exception(error)
