"""A server in a thread of the tests, and clients that say exactly what they send."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from graphkit.conf.catalog import TASKS
from graphkit.conf.predict import Prediction
from graphkit.conf.serve import Serving
from graphkit.serving.http.server import HttpServer, bound
from graphkit.serving.load import load
from graphkit.serving.replies import Reply
from graphkit.tasks.experiment import stored_request


@dataclass
class Running:
    """A server that listens.

    Attributes:
        port: Where.
        server: The server.
        run: The run folder.
    """

    port: int
    server: HttpServer
    run: Path

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """A request; status, body, as JSON where it is declared so, and headers in lower case."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
            answer = connection.getresponse()
            content = answer.read()
            found = {key.lower(): value for key, value in answer.getheaders()}
            return answer.status, json.loads(content) if "json" in found["content-type"] else content.decode(), found
        finally:
            connection.close()

    def ask(self, **body: Any) -> tuple[int, Any]:
        """What is said to a question."""
        return self.send("POST", "/predict", json.dumps(body).encode(), content_type="application/json")[:2]

    def raw(self, data: bytes, *, answered: bool = True, seconds: float = 30) -> bytes:
        """What comes back of bytes as they are, until the connection ends; nothing where the client goes at once."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as client:
            parts: list[bytes] = []
            with contextlib.suppress(ConnectionError, TimeoutError):
                client.sendall(data)
                while answered and (part := client.recv(65536)):
                    parts.append(part)
            return b"".join(parts)


@contextlib.contextmanager
def running(run: Path, **settings: Any) -> Iterator[Running]:
    """A server on a free port for as long as the block runs."""
    request = stored_request(run, "run")
    served = load(run, device="cpu")
    answer = resolve_name(TASKS[request.task].answer)
    chosen = Serving(run=str(run), places={}, **settings)

    def answered(asked: Prediction) -> Reply:
        reply: Reply = answer(served, asked)
        return reply

    listening = bound("127.0.0.1", 0)
    listening.listen()
    facts = {"run": str(run), "task": request.task}
    server = HttpServer(listening, chosen, task=request.task, facts=facts, answer=answered, split=served.split)
    thread = threading.Thread(target=server.run)
    port = listening.getsockname()[1]
    thread.start()
    try:
        yield Running(port, server, run)
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()
