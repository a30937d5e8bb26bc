"""The server: a socket that is bound before the run is opened, signals that stop it when all is answered."""

from __future__ import annotations

import contextlib
import errno
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from graphkit.cli import tell
from graphkit.conf.predict import Prediction
from graphkit.conf.serve import Serving, served_questions
from graphkit.errors import RequestError
from graphkit.serving.http.application import make_application
from graphkit.serving.http.batching import Batcher
from graphkit.serving.replies import Reply

_BACKLOG = 2048
_STOPS = (signal.SIGINT, signal.SIGTERM)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens nowhere yet, so that nobody else gets the address.

    Raises:
        RequestError: If the port is in use or not allowed, or there is no such address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise RequestError(
            f"host={host}: no such address ({error.strerror}): give one of this machine, such as 127.0.0.1"
        ) from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as error:
        made.close()
        raise _refused(host, port, error) from error
    return made


class HttpServer:
    """Answers until a signal comes, or `stop` is called; what is in flight then is answered.

    Args:
        listening: What `bound` gave.
        settings: The server's settings.
        task: The task of the run.
        facts: What `/health` tells of it.
        answer: Answers a request that was checked.
        split: The names that a request asks for.
    """

    def __init__(
        self,
        listening: socket.socket,
        settings: Serving,
        *,
        task: str,
        facts: Mapping[str, Any],
        answer: Callable[[Prediction], Reply],
        split: Callable[[Prediction], list[str]],
    ) -> None:
        questions = dict(served_questions(task))
        self.batcher = Batcher(answer, questions, split, most=settings.max_batch, waiting=settings.max_waiting)
        config = uvicorn.Config(
            make_application(settings, self.batcher, task=task, facts=facts),
            http=_JsonProtocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=settings.stop_seconds,
        )
        self._socket, self._settings, self._server = listening, settings, _Server(config)

    def run(self) -> None:
        """Listen, and answer until it is stopped.

        Raises:
            RequestError: If another program has begun to listen on the port meanwhile.
        """
        host, port = self._socket.getsockname()[:2]
        try:
            self._socket.listen(_BACKLOG)
        except OSError as error:
            raise _refused(self._settings.host, port, error) from error
        place = f"[{host}]" if ":" in host else host
        tell(f"{self._settings.run} answers on http://{place}:{port} (POST /predict; GET /docs); SIGTERM or Ctrl-C stops it")
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self.batcher.close()

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._server.should_exit = True


def _refused(host: str, port: int, error: OSError) -> RequestError:
    in_use = error.errno == errno.EADDRINUSE
    why = f"is in use on {host}: stop what listens there, or give another one" if in_use else f"on {host}: {error.strerror}"
    return RequestError(f"port={port} {why}; port=0 takes a free one")


class _Server(uvicorn.Server):
    """A server that a signal stops without being sent on afterwards: to stop is no failure."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # others get no signals
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in _STOPS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


class _JsonProtocol(H11Protocol):
    """The protocol with its own error as JSON."""

    def send_400_response(self, msg: str) -> None:
        body = json.dumps({"status": 400, "errors": ["this is no HTTP request"]}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            if (output := self.conn.send(event)) is not None:
                self.transport.write(output)
        self.transport.close()
