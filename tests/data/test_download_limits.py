"""Servers that trickle, never end, lie or redirect, and several that download at once."""

import signal
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from graphkit.data import download
from graphkit.data.catalog import DataFile
from graphkit.data.download import ensure
from graphkit.errors import DataError
from tests.data.test_download import ONE, TWO, entry, everything_under, refused, sha256

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(autouse=True)
def short_patience(monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 1.0)
    monkeypatch.setattr(download, "RATE", 1000)
    monkeypatch.setattr(download, "RATE_WINDOW", 0.3)
    monkeypatch.setattr(download, "LARGEST", 50_000)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def serving(answer):
    """A server whose `answer(path, send)` writes raw bytes until the client has gone; gives its address and what was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            with suppress(OSError):  # the client gives up, as it should
                answer(self.path, self.wfile.write)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}", asked
        finally:
            listening.shutdown()
            thread.join()


def wanted(url, body=ONE):
    return entry(DataFile("toy/raw/one.txt", sha256(body), f"{url}/data/one.txt"))


def slowly(send, part, times=400):
    for _ in range(times):
        send(part)
        time.sleep(0.02)


def trickling_body(path, send):
    send(OK + b"Content-Length: 10000\r\n\r\n")
    slowly(send, b"x")


def trickling_headers(path, send):
    slowly(send, OK[:1])


def trickling_after_a_good_start(path, send):
    send(OK + b"Content-Length: 40000\r\n\r\n" + b"x" * 20_000)
    slowly(send, b"x")


def trickling_chunks(path, send):
    send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    slowly(send, b"0")


@pytest.mark.parametrize(
    "answer", [trickling_body, trickling_headers, trickling_after_a_good_start, trickling_chunks], ids=lambda f: f.__name__
)
def test_a_server_that_trickles_is_given_up_on(tmp_path, answer):
    with serving(answer) as (url, _):
        start = time.monotonic()
        assert "seconds, which is too slow" in refused(wanted(url), tmp_path)
        assert time.monotonic() - start < 5  # it would have gone on for 8


def test_a_slow_server_above_the_least_rate_is_waited_for(tmp_path):
    def steady(path, send):
        send(OK + b"Content-Length: 10000\r\n\r\n")
        for start in range(0, 10_000, 200):
            send(ONE[start : start + 200])
            time.sleep(0.015)

    with serving(steady) as (url, _):
        ensure(wanted(url), tmp_path)
    assert (tmp_path / "toy/raw/one.txt").read_bytes() == ONE


def endless(path, send):
    send(OK + b"\r\n")
    while True:
        send(b"x" * 10_000)


def announced(path, send):
    send(OK + b"Content-Length: 50001\r\n\r\n")
    send(b"x" * 50_001)


def endless_headers(path, send):
    send(OK)
    for number in range(90):
        send(b"X-%d: " % number + b"x" * 10_000 + b"\r\n")


def endless_redirect(path, send):
    send(b"HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n")
    while True:
        send(b"x" * 10_000)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (endless, "the server sends more than 50,000 bytes"),
        (announced, "the server announces 50,001 bytes, and 50,000 are the most that is taken"),
        (endless_headers, "the server sends more than 50,000 bytes"),
        (endless_redirect, "the server sends more than 50,000 bytes"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_server_that_sends_too_much(tmp_path, answer, says):
    with serving(answer) as (url, _):
        assert says in refused(wanted(url), tmp_path)


def test_an_archive_that_unpacks_to_too_much(tmp_path, monkeypatch):
    packed = tmp_path / "bomb.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t/one.txt", b"\0" * 1_000_000)
    body = packed.read_bytes()
    packed.unlink()
    with serving(lambda path, send: send(OK + b"\r\n" + body)) as (url, _):
        bomb = entry(DataFile("toy/one.txt", sha256(ONE), f"{url}/bomb.zip", "t/one.txt"))
        assert "t/one.txt in the archive has 1,000,000 bytes, more than 50,000" in refused(bomb, tmp_path)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (OK + b"Content-Length: many\r\n\r\nx", "does not match the published checksum"),
        (OK + b"Content-Length: -5\r\n\r\nx", "does not match the published checksum"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "the connection broke"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n", "the connection broke"),
        (b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/one.txt\r\n\r\n", "unknown url type: ftp"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "the server answered 302"),
        (b"HTTP/1.1 302 Found\r\nLocation: /data/one.txt\r\n\r\n", "the server answered 302"),
        (b"HTTP/1.1 500 \x1b[31m" + b"x" * 5000 + b"\r\n\r\n", r"the server answered 500 \x1b[31mxxx"),
        (b"nonsense" * 1000 + b"\r\n", "the connection broke: BadStatusLine"),
    ],
)
def test_a_server_that_answers_nonsense(tmp_path, answer, says):
    with serving(lambda path, send: send(answer)) as (url, _):
        message = refused(wanted(url), tmp_path)
    assert says in message and len(message) < 1000


def test_a_redirect_is_followed(tmp_path):
    def answer(path, send):
        send(OK + b"\r\n" + ONE if path == "/there" else b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")

    with serving(answer) as (url, asked):
        ensure(wanted(url), tmp_path)
    assert asked == ["/data/one.txt", "/there"] and (tmp_path / "toy/raw/one.txt").read_bytes() == ONE


# ------------------------------------------------------------------------------------------------------ several at once


def measured(path, send):
    """About half a second."""
    body = {"/data/one.txt": ONE, "/data/two.txt": TWO}[path]
    send(OK + b"Content-Length: %d\r\n\r\n" % len(body))
    for part in range(10):
        send(body[part * len(body) // 10 : (part + 1) * len(body) // 10])
        time.sleep(0.05)


def both(url):
    return entry(
        DataFile("toy/raw/one.txt", sha256(ONE), f"{url}/data/one.txt"),
        DataFile("toy/raw/two.txt", sha256(TWO), f"{url}/data/two.txt"),
    )


def test_of_several_threads_one_downloads_and_the_others_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "RATE", 1)
    with serving(measured) as (url, asked), ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: ensure(both(url), tmp_path), range(4)))
    assert sorted(asked) == ["/data/one.txt", "/data/two.txt"]
    assert everything_under(tmp_path) == ["toy/raw/one.txt", "toy/raw/two.txt"]


def test_where_the_first_fails_the_next_one_downloads(tmp_path):
    tries = []

    def answer(path, send):
        tries.append(path)
        time.sleep(0.1)
        send(OK + b"\r\n" + (ONE if len(tries) == 2 else b"not it"))

    def attempt(_):
        try:
            ensure(wanted(url), tmp_path)
        except DataError as error:
            return str(error)
        return ""

    with serving(answer) as (url, _), ThreadPoolExecutor(2) as threads:
        first, second = sorted(threads.map(attempt, range(2)))
    assert first == "" and "does not match the published checksum" in second
    assert everything_under(tmp_path) == ["toy/raw/one.txt"]


PROGRAM = """
import sys, types
from pathlib import Path
import graphkit
data = sys.modules["graphkit.data"] = types.ModuleType("graphkit.data")  # its own __init__ imports torch, which takes seconds
data.__path__ = [str(Path(graphkit.__file__).parent / "data")]
from graphkit.data.catalog import DataFile, DatasetEntry
from graphkit.data.download import ensure
url, checksum, root = sys.argv[1:]
files = (DataFile("toy/raw/one.txt", checksum, url + "/data/one.txt"),)
ensure(DatasetEntry("toy", "", {}, "", files=files, reader="nobody:reads"), Path(root))
"""


def start(url, root):
    command = [sys.executable, "-c", PROGRAM, url, sha256(ONE), str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_two_processes_one_downloads_and_the_other_waits(tmp_path):
    with serving(measured) as (url, asked):
        running = [start(url, tmp_path) for _ in range(2)]
        ends = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0], ends
    assert asked == ["/data/one.txt"] and everything_under(tmp_path) == ["toy/raw/one.txt"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_download_that_is_stopped_leaves_nothing_in_the_way(tmp_path, number):
    held = threading.Event()

    def answer(path, send):
        send(OK + b"Content-Length: 10000\r\n\r\n" + ONE[:5000])
        held.wait(20)

    with serving(answer) as (url, asked):
        process = start(url, tmp_path)
        deadline = time.monotonic() + 60
        while not asked and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)
        assert [Path(name).suffix for name in everything_under(tmp_path)] == [".lock", ".part"]
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        held.set()
    assert process.returncode != 0 and (number == signal.SIGKILL or "KeyboardInterrupt" in said)
    assert number == signal.SIGKILL or everything_under(tmp_path) == []


def test_what_a_killed_process_left_is_used_by_nobody(tmp_path, monkeypatch):
    """The names of both left files are known by the address, so the next try takes the lock and writes from the start."""
    with serving(measured) as (url, _):
        left = []
        real = download._stream
        monkeypatch.setattr(download, "_stream", lambda u: left.extend(everything_under(tmp_path)) or real(u))
        ensure(wanted(url), tmp_path)
        (tmp_path / "toy/raw/one.txt").unlink()
        for name in left:
            (tmp_path / name).write_bytes(b"left behind")
        ensure(wanted(url), tmp_path)
    assert sorted(Path(name).suffix for name in left[:2]) == [".lock", ".part"]
    assert everything_under(tmp_path) == ["toy/raw/one.txt"] and (tmp_path / "toy/raw/one.txt").read_bytes() == ONE
