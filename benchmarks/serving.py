"""A server under load: `python -m benchmarks.serving run=runs/FOLDER` or, without a run, on one that it trains.

Clients ask for one user, node or graph at a time and wait for the answer, as many clients at once as are asked for. All answers
are compared with those of `graphkit.predict`, which are computed in one batch.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphkit.conf.serve import served_questions
from graphkit.errors import GraphkitError, RequestError
from graphkit.serving.load import load
from graphkit.tasks.experiment import stored_request
from graphkit.training.environment import environment

_TOP = 10
_QUANTILES = (50, 90, 99)
_LISTS = {"user": "item", "node": "target"}
"""What is listed, of questions whose answers are lists."""


class Server:
    """`python -m graphkit.serve` on a free port, for as long as the block runs.

    Args:
        run: The run folder.
    """

    def __init__(self, run: Path) -> None:
        command = [sys.executable, "-m", "graphkit.serve", f"run={run}", "port=0"]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        told = self._process.stderr.readline()
        found = re.search(r":(\d+) \(POST", told)
        if found is None:
            raise RequestError(f"the server did not start: {told}{self._process.stderr.read()}")
        self.port = int(found[1])

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=60)

    def figure(self, name: str) -> float:
        """A figure of /metrics."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", "/metrics")
            told = connection.getresponse().read().decode()
        found = re.search(rf"^{name} (\S+)$", told, re.MULTILINE)
        return float(found[1]) if found else float("nan")


def ask_all(port: int, bodies: Sequence[bytes], clients: int) -> tuple[list[tuple[int, Any]], np.ndarray]:
    """Ask everything, as many at once as there are clients, each over a connection that stays open.

    Returns:
        Status and answer of each request, status 0 where none came, and how long each took [R], in seconds.
    """
    answers: list[tuple[int, Any]] = [(0, "not asked")] * len(bodies)
    seconds = np.zeros(len(bodies))
    places, lock = iter(range(len(bodies))), threading.Lock()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            with lock:
                place = next(places, None)
            if place is None:
                connection.close()
                return
            start = time.perf_counter()
            try:
                connection.request("POST", "/predict", bodies[place], {"content-type": "application/json"})
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                answers[place] = 0, str(error)
                connection.close()
                continue
            seconds[place] = time.perf_counter() - start
            answers[place] = answer.status, json.loads(content)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers, seconds


def expected(served: Any, question: str) -> dict[str, Any]:
    """The answer of each name, all in one batch: its list with scores, or its row."""
    if question not in _LISTS:
        return {str(row[served.kind]): row for row in served.predict()}
    names = (served.users if question == "user" else served.names).array.tolist()
    lists = served.tops(names, _TOP)
    return {name: [(entry[0], entry[1]) for entry in one] for name, one in zip(names, lists, strict=True)}


def agrees(answer: dict[str, Any], wanted: Any, question: str) -> bool:
    """Whether an answer is the one of the batch, up to rounding, which may exchange names whose scores are alike."""
    if question not in _LISTS:
        (row,) = answer[f"{question}"]
        return all(_close(value, wanted[key]) for key, value in row.items())
    found = [(entry[_LISTS[question]], entry["score"]) for entry in answer["lists"][0]["top"]]
    if len(found) != len(wanted) or not all(_close(score, other) for (_, score), (_, other) in zip(found, wanted, strict=True)):
        return False
    scores = dict(wanted)
    return all(name in scores or _close(score, wanted[-1][1]) for name, score in found)


def _close(value: Any, other: Any) -> bool:
    if isinstance(value, float) and isinstance(other, float):
        return abs(value - other) <= 1e-5 * max(1.0, abs(other))
    return str(value) == str(other)


def measure(run: Path, requests: int, clients: int) -> dict[str, Any]:
    """Start a server, ask it, compare.

    Args:
        run: A run folder.
        requests: How many requests are sent.
        clients: How many at once.
    """
    task = stored_request(run, "run").task
    question = next(key for key, row in served_questions(task).items() if row.each and not row.table)
    wanted = expected(load(run), question)
    names = list(wanted)
    chosen = [names[place] for place in np.random.default_rng(0).integers(len(names), size=requests).tolist()]
    top = {"top": _TOP} if question in _LISTS else {}
    bodies = [json.dumps({question: [name], **top}).encode() for name in chosen]
    with Server(run) as server:
        ask_all(server.port, bodies[: 2 * clients], clients)  # warm
        before = server.figure("graphkit_batches_total")
        start = time.perf_counter()
        answers, seconds = ask_all(server.port, bodies, clients)
        took = time.perf_counter() - start
        batches = server.figure("graphkit_batches_total") - before
    answered = [status == 200 for status, _ in answers]
    right = [
        status == 200 and agrees(answer, wanted[name], question) for name, (status, answer) in zip(chosen, answers, strict=True)
    ]
    quantiles = {f"p{q}": float(np.percentile(1000 * seconds, q)) for q in _QUANTILES}
    return {
        "run": run.name,
        "question": question,
        "requests": requests,
        "clients": clients,
        "answered": sum(answered),
        "equal": sum(right),
        "milliseconds": quantiles | {"most": float(1000 * seconds.max())},
        "requests_per_second": requests / took,
        "requests_per_batch": requests / batches,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print; 1 where an answer is missing or differs, 2 where the request is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("run", nargs="?", help="run=FOLDER; default: LightGCN on planted-interactions, trained now")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--json", action="store_true", help="print JSON, with the environment")
    asked = parser.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(asked.run.removeprefix("run=")) if asked.run else _trained(folder)
            found = measure(run, asked.requests, asked.clients)
    except GraphkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if asked.json:
        print(json.dumps({**found, "environment": environment(torch.device("cpu"), "32-true")}, indent=2))
    else:
        times = ", ".join(f"{name} {value:.1f} ms" for name, value in found["milliseconds"].items())
        print(f"{found['run']}: {found['requests']:,} requests of {found['clients']} clients, question {found['question']}=")
        print(f"answered {found['answered']:,}, equal to batch answers {found['equal']:,}")
        print(f"{times}; {found['requests_per_second']:.0f} requests/s, {found['requests_per_batch']:.1f} requests per batch")
    return 0 if found["answered"] == found["equal"] == asked.requests else 1


def _trained(folder: str) -> Path:
    from graphkit.run import run

    train = {"epochs": 5, "batch_size": 1024}
    return run("recommend", "planted-interactions", "lightgcn", train=train, out=folder, progress=False).folder


if __name__ == "__main__":
    sys.exit(main())
