"""HTTP whose bytes are counted as they arrive: a server that trickles or never ends is given up on."""

from __future__ import annotations

import http.client
import io
import socket
import time
import urllib.request
from dataclasses import dataclass
from functools import partial
from typing import Any, cast


class GivenUp(Exception):
    """Why a transfer was given up, in a few words."""


@dataclass(frozen=True)
class Limits:
    """What a server may do.

    Attributes:
        silence: Longest wait for a connection or for the next bytes, in seconds.
        window: Seconds of waiting over which the rate is measured.
        rate: Least bytes per second in each window.
        size: Most bytes of an answer, its headers included.
    """

    silence: float
    window: float
    rate: float
    size: int


def open_url(url: str, limits: Limits) -> http.client.HTTPResponse:
    """Ask for an address by HTTP or HTTPS, through the proxy that the environment names, following redirects.

    Args:
        url: The address.
        limits: What every server on the way is held to, in headers, bodies and redirects alike.

    Returns:
        The answer, its body unread.

    Raises:
        GivenUp: Here and while the body is read, if the server sends too slowly or too much.
        OSError: As `urllib.request` raises it.
        http.client.HTTPException: If what it sends is no HTTP.
        ValueError: If it redirects to what is no address.
    """
    ours = _Handler(limits)
    opener = urllib.request.OpenerDirector()  # build_opener would follow a redirect to FTP, too, where nothing is counted
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        ours,
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    try:
        return cast(http.client.HTTPResponse, opener.open(url, timeout=limits.silence))
    except BaseException:
        for answer in ours.answers:  # a failing redirect leaves the connection open
            answer.close()
        raise


class _Handler(urllib.request.AbstractHTTPHandler):
    """Opens connections whose answers are counted."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self.answers: list[http.client.HTTPResponse] = []

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self._open(http.client.HTTPConnection, request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self._open(http.client.HTTPSConnection, request)

    def _open(self, kind: type[http.client.HTTPConnection], request: urllib.request.Request) -> http.client.HTTPResponse:
        self.answers.append(self.do_open(partial(_connect, kind, self._limits), request))
        return self.answers[-1]

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_


def _connect(kind: type[http.client.HTTPConnection], limits: Limits, host: str, **options: Any) -> http.client.HTTPConnection:
    connection = kind(host, **options)
    connection.response_class = partial(_Response, limits)  # type: ignore[assignment]  # it is called, not subclassed
    return connection


class _Response(http.client.HTTPResponse):
    """An answer that reads its headers and its body through a counter."""

    def __init__(self, limits: Limits, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Counter(self.fp.detach(), limits))


class _Counter(io.RawIOBase):
    """Bytes from a socket; only the time spent waiting for them counts, not what is done with them."""

    def __init__(self, source: io.RawIOBase, limits: Limits) -> None:
        self._source, self._limits = source, limits
        self._total = self._arrived = 0
        self._waited = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        began = time.monotonic()
        count = self._source.readinto(buffer) or 0
        self._waited += time.monotonic() - began
        self._total += count
        self._arrived += count
        limits = self._limits
        if self._total > limits.size:
            raise GivenUp(f"the server sends more than {limits.size:,} bytes")
        if self._waited >= limits.window:
            if self._arrived < limits.rate * limits.window:
                raise GivenUp(f"the server sent {self._arrived:,} bytes in {self._waited:.3g} seconds, which is too slow")
            self._waited, self._arrived = 0.0, 0
        return count

    def close(self) -> None:
        self._source.close()
        super().close()
