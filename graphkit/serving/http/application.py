"""The application: routes, bodies that are bounded in size and time, and errors that are always JSON."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from graphkit.cli import tell
from graphkit.conf.serve import Serving, check_asked
from graphkit.errors import GraphkitError, RequestError
from graphkit.serving.http.batching import Batcher, Full
from graphkit.serving.http.counters import Counters
from graphkit.serving.http.pages import docs, openapi

Handler = Callable[[Request], Awaitable[Response]]
_GONE = 499
"""The status that is counted where the client has gone before it was answered."""


def make_application(settings: Serving, batcher: Batcher, *, task: str, facts: Mapping[str, Any]) -> Starlette:
    """The application of a run.

    Args:
        settings: The server's settings.
        batcher: Answers requests.
        task: The task of the run.
        facts: What `/health` tells of it.
    """
    counters = Counters()
    description, page = openapi(task, settings.run), docs(task, settings.run, facts)

    async def predict(request: Request) -> Response:
        start = time.perf_counter()
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise HTTPException(415, "send JSON, with content-type: application/json")
        body = await asyncio.wait_for(_body(request, settings.max_bytes), settings.body_seconds)
        asked = check_asked(task, settings.run, _parsed(body))
        answer = await asyncio.wrap_future(batcher.submit(asked))
        counters.took(time.perf_counter() - start)
        return Response(answer, media_type="application/json")

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", **facts})

    async def metrics(request: Request) -> Response:
        told = counters.text(batcher.batches, batcher.joined, batcher.waiting())
        return PlainTextResponse(told, media_type="text/plain; version=0.0.4")

    async def described(request: Request) -> Response:
        return JSONResponse(description)

    async def shown(request: Request) -> Response:
        return HTMLResponse(page)

    routes = {"/predict": predict, "/health": health, "/metrics": metrics, "/openapi.json": described, "/docs": shown}
    return Starlette(
        routes=[
            Route(path, _guarded(handler, path, counters), methods=["POST"] if path == "/predict" else ["GET"])
            for path, handler in routes.items()
        ],
        exception_handlers={HTTPException: _refused(counters), Exception: _failed},
    )


def _guarded(handler: Handler, path: str, counters: Counters) -> Handler:
    """The handler with errors as JSON, counted."""

    async def guarded(request: Request) -> Response:
        counters.in_flight += path == "/predict"
        try:
            response = await handler(request)
        except HTTPException as error:
            response = failure(error.status_code, error.detail)
        except GraphkitError as error:
            response = failure(422 if error.exit_code == RequestError.exit_code else 500, str(error))
        except Full:
            response = failure(503, "too many requests wait: ask again later")
        except TimeoutError:
            response = failure(408, "the body came too slowly: send it at once")
        except ClientDisconnect:
            response = failure(_GONE, "the client has gone")
        except Exception:  # noqa: BLE001  # a mistake of ours, which must not end the server
            tell(*traceback.format_exc().splitlines())
            response = failure(500, "the server failed on this request; its log has the reason")
        finally:
            counters.in_flight -= path == "/predict"
        counters.answered(path, response.status_code)
        return response

    return guarded


def failure(status: int, errors: str) -> Response:
    """An error response, a sentence per line of `errors`; it closes a connection whose body may not have been read."""
    headers = {"connection": "close"} if status in (408, 413, 415) else None
    return JSONResponse({"status": status, "errors": errors.splitlines()}, status, headers=headers)


def _refused(counters: Counters) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        told = {404: "there is no such page: /predict, /health, /metrics, /openapi.json and /docs are there",
                405: "this page takes another method: POST /predict, GET the others"}  # fmt: skip
        counters.answered("other", error.status_code)
        response = failure(error.status_code, told.get(error.status_code, error.detail))
        response.headers.update(error.headers or {})
        return response

    return refused


async def _failed(request: Request, error: Exception) -> Response:
    return failure(500, "the server failed on this request; its log has the reason")


async def _body(request: Request, most: int) -> bytes:
    """The body, of at most so many bytes.

    Raises:
        HTTPException: If it is larger, or is declared to be.
    """
    declared = request.headers.get("content-length", "")
    too_large = HTTPException(413, f"the body is larger than {most:,} bytes: send less at a time")
    if declared.isdigit() and int(declared[:20]) > most:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _parsed(body: bytes) -> Any:
    """The JSON of a body.

    Raises:
        RequestError: If it is none.
    """
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        reason = "too many levels" if isinstance(error, RecursionError) else str(error)
        raise RequestError(f'the body is no JSON ({reason[:200]}): send an object such as {{"node": "7"}}') from error


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")
